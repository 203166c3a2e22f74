//! Relations of EKS: a cluster and what belongs to it by its name, the EC2 instances that are its nodes by their tags, and
//! where Kubernetes runs at all.

use std::collections::BTreeSet;

use plimsoll_model::aws::ec2::{Instance, NetworkInterface, Subnet};
use plimsoll_model::aws::eks::{AccessEntry, Addon, AddonVersion, Cluster, ClusterVersion, FargateProfile, Insight, Nodegroup};
use plimsoll_model::aws::eks::{PodIdentityAssociation, VpcConfigResponse};
use plimsoll_model::aws::logs::LogGroup;
use plimsoll_model::aws::ssm::PublicParameter;
use plimsoll_model::{AccountId, Holds, Inventory, Located, Region, Resource};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::relation::Relation;
use crate::{Estate, Link, Node, Unknown};

/// Tags that name the cluster of a node: of managed node groups, and of EKS Auto Mode and Karpenter.
const CLUSTER_NAME_TAGS: [&str; 2] = ["eks:cluster-name", "eks:eks-cluster-name"];
/// What the tag of every node begins with; the name of its cluster follows.
const CLUSTER_TAG: &str = "kubernetes.io/cluster/";
/// The tag that names the managed node group of a node.
const NODEGROUP_TAG: &str = "eks:nodegroup-name";
/// The tag of a branch interface, which belongs to a pod with security groups of its own: the interface of the node that
/// carries its traffic (Amazon VPC resource controller for Kubernetes).
const TRUNK_TAG: &str = "vpcresources.k8s.aws/trunk-eni-id";
/// Who runs the instances of EKS Auto Mode.
const AUTO_MODE: &str = "eks.amazonaws.com";

/// What belongs to the clusters, by position of the cluster; and more by name.
#[derive(Default)]
pub(crate) struct Kubernetes {
    nodegroups: Relation,
    fargate_profiles: Relation,
    addons: Relation,
    access_entries: Relation,
    pod_identity_associations: Relation,
    insights: Relation,
    nodes: Relation,
    nodegroup_nodes: Relation,
    pod_interfaces: Relation,
    // Of each branch interface of a pod.
    interface_cluster: FxHashMap<u32, u32>,
    interface_node: FxHashMap<u32, u32>,
    // Of each instance.
    instance_cluster: FxHashMap<u32, u32>,
    nodegroup_cluster: FxHashMap<u32, u32>,
    addon_cluster: FxHashMap<u32, u32>,
    association_cluster: FxHashMap<u32, u32>,
    role_associations: FxHashMap<String, Vec<u32>>,
    // Clusters by issuer, without `https://`.
    pub(crate) issuers: FxHashMap<String, u32>,
}

