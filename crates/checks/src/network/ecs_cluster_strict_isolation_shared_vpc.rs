//! Reads in which VPCs the tasks and hosts of each cluster are, which of these clusters ask for strict isolation, and the
//! routes that lead from one VPC to another. Yields one verdict per ACTIVE cluster; a failure names the neighbours, in the
//! same VPC or behind a route. Attachments of transit gateways are not read: what lies behind one is only possible.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node, Ranges, Unknown};
use plimsoll_model::aws::ec2::{ManagedPrefixList, Route, RouteTable, VpcPeeringConnection};
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::{AccountId, Gap, PathStep, Region, Resource, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{counted, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-cluster-strict-isolation-shared-vpc",
    title: "Cluster that needs strict isolation shares its VPC",
    severity: Severity::Medium,
    resource: "AWS::ECS::Cluster",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "eks:DescribeCluster",
        "eks:ListClusters",
        "ec2:DescribeInstances",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeRouteTables",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
    ],
    // Prefix lists matter to the routes that name one, which count as leading everywhere without them.
    shades: &["ec2:DescribeManagedPrefixLists", "ec2:GetManagedPrefixListEntries"],
    compliance: &[nist("SC-7"), nist("AC-4"), pci("1.4.1?")],
    fails_when: "A cluster tagged strict (or holding a strict service) has tasks or instances in a VPC where another \
                 cluster (ECS or EKS) without the strict tag also has ENIs, or whose VPC has active peering or transit \
                 gateway routes to such a VPC that are not limited to endpoint services.",
    why: "Inside a VPC and along its routes every address can be tried: one wrong group rule is then all that lies between \
          an ordinary workload and the protected one.",
    remediation: Remediation {
        text: "Give the strict cluster its own VPC and expose single services through PrivateLink.",
        cli: "aws ec2 create-vpc --cidr-block 10.50.0.0/16",
    },
    evaluate,
};

/// Entries that evidence lists.
const SHOWN: usize = 20;

/// The subnets in which a cluster has interfaces, by VPC.
type Homes<'e> = BTreeMap<&'e str, BTreeSet<&'e str>>;

/// An ordinary cluster with interfaces in a VPC.
struct Neighbour<'e> {
    arn: &'e str,
    name: &'e str,
    /// The ranges of its subnets; empty when they were not read.
    ranges: Ranges,
}

/// What the clusters have to do with VPCs.
struct Neighbourhood<'e> {
    /// Of each ECS cluster, by position.
    homes: BTreeMap<u32, Homes<'e>>,
    /// What was not read of where a cluster is, by position.
    unread: BTreeMap<u32, Unknown>,
    ordinary: BTreeMap<&'e str, Vec<Neighbour<'e>>>,
    tables: BTreeMap<&'e str, BTreeMap<&'e str, Node<'e, RouteTable>>>,
    peerings: BTreeMap<&'e str, Node<'e, VpcPeeringConnection>>,
}

/// A way from the VPC of a strict cluster to one with ordinary clusters.
struct Way<'e> {
    route_table_id: &'e str,
    route: &'e Route,
    /// What it leads over.
    over: &'e str,
    vpc_id: &'e str,
    neighbours: Vec<&'e Neighbour<'e>>,
    is_certain: bool,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let strict: BTreeSet<u32> =
        estate.active_clusters().filter(|&cluster| asks_for_isolation(cluster)).map(|cluster| cluster.index()).collect();
    if strict.is_empty() {
        return verdicts.each(estate.active_clusters(), |_| Ok(Verdict::NotApplicable));
    }
    let neighbourhood = Neighbourhood::new(estate, &strict);
    verdicts.each(estate.active_clusters(), |cluster| {
        if strict.contains(&cluster.index()) { judge(cluster, &neighbourhood) } else { Ok(Verdict::Pass) }
    });
}

fn asks_for_isolation(cluster: Node<'_, Cluster>) -> bool {
    cluster.is_strict() || cluster.services().any(|service| service.status == "ACTIVE" && service.is_strict())
}

