//! What `plimsoll doctor` finds: what an identity may read, and what would stay unknown.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{AccountId, Region};

/// What an identity may read in one account.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// Version of this format.
    pub schema: u32,
    /// The account.
    pub account: AccountId,
    /// ARN of the identity.
    pub caller: String,
    /// The Region that was asked for everything.
    pub region: Region,
    /// Every operation that a scan may call, asked in that Region.
    pub operations: Vec<OperationDiagnosis>,
    /// The other Regions, asked one listing of each service.
    pub regions: Vec<RegionDiagnosis>,
    /// How many checks there are.
    pub checks: usize,
    /// The checks that would be unknown, by what is denied.
    pub unknown_checks: Vec<String>,
    /// The policy documents to add, by name; empty when nothing is denied.
    pub policies: std::collections::BTreeMap<String, Value>,
}

/// What came of asking for one operation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationDiagnosis {
    /// `service:Operation`.
    pub operation: String,
    /// The IAM action that allows it.
    pub permission: String,
    /// What it is for.
    pub why: String,
    /// What came of it.
    pub answer: ReadAnswer,
    /// The code that AWS gave where it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The checks that need it.
    pub checks: Vec<String>,
}

/// What came of asking in one Region.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionDiagnosis {
    /// The Region.
    pub region: Region,
    /// Services that answered.
    pub readable: Vec<String>,
    /// Services that refused for lack of permission, though they answer where everything was asked.
    pub denied: Vec<String>,
    /// Services of which nobody knows.
    pub unclear: Vec<String>,
    /// The code of the first that did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Whether something may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReadAnswer {
    /// It may.
    Readable,
    /// AWS refused for lack of permission.
    Denied,
    /// Nobody knows.
    Unclear,
}
