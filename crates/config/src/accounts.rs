//! Which accounts to read, and as whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which accounts to read, and as whom: by `role-arns`, by `ids` or by `org`. With nothing set, the account of the
/// credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Accounts {
    /// Roles to assume, one an account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub role_arns: Vec<String>,
    /// Ids of accounts in which to assume the role named `role-name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Name of the role, with its path if it has one, to assume in each of `ids` or of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// External id for assuming the roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Read all active accounts of the organization.
    pub org: bool,
    /// Of the organization, only these accounts; nothing set, all.
    #[serde(skip_serializing_if = "OrgFilter::is_empty")]
    pub include: OrgFilter,
    /// Of the organization, not these accounts.
    #[serde(skip_serializing_if = "OrgFilter::is_empty")]
    pub exclude: OrgFilter,
}

/// Accounts of an organization: those that one of the lists names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct OrgFilter {
    /// Ids of accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Ids of organizational units or roots, with all that is below them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ous: Vec<String>,
    /// Tags of accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<plimsoll_model::TagPattern>,
}

impl OrgFilter {
    /// Whether it names no account.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.ous.is_empty() && self.tags.is_empty()
    }
}

impl Accounts {
    /// Whether nothing is set: the account of the credentials is read.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
