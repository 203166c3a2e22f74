//! AWS KMS in one account and Region.
//!
//! Calls kms:ListAliases and kms:ListKeys; kms:DescribeKey once for each key that the customer manages and each key that
//! something collected refers to; kms:GetKeyPolicy for the customer's keys; kms:GetKeyRotationStatus and kms:ListGrants for
//! those of them that are in use. Yields keys. AWS's own keys appear only where something refers to them.

#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_kms::Client;
use aws_sdk_kms::types;
use futures::{StreamExt, join, stream};
use plimsoll_model::aws::ecs;
use plimsoll_model::aws::kms::{GrantConstraints, GrantListEntry, Key, KeyMetadata, KeyRotation, MultiRegionConfiguration};
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{Arn, Gap, Inventory, Seen, partition_of};

use crate::api::{Api, Operation, Outcome};
use crate::screen;
use crate::timestamp::timestamp;

pub(crate) const LIST_ALIASES: Operation = Operation {
    service: "kms",
    name: "ListAliases",
    permission: "kms:ListAliases",
    why: "the names of keys, and which keys are AWS's own",
};

const LIST_KEYS: Operation = Operation { service: "kms", name: "ListKeys", permission: "kms:ListKeys", why: "the account's keys" };

const DESCRIBE_KEY: Operation =
    Operation { service: "kms", name: "DescribeKey", permission: "kms:DescribeKey", why: "state and kind of a key" };

const GET_KEY_POLICY: Operation =
    Operation { service: "kms", name: "GetKeyPolicy", permission: "kms:GetKeyPolicy", why: "who may use a key" };

const GET_KEY_ROTATION_STATUS: Operation = Operation {
    service: "kms",
    name: "GetKeyRotationStatus",
    permission: "kms:GetKeyRotationStatus",
    why: "whether a key in use is rotated",
};

const LIST_GRANTS: Operation =
    Operation { service: "kms", name: "ListGrants", permission: "kms:ListGrants", why: "who may use a key beside its policy" };

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_ALIASES, LIST_KEYS, DESCRIBE_KEY, GET_KEY_POLICY, GET_KEY_ROTATION_STATUS, LIST_GRANTS];

/// The largest page of ListAliases.
const ALIASES_PAGE: i32 = 100;
/// The largest page of ListKeys.
const KEYS_PAGE: i32 = 1000;
/// The largest page of ListGrants.
const GRANTS_PAGE: i32 = 100;
/// Keys that are worked on at a time; requests are bounded by [`Api`].
const KEYS_AT_ONCE: usize = 64;

/// Aliases and keys of a Region, as far as they could be listed.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Target key ids by alias name; the aliases that AWS reserves have no key until they are first used.
    aliases: BTreeMap<String, Option<String>>,
    /// Whether that is all of them.
    all_aliases: bool,
    /// ARNs by key id.
    keys: BTreeMap<String, String>,
}

/// A key to tell about.
#[derive(Debug)]
struct Wanted<'a> {
    ask: Ask<'a>,
    /// As what the inventory refers to it.
    referred_to_as: BTreeSet<String>,
}

/// What to ask KMS with.
#[derive(Clone, Copy, Debug)]
enum Ask<'a> {
    /// A key id, ARN or alias.
    For(&'a str),
    /// Nothing: the aliases were listed to their end, and it is not among them.
    Absent,
    /// Nothing: to describe a reserved alias that has no key makes AWS create one, and that is writing.
    Never,
}

/// Lists aliases and keys; it needs to know nothing of what else is there.
pub(crate) async fn list(api: &Api, client: &Client) -> Listing {
    let aliases = async {
        let mut aliases = BTreeMap::new();
        let pages = client.list_aliases().limit(ALIASES_PAGE).into_paginator().send();
        let listing = api.pages(&LIST_ALIASES, pages, |page| {
            for alias in page.aliases.unwrap_or_default() {
                aliases.extend(alias.alias_name.map(|name| (name, alias.target_key_id)));
            }
        });
        let all = api.or_gap(listing.await).is_some();
        (aliases, all)
    };
    let keys = async {
        let mut keys = BTreeMap::new();
        let pages = client.list_keys().limit(KEYS_PAGE).into_paginator().send();
        let listing = api.pages(&LIST_KEYS, pages, |page| {
            for key in page.keys.unwrap_or_default() {
                keys.extend(key.key_id.zip(key.key_arn));
            }
        });
        api.or_gap(listing.await);
        keys
    };
    let ((aliases, all_aliases), keys) = join!(aliases, keys);
    Listing { aliases, all_aliases, keys }
}