/// Who runs a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A managed node group.
    Managed,
    /// EKS Auto Mode: AWS patches and replaces it.
    AutoMode,
    /// The customer, with a group of their own or with Karpenter.
    SelfManaged,
}

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let inventory = estate.inventory();
    let mut by_name: FxHashMap<(&AccountId, &Region, &str), u32> = FxHashMap::default();
    for (cluster, position) in inventory.eks_clusters.iter().zip(0..) {
        by_name.insert((&cluster.account, &cluster.region, cluster.data.name.as_str()), position);
    }
    if by_name.is_empty() && inventory.pod_identity_associations.is_empty() {
        return;
    }
    let rows = inventory.eks_clusters.len();
    let cluster_of = |account, region, name: &str| by_name.get(&(account, region, name)).copied();
    let instance_cluster: FxHashMap<u32, u32> = positioned(&inventory.instances)
        .filter_map(|(instance, position)| {
            let name = instance.data.tags.iter().find_map(|tag| match tag.key.strip_prefix(CLUSTER_TAG) {
                Some(name) => Some(name),
                None => CLUSTER_NAME_TAGS.contains(&tag.key.as_str()).then_some(tag.value.as_str()),
            })?;
            Some((position, cluster_of(&instance.account, &instance.region, name)?))
        })
        .collect();
    let belongs = |account, region, name: &str, position| Some((cluster_of(account, region, name)?, position));
    macro_rules! relation {
        ($list:ident) => {{
            let items = positioned(&inventory.$list);
            let pairs = items.filter_map(|(item, position)| belongs(&item.account, &item.region, &item.data.cluster_name, position));
            let pairs: Vec<(u32, u32)> = pairs.collect();
            pairs
        }};
    }
    let (nodegroups, addons, associations) = (relation!(nodegroups), relation!(addons), relation!(pod_identity_associations));
    let group_of: FxHashMap<(u32, &str), u32> = nodegroups
        .iter()
        .filter_map(|&(cluster, group)| Some(((cluster, inventory.nodegroups.get(group as usize)?.data.nodegroup_name.as_str()), group)))
        .collect();
    let nodegroup_nodes = positioned(&inventory.instances).filter_map(|(instance, position)| {
        let name = instance.data.tags.iter().find(|tag| tag.key == NODEGROUP_TAG)?.value.as_str();
        Some((*group_of.get(&(*instance_cluster.get(&position)?, name))?, position))
    });
    let nodegroup_nodes = Relation::new(inventory.nodegroups.len(), nodegroup_nodes.collect());
    let mut nodes: Vec<(u32, u32)> = Vec::with_capacity(instance_cluster.len());
    for position in (0_u32..).take(inventory.instances.len()) {
        nodes.extend(instance_cluster.get(&position).map(|&cluster| (cluster, position)));
    }
    let trunk_node = |trunk: &str| {
        let trunk = inventory.network_interfaces.get(*estate.ids.network_interfaces.get(trunk)? as usize)?;
        let instance = trunk.data.attachment.as_ref()?.instance_id.as_deref()?;
        estate.ids.instances.get(instance).copied()
    };
    let interface_node: FxHashMap<u32, u32> = positioned(&inventory.network_interfaces)
        .filter_map(|(interface, position)| {
            let trunk = interface.data.tag_set.iter().find(|tag| tag.key == TRUNK_TAG)?;
            Some((position, trunk_node(&trunk.value)?))
        })
        .collect();
    let mut pods: Vec<(u32, u32)> = interface_node.iter().filter_map(|(&pod, node)| Some((*instance_cluster.get(node)?, pod))).collect();
    pods.sort_unstable();
    let mut role_associations: FxHashMap<String, Vec<u32>> = FxHashMap::default();
    for (association, position) in positioned(&inventory.pod_identity_associations) {
        role_associations.entry(association.data.role_arn.clone()).or_default().push(position);
        if let Some(target) = association.data.target_role_arn.as_ref().filter(|target| **target != association.data.role_arn) {
            role_associations.entry(target.clone()).or_default().push(position);
        }
    }
    let issuers = positioned(&inventory.eks_clusters)
        .filter_map(|(cluster, position)| Some((issuer_of(&cluster.data)?.to_owned(), position)))
        .collect();
    let backwards = |pairs: &[(u32, u32)]| pairs.iter().map(|&(cluster, position)| (position, cluster)).collect();
    let kubernetes = Kubernetes {
        nodegroup_cluster: backwards(&nodegroups),
        addon_cluster: backwards(&addons),
        nodegroups: Relation::new(rows, nodegroups),
        fargate_profiles: Relation::new(rows, relation!(fargate_profiles)),
        addons: Relation::new(rows, addons),
        access_entries: Relation::new(rows, relation!(access_entries)),
        association_cluster: backwards(&associations),
        pod_identity_associations: Relation::new(rows, associations),
        insights: Relation::new(rows, relation!(insights)),
        nodes: Relation::new(rows, nodes),
        nodegroup_nodes,
        interface_cluster: backwards(&pods),
        interface_node,
        pod_interfaces: Relation::new(rows, pods),
        instance_cluster,
        role_associations,
        issuers,
    };
    estate.kubernetes = kubernetes;
}

/// The issuer of the tokens of a cluster's service accounts, without `https://`.
fn issuer_of(cluster: &Cluster) -> Option<&str> {
    let issuer = cluster.identity.as_ref()?.oidc.as_ref()?.issuer.as_deref()?;
    Some(issuer.strip_prefix("https://").unwrap_or(issuer))
}

fn positioned<T>(list: &[Located<T>]) -> impl Iterator<Item = (&Located<T>, u32)> {
    list.iter().zip(0..)
}

