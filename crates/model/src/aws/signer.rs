//! AWS Signer (API version 2017-08-25).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `SigningProfile`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SigningProfile {
    pub arn: String,
    pub profile_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}
