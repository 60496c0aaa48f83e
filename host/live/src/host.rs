//! The host for which providers are opened, and what one provider of a host lends to another.

use crate::target::Target;
use std::sync::{Arc, OnceLock};
use wreimage_capability::{BoxFuture, Call};

/// The host for which providers are opened.
pub struct Host {
    pub(crate) target: Target,
    pub(crate) boot_ids: BootIdSlot,
}

impl Host {
    pub(crate) fn new(target: Target) -> Self {
        Host {
            target,
            boot_ids: BootIdSlot::default(),
        }
    }
}

/// Tells which boot the machine is in, when it answers.
pub(crate) trait BootIds: Send + Sync {
    /// The boot id at whichever identity answers; `None` when none does. It is a sign of a restart and nothing more: the
    /// host key is not judged.
    fn boot_id<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Option<String>>;
}

/// The provider that enters the machine fills it, others ask it during a call: in which order they are opened is all the same.
#[derive(Clone, Default)]
pub(crate) struct BootIdSlot(Arc<OnceLock<Arc<dyn BootIds>>>);

impl BootIdSlot {
    /// From here on these are asked.
    pub(crate) fn fill(&self, boots: Arc<dyn BootIds>) {
        let _ = self.0.set(boots);
    }

    /// Those that were filled in; `None` at a site where no provider enters the machine.
    pub(crate) fn get(&self) -> Option<&Arc<dyn BootIds>> {
        self.0.get()
    }
}