impl Estate<'_> {
    /// EKS clusters with status ACTIVE or UPDATING.
    pub fn eks_clusters(&self) -> impl Iterator<Item = Node<'_, Cluster>> {
        self.all::<Cluster>().filter(|cluster| cluster.is_up())
    }

    /// Accounts and Regions with an EKS cluster, also with one that was listed and of which something was not read.
    pub fn places_of_kubernetes(&self) -> BTreeSet<(&AccountId, &Region)> {
        let clusters = self.inventory().eks_clusters.iter().map(|cluster| (&cluster.account, &cluster.region));
        // Nothing but the listing of clusters is asked where there are none.
        let gaps = self.inventory().gaps.iter().filter(|gap| gap.operation.starts_with("eks:") && gap.operation != "eks:ListClusters");
        clusters.chain(gaps.map(|gap| (&gap.account, &gap.region))).collect()
    }

    /// The nodes of EKS clusters that are no container instances of ECS as well.
    pub fn nodes_alone(&self) -> impl Iterator<Item = Node<'_, Instance>> {
        let hosts: FxHashSet<u32> = self.hosts().filter_map(|host| Some(host.instance().found()?.index)).collect();
        let nodes = self.all::<Cluster>().flat_map(Node::<'_, Cluster>::nodes);
        nodes.filter(move |node| !hosts.contains(&node.index))
    }

    /// Service accounts of Kubernetes that EKS Pod Identity gives this role, as their own or through another.
    pub fn service_accounts_with(&self, role_arn: &str) -> impl Iterator<Item = Node<'_, PodIdentityAssociation>> {
        self.many(self.kubernetes.role_associations.get(role_arn).map(Vec::as_slice).unwrap_or_default())
    }

    /// A resource of a type that few places hold, by place and id.
    fn find_in<T: Resource>(&self, account: &AccountId, region: &Region, id: &str) -> Link<'_, T>
    where
        Inventory: Holds<T>,
    {
        match self.all::<T>().find(|one| one.account() == account && one.region() == region && one.id() == id) {
            Some(node) => Link::Found(node),
            None => Link::Missing(self.missing::<T>(account, region, id)),
        }
    }
}

impl<'e> Node<'e, PodIdentityAssociation> {
    /// Its cluster; `None` when that was not read.
    pub fn cluster(self) -> Option<Node<'e, Cluster>> {
        self.estate.at(*self.estate.kubernetes.association_cluster.get(&self.index)?)
    }
}

impl<'e> Node<'e, Cluster> {
    /// Whether its status is ACTIVE or UPDATING.
    pub fn is_up(self) -> bool {
        matches!(self.data().status.as_str(), "ACTIVE" | "UPDATING")
    }

