//! The host's list of what must not outlive the run.

use serde_json::Value;
use wreimage_capability::role::Found;
use wreimage_capability::{Catalogue, FaultKind, Function};
use wreimage_journal::{Origin, Outcome, UndoClosed, UndoState};

/// One entry: a change that must not outlive the run.
#[derive(Debug, Clone)]
pub(crate) struct UndoEntry {
    pub(crate) call: u64,
    pub(crate) function: &'static Function,
    pub(crate) arguments: Value,
    pub(crate) inverse: &'static Function,
    thing: &'static str,
    /// What the call returned; `None` while its outcome is not known.
    pub(crate) made: Option<Value>,
    /// The first call since by which the machine was told to restart.
    pub(crate) restarted: Option<u64>,
}

impl UndoEntry {
    /// Whether this function undoes it.
    pub(crate) fn is_undone_by(&self, function: &'static Function) -> bool {
        std::ptr::eq(self.inverse, function)
    }

    /// Whether the machine would boot something else than its own disk by it.
    fn leads_elsewhere(&self) -> bool {
        self.restarted.is_none() && self.function.boots_elsewhere(&self.arguments)
    }

    /// Whether it is there, by what a read of it has answered.
    pub(crate) fn is_found(&self, read: &Value) -> Found {
        match (self.function.read_back(), &self.made) {
            (Some(read_back), Some(made)) => (read_back.compare)(made, read),
            _ => Found::Unknown,
        }
    }

    pub(crate) fn closed(&self, state: UndoState, text: impl Into<String>) -> UndoClosed {
        UndoClosed {
            call: self.call,
            inverse: self.inverse.to_string(),
            thing: self.thing.to_owned(),
            state,
            text: text.into(),
        }
    }
}

/// UndoEntry entries in the order in which they were made, and what became of the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct UndoList {
    open: Vec<UndoEntry>,
    /// What was said to have been taken back.
    gone: Vec<UndoEntry>,
    pub(crate) closed: Vec<UndoClosed>,
}

impl UndoList {
    /// Opens an entry when the function has an inverse. False when there is nothing new to take back.
    pub(crate) fn open(
        &mut self,
        catalogue: Catalogue,
        function: &'static Function,
        call: u64,
        arguments: &Value,
    ) -> bool {
        let Some(inverse) = &function.inverse else {
            return false;
        };
        if let Some(open) = self
            .open
            .iter_mut()
            .find(|open| std::ptr::eq(open.function, function))
        {
            // Done again: what was made before stays known until the new outcome is.
            open.call = call;
            open.arguments = arguments.clone();
            open.restarted = None;
            return false;
        }
        let Some(undo) = catalogue
            .capability(function.capability)
            .and_then(|capability| capability.function(inverse.function))
        else {
            return false;
        };
        self.gone
            .retain(|gone| !std::ptr::eq(gone.function, function));
        self.open.push(UndoEntry {
            call,
            function,
            inverse: undo,
            thing: inverse.thing,
            arguments: arguments.clone(),
            made: None,
            restarted: None,
        });
        true
    }

    /// What is open.
    pub(crate) fn entries(&self) -> Vec<UndoEntry> {
        self.open.clone()
    }

    /// Whether an entry of this call is open.
    pub(crate) fn is_known(&self, call: u64) -> bool {
        self.open.iter().any(|open| open.call == call)
    }

    /// Whether something of this run is in place that makes the machine boot an installer at its next restart: what offers one,
    /// or a boot override that no restart has used up and that is not to its disk.
    pub(crate) fn makes_install(&self) -> bool {
        let mut open = self.open.iter();
        open.any(|open| open.function.offers_installer() || open.leads_elsewhere())
    }

    /// The machine is told to restart by this call.
    pub(crate) fn restarted(&mut self, call: u64) {
        for open in &mut self.open {
            open.restarted.get_or_insert(call);
        }
    }

    /// It has turned out that the machine did not restart by this call.
    pub(crate) fn not_restarted(&mut self, call: u64) {
        for open in &mut self.open {
            open.restarted = open.restarted.filter(|by| *by != call);
        }
    }

