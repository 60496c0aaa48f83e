//! One call on its way through the gate.

use serde_json::Value;
use wreimage_capability::{Caller, Function};
use wreimage_journal::Origin;

/// Who calls what. It is passed from stage to stage: nothing else decides what the call may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallContext<'a> {
    /// The component of the guest that makes it, for a call of the guest.
    pub(crate) caller: Caller,
    pub(crate) origin: Origin,
    pub(crate) function: &'static Function,
    pub(crate) arguments: &'a Value,
}

impl<'a> CallContext<'a> {
    /// A component of the guest calls.
    pub(crate) fn of_guest(
        caller: Caller,
        function: &'static Function,
        arguments: &'a Value,
    ) -> Self {
        CallContext {
            caller,
            origin: Origin::Guest,
            function,
            arguments,
        }
    }

    /// The host calls on its own account.
    pub(crate) fn of_host(function: &'static Function, arguments: &'a Value) -> Self {
        CallContext {
            caller: Caller::Guest,
            origin: Origin::Host,
            function,
            arguments,
        }
    }

    /// The host reverses something.
    pub(crate) fn of_undo(inverse: &'static Function, arguments: &'a Value) -> Self {
        CallContext {
            caller: Caller::Guest,
            origin: Origin::Undo,
            function: inverse,
            arguments,
        }
    }

    pub(crate) fn is_by_guest(&self) -> bool {
        self.origin == Origin::Guest
    }

    /// Whether the guest changes something by it.
    pub(crate) fn is_change_by_guest(&self) -> bool {
        self.is_by_guest() && self.function.effect.mutates()
    }

    /// Whether the guest restarts the machine by it.
    pub(crate) fn is_restart_by_guest(&self) -> bool {
        self.is_by_guest() && self.function.restarts(self.arguments)
    }
}