    /// The issuer of the tokens of its service accounts, without `https://`.
    pub fn issuer(self) -> Option<&'e str> {
        issuer_of(self.data())
    }

    /// Its managed node groups.
    pub fn nodegroups(self) -> impl Iterator<Item = Node<'e, Nodegroup>> {
        self.estate.many(self.estate.kubernetes.nodegroups.of(self.index))
    }

    /// Its Fargate profiles.
    pub fn fargate_profiles(self) -> impl Iterator<Item = Node<'e, FargateProfile>> {
        self.estate.many(self.estate.kubernetes.fargate_profiles.of(self.index))
    }

    /// Its add-ons.
    pub fn addons(self) -> impl Iterator<Item = Node<'e, Addon>> {
        self.estate.many(self.estate.kubernetes.addons.of(self.index))
    }

    /// One of its add-ons by name; `None` when the cluster has none of this name. An add-on that was listed and could not
    /// be described may be this one.
    pub fn addon(self, name: &str) -> Result<Option<Node<'e, Addon>>, Unknown> {
        if let Some(addon) = self.addons().find(|addon| addon.addon_name == name) {
            return Ok(Some(addon));
        }
        self.was_listed("eks:ListAddons")?;
        let of_addon = format!(":addon/{}/{name}", self.name);
        let mut gaps = self.estate.coverage().undescribed(Addon::OPERATION);
        let gap = gaps.find(|gap| {
            gap.account == *self.account()
                && gap.region == *self.region()
                && gap.resource.as_ref().is_none_or(|resource| resource.ends_with(&of_addon))
        });
        gap.map_or(Ok(None), |gap| Err(gap.into()))
    }

    /// Its access entries.
    pub fn access_entries(self) -> impl Iterator<Item = Node<'e, AccessEntry>> {
        self.estate.many(self.estate.kubernetes.access_entries.of(self.index))
    }

    /// The roles that it gives to service accounts.
    pub fn pod_identity_associations(self) -> impl Iterator<Item = Node<'e, PodIdentityAssociation>> {
        self.estate.many(self.estate.kubernetes.pod_identity_associations.of(self.index))
    }

    /// Its failing insights.
    pub fn insights(self) -> impl Iterator<Item = Node<'e, Insight>> {
        self.estate.many(self.estate.kubernetes.insights.of(self.index))
    }

    /// The EC2 instances that are its nodes, whoever runs them.
    pub fn nodes(self) -> impl Iterator<Item = Node<'e, Instance>> {
        self.estate.many(self.estate.kubernetes.nodes.of(self.index))
    }

    /// The interfaces of its pods that have security groups of their own; other pods share those of their node.
    pub fn pod_interfaces(self) -> impl Iterator<Item = Node<'e, NetworkInterface>> {
        self.estate.many(self.estate.kubernetes.pod_interfaces.of(self.index))
    }

    /// Its nodes that belong to none of its node groups: of EKS Auto Mode, Karpenter or the customer's own groups.
    pub fn nodes_outside_groups(self) -> impl Iterator<Item = Node<'e, Instance>> {
        let grouped: FxHashSet<u32> = self.nodegroups().flat_map(Node::<'_, Nodegroup>::nodes).map(|node| node.index).collect();
        self.nodes().filter(move |node| !grouped.contains(&node.index))
    }

    /// Whether a listing about this cluster came to its end.
    pub fn was_listed(self, operation: &str) -> Result<(), Unknown> {
        if !self.estate.coverage().collects(operation) {
            self.estate.coverage().check(self.account(), self.region(), operation)?;
        }
        // A listing that failed for all clusters names none.
        let mut gaps = self.estate.coverage().gaps(self.account(), self.region(), operation);
        let arn = self.data().arn.as_str();
        gaps.find(|gap| gap.resource.as_deref().is_none_or(|of| of == arn)).map_or(Ok(()), |gap| Err(gap.into()))
    }

    /// What AWS says of the version of Kubernetes that it runs; `None` when it tells none.
    pub fn cluster_version(self) -> Option<Link<'e, ClusterVersion>> {
        Some(self.estate.find_in(self.account(), self.region(), self.data().version.as_deref()?))
    }

    /// The name of the log group that its control plane writes to.
    pub fn log_group_name(self) -> String {
        format!("/aws/eks/{}/cluster", self.name)
    }

    /// The log group that its control plane writes to.
    pub fn log_group(self) -> Link<'e, LogGroup> {
        self.estate.log_group(self.account(), self.region(), &self.log_group_name())
    }

    /// Whether principals may enter by the `aws-auth` config map inside the cluster; `None` when it tells no mode.
    pub fn reads_config_map(self) -> Option<bool> {
        let mode = self.data().access_config.as_ref()?.authentication_mode.as_deref()?;
        Some(mode != "API")
    }

    /// Whether EKS Auto Mode runs nodes for it.
    pub fn is_auto_mode(self) -> bool {
        self.data().compute_config.as_ref().is_some_and(|compute| compute.enabled == Some(true))
    }

    /// The subnets of its control plane, node groups and Fargate profiles, each once.
    pub(crate) fn subnet_ids(self) -> BTreeSet<&'e str> {
        let config: Option<&'e VpcConfigResponse> = self.data().resources_vpc_config.as_ref();
        let own = config.into_iter().flat_map(|config| &config.subnet_ids);
        let groups = self.nodegroups().flat_map(|group| &group.data().subnets);
        let profiles = self.fargate_profiles().flat_map(|profile| &profile.data().subnets);
        own.chain(groups).chain(profiles).map(String::as_str).collect()
    }

    /// The VPC of a subnet in its account and Region.
    pub(crate) fn vpc_of(self, subnet_id: &str) -> Option<&'e str> {
        let subnet: Node<'e, Subnet> = self.estate.link(self.account(), self.region(), subnet_id).found()?;
        Some(subnet.data().vpc_id.as_str())
    }
}

impl<'e> Node<'e, Nodegroup> {
    /// Its cluster.
    pub fn cluster(self) -> Link<'e, Cluster> {
        let found = self.estate.kubernetes.nodegroup_cluster.get(&self.index).and_then(|&cluster| self.estate.at(cluster));
        found.map_or_else(|| Link::Missing(self.missing_cluster(&self.cluster_name)), Link::Found)
    }

    /// The EC2 instances that it runs.
    pub fn nodes(self) -> impl Iterator<Item = Node<'e, Instance>> {
        self.estate.many(self.estate.kubernetes.nodegroup_nodes.of(self.index))
    }

    /// The parameter with the release that AWS recommends; `None` when AWS publishes none for its kind of image.
    pub fn recommended_release(self) -> Option<Link<'e, PublicParameter>> {
        Some(self.estate.find_in(self.account(), self.region(), &self.data().release_parameter()?))
    }
}

