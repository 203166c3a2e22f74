//! AWS CloudTrail (API version 2013-11-01).

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Seen;

macro_rules! aws {
    ($($(#[$doc:meta])* $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "PascalCase", default)]
        pub struct $name { $($body)* }
    )*};
}

aws! {
    /// `Trail`, with its status and selectors.
    Trail {
        pub name: String,
        #[serde(rename = "TrailARN")]
        pub trail_arn: String,
        #[serde(rename = "S3BucketName", skip_serializing_if = "Option::is_none")]
        pub s3_bucket_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub include_global_service_events: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub is_multi_region_trail: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub home_region: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_file_validation_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cloud_watch_logs_log_group_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub has_insight_selectors: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub is_organization_trail: Option<bool>,
        pub status: Seen<TrailStatus>,
        pub selectors: Seen<Selectors>,
    }

    /// What `GetTrailStatus` answers.
    TrailStatus {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub is_logging: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub latest_delivery_error: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub latest_delivery_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub latest_digest_delivery_error: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub latest_cloud_watch_logs_delivery_error: Option<String>,
    }

    /// What `GetEventSelectors` answers.
    Selectors {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub event_selectors: Vec<EventSelector>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub advanced_event_selectors: Vec<AdvancedEventSelector>,
    }

    /// `EventSelector`.
    EventSelector {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub read_write_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub include_management_events: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub exclude_management_event_sources: Vec<String>,
    }

    /// `AdvancedEventSelector`.
    AdvancedEventSelector {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub field_selectors: Vec<FieldSelector>,
    }

    /// `AdvancedFieldSelector`.
    FieldSelector {
        pub field: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub equals: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub starts_with: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ends_with: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub not_equals: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub not_starts_with: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub not_ends_with: Vec<String>,
    }

    /// What `GetEventDataStore` answers: a store of CloudTrail Lake.
    EventDataStore {
        pub event_data_store_arn: String,
        pub name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub multi_region_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub organization_enabled: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub retention_period: Option<i64>,
        pub advanced_event_selectors: Seen<Vec<AdvancedEventSelector>>,
    }

    /// What `LookupEvents` tells of one key: the events of the last two weeks, newest first, as far as they were asked for.
    KeyEvents {
        pub key_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub since: Option<Timestamp>,
        pub complete: bool,
        pub events: Seen<Vec<KeyEvent>>,
    }

    /// `Event` on a key, with what its `CloudTrailEvent` says of the grantee and the encryption context.
    KeyEvent {
        pub event_id: String,
        pub event_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub event_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub event_source: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub invoked_by: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub grantee_principal: Option<String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub encryption_context: BTreeMap<String, String>,
    }
}
