//! What a check has found that people have to know.

/// What is known of the host before the first change.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) facts: Vec<(String, String)>,
    /// What somebody has to weigh before they agree; having agreed, nothing is wrong with the run.
    pub(crate) cautions: Vec<String>,
    /// What is not as it should be.
    pub(crate) warnings: Vec<String>,
}