impl<'e> Neighbourhood<'e> {
    fn new(estate: &'e Estate<'e>, strict: &BTreeSet<u32>) -> Self {
        let mut found = Self {
            homes: BTreeMap::new(),
            unread: BTreeMap::new(),
            ordinary: BTreeMap::new(),
            tables: BTreeMap::new(),
            peerings: BTreeMap::new(),
        };
        for task in estate.running_tasks() {
            let (Some(cluster), Some(at)) = (task.cluster().found(), task.attached_to()) else { continue };
            match (at.vpc_id, at.subnet_id) {
                (Some(vpc_id), subnet_id) => found.place(cluster.index(), vpc_id, subnet_id),
                (None, Some(subnet_id)) => {
                    if let Err(unknown) = estate.subnet(task.account(), task.region(), subnet_id).known() {
                        found.unread.insert(cluster.index(), unknown);
                    }
                }
                (None, None) => {}
            }
        }
        for host in estate.hosts() {
            let (Some(cluster), Some(instance)) = (host.cluster().found(), host.instance().found()) else { continue };
            if let Some(vpc_id) = instance.data().vpc_id.as_deref() {
                found.place(cluster.index(), vpc_id, instance.data().subnet_id.as_deref());
            }
        }
        for cluster in estate.active_clusters().filter(|cluster| !strict.contains(&cluster.index())) {
            let homes = found.homes.get(&cluster.index()).cloned().unwrap_or_default();
            found.neighbour(estate, cluster, &cluster.data().cluster_arn, &homes);
        }
        for cluster in estate.eks_clusters().filter(|cluster| !cluster.is_strict()) {
            let Some(config) = cluster.data().resources_vpc_config.as_ref() else { continue };
            let Some(vpc_id) = config.vpc_id.as_deref() else { continue };
            let nodes = cluster.nodes().filter_map(|node| node.data().subnet_id.as_deref());
            let subnets = config.subnet_ids.iter().map(String::as_str).chain(nodes).collect();
            found.neighbour(estate, cluster, &cluster.data().arn, &Homes::from([(vpc_id, subnets)]));
        }
        for table in estate.all::<RouteTable>() {
            found.tables.entry(&table.data().vpc_id).or_default().insert(&table.data().route_table_id, table);
        }
        let active =
            |peering: &Node<'e, VpcPeeringConnection>| peering.status.as_ref().and_then(|status| status.code.as_deref()) == Some("active");
        found.peerings =
            estate.all::<VpcPeeringConnection>().filter(active).map(|one| (one.data().vpc_peering_connection_id.as_str(), one)).collect();
        found
    }

    fn place(&mut self, cluster: u32, vpc_id: &'e str, subnet_id: Option<&'e str>) {
        self.homes.entry(cluster).or_default().entry(vpc_id).or_default().extend(subnet_id);
    }

    fn neighbour<T: Resource>(&mut self, estate: &'e Estate<'e>, cluster: Node<'e, T>, arn: &'e str, homes: &Homes<'e>) {
        for (&vpc_id, subnets) in homes {
            let subnets = subnets.iter().map(|id| estate.subnet(cluster.account(), cluster.region(), id).found());
            // Where one is not known, so is where it ends.
            let ranges: Option<Vec<&str>> = subnets
                .map(|subnet| {
                    let subnet = subnet?.data();
                    let ipv6 = subnet.ipv6_cidr_block_association_set.iter().filter_map(|block| block.ipv6_cidr_block.as_deref());
                    Some(subnet.cidr_block.as_deref().into_iter().chain(ipv6).collect::<Vec<_>>())
                })
                .collect::<Option<Vec<_>>>()
                .map(|ranges| ranges.into_iter().flatten().collect());
            let ranges = ranges.unwrap_or_default().into_iter().collect();
            self.ordinary.entry(vpc_id).or_default().push(Neighbour { arn, name: cluster.name(), ranges });
        }
    }

