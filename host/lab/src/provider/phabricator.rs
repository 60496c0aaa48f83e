//! The run's task.

use crate::seat::Seat;
use serde_json::Value;
use wreimage_capability::phabricator::{Provider, Task};
use wreimage_capability::{Call, Fault, Function, Reconciled};

pub(crate) struct Phabricator(pub(crate) Seat);

const SERVICE: &str = "phabricator";

impl Phabricator {
    fn markers(&self) -> Result<Vec<String>, Fault> {
        let task = self.0.task.as_deref();
        self.0.service(SERVICE, |world, _| {
            let id = world.task(task)?.id;
            Ok(world
                .comments(&id)
                .iter()
                .map(|c| c.marker.clone())
                .collect())
        })
    }
}

impl Provider for Phabricator {
    async fn get_task(&self, call: &Call) -> Result<Task, Fault> {
        let task = self
            .0
            .service(SERVICE, |world, _| world.task(self.0.task.as_deref()))?;
        self.0
            .mark(call, "phabricator.get-task", "whether the task exists");
        Ok(task)
    }

    async fn comment(&self, call: &Call, text: String) -> Result<(), Fault> {
        self.0.service(SERVICE, |world, _| {
            world.comment(self.0.task.as_deref(), &call.key(), &text)
        })
    }

    async fn witness(
        &self,
        _call: &Call,
        _function: &'static Function,
        _arguments: &Value,
    ) -> Result<Value, Fault> {
        Ok(Value::from(self.markers()?))
    }

    async fn reconcile(
        &self,
        call: &Call,
        _function: &'static Function,
        _arguments: &Value,
        _witness: &Value,
    ) -> Result<Reconciled, Fault> {
        Ok(match self.markers() {
            Ok(markers) if markers.contains(&call.key()) => Reconciled::happened(),
            Ok(_) => Reconciled::DidNot,
            Err(fault) => Reconciled::Unknown(fault.message),
        })
    }
}
