//! AWS Secrets Manager (API version 2017-10-17): what a secret is, never what it holds.

use jiff::Timestamp;

use crate::Seen;
use crate::policy::PolicyDocument;

pub use super::Tag;

aws! {
    "PascalCase"

    /// `SecretListEntry`, with the policy of those that task definitions refer to.
    Secret {
        #[serde(rename = "ARN")]
        pub arn: String,
        pub name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rotation_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rotation_rules: Option<RotationRules>,
        #[serde(rename = "RotationLambdaARN", skip_serializing_if = "Option::is_none")]
        pub rotation_lambda_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_rotated_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_changed_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_accessed_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub next_rotation_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deleted_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owning_service: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub primary_region: Option<String>,
        pub resource_policy: Seen<Option<PolicyDocument>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `RotationRulesType`.
    RotationRules {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub automatically_after_days: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub schedule_expression: Option<String>,
    }
}
