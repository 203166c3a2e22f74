//! Which listings were read whole, by account and Region.

use std::collections::BTreeMap;

use plimsoll_model::{AccountId, Gap, Inventory, Region};
use rustc_hash::FxHashMap;

/// Answers whether an operation was carried out everywhere that it should have been.
pub struct Coverage<'i> {
    inventory: &'i Inventory,
    // Listing gaps by operation: few operations fail, and each in few places.
    listings: FxHashMap<&'i str, Vec<&'i Gap>>,
    undescribed: FxHashMap<&'i str, Vec<&'i Gap>>,
    on_resource: FxHashMap<(&'i str, &'i str), &'i Gap>,
    closed: FxHashMap<&'i AccountId, Closed<'i>>,
}

/// What nobody could enter of an account.
#[derive(Debug, Default)]
pub struct Closed<'i> {
    account: Option<&'i Gap>,
    regions: BTreeMap<&'i Region, &'i Gap>,
}

impl<'i> Closed<'i> {
    /// Why the whole account was not read.
    pub fn account(&self) -> Option<&'i Gap> {
        self.account
    }

    /// Why an operation says nothing of a Region of the account, or of one of its Regions when asked about `global`.
    pub fn gap(&self, region: &Region, operation: &str) -> Option<&'i Gap> {
        self.account.or_else(|| if is_global(operation) { None } else { self.regional(region) })
    }

    fn regional(&self, region: &Region) -> Option<&'i Gap> {
        if region.is_global() { self.regions.values().next().copied() } else { self.regions.get(region).copied() }
    }

    /// Every gap that closes the account or a part of it.
    pub fn gaps(&self) -> impl Iterator<Item = &'i Gap> {
        self.account.into_iter().chain(self.regions.values().copied())
    }
}

impl<'i> Coverage<'i> {
    pub(crate) fn new(inventory: &'i Inventory) -> Self {
        let mut listings: FxHashMap<&str, Vec<&Gap>> = FxHashMap::default();
        let (mut undescribed, mut on_resource): (FxHashMap<&str, Vec<&Gap>>, _) = (FxHashMap::default(), FxHashMap::default());
        let mut closed: FxHashMap<&AccountId, Closed<'_>> = FxHashMap::default();
        for gap in &inventory.gaps {
            // Such a gap stands for many: it is told once, and not for each operation that it keeps from an answer.
            if gap.closes_account() {
                closed.entry(&gap.account).or_default().account.get_or_insert(gap);
            } else if gap.closes_region() {
                closed.entry(&gap.account).or_default().regions.insert(&gap.region, gap);
            } else if is_listing(gap) {
                listings.entry(gap.operation.as_str()).or_default().push(gap);
            } else {
                undescribed.entry(gap.operation.as_str()).or_default().push(gap);
            }
            if let Some(resource) = &gap.resource {
                on_resource.insert((gap.operation.as_str(), resource.as_str()), gap);
            }
        }
        Self { inventory, listings, undescribed, on_resource, closed }
    }

    /// Whether the snapshot's collector knows the operation at all.
    pub fn collects(&self, operation: &str) -> bool {
        self.inventory.header.operations.contains(operation)
    }

    /// Nothing missing, or the first gap that the operation has in this account and Region.
    /// What is missing in a global service is missing in every Region, and the other way round for a global resource.
    pub fn check(&self, account: &AccountId, region: &Region, operation: &str) -> Result<(), Gap> {
        if !self.collects(operation) {
            return Err(Gap { account: account.clone(), region: region.clone(), ..Gap::not_collected(operation) });
        }
        let closed = self.closed(account).and_then(|closed| closed.gap(region, operation));
        match closed.or_else(|| self.gaps(account, region, operation).next()) {
            Some(gap) => Err(gap.clone()),
            None => Ok(()),
        }
    }

    /// What of an account nobody could enter; `None` when that is nothing.
    pub fn closed(&self, account: &AccountId) -> Option<&Closed<'i>> {
        self.closed.get(account)
    }

    /// The gaps that listing with the operation has in this account and Region. Those that close the whole of it are
    /// not among them.
    pub fn gaps<'s>(&'s self, account: &'s AccountId, region: &'s Region, operation: &str) -> impl Iterator<Item = &'i Gap> + 's {
        self.listings
            .get(operation)
            .into_iter()
            .flatten()
            .copied()
            .filter(move |gap| gap.account == *account && (gap.region == *region || gap.region.is_global() || region.is_global()))
    }

    /// The gaps that listing with the operation has anywhere.
    pub fn listing_gaps<'s>(&'s self, operation: &str) -> impl Iterator<Item = &'i Gap> + 's {
        self.listings.get(operation).into_iter().flatten().copied()
    }

    /// The gaps of calls on one resource each that was listed and then could not be described.
    pub fn undescribed<'s>(&'s self, operation: &str) -> impl Iterator<Item = &'i Gap> + 's {
        self.undescribed.get(operation).into_iter().flatten().copied()
    }

    /// The gap of a call on one resource.
    pub fn on_resource(&self, operation: &str, resource: &str) -> Option<&'i Gap> {
        self.on_resource.get(&(operation, resource)).copied()
    }
}

/// Whether a gap leaves a list incomplete, and not just the facts of one known resource.
fn is_listing(gap: &Gap) -> bool {
    gap.resource.is_none() || gap.operation.split(':').nth(1).is_some_and(|name| name.starts_with("List"))
}

/// Whether an operation is of a service that is not bound to a Region.
fn is_global(operation: &str) -> bool {
    let service = operation.split(':').next().unwrap_or_default();
    matches!(service, "account" | "cloudfront" | "globalaccelerator" | "iam" | "organizations" | "route53" | "sts")
}