    /// The ways from a VPC to others with ordinary clusters, and what was not read of where its routes lead.
    fn ways<'n>(&'n self, cluster: Node<'e, Cluster>, vpc_id: &str) -> (Vec<Way<'n>>, Option<Unknown>) {
        let (mut ways, mut unread) = (Vec::new(), None);
        for table in self.tables.get(vpc_id).into_iter().flat_map(BTreeMap::values) {
            for route in table.data().routes.iter().filter(|route| route.state.as_deref() != Some("blackhole")) {
                let destination = destination(*table, route);
                let way = |over, vpc_id, is_certain| {
                    let neighbours = self.ordinary.get(vpc_id).map(Vec::as_slice).unwrap_or_default();
                    let neighbours: Vec<&Neighbour<'e>> = neighbours
                        .iter()
                        .filter(|one| one.ranges.is_empty() || destination.as_ref().is_none_or(|to| to.overlaps(&one.ranges)))
                        .collect();
                    let route_table_id = table.data().route_table_id.as_str();
                    (!neighbours.is_empty()).then_some(Way { route_table_id, route, over, vpc_id, neighbours, is_certain })
                };
                if let Some(peering) = route.vpc_peering_connection_id.as_deref() {
                    let Some(peer) = self.peerings.get(peering).and_then(|&peering| peer(peering, vpc_id)) else { continue };
                    ways.extend(way(peering, peer.vpc_id, destination.is_some()));
                    unread = unread.or(peer.unscanned(cluster, peering));
                } else if let Some(gateway) = route.transit_gateway_id.as_deref().or(route.core_network_arn.as_deref()) {
                    let before = ways.len();
                    ways.extend(self.ordinary.keys().filter(|&&other| other != vpc_id).filter_map(|other| way(gateway, other, false)));
                    if ways.len() == before {
                        let message = format!("{vpc_id} has a route to {gateway}, whose attachments are not read by this version");
                        unread = Some(undecided(cluster, TRANSIT_GATEWAY_ATTACHMENTS, Gap::INCONCLUSIVE, message));
                    }
                }
            }
        }
        (ways, unread)
    }
}

/// What would tell what is behind a transit gateway.
const TRANSIT_GATEWAY_ATTACHMENTS: &str = "ec2:DescribeTransitGatewayVpcAttachments";

/// Where a route leads; `None` for a prefix list that was not read, which may lead everywhere.
fn destination(table: Node<'_, RouteTable>, route: &Route) -> Option<Ranges> {
    let Some(list) = route.destination_prefix_list_id.as_deref() else {
        let ranges = [&route.destination_cidr_block, &route.destination_ipv6_cidr_block];
        return Some(ranges.into_iter().flatten().collect());
    };
    let list = table.estate().prefix_list(table.account(), table.region(), list).exists().ok()?;
    let ranges = list.map_or(Ok(Vec::new()), Node::<'_, ManagedPrefixList>::ranges).ok()?;
    Some(ranges.into_iter().collect())
}

/// The other VPC of a peering.
struct Peer<'e> {
    vpc_id: &'e str,
    owner: Option<AccountId>,
    region: Option<Region>,
}

fn peer<'e>(peering: Node<'e, VpcPeeringConnection>, vpc_id: &str) -> Option<Peer<'e>> {
    let sides = [&peering.data().accepter_vpc_info, &peering.data().requester_vpc_info];
    let other = sides.into_iter().flatten().find(|side| side.vpc_id.as_deref().is_some_and(|id| id != vpc_id))?;
    Some(Peer {
        vpc_id: other.vpc_id.as_deref()?,
        owner: other.owner_id.as_deref().map(AccountId::new),
        region: other.region.as_deref().map(Region::new),
    })
}

