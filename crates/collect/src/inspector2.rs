//! Amazon Inspector in one account and Region: what it scans, and what it found in the hosts and images in use.
//!
//! Calls inspector2:BatchGetAccountStatus. Where scanning of EC2 instances or of images is on,
//! inspector2:ListCoverage for the container hosts and running images of the account's own registry (10 at a time), and
//! inspector2:ListFindings for those that it covers: ACTIVE package vulnerabilities that are CRITICAL or HIGH, up to
//! [`FINDING_PAGES`] pages for ten resources. Yields the state of the account, coverage, and a count of findings by
//! resource.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use plimsoll_model::aws::inspector2::{AccountState, Coverage, ResourceFindings, SeverityCount, Vulnerability, WORST};
use plimsoll_model::{Arn, Gap, Inventory, partition_of};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, Operation};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "inspector2",
    id: "Inspector2",
    host: "inspector2",
    fips_host: "inspector2-fips",
    signing_name: "inspector2",
    protocol: Protocol::RestJson,
    reach: Reach::Regional,
};

const BATCH_GET_ACCOUNT_STATUS: Operation = Operation {
    service: "inspector2",
    name: "BatchGetAccountStatus",
    permission: "inspector2:BatchGetAccountStatus",
    why: "whether Inspector scans hosts and images",
};

const LIST_COVERAGE: Operation = Operation {
    service: "inspector2",
    name: "ListCoverage",
    permission: "inspector2:ListCoverage",
    why: "which hosts and running images it covers",
};

