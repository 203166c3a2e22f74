//! Builds the indexes and relations once; all lookups afterwards are constant time.

use std::sync::OnceLock;

use plimsoll_model::aws::{ec2, ecs, elasticfilesystem, iam, kms};
use plimsoll_model::{AccountId, Arn, Holds, Inventory, Located, Region, Resource, Thresholds};
use rustc_hash::FxHashMap;

use crate::audit::Watch;
use crate::encryption::KeyUses;
use crate::relation::Relation;
use crate::storage::Storage;
use crate::workload::Workloads;
use crate::{Confinement, Coverage, Launch, Link, Missing, Node};

/// An inventory with its relations.
pub struct Estate<'i> {
    inventory: &'i Inventory,
    thresholds: Thresholds,
    coverage: Coverage<'i>,
    pub(crate) ids: Ids<'i>,
    pub(crate) relations: Relations,
    pub(crate) key_uses: OnceLock<KeyUses>,
    pub(crate) latest_revisions: OnceLock<Vec<bool>>,
    pub(crate) workloads: OnceLock<Workloads>,
    pub(crate) settings: FxHashMap<(&'i AccountId, &'i Region, &'i str), &'i str>,
    pub(crate) definition_launches: OnceLock<Vec<Launch>>,
    pub(crate) confinement: OnceLock<FxHashMap<String, Confinement>>,
    pub(crate) storage: Storage<'i>,
    pub(crate) watch: Watch<'i>,
}

macro_rules! ids {
    ($($field:ident: $type:ty),* $(,)?) => {
        /// Positions by id, for each type that something refers to.
        #[derive(Default)]
        pub(crate) struct Ids<'i> {
            $(pub(crate) $field: FxHashMap<&'i str, u32>,)*
        }

        impl<'i> Ids<'i> {
            fn new(inventory: &'i Inventory) -> Self {
                Self { $($field: positions(&inventory.$field),)* }
            }
        }

        $(impl<'i> Indexed<$type> for Estate<'i> {
            fn position(&self, id: &str) -> Option<u32> {
                self.ids.$field.get(id).copied()
            }
        })*
    };
}

/// Types that can be looked up by id.
pub(crate) trait Indexed<T> {
    fn position(&self, id: &str) -> Option<u32>;
}

ids! {
    clusters: ecs::Cluster,
    services: ecs::Service,
    tasks: ecs::Task,
    task_definitions: ecs::TaskDefinition,
    container_instances: ecs::ContainerInstance,
    vpcs: ec2::Vpc,
    subnets: ec2::Subnet,
    security_groups: ec2::SecurityGroup,
    network_interfaces: ec2::NetworkInterface,
    managed_prefix_lists: ec2::ManagedPrefixList,
    nat_gateways: ec2::NatGateway,
    instances: ec2::Instance,
    images: ec2::Image,
    roles: iam::Role,
    policies: iam::Policy,
    instance_profiles: iam::InstanceProfile,
    keys: kms::Key,
    file_systems: elasticfilesystem::FileSystem,
}

/// Relations that more than one judgement walks.
#[derive(Default)]
pub(crate) struct Relations {
    pub(crate) cluster_services: Relation,
    pub(crate) cluster_tasks: Relation,
    pub(crate) cluster_container_instances: Relation,
    pub(crate) service_tasks: Relation,
    pub(crate) service_task_sets: Relation,
    pub(crate) task_service: Vec<Option<u32>>,
    pub(crate) definition_tasks: Relation,
    pub(crate) definition_services: Relation,
    pub(crate) definition_triggers: Relation,
    pub(crate) container_instance_tasks: Relation,
    pub(crate) interface_task: FxHashMap<u32, u32>,
    pub(crate) subnet_route_table: FxHashMap<String, u32>,
    pub(crate) main_route_table: FxHashMap<String, u32>,
    pub(crate) default_groups: FxHashMap<String, u32>,
    pub(crate) flow_logs: FxHashMap<String, Vec<u32>>,
    pub(crate) group_services: Relation,
    pub(crate) instance_volumes: Relation,
    pub(crate) role_definitions: Relation,
    pub(crate) key_references: FxHashMap<(AccountId, Region, String), u32>,
}

