//! Relations of KMS: which key a reference means, and what uses a key.

use plimsoll_model::aws::cloudtrail::{EventDataStore, Trail};
use plimsoll_model::aws::ec2::{EbsEncryptionDefaults, Volume};
use plimsoll_model::aws::ecr::Repository;
use plimsoll_model::aws::ecs::{Cluster, Service, Task};
use plimsoll_model::aws::eks;
use plimsoll_model::aws::elasticfilesystem::FileSystem;
use plimsoll_model::aws::kms::Key;
use plimsoll_model::aws::logs::LogGroup;
use plimsoll_model::aws::rds::{DbCluster, DbInstance};
use plimsoll_model::aws::s3::Bucket;
use plimsoll_model::aws::secretsmanager::Secret;
use plimsoll_model::aws::ssm::Parameter;
use plimsoll_model::{AccountId, Arn, Gap, Region, Resource};
use rustc_hash::FxHashMap;

use crate::{Estate, Link, Missing, Node, Unknown};

/// Something that a key protects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyUser {
    /// ARN of the resource that uses the key.
    pub arn: String,
    /// For what: `fargateEphemeralStorage`, `managedStorage`, `executeCommand`, `managedEBSVolume`, `serviceConnect`, `volume`,
    /// `repository`, `secret`, `parameter`, `secrets` of Kubernetes, `logGroup`, `trail`, `eventDataStore`, `fileSystem`, `database`,
    /// `bucket`.
    pub purpose: &'static str,
}

/// The operations that show a use of a key.
pub const KEY_USE_OPERATIONS: [&str; 15] = [
    "ecs:ListClusters",
    <Cluster as Resource>::OPERATION,
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ec2:DescribeVolumes",
    "secretsmanager:ListSecrets",
    "ssm:DescribeParameters",
    <Repository as Resource>::OPERATION,
    "eks:ListClusters",
    "eks:DescribeCluster",
    "logs:DescribeLogGroups",
    "elasticfilesystem:DescribeFileSystems",
    "cloudtrail:DescribeTrails",
];

/// Those of them that ask for one resource at a time, so that the gap of one may hide a use.
const BY_RESOURCE: [&str; 2] = ["logs:DescribeLogGroups", "elasticfilesystem:DescribeFileSystems"];

/// Users by position of the key.
pub(crate) type KeyUses = FxHashMap<u32, Vec<KeyUser>>;

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let mut references = FxHashMap::default();
    for (key, position) in estate.inventory().keys.iter().zip(0_u32..) {
        for reference in &key.data.referred_to_as {
            references.insert((key.account.clone(), key.region.clone(), reference.clone()), position);
        }
        if let Some(id) = Arn::parse(&key.data.key_id).and_then(|arn| arn.resource.strip_prefix("key/")) {
            references.insert((key.account.clone(), key.region.clone(), id.to_owned()), position);
        }
        if Arn::parse(&key.data.key_id).is_none() {
            references.insert((key.account.clone(), key.region.clone(), key.data.key_id.clone()), position);
        }
        for alias in &key.data.aliases {
            references.insert((key.account.clone(), key.region.clone(), alias.clone()), position);
        }
    }
    estate.relations.key_references = references;
    // An account that refers to another's key sees less of it than the owner: the owner's answer is the one to find.
    for (key, position) in estate.inventory().keys.iter().zip(0_u32..) {
        if Arn::parse(&key.data.key_id).is_some_and(|arn| arn.account == key.account.as_str()) {
            estate.ids.keys.insert(key.data.key_id.as_str(), position);
        }
    }
}