const LIST_FINDINGS: Operation = Operation {
    service: "inspector2",
    name: "ListFindings",
    permission: "inspector2:ListFindings",
    why: "severe vulnerabilities of these hosts and images",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[BATCH_GET_ACCOUNT_STATUS, LIST_COVERAGE, LIST_FINDINGS];

/// Values that one filter takes.
const FILTER_VALUES: usize = 10;
/// The largest page of ListCoverage.
const COVERAGE_PAGE: usize = 200;
/// The largest page of ListFindings.
const FINDINGS_PAGE: usize = 100;
/// Pages of findings for one filter's worth of resources.
const FINDING_PAGES: usize = 20;
/// Filters that are worked on at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 8;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Accounts {
    accounts: Vec<AccountState>,
    failed_accounts: Vec<FailedAccount>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct FailedAccount {
    error_code: Option<String>,
    error_message: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct CoveragePage {
    covered_resources: Vec<Coverage>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct FindingsPage {
    findings: Vec<Finding>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Finding {
    severity: String,
    first_observed_at: Option<Timestamp>,
    resources: Vec<Resource>,
    fix_available: Option<String>,
    exploit_available: Option<String>,
    package_vulnerability_details: Option<PackageVulnerabilityDetails>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Resource {
    id: String,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct PackageVulnerabilityDetails {
    vulnerability_id: String,
    vulnerable_packages: Vec<VulnerablePackage>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct VulnerablePackage {
    name: String,
    version: Option<String>,
    fixed_in_version: Option<String>,
}

/// A kind of resource that Inspector scans.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Host,
    Image,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Host => "AWS_EC2_INSTANCE",
            Self::Image => "AWS_ECR_CONTAINER_IMAGE",
        }
    }

    fn status(self, state: &AccountState) -> &str {
        match self {
            Self::Host => &state.resource_state.ec2.status,
            Self::Image => &state.resource_state.ecr.status,
        }
    }
}

/// What Inspector says of the account, and of the hosts and images that containers use.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let mut found = Inventory::default();
    let state = api.or_gap(status(api, wire).await);
    for (kind, ids) in [(Kind::Host, hosts(containers)), (Kind::Image, images(api, containers))] {
        // Where it is known to be off there is nothing to ask for.
        let off = state.as_ref().is_some_and(|state| !matches!(kind.status(state), "ENABLED" | "ENABLING" | "SUSPENDING"));
        if !off {
            found.absorb(scanned(api, wire, kind, ids).await);
        }
    }
    if let Some(state) = state {
        found.push(api.account(), api.region(), state);
    }
    found
}

async fn status(api: &Api, wire: &Wire) -> Result<AccountState, Gap> {
    let own = api.account().as_str();
    let ask = Ask::post(&["status", "batch", "get"], json!({"accountIds": [own]}));
    let answer: Accounts = wire.ask(api, &BATCH_GET_ACCOUNT_STATUS, ask).await?;
    answer.accounts.into_iter().find(|state| state.account_id == own).ok_or_else(|| {
        let failed = answer.failed_accounts.into_iter().next().unwrap_or_default();
        let message = failed.error_message.unwrap_or_else(|| "the answer does not tell of the account".to_owned());
        let gap = api.not_asked(&BATCH_GET_ACCOUNT_STATUS, None, &message);
        Gap { code: failed.error_code.unwrap_or_else(|| Gap::NOT_FOUND.to_owned()), ..gap }
    })
}

async fn scanned(api: &Api, wire: &Wire, kind: Kind, ids: BTreeSet<String>) -> Inventory {
    let ids: Vec<String> = ids.into_iter().collect();
    let batches: Vec<Vec<String>> = ids.chunks(FILTER_VALUES).map(<[String]>::to_vec).collect();
    let parts = stream::iter(batches).map(|batch| batch_of(api, wire, kind, batch)).buffer_unordered(AT_ONCE);
    let parts: Vec<Inventory> = parts.collect().await;
    parts.into_iter().fold(Inventory::default(), |mut all, part| {
        all.absorb(part);
        all
    })
}

async fn batch_of(api: &Api, wire: &Wire, kind: Kind, ids: Vec<String>) -> Inventory {
    let mut found = Inventory::default();
    let mut covered = BTreeSet::new();
    let criteria = json!({"resourceType": equals([kind.as_str()]), "resourceId": equals(&ids), "scanType": equals(["PACKAGE"])});
    let ask = Ask::post(&["coverage", "list"], json!({"maxResults": COVERAGE_PAGE, "filterCriteria": criteria}));
    let listing = wire.pages(api, &LIST_COVERAGE, Token::NEXT, ask, |page: CoveragePage| {
        for coverage in page.covered_resources {
            covered.insert(coverage.resource_id.clone());
            found.push(api.account(), api.region(), coverage);
        }
    });
    let listed = api.or_gap(listing.await).is_some();
    let wanted: Vec<String> = ids.into_iter().filter(|id| !listed || covered.contains(id)).collect();
    if !wanted.is_empty() {
        for findings in findings(api, wire, wanted).await {
            found.push(api.account(), api.region(), findings);
        }
    }
    found
}

/// The findings of some resources, counted; none when they could not be read.
async fn findings(api: &Api, wire: &Wire, ids: Vec<String>) -> Vec<ResourceFindings> {
    let criteria = json!({
        "findingStatus": equals(["ACTIVE"]),
        "findingType": equals(["PACKAGE_VULNERABILITY"]),
        "severity": equals(["CRITICAL", "HIGH"]),
        "resourceId": equals(&ids),
    });
    let body = json!({
        "filterCriteria": criteria,
        // The worst come first, should there be more than is read.
        "sortCriteria": {"field": "SEVERITY", "sortOrder": "DESC"},
        "maxResults": FINDINGS_PAGE,
    });
    let mut counted: BTreeMap<String, ResourceFindings> =
        ids.into_iter().map(|id| (id.clone(), ResourceFindings { resource_id: id, ..ResourceFindings::default() })).collect();
    let ask = Ask::post(&["findings", "list"], body);
    let listing = wire.pages_up_to(api, &LIST_FINDINGS, Token::NEXT, FINDING_PAGES, ask, |page: FindingsPage| {
        for finding in page.findings {
            for resource in &finding.resources {
                if let Some(counted) = counted.get_mut(&resource.id) {
                    count(counted, &finding);
                }
            }
        }
    });
    let Some(complete) = api.or_gap(listing.await) else { return Vec::new() };
    let finish = |mut findings: ResourceFindings| {
        findings.truncated = !complete;
        keep_worst(&mut findings.worst);
        findings
    };
    counted.into_values().map(finish).collect()
}

fn count(findings: &mut ResourceFindings, finding: &Finding) {
    let of_severity: &mut SeverityCount = match finding.severity.as_str() {
        "CRITICAL" => &mut findings.critical,
        "HIGH" => &mut findings.high,
        _ => return,
    };
    of_severity.count += 1;
    of_severity.exploit_available += u32::from(finding.exploit_available.as_deref() == Some("YES"));
    of_severity.fix_available += u32::from(matches!(finding.fix_available.as_deref(), Some("YES" | "PARTIAL")));
    let details = finding.package_vulnerability_details.clone().unwrap_or_default();
    let package = details.vulnerable_packages.into_iter().next().unwrap_or_default();
    findings.worst.push(Vulnerability {
        severity: finding.severity.clone(),
        vulnerability_id: details.vulnerability_id,
        package: Some(package.name).filter(|name| !name.is_empty()),
        version: package.version,
        fixed_in_version: package.fixed_in_version,
        fix_available: finding.fix_available.clone(),
        exploit_available: finding.exploit_available.clone(),
        first_observed_at: finding.first_observed_at,
    });
    // Thousands would be held only to keep ten.
    if findings.worst.len() > WORST * 8 {
        keep_worst(&mut findings.worst);
    }
}

fn keep_worst(worst: &mut Vec<Vulnerability>) {
    worst.sort_by_cached_key(|one| {
        let exploited = one.exploit_available.as_deref() == Some("YES");
        let fixable = matches!(one.fix_available.as_deref(), Some("YES" | "PARTIAL"));
        (one.severity != "CRITICAL", Reverse(exploited), Reverse(fixable), one.first_observed_at, one.vulnerability_id.clone())
    });
    worst.truncate(WORST);
}

fn equals<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Value {
    values.into_iter().map(|value| json!({"comparison": "EQUALS", "value": value.as_ref()})).collect()
}

fn hosts(containers: &Inventory) -> BTreeSet<String> {
    let ids = containers.container_instances.iter().filter_map(|instance| instance.data.ec2_instance_id.clone());
    ids.filter(|id| id.starts_with("i-")).collect()
}

/// The images of the account's own registry in this Region that tasks run or that were looked into, as Inspector names
/// them: where an index runs, the images of its platforms.
fn images(api: &Api, containers: &Inventory) -> BTreeSet<String> {
    let (account, region) = (api.account().as_str(), api.region().as_str());
    let partition = partition_of(region);
    let running = containers.tasks.iter().flat_map(|task| &task.data.containers);
    let named = running.filter_map(|container| {
        let digest = container.image_digest.as_deref()?;
        let (registry, rest) = container.image.as_deref()?.split_once('/')?;
        let own = registry.strip_prefix(account)?.strip_prefix(".dkr.")?.contains(&format!(".{region}."));
        // Without tag and digest; a repository holds no colon.
        let repository = rest.split(['@', ':']).next()?;
        own.then(|| format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}/{digest}"))
    });
    let looked_into = containers.container_images.iter().map(|image| image.data.image_arn.clone());
    named.chain(looked_into.filter(|arn| Arn::parse(arn).is_some_and(|arn| arn.account == account && arn.region == region))).collect()
}