/// Describes the listed keys and those that the Region's inventory refers to.
pub(crate) async fn collect(api: &Api, client: &Client, listing: &Listing, inventory: &Inventory) -> Inventory {
    let names = listing.names();
    let wanted = listing.wanted(api, inventory);
    let described = stream::iter(wanted)
        .map(|(id, wanted)| describe(api, client, id, wanted))
        .buffer_unordered(KEYS_AT_ONCE)
        .filter_map(|key| async { key });
    let described: Vec<Key> = described.collect().await;
    // An alias that was not listed turns out to be a key that was.
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    for mut key in described {
        let id = key.key_id.rsplit('/').next().unwrap_or_default();
        key.aliases = names.get(id).cloned().unwrap_or_default();
        match keys.entry(key.key_id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(key);
            }
            Entry::Occupied(mut entry) => merge(entry.get_mut(), key),
        }
    }
    api.found(keys.into_values())
}

impl Listing {
    /// Alias names by key id.
    fn names(&self) -> BTreeMap<&str, Vec<String>> {
        let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, target) in &self.aliases {
            if let Some(id) = target {
                names.entry(id).or_default().push(name.clone());
            }
        }
        names
    }

    /// The keys to tell about, each once, by ARN where that is known, else by reference.
    fn wanted<'a>(&'a self, api: &Api, inventory: &'a Inventory) -> BTreeMap<String, Wanted<'a>> {
        let reserved = self.aliases.iter().filter(|(name, _)| is_reserved(name));
        let aws_managed: BTreeSet<&str> = reserved.filter_map(|(_, target)| target.as_deref()).collect();
        let customers = self.keys.iter().filter(|(id, _)| !aws_managed.contains(id.as_str()));
        let mut wanted: BTreeMap<String, Wanted<'a>> =
            customers.map(|(id, arn)| (arn.clone(), Wanted { ask: Ask::For(id), referred_to_as: BTreeSet::new() })).collect();
        for reference in references(inventory) {
            if let Some((id, ask)) = self.resolve(api, reference) {
                let key = wanted.entry(id).or_insert_with(|| Wanted { ask, referred_to_as: BTreeSet::new() });
                key.referred_to_as.insert(reference.to_owned());
            }
        }
        wanted
    }

    /// What to call a key that something refers to, and what to ask KMS with; `None` when it is in another Region.
    fn resolve<'a>(&'a self, api: &Api, reference: &'a str) -> Option<(String, Ask<'a>)> {
        let arn = Arn::parse(reference);
        if arn.is_some_and(|arn| arn.region != api.region().as_str()) {
            return None;
        }
        if arn.is_some_and(|arn| arn.account != api.account().as_str()) {
            return Some((reference.to_owned(), Ask::For(reference)));
        }
        let name = arn.map_or(reference, |arn| arn.resource);
        let id = if name.starts_with("alias/") {
            match self.aliases.get(name) {
                Some(Some(target)) => target.as_str(),
                _ if self.all_aliases => return Some((reference.to_owned(), Ask::Absent)),
                _ if is_reserved(name) => return Some((reference.to_owned(), Ask::Never)),
                _ => return Some((reference.to_owned(), Ask::For(name))),
            }
        } else {
            name.trim_start_matches("key/")
        };
        let arn = self.keys.get(id).cloned().unwrap_or_else(|| {
            let (region, account) = (api.region(), api.account());
            format!("arn:{}:kms:{region}:{account}:key/{id}", partition_of(region.as_str()))
        });
        // As it was written: a text that is no key id is for KMS to judge.
        Some((arn, Ask::For(id)))
    }
}

/// AWS keeps these names to itself.
fn is_reserved(alias: &str) -> bool {
    alias.starts_with("alias/aws/")
}

