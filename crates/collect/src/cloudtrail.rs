//! AWS CloudTrail in one account: trails, Lake stores, and what was recorded of the keys of Fargate's storage.
//!
//! Calls cloudtrail:DescribeTrails in each Region with containers; for each trail that records there cloudtrail:GetTrailStatus,
//! and cloudtrail:GetEventSelectors in the trail's home Region, which alone knows them; cloudtrail:ListEventDataStores and
//! cloudtrail:GetEventDataStore in every Region once the trails of some Region with containers leave something out: a store
//! records other Regions, but only its own lists it; cloudtrail:LookupEvents for each key of a cluster's Fargate storage, of the last two
//! weeks and at most four pages: AWS allows two of these calls a second. Yields trails, stores and key events.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, join, stream};
use jiff::{SignedDuration, Timestamp};
use plimsoll_model::aws::cloudtrail::{
    AdvancedEventSelector, EventDataStore, KeyEvent, KeyEvents, Selectors, Trail, TrailStatus, record_all_management,
};
use plimsoll_model::{Arn, Inventory, Region};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, Operation, Outcome};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "cloudtrail",
    id: "CloudTrail",
    host: "cloudtrail",
    fips_host: "cloudtrail-fips",
    signing_name: "cloudtrail",
    protocol: Protocol::Json("1.1", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"),
    reach: Reach::Regional,
};

const DESCRIBE_TRAILS: Operation = Operation {
    service: "cloudtrail",
    name: "DescribeTrails",
    permission: "cloudtrail:DescribeTrails",
    why: "the trails that record a Region",
};

const GET_TRAIL_STATUS: Operation = Operation {
    service: "cloudtrail",
    name: "GetTrailStatus",
    permission: "cloudtrail:GetTrailStatus",
    why: "whether a trail is logging and delivers",
};

const GET_EVENT_SELECTORS: Operation = Operation {
    service: "cloudtrail",
    name: "GetEventSelectors",
    permission: "cloudtrail:GetEventSelectors",
    why: "which events a trail records",
};

const LIST_EVENT_DATA_STORES: Operation = Operation {
    service: "cloudtrail",
    name: "ListEventDataStores",
    permission: "cloudtrail:ListEventDataStores",
    why: "stores of CloudTrail Lake, where no trail is logging",
};

const GET_EVENT_DATA_STORE: Operation = Operation {
    service: "cloudtrail",
    name: "GetEventDataStore",
    permission: "cloudtrail:GetEventDataStore",
    why: "which events a store records",
};

const LOOKUP_EVENTS: Operation = Operation {
    service: "cloudtrail",
    name: "LookupEvents",
    permission: "cloudtrail:LookupEvents",
    why: "whether Fargate used the key of a cluster's storage",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] =
    &[DESCRIBE_TRAILS, GET_TRAIL_STATUS, GET_EVENT_SELECTORS, LIST_EVENT_DATA_STORES, GET_EVENT_DATA_STORE, LOOKUP_EVENTS];