impl<'e> Node<'e, Addon> {
    /// Its cluster.
    pub fn cluster(self) -> Link<'e, Cluster> {
        let found = self.estate.kubernetes.addon_cluster.get(&self.index).and_then(|&cluster| self.estate.at(cluster));
        found.map_or_else(|| Link::Missing(self.missing_cluster(&self.cluster_name)), Link::Found)
    }

    /// Its versions that are the default for a version of Kubernetes.
    pub fn default_versions(self, kubernetes_version: &str) -> Link<'e, AddonVersion> {
        self.estate.find_in(self.account(), self.region(), &AddonVersion::id_of(&self.addon_name, kubernetes_version))
    }
}

impl<T: Resource> Node<'_, T> {
    fn missing_cluster(&self, name: &str) -> crate::Missing {
        let partition = plimsoll_model::partition_of(self.region().as_str());
        let arn = format!("arn:{partition}:eks:{}:{}:cluster/{name}", self.region(), self.account());
        self.estate.missing::<Cluster>(self.account(), self.region(), &arn)
    }
}

impl<'e> Node<'e, NetworkInterface> {
    /// The EKS cluster of the pod that it belongs to alone: one with security groups of its own.
    pub fn pod_cluster(self) -> Option<Node<'e, Cluster>> {
        self.estate.at(*self.estate.kubernetes.interface_cluster.get(&self.index)?)
    }

    /// The node under that pod.
    pub fn pod_node(self) -> Option<Node<'e, Instance>> {
        self.estate.at(*self.estate.kubernetes.interface_node.get(&self.index)?)
    }
}

