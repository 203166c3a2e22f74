//! Relations of storage: which task definitions mount a file system, and whose a bucket is.

use plimsoll_model::aws::ecs::{EfsVolumeConfiguration, Service, TaskDefinition};
use plimsoll_model::aws::elasticfilesystem::FileSystem;
use plimsoll_model::aws::s3::{AccountPublicAccessBlock, Bucket, PublicAccessBlock};
use plimsoll_model::{AccountId, Arn, Region, Resource};
use rustc_hash::FxHashMap;

use crate::{Estate, Link, Missing, Node, Unknown};

/// Positions by name and id.
#[derive(Default)]
pub(crate) struct Storage<'i> {
    /// By the account that named the bucket.
    named: FxHashMap<(&'i AccountId, &'i str), u32>,
    /// The buckets that a scanned account says are its own.
    owned: FxHashMap<&'i str, u32>,
    /// Definitions in scope that mount a file system.
    mounting: FxHashMap<&'i str, Vec<u32>>,
    /// Services that run one of them.
    services: FxHashMap<&'i str, Vec<u32>>,
}

impl<'i> Storage<'i> {
    pub(crate) fn new(estate: &Estate<'i>) -> Self {
        let inventory = estate.inventory();
        let mut storage = Self::default();
        for (bucket, position) in inventory.buckets.iter().zip(0..) {
            let name = bucket.data.name.as_str();
            storage.named.insert((&bucket.account, name), position);
            if bucket.data.owned.known() == Ok(&true) {
                storage.owned.insert(name, position);
            }
        }
        for index in estate.definitions_in_scope().map(|definition| definition.index) {
            let Some(definition) = inventory.task_definitions.get(index as usize) else { continue };
            for volume in &definition.data.volumes {
                let Some(mounted) = &volume.efs_volume_configuration else { continue };
                let mounting = storage.mounting.entry(mounted.file_system_id.as_str()).or_default();
                if mounting.last() != Some(&index) {
                    mounting.push(index);
                    let services = storage.services.entry(mounted.file_system_id.as_str()).or_default();
                    services.extend(estate.relations.definition_services.of(index));
                }
            }
        }
        #[expect(clippy::iter_over_hash_type, reason = "each list is put in order on its own")]
        for services in storage.services.values_mut() {
            services.sort_unstable();
            services.dedup();
        }
        storage
    }
}

impl<'i> Estate<'i> {
    /// A bucket as the account that refers to it sees it: one of another account tells nothing but its name.
    pub fn bucket(&self, account: &AccountId, region: &Region, name: &str) -> Link<'_, Bucket> {
        let storage = &self.storage;
        match storage.named.get(&(account, name)).and_then(|&position| self.at(position)) {
            Some(bucket) => Link::Found(bucket),
            None => Link::Missing(self.missing::<Bucket>(account, region, name)),
        }
    }

    /// A bucket as its owner sees it, when that is one of the scanned accounts.
    pub fn owned_bucket(&self, name: &str) -> Option<Node<'_, Bucket>> {
        self.at(*self.storage.owned.get(name)?)
    }

    /// The block of public access that holds for all buckets of an account; `None` when there is none.
    pub fn account_public_access_block(&self, account: &AccountId) -> Result<Option<&'i PublicAccessBlock>, Unknown> {
        // It is the same in every Region that was asked: one answer will do.
        let blocks = || self.inventory().account_public_access_blocks.iter().filter(|block| block.account == *account);
        let mut gap = None;
        for block in blocks() {
            match block.data.configuration.known() {
                Ok(block) => return Ok(block.as_ref()),
                Err(unseen) => gap = Some(unseen),
            }
        }
        if let Some(gap) = gap {
            return Err(gap.into());
        }
        self.coverage().check(account, &Region::global(), AccountPublicAccessBlock::OPERATION)?;
        let missing = Missing::NotFound { reference: "the account's public access block".to_owned() };
        Err(missing.into_unknown::<AccountPublicAccessBlock>())
    }
}

impl<'e> Node<'e, Bucket> {
    /// Whether everyone can read or change it: by its policy, or by an access control list that no block disarms.
    pub fn is_public(self) -> Result<bool, Unknown> {
        let bucket = self.data();
        let status = bucket.policy_status.known().map(|status| status.as_ref().is_some_and(|status| status.is_public));
        if status == Ok(true) {
            return Ok(true);
        }
        let own = bucket.public_access_block.known().map(Option::as_ref);
        let ignores = |block: Option<&PublicAccessBlock>| block.is_some_and(|block| block.ignore_public_acls);
        if own.is_ok_and(ignores) {
            return Ok(status.map(|_| false)?);
        }
        let granted = bucket.acl.known()?.grants.iter().any(|grant| {
            let group = grant.grantee.uri.as_deref().and_then(|uri| uri.rsplit('/').next());
            matches!(group, Some("AllUsers" | "AuthenticatedUsers"))
        });
        if !granted {
            return Ok(status.map(|_| false)?);
        }
        if ignores(self.estate.account_public_access_block(self.account())?) {
            return Ok(status.map(|_| false)?);
        }
        own?;
        Ok(true)
    }

    /// The algorithm that encrypts its new objects; `None` when AWS tells of none.
    pub fn algorithm(self) -> Result<Option<&'e str>, Unknown> {
        let rules = self.data().encryption.known()?.as_ref().map(|encryption| encryption.rules.as_slice()).unwrap_or_default();
        let defaults = rules.iter().find_map(|rule| rule.apply_server_side_encryption_by_default.as_ref());
        Ok(defaults.and_then(|defaults| defaults.sse_algorithm.as_deref()))
    }
}

impl<'e> Node<'e, FileSystem> {
    /// The task definitions in scope that mount it.
    pub fn mounted_by(self) -> impl Iterator<Item = Node<'e, TaskDefinition>> {
        let estate = self.estate;
        estate.many(estate.storage.mounting.get(self.data().file_system_id.as_str()).map(Vec::as_slice).unwrap_or_default())
    }
}

impl<'e> Node<'e, TaskDefinition> {
    /// The file system that one of its volumes mounts.
    pub fn file_system(self, mounted: &EfsVolumeConfiguration) -> Link<'e, FileSystem> {
        self.estate.link(self.account(), self.region(), &mounted.file_system_id)
    }

    /// The services that mount a file system, those of this definition included.
    pub fn services_mounting(self, file_system_id: &str) -> impl Iterator<Item = Node<'e, Service>> {
        self.estate.many(self.estate.storage.services.get(file_system_id).map(Vec::as_slice).unwrap_or_default())
    }

    /// How many these are.
    pub fn services_mounting_count(self, file_system_id: &str) -> usize {
        self.estate.storage.services.get(file_system_id).map_or(0, Vec::len)
    }
}

/// The bucket in `arn:PARTITION:s3:::BUCKET/KEY`.
pub fn bucket_of(arn: &str) -> Option<&str> {
    Arn::parse(arn).filter(|arn| arn.service == "s3")?.resource.split('/').next().filter(|name| !name.is_empty())
}
