//! Builds the indexes and relations once; all lookups afterwards are constant time.

use std::sync::OnceLock;

use plimsoll_iam::Attached;
use plimsoll_model::aws::{
    acm_pca, autoscaling, ec2, ecr, ecs, elasticfilesystem, elasticloadbalancing, iam, inspector2, kms, organizations, secretsmanager,
    servicediscovery, ssm,
};
use plimsoll_model::{AccountId, Arn, Holds, Inventory, Located, Region, Resource, Thresholds};
use plimsoll_net::{Network, World};
use rustc_hash::FxHashMap;

use crate::audit::Watch;
use crate::balancing::Balancing;
use crate::demand::Demands;
use crate::eks::Kubernetes;
use crate::encryption::KeyUses;
use crate::escalation::Escalation;
use crate::exposure::Exposed;
use crate::holder::Holders;
use crate::image::ImageUses;
use crate::permission::Permissions;
use crate::relation::Relation;
use crate::storage::Storage;
use crate::workload::Workloads;
use crate::{Closed, Confinement, Coverage, Launch, Link, Missing, Node};

/// An inventory with its relations.
pub struct Estate<'i> {
    inventory: &'i Inventory,
    thresholds: Thresholds,
    coverage: Coverage<'i>,
    pub(crate) ids: Ids<'i>,
    pub(crate) relations: Relations,
    pub(crate) kubernetes: Kubernetes,
    pub(crate) balancing: OnceLock<Balancing>,
    pub(crate) key_uses: OnceLock<KeyUses>,
    pub(crate) image_uses: OnceLock<ImageUses>,
    pub(crate) latest_revisions: OnceLock<Vec<bool>>,
    pub(crate) workloads: OnceLock<Workloads>,
    pub(crate) demands: OnceLock<Demands>,
    pub(crate) settings: FxHashMap<(&'i AccountId, &'i Region, &'i str), &'i str>,
    pub(crate) definition_launches: OnceLock<Vec<Launch>>,
    pub(crate) confinement: OnceLock<FxHashMap<String, Confinement>>,
    pub(crate) storage: Storage<'i>,
    pub(crate) watch: Watch<'i>,
    pub(crate) permissions: OnceLock<Permissions>,
    pub(crate) holders: OnceLock<Holders>,
    pub(crate) escalation: OnceLock<Escalation>,
    pub(crate) exposed: OnceLock<Exposed>,
    /// The policy of each key with its grants, parsed, by position.
    pub(crate) key_policies: Vec<OnceLock<Option<Attached>>>,
    /// Whether the internet reaches each task, by position.
    pub(crate) task_exposure: OnceLock<Vec<Option<bool>>>,
    // Not made on first use: a cell would tie nodes to the lifetime of the inventory.
    pub(crate) network: Network<'i>,
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
    load_balancers: elasticloadbalancing::LoadBalancer,
    target_groups: elasticloadbalancing::TargetGroup,
    ssl_policies: elasticloadbalancing::SslPolicy,
    certificate_authorities: acm_pca::CertificateAuthority,
    discovery_services: servicediscovery::Service,
    discovery_namespaces: servicediscovery::Namespace,
    vpcs: ec2::Vpc,
    subnets: ec2::Subnet,
    security_groups: ec2::SecurityGroup,
    network_interfaces: ec2::NetworkInterface,
    managed_prefix_lists: ec2::ManagedPrefixList,
    nat_gateways: ec2::NatGateway,
    vpc_endpoints: ec2::VpcEndpoint,
    instances: ec2::Instance,
    images: ec2::Image,
    repositories: ecr::Repository,
    container_images: ecr::Image,
    roles: iam::Role,
    policies: iam::Policy,
    organization_accounts: organizations::Account,
    instance_profiles: iam::InstanceProfile,
    keys: kms::Key,
    auto_scaling_groups: autoscaling::AutoScalingGroup,
    inspector_coverage: inspector2::Coverage,
    inspector_findings: inspector2::ResourceFindings,
    managed_instances: ssm::InstanceInformation,
    patch_states: ssm::InstancePatchState,
    parameters: ssm::Parameter,
    secrets: secretsmanager::Secret,
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
    pub(crate) role_names: FxHashMap<AccountId, FxHashMap<String, u32>>,
    pub(crate) registries: FxHashMap<(AccountId, Region), u32>,
    pub(crate) key_references: FxHashMap<(AccountId, Region, String), u32>,
    pub(crate) protection: crate::protection::Index,
    pub(crate) fleet: crate::fleet::Index,
    pub(crate) vault: crate::vault::Index,
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
            kubernetes: Kubernetes::default(),
            balancing: OnceLock::new(),
            key_uses: OnceLock::new(),
            image_uses: OnceLock::new(),
            latest_revisions: OnceLock::new(),
            workloads: OnceLock::new(),
            demands: OnceLock::new(),
            settings: crate::ecs::settings(inventory),
            definition_launches: OnceLock::new(),
            confinement: OnceLock::new(),
            storage: Storage::default(),
            watch: Watch::default(),
            permissions: OnceLock::new(),
            holders: OnceLock::new(),
            escalation: OnceLock::new(),
            exposed: OnceLock::new(),
            key_policies: inventory.keys.iter().map(|_| OnceLock::new()).collect(),
            task_exposure: OnceLock::new(),
            network: Network::compile(&World::of(inventory)),
        };
        estate.relations = crate::ecs::relations(&estate);
        crate::network::relate(&mut estate);
        crate::eks::relate(&mut estate);
        crate::encryption::relate(&mut estate);
        crate::image::relate(&mut estate);
        crate::identity::relate(&mut estate);
        crate::protection::relate(&mut estate);
        crate::fleet::relate(&mut estate);
        crate::vault::relate(&mut estate);
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

    /// Whether an account was asked in a Region; what came of that is in the coverage.
    pub fn is_scanned(&self, account: &AccountId, region: &Region) -> bool {
        self.inventory.header.scope.covers(account, region)
    }

    /// Why a reference leads nowhere.
    pub(crate) fn missing<T: Resource>(&self, account: &AccountId, region: &Region, reference: &str) -> Missing {
        let arn = Arn::parse(reference);
        let at_account =
            arn.map_or_else(|| account.clone(), |arn| if arn.account.is_empty() { account.clone() } else { AccountId::new(arn.account) });
        let at_region =
            arn.map_or_else(|| region.clone(), |arn| if arn.region.is_empty() { Region::global() } else { Region::new(arn.region) });
        let reference = reference.to_owned();
        if let Some(gap) = self.coverage.closed(&at_account).and_then(Closed::account) {
            return Missing::Unseen { reference, gap: gap.clone() };
        }
        if !self.is_scanned(&at_account, &at_region) {
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

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{fixture, key_arn, role_arn};
    use plimsoll_model::aws::ec2::{SecurityGroup, Subnet};
    use plimsoll_model::aws::ecs::TaskDefinition;
    use plimsoll_model::{AccountId, Gap, Region};

    use crate::{Estate, Link, Missing};

    const OTHER: &str = "222222222222";

    fn other() -> AccountId {
        AccountId::new(OTHER)
    }

    fn region() -> Region {
        Region::new("us-east-1")
    }

    fn gap(operation: &str, region: &str, code: &str) -> Gap {
        Gap { account: other(), region: Region::new(region), operation: operation.to_owned(), code: code.to_owned(), ..Gap::default() }
    }

    #[test]
    fn references_lead_into_another_scanned_account() {
        let inventory = fixture()
            .key("k1", |_| {})
            .role("deploy", |_| {})
            .security_group("front", |_| {})
            .account(OTHER)
            .task_definition("web", |definition| definition.task_role_arn = Some(role_arn("deploy")))
            .build();
        let estate = Estate::new(&inventory);
        assert!(estate.key(&other(), &region(), &key_arn("k1")).found().is_some());
        let definition = estate.all::<TaskDefinition>().next().unwrap();
        assert_eq!(definition.account(), &other());
        assert_eq!(definition.task_role().unwrap().found().unwrap().name(), "deploy");
        // A rule that admits a group over a peering names the group's account.
        let group: Link<'_, SecurityGroup> = estate.link(&AccountId::new("111111111111"), &region(), "sg-front");
        assert!(group.found().is_some());
    }

    #[test]
    fn a_reference_into_an_account_that_was_not_scanned_is_out_of_scope() {
        let inventory = fixture().build();
        let estate = Estate::new(&inventory);
        let key = format!("arn:aws:kms:us-east-1:{OTHER}:key/k1");
        let here = AccountId::new("111111111111");
        assert!(matches!(estate.key(&here, &region(), &key), Link::Missing(Missing::OutOfScope { .. })));
        let role = estate.role(&here, &format!("arn:aws:iam::{OTHER}:role/deploy"));
        assert!(matches!(&role, Link::Missing(Missing::OutOfScope { .. })));
        let unknown = role.exists().unwrap_err();
        assert!(unknown.gap.message.contains("that was not scanned"), "{}", unknown.gap.message);
        let group: Link<'_, SecurityGroup> = estate.link(&other(), &region(), "sg-front");
        assert!(group.exists().is_err());
    }

    #[test]
    fn a_reference_into_an_account_that_could_not_be_entered_says_why() {
        let inventory = fixture()
            .with(|inventory| {
                inventory.header.scope.add(other(), [].into());
                inventory.gaps.push(gap("sts:AssumeRole", "global", "AccessDenied"));
            })
            .build();
        let estate = Estate::new(&inventory);
        let here = AccountId::new("111111111111");
        for unknown in [
            estate.role(&here, &format!("arn:aws:iam::{OTHER}:role/deploy")).exists().unwrap_err(),
            estate.key(&here, &region(), &format!("arn:aws:kms:us-east-1:{OTHER}:key/k1")).exists().unwrap_err(),
        ] {
            assert_eq!((unknown.gap.operation.as_str(), unknown.gap.code.as_str()), ("sts:AssumeRole", "AccessDenied"));
        }
    }

    #[test]
    fn a_reference_into_a_closed_region_says_why_and_one_into_a_global_service_resolves() {
        let inventory = fixture()
            .account(OTHER)
            .role("deploy", |_| {})
            .with(|inventory| inventory.gaps.push(gap("ecs:ListClusters", "us-east-1", Gap::REGION_CLOSED)))
            .build();
        let estate = Estate::new(&inventory);
        let here = AccountId::new("111111111111");
        let unknown = estate.key(&here, &region(), &format!("arn:aws:kms:us-east-1:{OTHER}:key/k1")).exists().unwrap_err();
        assert_eq!(unknown.gap.code, Gap::REGION_CLOSED);
        assert!(estate.role(&here, &format!("arn:aws:iam::{OTHER}:role/deploy")).found().is_some());
        assert!(matches!(estate.role(&other(), "gone").exists(), Ok(None)), "IAM was read whole");
        let coverage = estate.coverage();
        assert!(coverage.check(&other(), &Region::global(), "ecs:ListTasks").is_err(), "a role may be used in the closed Region");
        assert!(coverage.check(&other(), &Region::new("eu-west-3"), "ecs:ListTasks").is_ok());
        assert!(coverage.check(&here, &region(), "ecs:ListTasks").is_ok());
    }

    #[test]
    fn regions_of_one_account_say_nothing_of_another() {
        let inventory = fixture().with(|inventory| inventory.header.scope.add(other(), [Region::new("eu-west-3")].into())).build();
        let estate = Estate::new(&inventory);
        let key = |region: &str| estate.key(&other(), &Region::new(region), &format!("arn:aws:kms:{region}:{OTHER}:key/k1"));
        assert!(matches!(key("eu-west-3"), Link::Missing(Missing::NotFound { .. })));
        assert!(matches!(key("us-east-1"), Link::Missing(Missing::OutOfScope { .. })));
    }

    #[test]
    fn a_shared_subnet_is_the_one_that_its_owner_tells() {
        let shared = |subnet: &mut Subnet| subnet.owner_id = Some("111111111111".to_owned());
        let inventory = fixture().subnet("main", "a", shared).account(OTHER).subnet("main", "a", shared).build();
        let estate = Estate::new(&inventory);
        let subnet: Link<'_, Subnet> = estate.link(&other(), &region(), "subnet-a");
        assert_eq!(subnet.found().unwrap().account().as_str(), "111111111111");
    }
}