/// Every reference to a key in what was collected.
fn references(inventory: &Inventory) -> BTreeSet<&str> {
    let clusters = inventory.clusters.iter().filter_map(|cluster| cluster.data.configuration.as_ref());
    let clusters = clusters.flat_map(|configuration| {
        let storage = configuration.managed_storage_configuration.as_ref();
        let exec = configuration.execute_command_configuration.as_ref();
        [
            storage.and_then(|storage| storage.kms_key_id.as_ref()),
            storage.and_then(|storage| storage.fargate_ephemeral_storage_kms_key_id.as_ref()),
            exec.and_then(|exec| exec.kms_key_id.as_ref()),
        ]
    });
    let deployments = || inventory.services.iter().flat_map(|service| &service.data.deployments);
    let ephemeral = deployments().map(|deployment| &deployment.fargate_ephemeral_storage);
    let ephemeral = ephemeral.chain(inventory.tasks.iter().map(|task| &task.data.fargate_ephemeral_storage));
    let ephemeral = ephemeral.chain(inventory.task_sets.iter().map(|set| &set.data.fargate_ephemeral_storage));
    let ephemeral = ephemeral.map(|storage: &Option<ecs::EphemeralStorage>| storage.as_ref()?.kms_key_id.as_ref());
    let managed = deployments().flat_map(|deployment| &deployment.volume_configurations);
    let managed = managed.map(|volume| volume.managed_ebs_volume.as_ref()?.kms_key_id.as_ref());
    let connect = deployments().filter_map(|deployment| deployment.service_connect_configuration.as_ref());
    let connect = connect.flat_map(|connect| &connect.services).map(|service| service.tls.as_ref()?.kms_key.as_ref());
    let volumes = inventory.volumes.iter().map(|volume| volume.data.kms_key_id.as_ref());
    let secrets = inventory.secrets.iter().map(|secret| secret.data.kms_key_id.as_ref());
    let parameters = inventory.parameters.iter().map(|parameter| parameter.data.key_id.as_ref());
    let repositories = inventory.repositories.iter();
    let repositories = repositories.map(|repository| repository.data.encryption_configuration.as_ref()?.kms_key.as_ref());
    let kubernetes = inventory.eks_clusters.iter().flat_map(|cluster| &cluster.data.encryption_config);
    let kubernetes = kubernetes.map(|config| config.provider.as_ref()?.key_arn.as_ref());
    let groups = inventory.log_groups.iter().map(|group| group.data.kms_key_id.as_ref());
    let trails = inventory.trails.iter().map(|trail| trail.data.kms_key_id.as_ref());
    let stores = inventory.event_data_stores.iter().map(|store| store.data.kms_key_id.as_ref());
    let files = inventory.file_systems.iter().map(|files| files.data.kms_key_id.as_ref());
    let instances = inventory.db_instances.iter().map(|database| database.data.kms_key_id.as_ref());
    let databases = inventory.db_clusters.iter().map(|database| database.data.kms_key_id.as_ref()).chain(instances);
    let buckets = inventory.buckets.iter().map(|bucket| bucket.data.key_reference(&bucket.region));
    let surrounding = groups.chain(trails).chain(stores).chain(files).chain(databases).chain(buckets);
    let all = clusters
        .chain(ephemeral)
        .chain(managed)
        .chain(connect)
        .chain(volumes)
        .chain(secrets)
        .chain(parameters)
        .chain(kubernetes)
        .chain(repositories)
        .chain(surrounding);
    let all = all.flatten();
    all.map(String::as_str).filter(|reference| !reference.is_empty()).collect()
}

