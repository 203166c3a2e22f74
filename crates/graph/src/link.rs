//! References from one resource to another, which may lead nowhere.

use plimsoll_model::{Gap, Resource};

use crate::Node;

/// Where a reference leads.
#[derive(Debug)]
pub enum Link<'e, T: Resource> {
    /// To a resource of the estate.
    Found(Node<'e, T>),
    /// Nowhere, for a reason.
    Missing(Missing),
}

impl<T: Resource> Clone for Link<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Self::Found(node) => Self::Found(*node),
            Self::Missing(missing) => Self::Missing(missing.clone()),
        }
    }
}

/// A dangling reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// AWS was asked, and no such resource exists (any more).
    NotFound {
        /// The reference as it was written.
        reference: String,
    },
    /// The call that would have shown it did not succeed.
    Unseen {
        /// The reference as it was written.
        reference: String,
        /// That call's gap.
        gap: Gap,
    },
    /// It belongs to an account or Region that was not scanned.
    OutOfScope {
        /// The reference as it was written.
        reference: String,
    },
}

/// Why a verdict cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was not read.
    pub gap: Gap,
}

impl<'e, T: Resource> Link<'e, T> {
    /// The resource, or what stands in the way of a verdict. A resource that does not exist counts as unknown here:
    /// use [`Link::exists`] where its absence is an answer.
    pub fn known(self) -> Result<Node<'e, T>, Unknown> {
        match self {
            Self::Found(node) => Ok(node),
            Self::Missing(missing) => Err(missing.into_unknown::<T>()),
        }
    }

    /// The resource, `None` when AWS says that there is none, or what stands in the way.
    pub fn exists(self) -> Result<Option<Node<'e, T>>, Unknown> {
        match self {
            Self::Found(node) => Ok(Some(node)),
            Self::Missing(Missing::NotFound { .. }) => Ok(None),
            Self::Missing(missing) => Err(missing.into_unknown::<T>()),
        }
    }

    /// The resource, whatever the reason it is not there.
    pub fn found(self) -> Option<Node<'e, T>> {
        match self {
            Self::Found(node) => Some(node),
            Self::Missing(_) => None,
        }
    }
}

impl Missing {
    /// The reference as it was written.
    pub fn reference(&self) -> &str {
        match self {
            Self::NotFound { reference } | Self::Unseen { reference, .. } | Self::OutOfScope { reference } => reference,
        }
    }

    pub(crate) fn into_unknown<T: Resource>(self) -> Unknown {
        let gap = match self {
            Self::Unseen { gap, .. } => gap,
            Self::NotFound { reference } => Gap {
                operation: T::OPERATION.to_owned(),
                code: Gap::NOT_FOUND.to_owned(),
                message: format!("{reference} does not exist"),
                resource: Some(reference),
                ..Gap::default()
            },
            Self::OutOfScope { reference } => Gap {
                operation: T::OPERATION.to_owned(),
                code: Gap::OUT_OF_SCOPE.to_owned(),
                message: format!("{reference} belongs to an account or Region that was not scanned"),
                resource: Some(reference),
                ..Gap::default()
            },
        };
        Unknown { gap }
    }
}

impl From<&Gap> for Unknown {
    fn from(gap: &Gap) -> Self {
        Self { gap: gap.clone() }
    }
}

impl From<Gap> for Unknown {
    fn from(gap: Gap) -> Self {
        Self { gap }
    }
}