impl<'e> Node<'e, Instance> {
    /// The EKS cluster that it is a node of, by its tags.
    pub fn eks_cluster(self) -> Option<Node<'e, Cluster>> {
        self.estate.at(*self.estate.kubernetes.instance_cluster.get(&self.index)?)
    }

    /// Who runs it as a node of an EKS cluster.
    pub fn node_kind(self) -> NodeKind {
        let operator = self.data().operator.as_ref();
        if operator.is_some_and(|operator| operator.managed == Some(true) && operator.principal.as_deref() == Some(AUTO_MODE)) {
            NodeKind::AutoMode
        } else if self.data().tags.iter().any(|tag| tag.key == NODEGROUP_TAG) {
            NodeKind::Managed
        } else {
            NodeKind::SelfManaged
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{fixture, gap, role_arn};
    use plimsoll_model::aws::ec2::{Instance, OperatorResponse, Tag, Vpc};
    use plimsoll_model::aws::eks::{Cluster, PodIdentityAssociation};
    use plimsoll_model::{Gap, Inventory};

    use crate::{Estate, Node, NodeKind};

    fn shop() -> Inventory {
        fixture()
            .network()
            .eks_cluster("shop", |_| {})
            .eks_cluster("jobs", |_| {})
            .nodegroup("shop", "web", |_| {})
            .addon("shop", "vpc-cni", |_| {})
            .access_entry("jobs", &role_arn("admin"), &[], |_| {})
            .node("shop", Some("web"), "n1", |_| {})
            .node("shop", None, "n2", |_| {})
            .node("jobs", None, "n3", |instance| {
                instance.tags = vec![Tag { key: "eks:eks-cluster-name".to_owned(), value: "jobs".to_owned() }];
                instance.operator = Some(OperatorResponse { managed: Some(true), principal: Some("eks.amazonaws.com".to_owned()) });
            })
            .instance("other", |instance| {
                instance.tags = vec![Tag { key: "kubernetes.io/cluster/gone".to_owned(), value: "owned".to_owned() }];
            })
            .build()
    }

    fn cluster<'e>(estate: &'e Estate<'e>, name: &str) -> Node<'e, Cluster> {
        estate.all::<Cluster>().find(|cluster| cluster.name() == name).unwrap()
    }

    #[test]
    fn a_cluster_knows_what_belongs_to_it_and_its_nodes_by_their_tags() {
        let inventory = shop();
        let estate = Estate::new(&inventory);
        let shop = cluster(&estate, "shop");
        assert_eq!((shop.nodegroups().count(), shop.addons().count(), shop.access_entries().count()), (1, 1, 0));
        let nodes = |cluster: Node<'_, Cluster>| -> Vec<(String, NodeKind)> {
            cluster.nodes().map(|node| (node.data().instance_id.clone(), node.node_kind())).collect()
        };
        assert_eq!(nodes(shop), [("i-n1".to_owned(), NodeKind::Managed), ("i-n2".to_owned(), NodeKind::SelfManaged)]);
        assert_eq!(nodes(cluster(&estate, "jobs")), [("i-n3".to_owned(), NodeKind::AutoMode)]);
        let group = shop.nodegroups().next().unwrap();
        assert_eq!(group.nodes().map(|node| node.instance_id.clone()).collect::<Vec<_>>(), ["i-n1"]);
        assert_eq!(group.cluster().found().unwrap().name(), "shop");
        assert!(group.recommended_release().unwrap().found().is_some());
        assert_eq!(estate.nodes_alone().count(), 3);
    }

    #[test]
    fn the_vpc_of_a_cluster_and_its_nodes_holds_workload() {
        let inventory = fixture().network().vpc("empty", |_| {}).eks_cluster("shop", |_| {}).build();
        let estate = Estate::new(&inventory);
        let vpc = |id: &str| estate.all::<Vpc>().find(|vpc| vpc.vpc_id == id).unwrap();
        assert_eq!(vpc("vpc-main").workload().unwrap().subnets().count(), 1);
        assert!(vpc("vpc-empty").workload().is_none());
        let elsewhere = |instance: &mut Instance| instance.vpc_id = Some("vpc-empty".to_owned());
        let inventory = fixture().vpc("empty", |_| {}).eks_cluster("shop", |_| {}).node("shop", None, "n1", elsewhere).build();
        let estate = Estate::new(&inventory);
        assert!(estate.all::<Vpc>().next().unwrap().workload().is_some());
    }

    #[test]
    fn the_key_of_kubernetes_secrets_has_a_user() {
        let inventory = fixture().key("eks", |_| {}).eks_cluster("shop", |_| {}).build();
        let estate = Estate::new(&inventory);
        let users = estate.keys().next().unwrap().users().to_vec();
        assert_eq!(users.iter().map(|user| user.purpose).collect::<Vec<_>>(), ["secrets"]);
    }

    #[test]
    fn kubernetes_is_where_clusters_are_or_were_listed() {
        let at = |operation: &str| {
            let gap = Gap { resource: Some("arn:aws:eks:us-east-1:111111111111:cluster/x".to_owned()), ..gap(operation) };
            let inventory = fixture().with(|inventory| inventory.gaps.push(gap)).build();
            Estate::new(&inventory).places_of_kubernetes().len()
        };
        assert_eq!(at("eks:DescribeCluster"), 1);
        assert_eq!(at("eks:ListClusters"), 0);
        let inventory = shop();
        assert_eq!(Estate::new(&inventory).places_of_kubernetes().len(), 1);
    }

    #[test]
    fn an_add_on_is_absent_only_when_all_were_listed() {
        let inventory = fixture().eks_cluster("shop", |_| {}).build();
        assert_eq!(cluster(&Estate::new(&inventory), "shop").addon("vpc-cni"), Ok(None));
        for (operation, resource) in [("eks:ListAddons", "cluster/shop"), ("eks:DescribeAddon", "addon/shop/vpc-cni")] {
            let gap = Gap { resource: Some(format!("arn:aws:eks:us-east-1:111111111111:{resource}")), ..gap(operation) };
            let inventory =
                fixture().eks_cluster("shop", |_| {}).eks_cluster("jobs", |_| {}).with(|inventory| inventory.gaps.push(gap)).build();
            let estate = Estate::new(&inventory);
            assert!(cluster(&estate, "shop").addon("vpc-cni").is_err());
            assert_eq!(cluster(&estate, "jobs").addon("vpc-cni"), Ok(None));
            assert_eq!(cluster(&estate, "shop").addon("coredns").is_err(), operation == "eks:ListAddons");
        }
    }

    #[test]
    fn a_role_knows_the_service_accounts_that_have_it() {
        let association = PodIdentityAssociation {
            association_arn: "a".to_owned(),
            cluster_name: "shop".to_owned(),
            role_arn: role_arn("web"),
            ..Default::default()
        };
        let inventory = fixture().eks_cluster("shop", |_| {}).resource(association).build();
        let estate = Estate::new(&inventory);
        assert_eq!(estate.service_accounts_with(&role_arn("web")).count(), 1);
        assert_eq!(estate.service_accounts_with(&role_arn("other")).count(), 0);
        assert_eq!(cluster(&estate, "shop").pod_identity_associations().count(), 1);
    }
}
