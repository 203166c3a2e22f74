//! Amazon GuardDuty in one account and Region: what watches its clusters, and what it reports of them.
//!
//! Calls guardduty:ListDetectors; guardduty:GetDetector for each detector (there is one at most). Where it watches
//! processes, guardduty:ListCoverage of ECS and EKS clusters (50 at a time). guardduty:ListFindings, the worst first, up to
//! [`FINDING_PAGES`] pages each, for containers and clusters, for container hosts, and for credentials of roles;
//! guardduty:GetFindings (50 at a time). Of a finding its type, severity and resource are kept, no texts.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use plimsoll_model::Inventory;
use plimsoll_model::aws::guardduty::{CoverageResource, Detector, DetectorConfiguration, Finding};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, Operation};
use crate::screen;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "guardduty",
    id: "GuardDuty",
    host: "guardduty",
    fips_host: "guardduty-fips",
    signing_name: "guardduty",
    protocol: Protocol::RestJson,
    reach: Reach::Regional,
};

const LIST_DETECTORS: Operation = Operation {
    service: "guardduty",
    name: "ListDetectors",
    permission: "guardduty:ListDetectors",
    why: "whether GuardDuty is on where containers run",
};

const GET_DETECTOR: Operation =
    Operation { service: "guardduty", name: "GetDetector", permission: "guardduty:GetDetector", why: "which of its features are on" };

const LIST_COVERAGE: Operation = Operation {
    service: "guardduty",
    name: "ListCoverage",
    permission: "guardduty:ListCoverage",
    why: "which clusters its runtime monitoring covers",
};

const LIST_FINDINGS: Operation = Operation {
    service: "guardduty",
    name: "ListFindings",
    permission: "guardduty:ListFindings",
    why: "open findings on clusters, containers and their hosts",
};

const GET_FINDINGS: Operation = Operation {
    service: "guardduty",
    name: "GetFindings",
    permission: "guardduty:GetFindings",
    why: "type, severity and resource of these findings",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_DETECTORS, GET_DETECTOR, LIST_COVERAGE, LIST_FINDINGS, GET_FINDINGS];

/// The largest page of every listing, and the largest batch of GetFindings.
const PAGE: usize = 50;
/// How far back findings go: GuardDuty keeps them no longer.
const LOOKBACK: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The least severity that is asked for: medium.
const LEAST_SEVERITY: i64 = 4;
/// Pages of findings of one kind.
const FINDING_PAGES: usize = 10;
/// The types of resources that are containers or run them.
const CONTAINER_TYPES: [&str; 5] = ["ECSCluster", "EKSCluster", "Container", "KubernetesCluster", "KubernetesWorkload"];

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct DetectorsPage {
    detector_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct CoveragePage {
    resources: Vec<CoverageResource>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct FindingIdsPage {
    finding_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Findings {
    findings: Vec<Finding>,
}

/// The detector of the Region, what it covers, and what it reports of containers.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let mut ids = Vec::new();
    let ask = Ask::get(&["detector"]).query("maxResults", &PAGE.to_string());
    let listing = wire.pages(api, &LIST_DETECTORS, Token::NEXT, ask, |page: DetectorsPage| ids.extend(page.detector_ids));
    api.or_gap(listing.await);
    let mut found = Inventory::default();
    for id in ids {
        let configuration = wire.ask_on::<DetectorConfiguration>(api, &GET_DETECTOR, &id, Ask::get(&["detector", &id])).await;
        let configuration = api.noted(configuration);
        // What it covers is asked unless it is known that it watches nothing.
        if configuration.known().is_ok_and(|known| !known.watches_processes()) {
            tracing::debug!(detector = id, "no runtime monitoring");
        } else {
            coverage(api, wire, &id, &mut found).await;
        }
        findings(api, wire, &id, containers, &mut found).await;
        found.push(api.account(), api.region(), Detector { detector_id: id, configuration });
    }
    found
}

async fn coverage(api: &Api, wire: &Wire, detector: &str, found: &mut Inventory) {
    // An administrator of an organization sees the clusters of its members too.
    let criteria = json!({"filterCriterion": [
        {"criterionKey": "ACCOUNT_ID", "filterCondition": {"equals": [api.account().as_str()]}},
        {"criterionKey": "RESOURCE_TYPE", "filterCondition": {"equals": ["ECS", "EKS"]}},
    ]});
    let ask = Ask::post(&["detector", detector, "coverage"], json!({"maxResults": PAGE, "filterCriteria": criteria}));
    let listing = wire.pages(api, &LIST_COVERAGE, Token::NEXT, ask, |page: CoveragePage| {
        for mut resource in page.resources {
            resource.issue = resource.issue.map(|issue| screen::tag_value(api.detector(), "issue", issue));
            found.push(api.account(), api.region(), resource);
        }
    });
    api.or_gap(listing.await);
}

async fn findings(api: &Api, wire: &Wire, detector: &str, containers: &Inventory, found: &mut Inventory) {
    let hosts = containers.container_instances.iter().filter_map(|instance| instance.data.ec2_instance_id.as_deref());
    let hosts = hosts.filter(|id| id.starts_with("i-")).chain(containers.instances.iter().map(|host| host.data.instance_id.as_str()));
    let hosts: BTreeSet<&str> = hosts.collect();
    let hosts: Vec<&str> = hosts.into_iter().collect();
    let mut kinds = vec![
        json!({"resource.resourceType": {"equals": CONTAINER_TYPES}}),
        // Credentials that were taken from a task or a host show up as those of its role.
        json!({"resource.resourceType": {"equals": ["AccessKey"]}}),
    ];
    kinds.extend(hosts.chunks(PAGE).map(|batch| json!({"resource.instanceDetails.instanceId": {"equals": batch}})));
    let mut ids = BTreeSet::new();
    for kind in kinds {
        list_findings(api, wire, detector, kind, &mut ids).await;
    }
    let ids: Vec<String> = ids.into_iter().collect();
    for batch in ids.chunks(PAGE) {
        let ask = Ask::post(&["detector", detector, "findings", "get"], json!({"findingIds": batch}));
        let Some(answer) = api.or_gap(wire.ask::<Findings>(api, &GET_FINDINGS, ask).await) else { continue };
        for finding in answer.findings {
            found.push(api.account(), api.region(), finding);
        }
    }
}

async fn list_findings(api: &Api, wire: &Wire, detector: &str, kind: Value, ids: &mut BTreeSet<String>) {
    let mut criterion = json!({
        "accountId": {"equals": [api.account().as_str()]},
        "service.archived": {"equals": ["false"]},
        "severity": {"greaterThanOrEqual": LEAST_SEVERITY},
        "updatedAt": {"greaterThanOrEqual": (Timestamp::now() - LOOKBACK).as_millisecond()},
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut criterion, kind) {
        all.extend(more);
    }
    let body = json!({
        "findingCriteria": {"criterion": criterion},
        "sortCriteria": {"attributeName": "severity", "orderBy": "DESC"},
        "maxResults": PAGE,
    });
    let ask = Ask::post(&["detector", detector, "findings"], body);
    let listing =
        wire.pages_up_to(api, &LIST_FINDINGS, Token::NEXT, FINDING_PAGES, ask, |page: FindingIdsPage| ids.extend(page.finding_ids));
    if api.or_gap(listing.await) == Some(false) {
        let why = format!("only the {} most severe of a kind are read", PAGE * FINDING_PAGES);
        api.gap(api.not_asked(&LIST_FINDINGS, None, &why));
    }
}
