//! How a rehearsal leaves the real world.

use crate::gate::run_gate::RunGate;
use crate::run::stop::Stop;
use wreimage_capability::Function;
use wreimage_journal::Record;

impl RunGate {
    /// A rehearsal continues in its twin, before the first change.
    pub(crate) fn enter_twin(&self, function: &'static Function) -> Result<(), Stop> {
        let maker = self
            .twin
            .as_ref()
            .ok_or_else(|| Stop::Twin("there is no lab to rehearse in".to_owned()))?;
        let seen = self.state().seen.clone();
        let clock = self.recorder.clock();
        let twin = maker
            .make(&self.context.host, &seen, clock.as_ref())
            .map_err(Stop::Twin)?;
        self.record(Record::TwinEntered {
            function: function.to_string(),
        })?;
        self.recorder.set_clock(twin.clock);
        self.state().providers = twin.providers;
        Ok(())
    }
}
