//! AWS Private Certificate Authority (API version 2017-08-22): the authorities that issue for Service Connect.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `CertificateAuthority`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct CertificateAuthority {
    pub arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_account: Option<String>,
    /// `ROOT` or `SUBORDINATE`.
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `ACTIVE`, `DISABLED`, `EXPIRED`, `DELETED`…
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `GENERAL_PURPOSE` or `SHORT_LIVED_CERTIFICATE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}
