//! Task definitions when earlier scans are remembered. Listings flow in: they say which revisions there are and which are
//! ACTIVE. What a revision holds never changes and flows in from the cache; only what is not there is asked for.
//!
//! Two things about a revision do change. Its status is never taken from the cache alone: a listing of this scan must
//! agree with it, or AWS is asked. Its tags can be taken from there, for no listing tells of them and each would cost the
//! very call that is saved; that is why entries are believed for a week at most.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ecs::types::{SortOrder, TaskDefinitionFamilyStatus, TaskDefinitionStatus};
use futures::channel::mpsc::unbounded;
use futures::{StreamExt, join, stream};
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::{Gap, Inventory};

use super::{AT_ONCE, Ecs, LIST_TASK_DEFINITION_FAMILIES, LIST_TASK_DEFINITIONS, PAGE, gather, hand_on, revision};
use crate::cache::Kind;

/// Revisions by ARN, with tags that are a week old at most.
const REVISION: Kind = Kind { operation: "ecs:DescribeTaskDefinition", lifetime: Some(Duration::from_hours(7 * 24)) };
/// Families of which a revision was kept, by the ARN without a revision.
const FAMILY: Kind = Kind { operation: "ecs:ListTaskDefinitions", lifetime: None };
/// Pages of revisions that may bring no family that was not listed before.
const PATIENCE: usize = 5;

/// What the listings of a scan tell about which revisions are ACTIVE.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    families: BTreeMap<String, Family>,
    /// Whether families that are not among these have no ACTIVE revision.
    whole: bool,
}

/// The ACTIVE revisions of a family, as far as they were listed.
#[derive(Debug, Default)]
struct Family {
    /// ARNs by revision.
    active: BTreeMap<i32, String>,
    /// From this revision on, none is missing.
    since: Option<i32>,
}

/// How the listing of all ACTIVE revisions came out.
enum End {
    Whole,
    /// To ask for each family that is still missing costs less than to go on.
    TooLong,
    Failed(Gap),
}

impl Listing {
    /// Whether a revision is ACTIVE, if the listings tell.
    fn is_active(&self, arn: &str) -> Option<bool> {
        let (family, number) = split(arn)?;
        match self.families.get(family) {
            None => self.whole.then_some(false),
            Some(family) if family.active.contains_key(&number) => Some(true),
            Some(family) => family.since.is_some_and(|since| since <= number).then_some(false),
        }
    }

    /// Takes a page. With the newest first, what precedes is complete: says whether that order holds.
    fn add(&mut self, arns: &[String], last: &mut Option<(String, i32)>) -> bool {
        let mut ordered = true;
        for arn in arns {
            let Some((family, number)) = split(arn) else { continue };
            ordered &= match &*last {
                Some((before, revision)) if before == family => number < *revision,
                // A family that was over comes back.
                _ => !self.families.contains_key(family),
            };
            self.families.entry(family.to_owned()).or_default().active.insert(number, arn.clone());
            *last = Some((family.to_owned(), number));
        }
        ordered
    }

    /// Notes that nothing is missing in the families listed, but for older revisions of the last when the listing was cut.
    fn complete(&mut self, cut: Option<&(String, i32)>) {
        for (name, family) in &mut self.families {
            family.since = Some(cut.filter(|(last, _)| last == name).map_or(i32::MIN, |(_, revision)| *revision));
        }
    }

    /// The latest revision of each family of which it is known.
    fn latest(&self) -> Vec<String> {
        self.families.values().filter_map(Family::latest).cloned().collect()
    }

    fn knows_latest(&self, family: &str) -> bool {
        self.families.get(family).is_some_and(|family| family.latest().is_some())
    }
}

impl Family {
    fn latest(&self) -> Option<&String> {
        self.since?;
        self.active.values().next_back()
    }
}