    /// The call was not made: what only it would have made need not be undone.
    pub(crate) fn withhold(&mut self, call: u64) {
        self.open
            .retain(|open| open.call != call || open.made.is_some());
    }

    /// An entry was settled by an earlier process. Those that an outcome has settled are settled by then.
    pub(crate) fn close(&mut self, closed: &UndoClosed) {
        let known = |open: &UndoEntry| {
            open.call == closed.call && open.inverse.to_string() == closed.inverse
        };
        if let Some(index) = self.open.iter().position(known) {
            self.open.remove(index);
            self.closed.push(closed.clone());
        }
    }

    /// What this run made that the function takes back. A system that says something else than it was told proves nothing by
    /// that.
    pub(crate) fn made(&self, function: &'static Function) -> Option<Value> {
        let mut open = self.open.iter();
        let open = open.find(|open| std::ptr::eq(open.inverse, function))?;
        let made = open.made.as_ref()?;
        let as_told = |(name, value): (&String, &Value)| {
            let told = open.arguments.get(name);
            told.is_none_or(|told| told == value)
        };
        let is_proof = made.as_object().is_none_or(|made| made.iter().all(as_told));
        is_proof.then(|| made.clone())
    }

    /// Learns from an outcome; returns the entries that it closes.
    pub(crate) fn apply(
        &mut self,
        function: &'static Function,
        outcome: &Outcome,
    ) -> Vec<UndoClosed> {
        let origin = outcome.origin;
        let mut closed = Vec::new();
        if let Some(index) = self
            .open
            .iter()
            .position(|open| std::ptr::eq(open.function, function) && open.call == outcome.call)
        {
            match &outcome.result {
                Ok(value) => {
                    if let Some(open) = self.open.get_mut(index) {
                        open.made = Some(value.clone());
                    }
                }
                Err(fault)
                    if self.open.get(index).is_some_and(|o| o.made.is_none())
                        && untouched(&fault.kind) =>
                {
                    let open = self.open.remove(index);
                    closed.push(open.closed(UndoState::NotNeeded, "the call had no effect"));
                }
                // It may have had its effect, wholly or in part: taking it back is harmless, leaving it is not.
                Err(_) => {}
            }
        }
        if let Some(index) = self
            .open
            .iter()
            .position(|open| std::ptr::eq(open.inverse, function))
        {
            match &outcome.result {
                Ok(value) => {
                    let open = self.open.remove(index);
                    let (state, text) = match (value, origin) {
                        (Value::Bool(false), _) => {
                            (UndoState::NotNeeded, "it was not there any more")
                        }
                        (_, Origin::Undo) => (UndoState::Done, ""),
                        _ => (UndoState::Done, "by the guest"),
                    };
                    closed.push(open.closed(state, text));
                    if state == UndoState::Done {
                        self.gone.push(open);
                    }
                }
                Err(fault) if origin == Origin::Undo => {
                    let open = self.open.remove(index);
                    closed.push(open.closed(UndoState::Failed, fault.message.clone()));
                }
                Err(_) => {}
            }
        }
        self.closed.extend(closed.iter().cloned());
        closed
    }

    /// A system was read. What it still has although it reported that it was gone has to be undone once more.
    pub(crate) fn reopen(&mut self, function: &Function, read: &Value) {
        let is_read = |open: &UndoEntry| {
            open.function.capability == function.capability
                && open
                    .function
                    .read_back()
                    .is_some_and(|it| it.reopens && it.function == function.name)
        };
        if self.open.iter().any(is_read) {
            return;
        }
        let is_there = |open: &UndoEntry| is_read(open) && open.is_found(read) == Found::There;
        if let Some(index) = self.gone.iter().position(is_there) {
            let again = self.gone.remove(index);
            self.closed
                .retain(|closed| closed.call != again.call || closed.state != UndoState::Done);
            self.open.push(again);
        }
    }

    /// The last entry that is open.
    pub(crate) fn last(&self) -> Option<&UndoEntry> {
        self.open.last()
    }
}

/// Kinds of fault after which nothing can have changed.
pub(crate) fn untouched(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Denied
            | FaultKind::NotFound
            | FaultKind::Conflict
            | FaultKind::Unsupported
            | FaultKind::Cancelled
    )
}
