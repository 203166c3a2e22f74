//! AWS CloudTrail (API version 2013-11-01).

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::Seen;

aws! {
    "PascalCase"

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

/// What one selector records of management events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementSelector<'a> {
    /// Events that read.
    pub reads: bool,
    /// Events that change something.
    pub writes: bool,
    /// Whether it keeps to some names, sources or identities.
    pub narrowed: bool,
    excluded: Vec<(Match, &'a str)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Whole,
    Start,
    End,
}

impl ManagementSelector<'_> {
    /// Whether it leaves out a source such as `kms.amazonaws.com`.
    pub fn excludes(&self, source: &str) -> bool {
        self.excluded.iter().any(|(how, text)| match how {
            Match::Whole => source == *text,
            Match::Start => source.starts_with(text),
            Match::End => source.ends_with(text),
        })
    }
}

impl Selectors {
    /// What its selectors record of management events; those that record none are left out.
    pub fn management(&self) -> Vec<ManagementSelector<'_>> {
        // A trail that was given no selectors records all management events.
        if self.event_selectors.is_empty() && self.advanced_event_selectors.is_empty() {
            return vec![ManagementSelector { reads: true, writes: true, narrowed: false, excluded: Vec::new() }];
        }
        let plain = self.event_selectors.iter().filter(|selector| selector.include_management_events != Some(false));
        let plain = plain.map(|selector| ManagementSelector {
            reads: selector.read_write_type.as_deref() != Some("WriteOnly"),
            writes: selector.read_write_type.as_deref() != Some("ReadOnly"),
            narrowed: false,
            excluded: selector.exclude_management_event_sources.iter().map(|source| (Match::Whole, source.as_str())).collect(),
        });
        plain.chain(self.advanced_event_selectors.iter().filter_map(AdvancedEventSelector::management)).collect()
    }
}

impl AdvancedEventSelector {
    /// What it records of management events, if any.
    pub fn management(&self) -> Option<ManagementSelector<'_>> {
        let mut found = ManagementSelector { reads: true, writes: true, narrowed: false, excluded: Vec::new() };
        let mut of_management = false;
        for selector in &self.field_selectors {
            let FieldSelector { field, equals, starts_with, ends_with, not_equals, not_starts_with, not_ends_with } = selector;
            match field.as_str() {
                "eventCategory" => of_management = equals.iter().any(|category| category == "Management"),
                "readOnly" => {
                    let has = |list: &[String], value: &str| list.iter().any(|one| one == value);
                    found.reads &= (equals.is_empty() || has(equals, "true")) && !has(not_equals, "true");
                    found.writes &= (equals.is_empty() || has(equals, "false")) && !has(not_equals, "false");
                }
                "eventSource" => {
                    found.narrowed |= !(equals.is_empty() && starts_with.is_empty() && ends_with.is_empty());
                    for (how, list) in [(Match::Whole, not_equals), (Match::Start, not_starts_with), (Match::End, not_ends_with)] {
                        found.excluded.extend(list.iter().map(|text| (how, text.as_str())));
                    }
                }
                _ => found.narrowed = true,
            }
        }
        of_management.then_some(found)
    }
}

/// Whether selectors together record every management event, those of single excluded sources apart.
pub fn record_all_management(selectors: &[ManagementSelector<'_>]) -> bool {
    let whole = || selectors.iter().filter(|selector| !selector.narrowed);
    whole().any(|selector| selector.reads) && whole().any(|selector| selector.writes)
}

#[cfg(test)]
mod tests {
    use super::{Selectors, record_all_management};
    use serde_json::json;

    fn selectors(json: serde_json::Value) -> Selectors {
        serde_json::from_value(json).unwrap()
    }

    fn advanced(fields: &serde_json::Value) -> Selectors {
        selectors(json!({"AdvancedEventSelectors": [{"FieldSelectors": fields}]}))
    }

    #[test]
    fn a_trail_without_selectors_records_all_management_events() {
        assert!(record_all_management(&Selectors::default().management()));
    }

    #[test]
    fn plain_selectors_record_what_they_say() {
        for (selector, all) in [
            (json!({"ReadWriteType": "All", "IncludeManagementEvents": true}), true),
            (json!({}), true),
            (json!({"ReadWriteType": "WriteOnly"}), false),
            (json!({"ReadWriteType": "All", "IncludeManagementEvents": false}), false),
        ] {
            assert_eq!(record_all_management(&selectors(json!({"EventSelectors": [selector]})).management()), all, "{selector}");
        }
        let both = selectors(json!({"EventSelectors": [{"ReadWriteType": "WriteOnly"}, {"ReadWriteType": "ReadOnly"}]}));
        assert!(record_all_management(&both.management()));
    }

    #[test]
    fn advanced_selectors_record_management_only_when_they_say_so() {
        let management = json!({"Field": "eventCategory", "Equals": ["Management"]});
        for (fields, all) in [
            (json!([management]), true),
            (json!([{"Field": "eventCategory", "Equals": ["Data"]}]), false),
            (json!([management, {"Field": "readOnly", "Equals": ["false"]}]), false),
            (json!([management, {"Field": "readOnly", "NotEquals": ["true"]}]), false),
            (json!([management, {"Field": "eventName", "Equals": ["RunTask"]}]), false),
            (json!([management, {"Field": "eventSource", "Equals": ["ecs.amazonaws.com"]}]), false),
            (json!([management, {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}]), true),
        ] {
            assert_eq!(record_all_management(&advanced(&fields).management()), all, "{fields}");
        }
    }

    #[test]
    fn sources_are_excluded_by_name_or_by_their_beginning_and_end() {
        let plain = selectors(json!({"EventSelectors": [{"ExcludeManagementEventSources": ["kms.amazonaws.com"]}]}));
        assert!(plain.management()[0].excludes("kms.amazonaws.com") && !plain.management()[0].excludes("ecs.amazonaws.com"));
        let management = json!({"Field": "eventCategory", "Equals": ["Management"]});
        let by_start = advanced(&json!([management, {"Field": "eventSource", "NotStartsWith": ["kms."]}]));
        assert!(by_start.management()[0].excludes("kms.amazonaws.com") && !by_start.management()[0].excludes("ecs.amazonaws.com"));
    }
}
