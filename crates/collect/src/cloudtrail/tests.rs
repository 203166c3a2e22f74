#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect, stores, wants_stores};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs;
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:eu-west-3:111111111111:key/k";
const TRAIL: &str = "arn:aws:cloudtrail:us-east-1:111111111111:trail/all";

fn with_key(key: &str) -> Inventory {
    let configuration = json!({"managedStorageConfiguration": {"fargateEphemeralStorageKmsKeyId": key}});
    let cluster: ecs::Cluster =
        serde_json::from_value(json!({"clusterArn": "c", "status": "ACTIVE", "configuration": configuration})).unwrap();
    let mut inventory = Inventory::default();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), cluster);
    inventory
}

fn answering() -> Replay {
    let record = json!({
        "userIdentity": {"invokedBy": "fargate.amazonaws.com"},
        "requestParameters": {"granteePrincipal": "fargate.eu-west-3.amazonaws.com", "constraints": {"encryptionContextSubset": {"aws:ecs:clusterName": "shop"}}},
        "responseElements": {"plaintext": "never"},
    });
    Replay::new()
        .json("DescribeTrails", json!({"trailList": [{"Name": "all", "TrailARN": TRAIL, "S3BucketName": "trail", "IsMultiRegionTrail": true, "HomeRegion": "us-east-1"}]}))
        .json("GetTrailStatus", json!({"IsLogging": true, "LatestDeliveryTime": 1.7e9}))
        .json("GetEventSelectors", json!({"TrailARN": TRAIL, "EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": true}]}))
        .json(
            "LookupEvents",
            json!({"Events": [{"EventId": "e1", "EventName": "CreateGrant", "EventTime": 1.7e9, "CloudTrailEvent": record.to_string()}]}),
        )
}

#[tokio::test]
async fn a_trail_comes_with_its_status_and_selectors() {
    let replay = answering();
    let api = Api::in_test();
    let found = collect(&api, |_| replay.wire(&SERVICE), &Inventory::default()).await;
    let trail = &found.trails[0].data;
    assert_eq!((trail.is_multi_region_trail, trail.s3_bucket_name.as_deref()), (Some(true), Some("trail")));
    assert_eq!(trail.status.known().unwrap().is_logging, Some(true));
    assert_eq!(trail.selectors.known().unwrap().event_selectors[0].read_write_type.as_deref(), Some("All"));
    assert_eq!(replay.requests().len(), 3, "no Lake, no look-ups");
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn selectors_are_asked_for_in_the_home_region_of_the_trail() {
    let (here, home) = (answering().error("GetEventSelectors", "TrailNotFoundException"), answering());
    let api = Api::in_test();
    let in_region = |region: &str| if region == "us-east-1" { home.wire(&SERVICE) } else { here.wire(&SERVICE) };
    let found = collect(&api, in_region, &Inventory::default()).await;
    assert!(found.trails[0].data.selectors.known().is_ok());
    assert_eq!((here.count("GetTrailStatus"), here.count("GetEventSelectors"), home.count("GetEventSelectors")), (1, 0, 1));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn stores_are_wanted_where_no_trail_records_all_and_that_is_known() {
    let logging = |status: Value| {
        let replay = answering().json("GetTrailStatus", status);
        async move {
            let mut inventory = with_key(KEY);
            inventory.absorb(collect(&Api::in_test(), |_| replay.wire(&SERVICE), &Inventory::default()).await);
            inventory
        }
    };
    assert!(!wants_stores(&logging(json!({"IsLogging": true})).await));
    assert!(wants_stores(&logging(json!({"IsLogging": false})).await));
    assert!(!wants_stores(&Inventory::default()));
    let mut unread = with_key(KEY);
    assert!(wants_stores(&unread));
    unread.gaps.push(Api::in_test().not_asked(&super::DESCRIBE_TRAILS, None, "denied"));
    assert!(!wants_stores(&unread));
}

#[tokio::test]
async fn a_store_comes_with_its_selectors() {
    let store = "arn:aws:cloudtrail:eu-west-3:111111111111:eventdatastore/1";
    let selectors = json!([{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]);
    let replay = Replay::new()
        .json("ListEventDataStores", json!({"EventDataStores": [{"EventDataStoreArn": store, "Name": "lake"}]}))
        .json("GetEventDataStore", json!({"EventDataStoreArn": store, "Name": "lake", "Status": "ENABLED", "MultiRegionEnabled": true, "CreatedTimestamp": 1.7e9, "AdvancedEventSelectors": selectors}));
    let found = stores(&Api::in_test(), &replay.wire(&SERVICE)).await;
    let store = &found.event_data_stores[0].data;
    assert_eq!((store.status.as_deref(), store.multi_region_enabled), (Some("ENABLED"), Some(true)));
    assert_eq!(store.advanced_event_selectors.known().unwrap()[0].field_selectors[0].equals, ["Management"]);
}

#[tokio::test]
async fn the_events_of_a_storage_key_tell_grantee_and_context_only() {
    let replay = answering();
    let found = collect(&Api::in_test(), |_| replay.wire(&SERVICE), &with_key(KEY)).await;
    let events = &found.key_events[0].data;
    let event = &events.events.known().unwrap()[0];
    assert!(events.complete);
    assert_eq!(event.grantee_principal.as_deref(), Some("fargate.eu-west-3.amazonaws.com"));
    assert_eq!(event.encryption_context["aws:ecs:clusterName"], "shop");
    assert!(!serde_json::to_string(events).unwrap().contains("never"));
    let asked = replay.requests().into_iter().find(|(name, _)| name == "LookupEvents").unwrap().1;
    assert_eq!(asked["LookupAttributes"], json!([{"AttributeKey": "ResourceName", "AttributeValue": KEY}]));
    assert!(asked["StartTime"].is_number());
}

#[tokio::test]
async fn look_ups_are_bounded_and_say_so() {
    let number = std::sync::atomic::AtomicUsize::new(0);
    let endless = move |_: &Value| {
        let next = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        Answer::Json(json!({"Events": [{"EventId": next, "EventName": "Decrypt"}], "NextToken": next}))
    };
    let replay = answering().on("LookupEvents", endless);
    let found = collect(&Api::in_test(), |_| replay.wire(&SERVICE), &with_key(KEY)).await;
    assert_eq!(replay.count("LookupEvents"), 4);
    assert!(!found.key_events[0].data.complete);
}

#[tokio::test]
async fn refusals_are_gaps_that_name_trail_and_key() {
    let replay = answering();
    let replay = ["GetTrailStatus", "GetEventSelectors", "LookupEvents"]
        .into_iter()
        .fold(replay, |replay, operation| replay.error(operation, "AccessDeniedException"));
    let api = Api::in_test();
    let found = collect(&api, |_| replay.wire(&SERVICE), &with_key(KEY)).await;
    assert!(found.trails[0].data.status.known().is_err() && found.key_events[0].data.events.known().is_err());
    let mut named: Vec<_> = api.take_gaps().into_iter().map(|gap| (gap.operation, gap.resource)).collect();
    named.sort();
    let expected =
        [("cloudtrail:GetEventSelectors", Some(TRAIL)), ("cloudtrail:GetTrailStatus", Some(TRAIL)), ("cloudtrail:LookupEvents", Some(KEY))];
    assert_eq!(named, expected.map(|(operation, resource)| (operation.to_owned(), resource.map(ToOwned::to_owned))));
}