impl Peer<'_> {
    /// What stands in the way when nobody looked at the peer.
    fn unscanned(&self, cluster: Node<'_, Cluster>, peering: &str) -> Option<Unknown> {
        let (owner, region) = (self.owner.as_ref().unwrap_or(cluster.account()), self.region.as_ref().unwrap_or(cluster.region()));
        let message = format!("{peering} leads to {} in account {owner} and Region {region}, which were not scanned", self.vpc_id);
        let is_scanned = cluster.estate().is_scanned(owner, region);
        (!is_scanned).then(|| undecided(cluster, "ec2:DescribeVpcPeeringConnections", Gap::OUT_OF_SCOPE, message))
    }
}

fn judge<'e>(cluster: Node<'e, Cluster>, neighbourhood: &Neighbourhood<'e>) -> Judgement {
    let mut unread = neighbourhood.unread.get(&cluster.index()).cloned();
    let (mut shared, mut ways) = (Vec::new(), Vec::new());
    let homes = neighbourhood.homes.get(&cluster.index());
    for &vpc_id in homes.into_iter().flat_map(BTreeMap::keys) {
        shared.extend(neighbourhood.ordinary.get(vpc_id).map(|neighbours| (vpc_id, neighbours.iter().collect::<Vec<_>>())));
        let (found, gap) = neighbourhood.ways(cluster, vpc_id);
        ways.extend(found);
        unread = unread.or(gap);
    }
    if shared.is_empty() && ways.is_empty() {
        return unread.map_or(Ok(Verdict::Pass), Err);
    }
    let mut parts: Vec<String> = shared.iter().map(|(vpc_id, neighbours)| format!("shares {vpc_id} with {}", named(neighbours))).collect();
    let mut told = BTreeSet::new();
    for way in ways.iter().filter(|way| way.is_certain || shared.is_empty()) {
        if told.insert((way.over, way.vpc_id)) {
            let (reaches, note) =
                if way.is_certain { ("reaches", "") } else { ("may reach", ", where what it leads to was not read whole") };
            parts.push(format!("{reaches} {} in {} over {}{note}", named(&way.neighbours), way.vpc_id, way.over));
        }
    }
    parts.truncate(SHOWN);
    let vpcs: Vec<&str> = homes.into_iter().flat_map(BTreeMap::keys).copied().collect();
    let evidence = json!({
        "VpcIds": vpcs,
        "isolation": cluster.isolation(),
        "clusters": shared.iter().map(|(vpc_id, neighbours)| json!({"VpcId": vpc_id, "clusterArns": arns(neighbours)})).collect::<Vec<_>>(),
        "routes": ways.iter().take(SHOWN).map(Way::evidence).collect::<Vec<_>>(),
    });
    let failure = fail(format!("cluster {} asks for strict isolation and {}", cluster.name(), parts.join("; ")), evidence);
    let failure = failure.path(path(cluster, &shared, &ways));
    if shared.is_empty() && !ways.iter().any(|way| way.is_certain) { failure.possible().verdict() } else { failure.verdict() }
}

