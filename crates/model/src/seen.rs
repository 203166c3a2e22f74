//! The outcome of a call: what AWS said, or why it is not known. "Nothing configured" is a value.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AccountId, Region};

/// Something that could not be read, and why. Gaps are data: they make findings `unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The account that was asked.
    #[serde(default)]
    pub account: AccountId,
    /// The Region that was asked, `global` for global services.
    #[serde(default)]
    pub region: Region,
    /// The operation, `service:Operation` in SDK terms: `ecs:ListTasks`.
    pub operation: String,
    /// The error code that AWS gave, or one of plimsoll's own: `NotCollected`, `Timeout`, `Interrupted`, `ConnectError`…
    pub code: String,
    /// The message, without control characters, shortened.
    #[serde(default)]
    pub message: String,
    /// The resource that was asked about, when it was one and not a listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl Gap {
    /// The code of a gap that stands for an operation which this snapshot's collector never calls.
    pub const NOT_COLLECTED: &'static str = "NotCollected";
    /// The code of a gap that stands for all operations in a Region, which is closed to the account or to the caller.
    pub const REGION_CLOSED: &'static str = "RegionClosed";

    /// The code of a gap that stands for an account that was asked for and is not in the caller's organization.
    pub const NOT_IN_ORGANIZATION: &'static str = "NotInOrganization";

    /// A gap without place: the operation was never called.
    pub fn not_collected(operation: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            code: Self::NOT_COLLECTED.to_owned(),
            message: "this snapshot's collector does not read it".to_owned(),
            ..Self::default()
        }
    }

    /// Whether it stands for everything in its account: nobody could enter it.
    pub fn closes_account(&self) -> bool {
        let entering = matches!(self.operation.as_str(), "sts:AssumeRole" | "sts:GetCallerIdentity");
        self.region.is_global() && (entering || self.code == Self::NOT_IN_ORGANIZATION)
    }

    /// Whether it stands for every regional operation in its account and Region.
    pub fn closes_region(&self) -> bool {
        self.code == Self::REGION_CLOSED
    }

    /// The code of a gap for what is referred to and does not exist, as AWS says.
    pub const NOT_FOUND: &'static str = "NotFound";
    /// The code of a gap for what belongs to an account or Region that was not scanned.
    pub const OUT_OF_SCOPE: &'static str = "OutOfScope";
    /// The code of a gap for what AWS answered with less than decides: no scanner looked, or there was more than is read.
    pub const INCONCLUSIVE: &'static str = "Inconclusive";

    /// Whether AWS answered that what is referred to does not exist.
    pub fn is_absence(&self) -> bool {
        self.code == Self::NOT_FOUND || self.code.ends_with("NotFoundException") || self.code.ends_with(".NotFound")
    }

    /// Whether AWS answered, and what it said leaves the question open: the message tells it.
    pub fn is_answered(&self) -> bool {
        self.is_absence() || matches!(self.code.as_str(), Self::OUT_OF_SCOPE | Self::INCONCLUSIVE)
    }

    /// Whether AWS refused for lack of permission, which a policy can mend.
    pub fn is_denied(&self) -> bool {
        matches!(
            self.code.as_str(),
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Client.UnauthorizedOperation" | "AuthorizationError"
        )
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.operation.is_empty() {
            write!(f, "{} ", self.operation)?;
        }
        if let Some(resource) = &self.resource {
            write!(f, "on {resource} ")?;
        }
        write!(f, "({}): {}", self.code, self.message)
    }
}

/// The value of a field that comes from a call of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Seen<T> {
    /// AWS answered; `Known(None)` says that nothing is configured.
    Known(T),
    /// AWS did not answer, and this is why.
    Unseen(Box<Gap>),
}

impl<T> Seen<T> {
    /// The value, or the gap to hand on with `?`.
    pub fn known(&self) -> Result<&T, &Gap> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Unseen(gap) => Err(gap),
        }
    }

    /// Changes a known value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Known(value) => Seen::Known(change(value)),
            Self::Unseen(gap) => Seen::Unseen(gap),
        }
    }
}

impl<T> Default for Seen<T> {
    /// A field that a snapshot leaves out was not collected: that is no value either.
    fn default() -> Self {
        Self::Unseen(Box::new(Gap::not_collected("")))
    }
}

impl<T> From<Gap> for Seen<T> {
    fn from(gap: Gap) -> Self {
        Self::Unseen(Box::new(gap))
    }
}

#[cfg(test)]
mod tests {
    use super::{Gap, Seen};

    #[test]
    fn nothing_configured_and_not_seen_differ_in_json() {
        let known: Seen<Option<u8>> = Seen::Known(None);
        assert_eq!(serde_json::to_string(&known).unwrap(), r#"{"known":null}"#);
        let unseen: Seen<Option<u8>> = Gap::not_collected("kms:GetKeyPolicy").into();
        let text = serde_json::to_string(&unseen).unwrap();
        assert_eq!(serde_json::from_str::<Seen<Option<u8>>>(&text).unwrap(), unseen);
    }

    #[test]
    fn a_missing_field_is_not_a_value() {
        #[derive(serde::Deserialize)]
        struct Holder {
            #[serde(default)]
            field: Seen<bool>,
        }
        assert!(serde_json::from_str::<Holder>("{}").unwrap().field.known().is_err());
    }
}