impl Estate<'_> {
    /// All keys, each once: one that belongs to another scanned account as that account tells it.
    pub fn keys(&self) -> impl Iterator<Item = Node<'_, Key>> {
        self.all::<Key>().filter(|key| {
            let id = key.data().key_id.as_str();
            self.ids.keys.get(id) == Some(&key.index) || Arn::parse(id).is_none()
        })
    }

    /// The key that a reference (ARN, id or alias) means where it is written.
    pub fn key(&self, account: &AccountId, region: &Region, reference: &str) -> Link<'_, Key> {
        // An alias or id means a key of this account and Region; only ARNs mean the same everywhere.
        let by_arn = Arn::parse(reference).and_then(|_| self.ids.keys.get(reference));
        if let Some(node) = by_arn.and_then(|&position| self.at(position)) {
            return Link::Found(node);
        }
        let place = (account.clone(), region.clone(), reference.to_owned());
        if let Some(node) = self.relations.key_references.get(&place).and_then(|&position| self.at(position)) {
            return Link::Found(node);
        }
        Link::Missing(self.missing::<Key>(account, region, reference))
    }

    /// How new EBS volumes of an account and Region are encrypted; `None` when AWS answered nothing.
    pub fn ebs_encryption_defaults(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<Option<Node<'_, EbsEncryptionDefaults>>, Unknown> {
        let found = self.all::<EbsEncryptionDefaults>().find(|defaults| defaults.account() == account && defaults.region() == region);
        if found.is_none() {
            self.coverage().check(account, region, EbsEncryptionDefaults::OPERATION)?;
        }
        Ok(found)
    }

    /// What uses a key, as far as the collected services show.
    pub fn key_users(&self, key: Node<'_, Key>) -> &[KeyUser] {
        let uses = self.key_uses.get_or_init(|| self.find_key_uses());
        uses.get(&key.index).map(Vec::as_slice).unwrap_or_default()
    }

    fn find_key_uses(&self) -> KeyUses {
        let mut uses: KeyUses = FxHashMap::default();
        let mut add = |account: &AccountId, region: &Region, reference: Option<&str>, arn: &str, purpose: &'static str| {
            if let Some(Link::Found(key)) = reference.map(|reference| self.key(account, region, reference)) {
                uses.entry(key.index).or_default().push(KeyUser { arn: arn.to_owned(), purpose });
            }
        };
        for cluster in self.active_clusters() {
            let Some(configuration) = &cluster.data().configuration else { continue };
            let (account, region, arn) = (cluster.account(), cluster.region(), cluster.data().cluster_arn.as_str());
            if let Some(storage) = &configuration.managed_storage_configuration {
                add(account, region, storage.fargate_ephemeral_storage_kms_key_id.as_deref(), arn, "fargateEphemeralStorage");
                add(account, region, storage.kms_key_id.as_deref(), arn, "managedStorage");
            }
            if let Some(exec) = &configuration.execute_command_configuration {
                add(account, region, exec.kms_key_id.as_deref(), arn, "executeCommand");
            }
        }
        for task in self.running_tasks() {
            let reference = task.data().fargate_ephemeral_storage.as_ref().and_then(|storage| storage.kms_key_id.as_deref());
            add(task.account(), task.region(), reference, &task.data().task_arn, "fargateEphemeralStorage");
        }
        for service in self.active_services() {
            for volume in service.data().deployments.iter().flat_map(|deployment| &deployment.volume_configurations) {
                let reference = volume.managed_ebs_volume.as_ref().and_then(|volume| volume.kms_key_id.as_deref());
                add(service.account(), service.region(), reference, &service.data().service_arn, "managedEBSVolume");
            }
            let connect = service.data().deployments.iter().filter_map(|deployment| deployment.service_connect_configuration.as_ref());
            for offered in connect.flat_map(|connect| &connect.services) {
                let reference = offered.tls.as_ref().and_then(|tls| tls.kms_key.as_deref());
                add(service.account(), service.region(), reference, &service.data().service_arn, "serviceConnect");
            }
        }
        for volume in self.all::<Volume>() {
            add(volume.account(), volume.region(), volume.data().kms_key_id.as_deref(), &volume.arn(), "volume");
        }
        // Only what task definitions name is a secret of containers.
        for secret in self.all::<Secret>().filter(|secret| secret.definitions().next().is_some()) {
            add(secret.account(), secret.region(), secret.data().kms_key_id.as_deref(), &secret.data().arn, "secret");
        }
        for parameter in self.all::<Parameter>().filter(|parameter| parameter.definitions().next().is_some()) {
            add(parameter.account(), parameter.region(), parameter.data().key_id.as_deref(), &parameter.data().arn, "parameter");
        }
        self.each_reference(&mut add);
        for repository in self.all::<Repository>() {
            let reference = repository.data().encryption_configuration.as_ref().and_then(|encryption| encryption.kms_key.as_deref());
            add(repository.account(), repository.region(), reference, &repository.data().repository_arn, "repository");
        }
        for cluster in self.all::<eks::Cluster>() {
            for config in &cluster.data().encryption_config {
                let reference = config.provider.as_ref().and_then(|provider| provider.key_arn.as_deref());
                add(cluster.account(), cluster.region(), reference, &cluster.data().arn, "secrets");
            }
        }
        #[expect(clippy::iter_over_hash_type, reason = "each list is put in order on its own")]
        for list in uses.values_mut() {
            list.sort();
            list.dedup();
        }
        uses
    }

    /// The references of what surrounds the containers.
    fn each_reference(&self, add: &mut impl FnMut(&AccountId, &Region, Option<&str>, &str, &'static str)) {
        for group in self.all::<LogGroup>() {
            add(group.account(), group.region(), group.data().kms_key_id.as_deref(), &group.arn(), "logGroup");
        }
        for trail in self.all::<Trail>() {
            add(trail.account(), trail.region(), trail.data().kms_key_id.as_deref(), &trail.arn(), "trail");
        }
        for store in self.all::<EventDataStore>() {
            add(store.account(), store.region(), store.data().kms_key_id.as_deref(), &store.arn(), "eventDataStore");
        }
        for files in self.all::<FileSystem>() {
            add(files.account(), files.region(), files.data().kms_key_id.as_deref(), &files.arn(), "fileSystem");
        }
        for database in self.all::<DbCluster>() {
            add(database.account(), database.region(), database.data().kms_key_id.as_deref(), &database.arn(), "database");
        }
        for database in self.all::<DbInstance>() {
            add(database.account(), database.region(), database.data().kms_key_id.as_deref(), &database.arn(), "database");
        }
        for bucket in self.all::<Bucket>() {
            let reference = bucket.data().key_reference(bucket.region()).map(String::as_str);
            add(bucket.account(), bucket.region(), reference, &bucket.arn(), "bucket");
        }
    }
}