fn named(neighbours: &[&Neighbour<'_>]) -> String {
    counted("cluster", &neighbours.iter().map(|neighbour| neighbour.name).collect::<Vec<_>>())
}

fn arns(neighbours: &[&Neighbour<'_>]) -> Value {
    neighbours.iter().take(SHOWN).map(|neighbour| neighbour.arn).collect()
}

impl Way<'_> {
    fn evidence(&self) -> Value {
        json!({"RouteTableId": self.route_table_id, "Route": self.route, "VpcId": self.vpc_id, "clusterArns": arns(&self.neighbours)})
    }
}

/// From the cluster to the first neighbour.
fn path(cluster: Node<'_, Cluster>, shared: &[(&str, Vec<&Neighbour<'_>>)], ways: &[Way<'_>]) -> Vec<PathStep> {
    let near = shared.iter().find_map(|(vpc_id, neighbours)| Some((format!("VPC {vpc_id}"), neighbours.first()?.arn)));
    let far = || ways.iter().find_map(|way| Some((format!("route over {} to VPC {}", way.over, way.vpc_id), way.neighbours.first()?.arn)));
    let Some((via, arn)) = near.or_else(far) else { return Vec::new() };
    vec![PathStep { arn: cluster.arn().into_owned(), via }, PathStep { arn: arn.to_owned(), via: "no strict isolation".to_owned() }]
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::aws::ec2::{
        ManagedPrefixList, PrefixListEntry, Route, RouteTable, Subnet, VpcPeeringConnection, VpcPeeringConnectionStateReason,
        VpcPeeringConnectionVpcInfo,
    };
    use plimsoll_model::aws::ecs::{Cluster, Tag, Task};
    use plimsoll_model::{Confidence, Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn strict(cluster: &mut Cluster) {
        cluster.tags = vec![Tag { key: "isolation".to_owned(), value: "restricted".to_owned() }];
    }

    fn at(subnet: &'static str) -> impl FnOnce(&mut Task) {
        move |task| {
            task.attachments[0].details.retain(|detail| detail.name == "subnetId");
            task.attachments[0].details[0].value = format!("subnet-{subnet}");
        }
    }

    /// Strict cluster `vault` in `vpc-main`, ordinary cluster `shop` in subnet `SUBNET`, of `vpc-main` (`a`) or `vpc-other`
    /// (`b`, 10.1.0.0/24).
    fn clusters(subnet: &'static str) -> Fixture {
        fixture()
            .network()
            .vpc("other", |vpc| vpc.cidr_block = Some("10.1.0.0/16".to_owned()))
            .subnet("other", "b", |subnet: &mut Subnet| subnet.cidr_block = Some("10.1.0.0/24".to_owned()))
            .cluster("vault", strict)
            .cluster("shop", |_| {})
            .standalone_task("vault", "batch", "v1", at("a"))
            .standalone_task("shop", "batch", "s1", at(subnet))
    }

    fn routed(account: Fixture, destination: &'static str, target: fn(&mut Route)) -> Fixture {
        account.each(move |table: &mut RouteTable| {
            let mut route = Route { destination_cidr_block: Some(destination.to_owned()), ..Default::default() };
            target(&mut route);
            table.routes.push(route);
        })
    }

    fn over_peering(route: &mut Route) {
        route.vpc_peering_connection_id = Some("pcx-1".to_owned());
    }

    fn over_transit(route: &mut Route) {
        route.transit_gateway_id = Some("tgw-1".to_owned());
    }

    fn peering(account: Fixture, code: &str, owner: &str) -> Fixture {
        let side = |vpc: &str, owner: &str| {
            let (vpc_id, owner_id, region) = (Some(vpc.to_owned()), Some(owner.to_owned()), Some("us-east-1".to_owned()));
            Some(VpcPeeringConnectionVpcInfo { vpc_id, owner_id, region, ..Default::default() })
        };
        account.resource(VpcPeeringConnection {
            vpc_peering_connection_id: "pcx-1".to_owned(),
            requester_vpc_info: side("vpc-main", "111111111111"),
            accepter_vpc_info: side(if owner == "111111111111" { "vpc-other" } else { "vpc-far" }, owner),
            status: Some(VpcPeeringConnectionStateReason { code: Some(code.to_owned()), message: None }),
            ..Default::default()
        })
    }

    #[test]
    fn fails_when_an_ordinary_cluster_is_in_the_same_vpc() {
        let found = findings(&CHECK, clusters("a"));
        assert_eq!(found[0].message, "cluster vault asks for strict isolation and shares vpc-main with cluster shop");
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Medium, Confidence::Certain));
        let kubernetes = clusters("b").eks_cluster("k", |_| {});
        assert_eq!(outcome(&CHECK, kubernetes), Fail(Severity::Medium));
    }

    #[test]
    fn a_cluster_with_a_strict_service_counts_as_strict() {
        let tagged = |value: &'static str| {
            clusters("a").each(|cluster: &mut Cluster| cluster.tags.clear()).service("vault", "pay", move |service| {
                service.tags = vec![Tag { key: "data-class".to_owned(), value: value.to_owned() }];
            })
        };
        assert_eq!(outcome(&CHECK, tagged("pci")), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, tagged("internal")), NotApplicable);
    }

    #[test]
    fn passes_when_the_cluster_is_alone_or_among_its_like() {
        assert_eq!(outcome(&CHECK, clusters("b")), Pass);
        assert_eq!(outcome(&CHECK, clusters("a").each(strict)), Pass);
        assert_eq!(
            outcome(
                &CHECK,
                clusters("a").each(|task: &mut Task| if task.cluster_arn.ends_with("shop") {
                    task.last_status = "STOPPED".to_owned();
                })
            ),
            Pass
        );
    }

    #[test]
    fn fails_when_a_peering_is_routed_to_an_ordinary_cluster() {
        let peered = |code, destination| routed(peering(clusters("b"), code, "111111111111"), destination, over_peering);
        let found = findings(&CHECK, peered("active", "10.1.0.0/16"));
        assert_eq!(found[0].message, "cluster vault asks for strict isolation and reaches cluster shop in vpc-other over pcx-1");
        assert_eq!(outcome(&CHECK, peered("active", "10.1.0.0/16")), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, peered("deleted", "10.1.0.0/16")), Pass);
        assert_eq!(outcome(&CHECK, peering(clusters("b"), "active", "111111111111")), Pass, "no route");
        // Only the subnet with the endpoints.
        assert_eq!(outcome(&CHECK, peered("active", "10.1.9.0/28")), Pass);
    }

    #[test]
    fn a_prefix_list_leads_where_its_entries_say() {
        let listed = |entries| {
            let list = ManagedPrefixList { prefix_list_id: "pl-1".to_owned(), entries, ..Default::default() };
            let account = peering(clusters("b"), "active", "111111111111").resource(list);
            routed(account, "", |route| {
                over_peering(route);
                route.destination_cidr_block = None;
                route.destination_prefix_list_id = Some("pl-1".to_owned());
            })
        };
        let entry = |cidr: &str| Seen::Known(vec![PrefixListEntry { cidr: Some(cidr.to_owned()), description: None }]);
        assert_eq!(outcome(&CHECK, listed(entry("10.9.0.0/16"))), Pass);
        assert_eq!(findings(&CHECK, listed(entry("10.1.0.0/16")))[0].confidence, Confidence::Certain);
        let unread = plimsoll_fixture::gap("ec2:GetManagedPrefixListEntries").into();
        assert_eq!(findings(&CHECK, listed(unread))[0].confidence, Confidence::Possible);
    }

    #[test]
    fn what_is_behind_a_transit_gateway_is_possible_or_unknown() {
        let found = findings(&CHECK, routed(clusters("b"), "10.0.0.0/8", over_transit));
        assert_eq!(found[0].confidence, Confidence::Possible);
        assert!(found[0].message.contains("may reach cluster shop in vpc-other over tgw-1"), "{}", found[0].message);
        assert_eq!(outcome(&CHECK, routed(clusters("b"), "172.16.0.0/12", over_transit)), Unknown);
        // A neighbour in the same VPC is beyond doubt.
        assert_eq!(findings(&CHECK, routed(clusters("a"), "10.0.0.0/8", over_transit))[0].confidence, Confidence::Certain);
    }

    #[test]
    fn a_peer_that_was_not_scanned_is_unknown() {
        let far = routed(peering(clusters("b"), "active", "222222222222"), "10.1.0.0/16", over_peering);
        assert_eq!(outcome(&CHECK, far), Unknown);
    }

    #[test]
    fn is_unknown_when_tasks_subnets_or_routes_were_not_readable() {
        assert_eq!(outcome(&CHECK, clusters("b").without::<Task>().denied("ecs:ListTasks")), Unknown);
        assert_eq!(outcome(&CHECK, clusters("b").without::<Subnet>().denied("ec2:DescribeSubnets")), Unknown);
        assert_eq!(outcome(&CHECK, clusters("b").without::<RouteTable>().denied("ec2:DescribeRouteTables")), Unknown);
    }
}
