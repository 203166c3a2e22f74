//! Relations of GuardDuty and Amazon Inspector: what watches a place, covers a cluster, or was found in a host or image.

use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecr::Image;
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::aws::guardduty::{CoverageResource, Detector, Finding};
use plimsoll_model::aws::inspector2::{AccountState, Coverage, ResourceFindings};
use plimsoll_model::{AccountId, Region, Resource};
use rustc_hash::FxHashMap;

use crate::{Estate, Link, Node, Unknown};

/// Positions by place, and by place and name.
#[derive(Default)]
pub(crate) struct Index {
    detectors: FxHashMap<(AccountId, Region), u32>,
    inspectors: FxHashMap<(AccountId, Region), u32>,
    covered_clusters: FxHashMap<(AccountId, Region, String), u32>,
}

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let mut index = Index::default();
    for detector in estate.all::<Detector>() {
        index.detectors.entry((detector.account().clone(), detector.region().clone())).or_insert(detector.index);
    }
    for account in estate.all::<AccountState>() {
        index.inspectors.entry((account.account().clone(), account.region().clone())).or_insert(account.index);
    }
    for covered in estate.all::<CoverageResource>() {
        let details = covered.data().resource_details.as_ref().and_then(|details| details.ecs_cluster_details.as_ref());
        if let Some(name) = details.and_then(|details| details.cluster_name.clone()) {
            index.covered_clusters.insert((covered.account().clone(), covered.region().clone(), name), covered.index);
        }
    }
    estate.relations.protection = index;
}

impl Estate<'_> {
    /// The GuardDuty detector of an account and Region; `None` when AWS says that there is none.
    pub fn detector(&self, account: &AccountId, region: &Region) -> Result<Option<Node<'_, Detector>>, Unknown> {
        let place = (account.clone(), region.clone());
        let found = self.relations.protection.detectors.get(&place).and_then(|&position| self.at(position));
        if found.is_none() {
            self.coverage().check(account, region, Detector::OPERATION)?;
        }
        Ok(found)
    }

    /// What Amazon Inspector scans in an account and Region; `None` when AWS answered nothing.
    pub fn inspector(&self, account: &AccountId, region: &Region) -> Result<Option<Node<'_, AccountState>>, Unknown> {
        let place = (account.clone(), region.clone());
        let found = self.relations.protection.inspectors.get(&place).and_then(|&position| self.at(position));
        if found.is_none() {
            self.coverage().check(account, region, AccountState::OPERATION)?;
        }
        Ok(found)
    }

    /// Whether Amazon Inspector covers a resource, by EC2 instance id or ARN of the image; `None` when it does not.
    pub fn inspector_coverage(&self, account: &AccountId, region: &Region, id: &str) -> Result<Option<Node<'_, Coverage>>, Unknown> {
        self.link::<Coverage>(account, region, id).exists()
    }

    /// What Amazon Inspector found in a resource that it covers, by EC2 instance id or ARN of the image; `None` when the
    /// resource was not asked about, because nothing covers it.
    pub fn inspector_findings(
        &self,
        account: &AccountId,
        region: &Region,
        id: &str,
    ) -> Result<Option<Node<'_, ResourceFindings>>, Unknown> {
        self.link::<ResourceFindings>(account, region, id).exists()
    }
}

impl<'e> Node<'e, Cluster> {
    /// What GuardDuty's runtime monitoring says of it; `None` when it is not among what is covered.
    pub fn guardduty_coverage(self) -> Result<Option<Node<'e, CoverageResource>>, Unknown> {
        let name = (self.account().clone(), self.region().clone(), self.data().cluster_name.clone());
        let found = self.estate.relations.protection.covered_clusters.get(&name).and_then(|&position| self.estate.at(position));
        if found.is_none() {
            self.estate.coverage().check(self.account(), self.region(), CoverageResource::OPERATION)?;
        }
        Ok(found)
    }
}

impl<'e> Node<'e, Detector> {
    /// What runtime monitoring covers in its place.
    pub fn coverage(self) -> impl Iterator<Item = Node<'e, CoverageResource>> {
        self.estate.all::<CoverageResource>().filter(move |one| one.account() == self.account() && one.region() == self.region())
    }

    /// The findings of its place.
    pub fn findings(self) -> impl Iterator<Item = Node<'e, Finding>> {
        self.estate.all::<Finding>().filter(move |finding| finding.account() == self.account() && finding.region() == self.region())
    }
}

impl<'e> Node<'e, Instance> {
    /// Whether Amazon Inspector covers it.
    pub fn inspector_coverage(self) -> Result<Option<Node<'e, Coverage>>, Unknown> {
        self.estate.inspector_coverage(self.account(), self.region(), &self.data().instance_id)
    }

    /// What Amazon Inspector found in it.
    pub fn inspector_findings(self) -> Result<Option<Node<'e, ResourceFindings>>, Unknown> {
        self.estate.inspector_findings(self.account(), self.region(), &self.data().instance_id)
    }
}

impl<'e> Node<'e, Image> {
    /// Whether Amazon Inspector covers it; of an index it covers the images of the platforms.
    pub fn inspector_coverage(self) -> Result<Option<Node<'e, Coverage>>, Unknown> {
        self.estate.inspector_coverage(self.account(), self.region(), &self.data().image_arn)
    }

    /// What Amazon Inspector found in it.
    pub fn inspector_findings(self) -> Result<Option<Node<'e, ResourceFindings>>, Unknown> {
        self.estate.inspector_findings(self.account(), self.region(), &self.data().image_arn)
    }
}

impl<'e> Node<'e, Finding> {
    /// The EC2 instance that it is about.
    pub fn instance(self) -> Option<Link<'e, Instance>> {
        let id = self.data().resource.instance_details.as_ref()?.instance_id.as_deref()?;
        Some(self.estate.link(self.account(), self.region(), id))
    }
}
