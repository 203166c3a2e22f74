//! AWS Key Management Service (API version 2014-11-01).

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::Seen;
use crate::policy::PolicyDocument;

aws! {
    "PascalCase"

    /// `Tag`.
    Tag {
        pub tag_key: String,
        pub tag_value: String,
    }

    /// A key, by the ARN or, while it is not known, by the reference under which something names it.
    Key {
        pub key_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub referred_to_as: Vec<String>,
        pub key_metadata: Seen<Option<KeyMetadata>>,
        pub policy: Seen<Option<PolicyDocument>>,
        pub rotation: Seen<Option<KeyRotation>>,
        /// But for those to roles that AWS keeps for itself (`assumed-role/aws:…`), of which a key may have thousands.
        pub grants: Seen<Vec<GrantListEntry>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub aliases: Vec<String>,
    }

    /// `GrantListEntry`.
    GrantListEntry {
        pub grant_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub grantee_principal: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub retiring_principal: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub issuing_account: Option<String>,
        pub operations: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub constraints: Option<GrantConstraints>,
    }

    /// `GrantConstraints`.
    GrantConstraints {
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub encryption_context_subset: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub encryption_context_equals: BTreeMap<String, String>,
    }

    /// `KeyMetadata`.
    KeyMetadata {
        #[serde(rename = "AWSAccountId", skip_serializing_if = "Option::is_none")]
        pub aws_account_id: Option<String>,
        pub arn: String,
        pub key_id: String,
        pub enabled: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub key_state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub key_manager: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub key_spec: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub key_usage: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub origin: Option<String>,
        /// Of imported key material: `KEY_MATERIAL_EXPIRES` or `KEY_MATERIAL_DOES_NOT_EXPIRE`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expiration_model: Option<String>,
        /// When the first of the imported key material expires.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub valid_to: Option<Timestamp>,
        pub multi_region: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub multi_region_configuration: Option<MultiRegionConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub custom_key_store_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub creation_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deletion_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
    }

    /// `MultiRegionConfiguration`.
    MultiRegionConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub multi_region_key_type: Option<String>,
    }

    /// Answer of `GetKeyRotationStatus`.
    KeyRotation {
        pub key_rotation_enabled: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rotation_period_in_days: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub next_rotation_date: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub on_demand_rotation_start_date: Option<Timestamp>,
    }
}

impl GrantListEntry {
    /// Whether a service of AWS holds it.
    pub fn is_to_service(&self) -> bool {
        self.grantee_principal.as_deref().is_some_and(|principal| principal.ends_with(".amazonaws.com") && !principal.starts_with("arn:"))
    }

    /// What explanations and evidence call it.
    pub fn statement_name(&self) -> String {
        format!("grant {}", self.grant_id)
    }
}
