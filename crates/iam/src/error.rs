//! What is wrong with a document, and where.

/// A document that is not a valid policy of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct PolicyError {
    /// The JSON path of the offending element, such as `$.Statement[0].Action`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl PolicyError {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}
