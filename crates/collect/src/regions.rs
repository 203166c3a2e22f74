//! The Regions that the settings name flow in; the Regions to scan flow out.
//!
//! Calls ec2:DescribeRegions once. Without its answer named Regions are taken as they are, and "all" becomes the
//! configured one.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use plimsoll_model::{Gap, partition_of};

use crate::RegionChoice;
use crate::api::{Api, Operation};
use crate::error::CollectError;
use crate::failure::Failure;

const DESCRIBE_REGIONS: Operation =
    Operation { service: "ec2", name: "DescribeRegions", permission: "ec2:DescribeRegions", why: "which Regions are enabled" };

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[DESCRIBE_REGIONS];

/// The code of the gap for a Region that was asked for but is not enabled.
const NOT_ENABLED: &str = "RegionNotEnabled";

/// Region codes to guess from while AWS cannot be asked. Nothing else depends on this list.
const KNOWN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// The Region in which the first requests are sent: the configured one, unless the named ones are of another partition.
pub(crate) fn first(choice: &RegionChoice, configured: Option<&str>) -> String {
    let named = match choice {
        RegionChoice::Named(names) => names.first().map(String::as_str),
        RegionChoice::All => None,
    };
    let configured = configured.filter(|region| named.is_none_or(|named| partition_of(named) == partition_of(region)));
    configured.or(named).unwrap_or("us-east-1").to_owned()
}

/// Refuses names that cannot be Regions, before anything is sent.
pub(crate) fn check_names(choice: &RegionChoice) -> Result<(), CollectError> {
    let RegionChoice::Named(names) = choice else { return Ok(()) };
    match names.iter().find(|name| !looks_like_a_region(name)) {
        Some(name) => Err(unknown(name, KNOWN)),
        None => Ok(()),
    }
}

/// The error for a Region whose endpoint does not answer, if its name is not one we know.
pub(crate) fn perhaps_mistyped(name: &str) -> Option<CollectError> {
    (!KNOWN.contains(&name)).then(|| unknown(name, KNOWN))
}

/// The Regions to scan, in order. Those that are asked for but not enabled become gaps.
pub(crate) async fn to_scan(
    api: &Api,
    client: &aws_sdk_ec2::Client,
    choice: &RegionChoice,
    configured: Option<&str>,
) -> Result<Vec<String>, CollectError> {
    let request = client.describe_regions().all_regions(true).send();
    let regions = match api.call(&DESCRIBE_REGIONS, request).await {
        Ok(answer) => answer.regions.unwrap_or_default(),
        Err(gap) => return unlisted(api, gap, choice, configured),
    };
    let enabled: BTreeMap<String, bool> = regions
        .into_iter()
        .filter_map(|region| Some((region.region_name?, region.opt_in_status.as_deref() != Some("not-opted-in"))))
        .collect();
    let RegionChoice::Named(names) = choice else {
        return Ok(enabled.into_iter().filter_map(|(name, enabled)| enabled.then_some(name)).collect());
    };
    let mut chosen = Vec::with_capacity(names.len());
    for name in names {
        match enabled.get(name) {
            Some(true) => chosen.push(name.clone()),
            Some(false) => api.gap(Gap {
                account: api.account().clone(),
                region: name.as_str().into(),
                operation: DESCRIBE_REGIONS.id(),
                code: NOT_ENABLED.to_owned(),
                message: "this Region is not enabled in the account".to_owned(),
                resource: None,
            }),
            None => {
                let names: Vec<&str> = enabled.keys().map(String::as_str).collect();
                return Err(unknown(name, &names));
            }
        }
    }
    chosen.sort();
    chosen.dedup();
    Ok(chosen)
}

/// What to scan when the Regions cannot be listed.
fn unlisted(api: &Api, gap: Gap, choice: &RegionChoice, configured: Option<&str>) -> Result<Vec<String>, CollectError> {
    let regions = match (choice, configured) {
        (RegionChoice::Named(names), _) => {
            let mut names = names.clone();
            names.sort();
            names.dedup();
            names
        }
        (RegionChoice::All, Some(configured)) => vec![configured.to_owned()],
        (RegionChoice::All, None) if gap.code == Failure::INTERRUPTED => return Err(CollectError::Interrupted),
        (RegionChoice::All, None) => {
            return Err(CollectError::NoRegion { source: Failure { code: gap.code, message: gap.message } });
        }
    };
    api.gap(gap);
    Ok(regions)
}

fn unknown(name: &str, names: &[&str]) -> CollectError {
    let near = names.iter().map(|candidate| (strsim::osa_distance(name, candidate), *candidate)).min();
    // Farther than this it is no slip of the finger.
    let near = near.filter(|(distance, _)| *distance <= 3);
    let name = Failure::new("", name).message;
    CollectError::UnknownRegion { name, nearest: near.map(|(_, nearest)| nearest.to_owned()) }
}

/// Lower-case words and a number, joined by hyphens.
fn looks_like_a_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let are_words = words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
    is_number && (2..=4).contains(&words.len()) && are_words && name.len() <= 32
}