/// How far back events are looked up.
const LOOKBACK: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Pages of events for one key; busy keys have thousands of events a day.
const EVENT_PAGES: usize = 4;
/// The largest page of LookupEvents.
const EVENTS_PAGE: u8 = 50;
/// Trails and stores that are asked about at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 8;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Trails {
    #[serde(rename = "trailList")]
    trail_list: Vec<Trail>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Stores {
    event_data_stores: Vec<EventDataStore>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Store {
    #[serde(flatten)]
    store: BTreeMap<String, Value>,
    advanced_event_selectors: Vec<AdvancedEventSelector>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Events {
    events: Vec<Event>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
#[expect(clippy::struct_field_names, reason = "AWS's own names")]
struct Event {
    event_id: String,
    event_name: String,
    event_time: Option<Timestamp>,
    event_source: Option<String>,
    cloud_trail_event: Option<String>,
}

/// The trails that record in the Region, and what they recorded of keys. `in_region` gives a client for a trail's home Region.
pub(crate) async fn collect(api: &Api, in_region: impl Fn(&str) -> Wire, containers: &Inventory) -> Inventory {
    let wire = in_region(api.region().as_str());
    let (mut found, looked_up) = join!(trails(api, &wire, &in_region), lookups(api, &wire, containers));
    found.absorb(looked_up);
    found
}

/// Whether stores of CloudTrail Lake could make up for trails: somewhere there are containers, and no trail of all Regions
/// records every change and every read.
pub(crate) fn wants_stores(inventory: &Inventory) -> bool {
    let clusters = inventory.clusters.iter().filter(|cluster| cluster.data.status == "ACTIVE");
    let kubernetes = inventory.eks_clusters.iter().map(|cluster| &cluster.region);
    let places: BTreeSet<&Region> = clusters.map(|cluster| &cluster.region).chain(kubernetes).collect();
    places.into_iter().any(|region| {
        let unread = inventory.gaps.iter().any(|gap| gap.region == *region && gap.operation == DESCRIBE_TRAILS.id());
        let mut trails = inventory.trails.iter().filter(|trail| trail.region == *region);
        // What was not seen of a trail is not mended by a store.
        !unread && trails.all(|trail| records_all(&trail.data) == Some(false))
    })
}

fn records_all(trail: &Trail) -> Option<bool> {
    let (status, selectors) = (trail.status.known().ok()?, trail.selectors.known().ok()?);
    let all = trail.is_multi_region_trail == Some(true) && status.is_logging == Some(true);
    Some(all && record_all_management(&selectors.management()))
}

async fn trails(api: &Api, wire: &Wire, in_region: &impl Fn(&str) -> Wire) -> Inventory {
    let mut found = Inventory::default();
    // Trails of other Regions that record here as well are "shadow trails".
    let ask = Ask::members(json!({"includeShadowTrails": true}));
    let Some(answer) = api.or_gap(wire.ask::<Trails>(api, &DESCRIBE_TRAILS, ask).await) else { return found };
    let trails = stream::iter(answer.trail_list).map(|trail| details(api, wire, in_region, trail)).buffer_unordered(AT_ONCE);
    let trails: Vec<Trail> = trails.collect().await;
    for trail in trails {
        found.push(api.account(), api.region(), trail);
    }
    found
}

async fn details(api: &Api, wire: &Wire, in_region: &impl Fn(&str) -> Wire, mut trail: Trail) -> Trail {
    let arn = trail.trail_arn.clone();
    let home = in_region(trail.home_region.as_deref().unwrap_or(api.region().as_str()));
    // A trail delivers from each Region by itself, so each has a status of its own.
    let status = wire.ask_on::<TrailStatus>(api, &GET_TRAIL_STATUS, &arn, Ask::members(json!({"Name": arn})));
    let selectors = home.ask_on::<Selectors>(api, &GET_EVENT_SELECTORS, &arn, Ask::members(json!({"TrailName": arn})));
    let (status, selectors) = join!(status, selectors);
    trail.status = api.noted(status);
    trail.selectors = api.noted(selectors);
    trail
}

/// The stores of CloudTrail Lake that the Region lists.
pub(crate) async fn stores(api: &Api, wire: &Wire) -> Inventory {
    let mut listed = Vec::new();
    let pages = wire.pages(api, &LIST_EVENT_DATA_STORES, Token::NEXT_CAPITAL, Ask::members(Value::Null), |page: Stores| {
        listed.extend(page.event_data_stores);
    });
    api.or_gap(pages.await);
    let mut found = Inventory::default();
    for store in listed {
        let arn = store.event_data_store_arn.clone();
        let ask = Ask::members(json!({"EventDataStore": arn}));
        let answer = wire.ask_on::<Store>(api, &GET_EVENT_DATA_STORE, &arn, ask).await;
        let store = match answer {
            Ok(Store { store: members, advanced_event_selectors }) => {
                let described = serde_json::from_value(members.into_iter().collect()).unwrap_or(store);
                EventDataStore { advanced_event_selectors: Ok(advanced_event_selectors).seen(), ..described }
            }
            Err(gap) => {
                api.gap(gap.clone());
                EventDataStore { advanced_event_selectors: gap.into(), ..store }
            }
        };
        found.push(api.account(), api.region(), store);
    }
    found
}

/// What was recorded of the keys of the clusters' Fargate storage. AWS lets one caller look up one thing at a time.
async fn lookups(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let mut found = Inventory::default();
    let since = Timestamp::now() - LOOKBACK;
    for key in storage_keys(api, containers) {
        let mut events = Vec::new();
        let ask = json!({
            "LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": key}],
            "StartTime": since.as_second(),
            "MaxResults": EVENTS_PAGE,
        });
        let pages = wire.pages_up_to(api, &LOOKUP_EVENTS, Token::NEXT_CAPITAL, EVENT_PAGES, Ask::members(ask), |page: Events| {
            events.extend(page.events.into_iter().map(key_event));
        });
        let answer = pages.await.about(key);
        let complete = answer.as_ref().is_ok_and(|all| *all);
        let since = Timestamp::from_second(since.as_second()).ok();
        let events = api.noted(answer.map(|_| events));
        found.push(api.account(), api.region(), KeyEvents { key_arn: key.to_owned(), since, complete, events });
    }
    found
}

/// The keys of Fargate's storage in this Region that are named by ARN, as CloudTrail names them.
fn storage_keys<'a>(api: &Api, containers: &'a Inventory) -> BTreeSet<&'a str> {
    let configurations = containers.clusters.iter().filter_map(|cluster| cluster.data.configuration.as_ref());
    let storage = configurations.filter_map(|configuration| configuration.managed_storage_configuration.as_ref());
    let keys = storage.filter_map(|storage| storage.fargate_ephemeral_storage_kms_key_id.as_deref());
    keys.filter(|key| Arn::parse(key).is_some_and(|arn| arn.region == api.region().as_str())).collect()
}

/// The members of an event that tell who got the key for what.
fn key_event(event: Event) -> KeyEvent {
    let record: Value = event.cloud_trail_event.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
    let context = ["/requestParameters/encryptionContext", "/requestParameters/constraints/encryptionContextSubset"]
        .into_iter()
        .chain(["/requestParameters/constraints/encryptionContextEquals"])
        .find_map(|pointer| record.pointer(pointer)?.as_object());
    let context = context.into_iter().flatten();
    KeyEvent {
        event_id: event.event_id,
        event_name: event.event_name,
        event_time: event.event_time,
        event_source: event.event_source,
        invoked_by: text("/userIdentity/invokedBy"),
        grantee_principal: text("/requestParameters/granteePrincipal"),
        encryption_context: context.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
    }
}