impl Ecs<'_> {
    /// Reads every ACTIVE revision.
    pub(super) async fn all_definitions(&self) -> (Inventory, Listing) {
        let (arns, listed) = unbounded();
        let mut listing = Listing::default();
        let pages = async {
            let pages = self.client.list_task_definitions().status(TaskDefinitionStatus::Active).into_paginator().page_size(PAGE).send();
            let result = self
                .api
                .pages(&LIST_TASK_DEFINITIONS, pages, |page| {
                    listing.add(page.task_definition_arns(), &mut None);
                    hand_on(&arns, page.task_definition_arns);
                })
                .await;
            drop(arns);
            result
        };
        let described = gather(listed.map(|arn| self.active_revision(arn)).buffer_unordered(AT_ONCE));
        let (result, inventory) = join!(pages, described);
        if self.api.or_gap(result).is_some() {
            listing.complete(None);
            listing.whole = true;
        }
        (inventory, listing)
    }

    /// Reads the latest ACTIVE revision of each family, where one listing may tell of all of them what a call for each
    /// would.
    pub(super) async fn listed_definitions(&self) -> (Inventory, Listing) {
        let mut listing = Listing::default();
        let mut ask = BTreeSet::new();
        let mut may_list = false;
        match self.list_active(&mut listing).await {
            End::Whole => listing.whole = true,
            end => {
                if let End::Failed(gap) = &end {
                    // Nothing is lost by it but time.
                    tracing::info!(operation = gap.operation, code = gap.code, message = gap.message, "asking for each family instead");
                }
                may_list = matches!(end, End::TooLong);
                let (families, whole) = self.families().await;
                listing.whole = whole;
                ask = families;
                ask.retain(|family| !listing.knows_latest(family));
            }
        }
        let latest = stream::iter(listing.latest()).map(|arn| self.active_revision(arn)).buffer_unordered(AT_ONCE);
        let asked = stream::iter(ask).map(|family| self.family(family, may_list)).buffer_unordered(AT_ONCE).collect::<Vec<_>>();
        let (mut inventory, asked) = join!(gather(latest), asked);
        for (name, family, definitions) in asked {
            inventory.absorb(definitions);
            let known = listing.families.entry(name).or_default();
            known.active.extend(family.active);
            known.since = family.since;
        }
        (inventory, listing)
    }

    /// Reads the revisions that services and tasks name and that no listing led to.
    pub(super) async fn used_definitions(&self, arns: Vec<String>, listing: &Listing) -> Inventory {
        let kept = stream::iter(arns).map(|arn| async { (self.api.cache().peek::<TaskDefinition>(&REVISION, &arn).await, arn) });
        let kept = kept.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
        let (mut inventory, mut inactive, mut ask) = (Inventory::default(), Vec::new(), Vec::new());
        for (definition, arn) in kept {
            match (definition, listing.is_active(&arn)) {
                (Some(definition), Some(true)) if definition.status == "ACTIVE" => self.take(&mut inventory, definition),
                (Some(definition), Some(false)) if definition.status != "ACTIVE" => inactive.push(definition),
                _ => ask.push(arn),
            }
        }
        // INACTIVE never becomes ACTIVE again, but it may be on its way out. Few ever are: one page tells of all.
        let deleting = if inactive.is_empty() { None } else { self.list_deleting().await };
        for definition in inactive {
            let is_deleting = deleting.as_ref().map(|arns| arns.contains(&definition.task_definition_arn));
            if is_deleting == Some(definition.status == "DELETE_IN_PROGRESS") {
                self.take(&mut inventory, definition);
            } else {
                ask.push(definition.task_definition_arn);
            }
        }
        inventory.absorb(gather(stream::iter(ask).map(|arn| self.definition(arn, false)).buffer_unordered(AT_ONCE)).await);
        inventory
    }

    /// Keeps a revision for later scans.
    pub(super) async fn keep(&self, definition: &TaskDefinition) {
        if split(&definition.task_definition_arn).is_some() {
            self.api.cache().put(&REVISION, &definition.task_definition_arn, definition).await;
        }
    }

    /// A revision that this scan's listing calls ACTIVE.
    async fn active_revision(&self, arn: String) -> Inventory {
        let kept: Option<TaskDefinition> = self.api.cache().get(&REVISION, &arn).await;
        // One that was INACTIVE cannot be ACTIVE now: this is not the account that it was.
        let Some(definition) = kept.filter(|definition| definition.status == "ACTIVE") else {
            return self.definition(arn, true).await;
        };
        let mut inventory = Inventory::default();
        self.push(&mut inventory, definition);
        inventory
    }

    fn take(&self, inventory: &mut Inventory, definition: TaskDefinition) {
        self.api.cache().took(&REVISION);
        self.push(inventory, definition);
    }

    /// Lists ACTIVE revisions of all families, as long as that brings more than asking for each family would.
    async fn list_active(&self, listing: &mut Listing) -> End {
        let (mut token, mut last, mut ordered): (Option<String>, _, _) = (None, None, true);
        for pages in 1.. {
            let request = self
                .client
                .list_task_definitions()
                .status(TaskDefinitionStatus::Active)
                .sort(SortOrder::Desc)
                .max_results(PAGE)
                .set_next_token(token.clone())
                .send();
            let answer = match self.api.call(&LIST_TASK_DEFINITIONS, request).await {
                Ok(answer) => answer,
                Err(gap) => {
                    *listing = Listing::default();
                    return End::Failed(gap);
                }
            };
            ordered &= listing.add(answer.task_definition_arns(), &mut last);
            let Some(next) = answer.next_token.filter(|next| !next.is_empty()) else {
                listing.complete(None);
                return End::Whole;
            };
            // A token that comes back would lead round and round.
            if pages >= listing.families.len() + PATIENCE || Some(&next) == token.as_ref() {
                break;
            }
            token = Some(next);
        }
        if ordered {
            listing.complete(last.as_ref());
        }
        End::TooLong
    }

    /// The names of families with an ACTIVE revision, and whether these are all.
    async fn families(&self) -> (BTreeSet<String>, bool) {
        let mut families = BTreeSet::new();
        let request = self.client.list_task_definition_families().status(TaskDefinitionFamilyStatus::Active);
        let pages = request.into_paginator().page_size(PAGE).send();
        let listing = self.api.pages(&LIST_TASK_DEFINITION_FAMILIES, pages, |page| families.extend(page.families.unwrap_or_default()));
        let result = listing.await;
        let whole = self.api.or_gap(result).is_some();
        (families, whole)
    }

    /// Reads the latest ACTIVE revision of a family. One of which a revision was kept is listed first.
    async fn family(&self, name: String, may_list: bool) -> (String, Family, Inventory) {
        let key = self.definition_arn(&name);
        if may_list
            && self.api.cache().peek::<bool>(&FAMILY, &key).await.is_some()
            && let Some(family) = self.list_family(&name).await
            && let Some(latest) = family.latest()
        {
            let definitions = self.active_revision(latest.clone()).await;
            return (name, family, definitions);
        }
        let definitions = self.definition(name.clone(), true).await;
        if !definitions.task_definitions.is_empty() {
            self.api.cache().put(&FAMILY, &key, &true).await;
        }
        (name, Family::default(), definitions)
    }

    /// The newest ACTIVE revisions of a family: one page.
    async fn list_family(&self, name: &str) -> Option<Family> {
        let request = self
            .client
            .list_task_definitions()
            .family_prefix(name)
            .status(TaskDefinitionStatus::Active)
            .sort(SortOrder::Desc)
            .max_results(PAGE)
            .send();
        // What this does not tell, the question for the family does.
        let answer = self.api.call(&LIST_TASK_DEFINITIONS, request).await.ok()?;
        let mut listing = Listing::default();
        let mut last = None;
        if !listing.add(answer.task_definition_arns(), &mut last) {
            return None;
        }
        listing.complete(last.filter(|_| answer.next_token.is_some_and(|next| !next.is_empty())).as_ref());
        listing.families.remove(name)
    }

    /// The revisions that are on their way out; `None` when AWS does not say.
    async fn list_deleting(&self) -> Option<BTreeSet<String>> {
        let mut arns = BTreeSet::new();
        let request = self.client.list_task_definitions().status(TaskDefinitionStatus::DeleteInProgress);
        let pages = request.into_paginator().page_size(PAGE).send();
        let listing = self.api.pages(&LIST_TASK_DEFINITIONS, pages, |page| arns.extend(page.task_definition_arns.unwrap_or_default()));
        // Each is asked for then.
        listing.await.ok()?;
        Some(arns)
    }
}

/// Family and revision of an ARN.
fn split(arn: &str) -> Option<(&str, i32)> {
    let (family, number) = revision(arn).rsplit_once(':')?;
    Some((family, number.parse().ok()?))
}