fn positions<T: Resource>(list: &[Located<T>]) -> FxHashMap<&str, u32> {
    list.iter().zip(0..).map(|(item, position)| (item.data.id(), position)).collect()
}

impl<'i> Estate<'i> {
    /// Builds the estate of an inventory, to be judged by the default thresholds.
    pub fn new(inventory: &'i Inventory) -> Self {
        Self::with_thresholds(inventory, Thresholds::default())
    }

    /// Builds the estate of an inventory, to be judged by these thresholds.
    pub fn with_thresholds(inventory: &'i Inventory, thresholds: Thresholds) -> Self {
        let mut estate = Self {
            inventory,
            thresholds,
            coverage: Coverage::new(inventory),
            ids: Ids::new(inventory),
            relations: Relations::default(),
            key_uses: OnceLock::new(),
            latest_revisions: OnceLock::new(),
            workloads: OnceLock::new(),
            settings: crate::ecs::settings(inventory),
            definition_launches: OnceLock::new(),
            confinement: OnceLock::new(),
            storage: Storage::default(),
            watch: Watch::default(),
        };
        estate.relations = crate::ecs::relations(&estate);
        crate::network::relate(&mut estate);
        crate::encryption::relate(&mut estate);
        crate::identity::relate(&mut estate);
        estate.storage = Storage::new(&estate);
        estate.watch = Watch::new(&estate);
        estate
    }

    /// What it was built from.
    pub fn inventory(&self) -> &'i Inventory {
        self.inventory
    }

    /// The limits and lists that judgements compare with.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// What was read whole.
    pub fn coverage(&self) -> &Coverage<'i> {
        &self.coverage
    }

    /// All resources of a type, in the order of the inventory.
    pub fn all<'e, T: Resource + 'e>(&'e self) -> impl Iterator<Item = Node<'e, T>>
    where
        Inventory: Holds<T>,
    {
        self.inventory.list().iter().zip(0..).map(move |(located, index)| Node { estate: self, located, index })
    }

    /// The resource at a position of its list.
    pub(crate) fn at<T: Resource>(&self, index: u32) -> Option<Node<'_, T>>
    where
        Inventory: Holds<T>,
    {
        let located = self.inventory.list().get(index as usize)?;
        Some(Node { estate: self, located, index })
    }

    pub(crate) fn many<'e, T: Resource + 'e>(&'e self, positions: &'e [u32]) -> impl Iterator<Item = Node<'e, T>>
    where
        Inventory: Holds<T>,
    {
        positions.iter().filter_map(|&position| self.at(position))
    }

    /// Follows a reference by id from a resource in `account` and `region`.
    pub(crate) fn link<'e, T: Resource>(&'e self, account: &AccountId, region: &Region, id: &str) -> Link<'e, T>
    where
        Inventory: Holds<T>,
        Self: Indexed<T>,
    {
        if let Some(node) = self.position(id).and_then(|position| self.at(position)) {
            return Link::Found(node);
        }
        Link::Missing(self.missing::<T>(account, region, id))
    }

    /// Why a reference leads nowhere.
    pub(crate) fn missing<T: Resource>(&self, account: &AccountId, region: &Region, reference: &str) -> Missing {
        let arn = Arn::parse(reference);
        let at_account =
            arn.map_or_else(|| account.clone(), |arn| if arn.account.is_empty() { account.clone() } else { AccountId::new(arn.account) });
        let at_region =
            arn.map_or_else(|| region.clone(), |arn| if arn.region.is_empty() { Region::global() } else { Region::new(arn.region) });
        let reference = reference.to_owned();
        let scope = &self.inventory.header.scope;
        if !scope.accounts.contains(&at_account) || !(at_region.is_global() || scope.regions.contains(&at_region)) {
            return Missing::OutOfScope { reference };
        }
        if let Some(gap) = self.coverage.on_resource(T::OPERATION, &reference) {
            return Missing::Unseen { reference, gap: gap.clone() };
        }
        match self.coverage.check(&at_account, &at_region, T::OPERATION) {
            Err(gap) => Missing::Unseen { reference, gap },
            Ok(()) => Missing::NotFound { reference },
        }
    }
}
