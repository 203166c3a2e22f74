//! Which listings were read whole, by account and Region.

use plimsoll_model::{AccountId, Gap, Inventory, Region};
use rustc_hash::FxHashMap;

/// Answers whether an operation was carried out everywhere that it should have been.
pub struct Coverage<'i> {
    inventory: &'i Inventory,
    // Listing gaps by operation: few operations fail, and each in few places.
    listings: FxHashMap<&'i str, Vec<&'i Gap>>,
    undescribed: FxHashMap<&'i str, Vec<&'i Gap>>,
    on_resource: FxHashMap<(&'i str, &'i str), &'i Gap>,
}

impl<'i> Coverage<'i> {
    pub(crate) fn new(inventory: &'i Inventory) -> Self {
        let mut listings: FxHashMap<&str, Vec<&Gap>> = FxHashMap::default();
        let (mut undescribed, mut on_resource): (FxHashMap<&str, Vec<&Gap>>, _) = (FxHashMap::default(), FxHashMap::default());
        for gap in &inventory.gaps {
            if is_listing(gap) {
                listings.entry(gap.operation.as_str()).or_default().push(gap);
            } else {
                undescribed.entry(gap.operation.as_str()).or_default().push(gap);
            }
            if let Some(resource) = &gap.resource {
                on_resource.insert((gap.operation.as_str(), resource.as_str()), gap);
            }
        }
        Self { inventory, listings, undescribed, on_resource }
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
        match self.gaps(account, region, operation).next() {
            Some(gap) => Err(gap.clone()),
            None => Ok(()),
        }
    }

    /// The gaps that listing with the operation has in this account and Region.
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
