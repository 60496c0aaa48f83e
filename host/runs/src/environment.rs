//! What the runs of a process have in common.

use crate::active_runs::ActiveRuns;
use crate::backend::Backend;
use crate::frontend::Frontend;
use crate::store::RunStore;
use crate::turns::Turns;
use std::sync::Arc;
use wreimage_engine::Engine;

/// All that the runs of a process have in common.
pub struct Environment {
    /// Runs guests.
    pub engine: Engine,
    /// The systems that they work on.
    pub backend: Backend,
    /// Where they are recorded.
    pub store: RunStore,
    /// Who drives them, for people: `alice (uid 1000)`.
    pub actor: String,
    /// The machine on which they are driven.
    pub controller: String,
    /// Shows them, and answers for the operator.
    pub frontend: Arc<dyn Frontend>,
    /// Those that are driven now.
    pub active: Arc<ActiveRuns>,
    /// The turns of those of a batch.
    pub turns: Arc<Turns>,
    /// Whether several runs go on at the same time.
    pub is_batch: bool,
}