/// Reads one key. `None` when it turns out to be AWS's own and nothing refers to it.
async fn describe(api: &Api, client: &Client, id: String, wanted: Wanted<'_>) -> Option<Key> {
    let referred_to_as = Vec::from_iter(wanted.referred_to_as);
    let ask = match wanted.ask {
        Ask::For(ask) => ask,
        Ask::Absent => {
            let (key_metadata, policy, rotation) = (Seen::Known(None), Seen::Known(None), Seen::Known(None));
            let grants = Seen::Known(Vec::new());
            return Some(Key { key_id: id, referred_to_as, key_metadata, policy, rotation, grants, aliases: Vec::new() });
        }
        Ask::Never => {
            let gap = |operation| api.not_asked(operation, Some(&id), "to ask for the key of a reserved alias could create it");
            let (key_metadata, policy) = (gap(&DESCRIBE_KEY).into(), gap(&GET_KEY_POLICY).into());
            let (rotation, grants) = (gap(&GET_KEY_ROTATION_STATUS).into(), gap(&LIST_GRANTS).into());
            return Some(Key { key_id: id, referred_to_as, key_metadata, policy, rotation, grants, aliases: Vec::new() });
        }
    };
    let request = client.describe_key().key_id(ask).send();
    let metadata = api.call_on(&DESCRIBE_KEY, &id, request).await.absent_on("NotFoundException");
    let metadata = metadata.map(|output| output.and_then(|output| output.key_metadata).map(|from| key_metadata(api, from)));
    let known = metadata.as_ref().ok().and_then(Option::as_ref);
    let aws_managed = known.is_some_and(|key| key.key_manager.as_deref() == Some("AWS"));
    if aws_managed && referred_to_as.is_empty() {
        return None;
    }
    let absent = matches!(metadata, Ok(None));
    let owner = known.and_then(|key| key.aws_account_id.as_deref()).or(Arn::parse(&id).map(|arn| arn.account));
    let foreign = owner.is_some_and(|owner| owner != api.account().as_str());
    let symmetric = known.is_none_or(|key| key.key_spec.as_deref().is_none_or(|spec| spec == "SYMMETRIC_DEFAULT"));
    let not_asked = |operation, why: &str| api.not_asked(operation, Some(&id), why);
    let policy = async {
        if absent {
            Ok(None)
        } else if aws_managed {
            Err(not_asked(&GET_KEY_POLICY, "AWS manages the key"))
        } else if foreign {
            Err(not_asked(&GET_KEY_POLICY, "only the account that owns the key can read its policy"))
        } else {
            key_policy(api, client, &id, ask).await
        }
    };
    let rotation = async {
        if absent || !symmetric {
            Ok(None)
        } else if aws_managed {
            Err(not_asked(&GET_KEY_ROTATION_STATUS, "AWS manages the key"))
        } else if referred_to_as.is_empty() {
            Err(not_asked(&GET_KEY_ROTATION_STATUS, "nothing collected uses the key"))
        } else {
            key_rotation(api, client, &id, ask).await
        }
    };
    let grants = async {
        if absent {
            Ok(Vec::new())
        } else if aws_managed {
            Err(not_asked(&LIST_GRANTS, "AWS manages the key"))
        } else if foreign {
            Err(not_asked(&LIST_GRANTS, "only the account that owns the key can list its grants"))
        } else if referred_to_as.is_empty() {
            Err(not_asked(&LIST_GRANTS, "nothing collected uses the key"))
        } else {
            // Aliases will not do here.
            let arn = known.map(|key| key.arn.as_str()).filter(|arn| !arn.is_empty());
            key_grants(api, client, &id, arn.unwrap_or(ask)).await
        }
    };
    let (policy, rotation, grants) = join!(policy, rotation, grants);
    let key_id = known.map(|key| key.arn.clone()).filter(|arn| !arn.is_empty()).unwrap_or(id);
    Some(Key {
        key_id,
        referred_to_as,
        key_metadata: api.noted(metadata),
        policy: api.noted(policy),
        rotation: api.noted(rotation),
        grants: api.noted(grants),
        aliases: Vec::new(),
    })
}

async fn key_policy(api: &Api, client: &Client, id: &str, ask: &str) -> Result<Option<PolicyDocument>, Gap> {
    let request = client.get_key_policy().key_id(ask).policy_name("default").send();
    let output = api.call_on(&GET_KEY_POLICY, id, request).await.absent_on("NotFoundException")?;
    Ok(output.and_then(|output| output.policy).as_deref().map(PolicyDocument::from_text))
}

