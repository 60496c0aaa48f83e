//! A rehearsal, and the twin that it continues in.

use super::*;
use crate::gate::twin::{Seen, Twin, TwinMaker};

struct ScriptTwin(Arc<Script>, Mutex<Vec<String>>);

impl TwinMaker for ScriptTwin {
    fn make(&self, _host: &str, seen: &[Seen], _clock: &dyn Clock) -> Result<Twin, String> {
        *self.1.lock().unwrap() = seen.iter().map(|s| s.function.to_string()).collect();
        let mut providers = Providers::new();
        providers.add(("board", self.0.clone()));
        Ok(Twin {
            providers,
            clock: Arc::new(TestClock::default()),
        })
    }
}

#[tokio::test]
async fn a_rehearsal_goes_into_its_twin_at_the_first_mutation_and_real_systems_see_none() {
    let maker = Arc::new(ScriptTwin(Arc::new(Script::default()), Mutex::default()));
    let setup = Setup::with(|gate| {
        gate.context.dry_run = true;
        gate.twin = Some(maker.clone());
        let state = gate.state.get_mut().unwrap();
        state.ledger_mut().consented = false;
        state.ledger_mut().rehearses = true;
        gate.context.absent = ["register".to_owned()].into();
    });
    setup.call(POWER_STATE, json!({})).await.unwrap();
    setup.call(SET_POWER, json!({})).await.unwrap();
    setup.call(POWER_STATE, json!({})).await.unwrap();
    assert_eq!(setup.board.called(), ["board.get-state"]);
    assert_eq!(maker.0.called(), ["board.switch", "board.get-state"]);
    assert_eq!(*maker.1.lock().unwrap(), ["board.get-state"]);
    assert!(!setup.gate.state().touched);
    let realities: Vec<Reality> = setup
        .log
        .entries()
        .into_iter()
        .filter_map(|e| match e.record {
            Record::Outcome(outcome) if outcome.origin == Origin::Guest => Some(outcome.reality),
            _ => None,
        })
        .collect();
    assert_eq!(
        realities,
        [Reality::Real, Reality::Assumed, Reality::Assumed]
    );
}