impl<'e> Node<'e, Cluster> {
    /// The reference to the key for Fargate ephemeral storage, as the cluster's configuration writes it.
    pub fn ephemeral_storage_key_reference(self) -> Option<&'e str> {
        let storage = self.data().configuration.as_ref()?.managed_storage_configuration.as_ref()?;
        storage.fargate_ephemeral_storage_kms_key_id.as_deref().filter(|key| !key.is_empty())
    }

    /// The key for Fargate ephemeral storage.
    pub fn ephemeral_storage_key(self) -> Option<Link<'e, Key>> {
        Some(self.estate.key(self.account(), self.region(), self.ephemeral_storage_key_reference()?))
    }
}

impl<'e> Node<'e, Task> {
    /// The key of its Fargate ephemeral storage; `None` when AWS's own key encrypts it.
    pub fn ephemeral_storage_key(self) -> Option<Link<'e, Key>> {
        let reference = self.data().fargate_ephemeral_storage.as_ref()?.kms_key_id.as_deref()?;
        Some(self.estate.key(self.account(), self.region(), reference))
    }
}

impl<'e> Node<'e, Service> {
    /// The deployments that are PRIMARY or ACTIVE.
    pub fn live_deployments(self) -> impl Iterator<Item = &'e plimsoll_model::aws::ecs::Deployment> {
        self.data().deployments.iter().filter(|deployment| matches!(deployment.status.as_str(), "PRIMARY" | "ACTIVE"))
    }
}

impl<'e> Node<'e, Key> {
    /// What uses it, as far as the collected services show.
    pub fn users(self) -> &'e [KeyUser] {
        self.estate.key_users(self)
    }

    /// The metadata; `None` when KMS says that there is no such key.
    pub fn metadata(self) -> Result<Option<&'e plimsoll_model::aws::kms::KeyMetadata>, Unknown> {
        Ok(self.data().key_metadata.known()?.as_ref())
    }

    /// Whether it belongs to another account than the one that refers to it; its policy is for the owner alone to read.
    pub fn is_foreign(self) -> bool {
        Arn::parse(&self.data().key_id).is_some_and(|arn| arn.account != self.account().as_str())
    }

    /// The metadata of a customer managed key; `None` for a key of AWS and for one that does not exist.
    pub fn customer_managed(self) -> Result<Option<&'e plimsoll_model::aws::kms::KeyMetadata>, Unknown> {
        Ok(self.metadata()?.filter(|metadata| metadata.key_manager.as_deref() == Some("CUSTOMER")))
    }

    /// The first gap among [`KEY_USE_OPERATIONS`]; `None` when all of them were carried out.
    pub fn unread_users(self) -> Option<Gap> {
        let coverage = self.estate.coverage();
        let whole = KEY_USE_OPERATIONS.into_iter().find_map(|operation| coverage.check(self.account(), self.region(), operation).err());
        let here = |gap: &&Gap| gap.account == *self.account() && gap.region == *self.region();
        whole.or_else(|| BY_RESOURCE.into_iter().find_map(|operation| coverage.undescribed(operation).find(here).cloned()))
    }
}

impl Missing {
    /// Whether AWS answered that the resource does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{fixture, key_arn};
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::{AccountId, Region, Seen};

    use crate::Estate;

    #[test]
    fn a_key_that_another_account_refers_to_is_told_once_and_by_its_owner() {
        let (other, region) = (AccountId::new("222222222222"), Region::new("us-east-1"));
        let inventory = fixture()
            .key("k1", |key| key.policy = Seen::Known(None))
            .with(|inventory| {
                inventory.header.scope.accounts.insert(other.clone());
                inventory.push(&other, &region, Key { key_id: key_arn("k1"), ..Key::default() });
            })
            .build();
        let estate = Estate::new(&inventory);
        let accounts: Vec<&str> = estate.keys().map(|key| key.account().as_str()).collect();
        assert_eq!(accounts, ["111111111111"]);
        assert!(estate.key(&other, &region, &key_arn("k1")).found().unwrap().policy.known().is_ok());
    }

    #[test]
    fn an_alias_means_a_key_of_its_own_account_and_region_only() {
        let inventory = fixture().resource(Key { key_id: "alias/app".to_owned(), ..Key::default() }).region("eu-west-3").build();
        let estate = Estate::new(&inventory);
        let account = AccountId::new("111111111111");
        assert!(estate.key(&account, &Region::new("us-east-1"), "alias/app").found().is_some());
        assert!(estate.key(&account, &Region::new("eu-west-3"), "alias/app").found().is_none());
    }
}