/// The grants of a key. A part of them is no answer: what is missing may be what matters.
async fn key_grants(api: &Api, client: &Client, id: &str, ask: &str) -> Result<Vec<GrantListEntry>, Gap> {
    let mut grants = Vec::new();
    let pages = client.list_grants().key_id(ask).limit(GRANTS_PAGE).into_paginator().send();
    let listing = api.pages(&LIST_GRANTS, pages, |page| grants.extend(page.grants.unwrap_or_default().into_iter().map(grant)));
    listing.await.about(id)?;
    // AWS's own machines get one for each volume.
    grants.retain(|grant| grant.grantee_principal.as_deref().is_none_or(|principal| !principal.contains(":assumed-role/aws:")));
    Ok(grants)
}

fn grant(from: types::GrantListEntry) -> GrantListEntry {
    let sorted = |context: Option<HashMap<String, String>>| context.unwrap_or_default().into_iter().collect();
    GrantListEntry {
        grant_id: from.grant_id.unwrap_or_default(),
        name: from.name.filter(|name| !name.is_empty()),
        grantee_principal: from.grantee_principal,
        retiring_principal: from.retiring_principal,
        issuing_account: from.issuing_account,
        operations: from.operations.unwrap_or_default().iter().map(|operation| operation.as_str().to_owned()).collect(),
        constraints: from.constraints.map(|constraints| GrantConstraints {
            encryption_context_subset: sorted(constraints.encryption_context_subset),
            encryption_context_equals: sorted(constraints.encryption_context_equals),
        }),
    }
}

async fn key_rotation(api: &Api, client: &Client, id: &str, ask: &str) -> Result<Option<KeyRotation>, Gap> {
    let request = client.get_key_rotation_status().key_id(ask).send();
    // Keys in custom key stores cannot rotate.
    let output = api.call_on(&GET_KEY_ROTATION_STATUS, id, request).await.absent_on("UnsupportedOperationException")?;
    Ok(output.map(|output| KeyRotation {
        key_rotation_enabled: output.key_rotation_enabled,
        rotation_period_in_days: output.rotation_period_in_days,
        next_rotation_date: timestamp(output.next_rotation_date),
        on_demand_rotation_start_date: timestamp(output.on_demand_rotation_start_date),
    }))
}

/// Joins what two references to one key brought.
fn merge(one: &mut Key, other: Key) {
    one.referred_to_as.extend(other.referred_to_as);
    one.referred_to_as.sort();
    one.referred_to_as.dedup();
    prefer_known(&mut one.key_metadata, other.key_metadata);
    prefer_known(&mut one.policy, other.policy);
    prefer_known(&mut one.rotation, other.rotation);
    prefer_known(&mut one.grants, other.grants);
}

fn prefer_known<T>(one: &mut Seen<T>, other: Seen<T>) {
    if one.known().is_err() {
        *one = other;
    }
}

fn key_metadata(api: &Api, from: types::KeyMetadata) -> KeyMetadata {
    KeyMetadata {
        aws_account_id: from.aws_account_id,
        arn: from.arn.unwrap_or_default(),
        key_id: from.key_id,
        enabled: from.enabled,
        key_state: from.key_state.map(|state| state.as_str().to_owned()),
        key_manager: from.key_manager.map(|manager| manager.as_str().to_owned()),
        key_spec: from.key_spec.map(|spec| spec.as_str().to_owned()),
        key_usage: from.key_usage.map(|usage| usage.as_str().to_owned()),
        origin: from.origin.map(|origin| origin.as_str().to_owned()),
        expiration_model: from.expiration_model.map(|model| model.as_str().to_owned()),
        valid_to: timestamp(from.valid_to),
        multi_region: from.multi_region.unwrap_or_default(),
        multi_region_configuration: from.multi_region_configuration.map(|configuration| MultiRegionConfiguration {
            multi_region_key_type: configuration.multi_region_key_type.map(|kind| kind.as_str().to_owned()),
        }),
        custom_key_store_id: from.custom_key_store_id,
        creation_date: timestamp(from.creation_date),
        deletion_date: timestamp(from.deletion_date),
        description: from.description.map(|text| screen::tag_value(api.detector(), "description", text)),
    }
}
