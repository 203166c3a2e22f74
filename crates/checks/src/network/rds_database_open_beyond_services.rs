//! Reads the security groups of each database in a VPC with container workload, and where a public one can be reached
//! from. Yields one verdict per database instance, and one per database cluster without instances; a failure names the
//! ranges, the default group or the route.

use plimsoll_graph::{Estate, Link, Node, Ranges, Source, Sources, Unknown};
use plimsoll_model::aws::ec2::{SecurityGroup, Subnet, UserIdGroupPair, Vpc};
use plimsoll_model::aws::rds::{DbCluster, DbInstance, VpcSecurityGroupMembership};
use plimsoll_model::{AccountId, Gap, PathStep, Resource, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::ingress::{sources_evidence, sources_listed};
use crate::reading::{counted, distinct, undecided};

pub(crate) const CHECK: Check = Check {
    id: "rds-database-open-beyond-services",
    title: "Database used by tasks accepts connections from a whole network range",
    severity: Severity::Medium,
    resource: "AWS::RDS::DBInstance",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:DescribeServices",
        "ecs:DescribeTasks",
        "ecs:ListTasks",
        "ecs:ListClusters",
        "ecs:ListServices",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeVpcBlockPublicAccessOptions",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
    ],
    // The ranges of a VPC, routes and prefix lists matter to databases that admit addresses or are public: their verdicts
    // alone are unknown without them.
    shades: &[
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeVpcBlockPublicAccessOptions",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
    ],
    compliance: &[fsbp("RDS.2"), cis_aws("3.0.0/2.3.3"), cis_aws("5.0.0/2.2.3"), nist("SC-7"), nist("AC-4"), pci("1.3.1?"), pci("1.4.4?")],
    fails_when: "A database in a workload VPC whose security group admits its port from a CIDR (VPC or wider) or from the \
                 default group, rather than from the security groups of named services, or PubliclyAccessible is true \
                 with a public subnet route (critical). Linked to ECS by a shared security group reference or by an \
                 endpoint name in a definition.",
    why: "Every compromised container, host or function in the range gets to the login of the database, also those that \
          have no business with its data.",
    remediation: Remediation {
        text: "Reference the service security group in the database group.",
        cli: "aws ec2 authorize-security-group-ingress --group-id DB_SG --ip-permissions \
             IpProtocol=tcp,FromPort=5432,ToPort=5432,UserIdGroupPairs=[{GroupId=TASK_SG}]",
    },
    evaluate,
};

/// Services that evidence lists.
const SHOWN: usize = 10;

/// What an instance and a cluster have in common.
struct Database<'e, T> {
    node: Node<'e, T>,
    port: Option<i32>,
    groups: &'e [VpcSecurityGroupMembership],
    vpc_id: Option<&'e str>,
    publicly_accessible: bool,
    /// Of its subnet group; `None` where only the group's name is told.
    subnets: Option<Vec<Link<'e, Subnet>>>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for node in estate.all::<DbInstance>() {
        let instance = node.data();
        let subnet_group = instance.db_subnet_group.as_ref().filter(|group| !group.subnets.is_empty());
        let subnet = |subnet: &plimsoll_model::aws::rds::Subnet| estate.subnet(node.account(), node.region(), &subnet.subnet_identifier);
        take(
            verdicts,
            &Database {
                node,
                port: instance.endpoint.as_ref().and_then(|endpoint| endpoint.port),
                groups: &instance.vpc_security_groups,
                vpc_id: instance.db_subnet_group.as_ref().and_then(|group| group.vpc_id.as_deref()),
                publicly_accessible: instance.publicly_accessible == Some(true),
                subnets: subnet_group.map(|group| group.subnets.iter().map(subnet).collect()),
            },
        );
    }
    // What a cluster with instances admits, its instances do.
    for node in estate.all::<DbCluster>().filter(|cluster| cluster.db_cluster_members.is_empty()) {
        let cluster = node.data();
        let publicly_accessible = cluster.publicly_accessible == Some(true);
        take(
            verdicts,
            &Database { node, port: cluster.port, groups: &cluster.vpc_security_groups, vpc_id: None, publicly_accessible, subnets: None },
        );
    }
}

fn take<'e, T: Resource>(verdicts: &mut Verdicts<'e>, database: &Database<'e, T>) {
    let node = database.node;
    let of_group = || database.groups().find_map(|link| link.found()?.data().vpc_id.as_deref());
    // A database whose VPC nothing tells may have nothing to do with containers.
    if let Some(vpc_id) = database.vpc_id.or_else(of_group).filter(|id| node.estate().workload_in(id).is_some()) {
        verdicts.judge(node, judge(database, vpc_id));
    }
}

impl<'e, T: Resource> Database<'e, T> {
    fn groups(&self) -> impl Iterator<Item = Link<'e, SecurityGroup>> {
        let node = self.node;
        self.groups.iter().map(move |group| node.estate().security_group(node.account(), node.region(), &group.vpc_security_group_id))
    }

    /// Where its groups admit connections to its port from.
    fn sources(&self) -> Result<Sources<'e>, Unknown> {
        let Some(port) = self.port.and_then(|port| u16::try_from(port).ok()) else {
            return Err(undecided(self.node, T::OPERATION, Gap::INCONCLUSIVE, format!("{} tells no port yet", self.node.name())));
        };
        let mut sources = Sources::default();
        for link in self.groups() {
            match link.exists() {
                Ok(group) => sources.extend(group.map(|group| group.sources_of_tcp(port)).unwrap_or_default()),
                Err(unknown) => sources.unread = Some(unknown),
            }
        }
        Ok(sources)
    }

    /// The subnet by which a public database can be reached, if any.
    fn public_subnet(&self) -> Result<Option<&'e str>, Unknown> {
        if !self.publicly_accessible {
            return Ok(None);
        }
        let Some(subnets) = &self.subnets else {
            let message = format!("{} is publicly accessible, and its subnets are not told", self.node.name());
            return Err(undecided(self.node, T::OPERATION, Gap::INCONCLUSIVE, message));
        };
        let mut unread = None;
        for link in subnets {
            match link.clone().known().and_then(|subnet| Ok((subnet, subnet.is_reachable_from_internet()?))) {
                Ok((subnet, true)) => return Ok(Some(&subnet.data().subnet_id)),
                Ok((_, false)) => {}
                Err(unknown) => unread = Some(unknown),
            }
        }
        unread.map_or(Ok(None), Err)
    }

    /// The group that a rule refers to, which may be another account's.
    fn referred(&self, pair: &'e UserIdGroupPair) -> Option<Link<'e, SecurityGroup>> {
        let account = pair.user_id.as_deref().map_or_else(|| self.node.account().clone(), AccountId::new);
        Some(self.node.estate().security_group(&account, self.node.region(), pair.group_id.as_deref()?))
    }

    /// The default group that may connect, if any.
    fn default_group(&self, sources: &Sources<'e>) -> Result<Option<&'e str>, Unknown> {
        let mut unread = None;
        for link in sources.groups.iter().filter_map(|pair| self.referred(pair)) {
            match link.exists() {
                Ok(Some(group)) if group.is_default() => return Ok(Some(&group.data().group_id)),
                Ok(_) => {}
                Err(unknown) => unread = Some(unknown),
            }
        }
        unread.map_or(Ok(None), Err)
    }
}

/// Whether sources together hold a range of the VPC, as many addresses as it has, or the whole internet.
fn is_wide<T: Resource>(node: Node<'_, T>, vpc_id: &str, sources: &[Source<'_>]) -> Result<bool, Unknown> {
    if sources.is_empty() {
        return Ok(false);
    }
    let admitted: Ranges = sources.iter().map(|source| source.cidr).collect();
    if admitted.is_internet() {
        return Ok(true);
    }
    let vpc = node.estate().vpc(node.account(), node.region(), vpc_id).known()?;
    Ok(blocks(vpc).iter().any(|block| admitted.holds(block) || admitted.is_as_wide_as(block)))
}

/// The ranges of a VPC one by one; without IPv6 of its own, one as wide as Amazon gives.
fn blocks(vpc: Node<'_, Vpc>) -> Vec<Ranges> {
    const AMAZON_IPV6: &str = "fd00::/56";
    let ipv4 = vpc.data().cidr_block_association_set.iter().filter_map(|block| block.cidr_block.as_deref());
    let mut ipv6: Vec<&str> =
        vpc.data().ipv6_cidr_block_association_set.iter().filter_map(|block| block.ipv6_cidr_block.as_deref()).collect();
    if ipv6.is_empty() {
        ipv6.push(AMAZON_IPV6);
    }
    let all = ipv4.chain(vpc.data().cidr_block.as_deref()).chain(ipv6);
    distinct(all).into_iter().map(|block| [block].into_iter().collect()).collect()
}

fn judge<T: Resource>(database: &Database<'_, T>, vpc_id: &str) -> Judgement {
    let node = database.node;
    let public = database.public_subnet();
    let sources = database.sources();
    let (wide, default) = match &sources {
        Ok(sources) => (is_wide(node, vpc_id, &sources.addresses), database.default_group(sources)),
        Err(unknown) => (Err(unknown.clone()), Ok(None)),
    };
    let is_wide = wide == Ok(true);
    let via_default = default.as_ref().ok().copied().flatten();
    let via_subnet = public.as_ref().ok().copied().flatten();
    if !is_wide && via_default.is_none() && via_subnet.is_none() {
        public?;
        wide?;
        default?;
        return sources?.unread.map_or(Ok(Verdict::Pass), Err);
    }
    let sources = sources.unwrap_or_default();
    let mut parts = Vec::new();
    parts.extend(via_subnet.map(|subnet| format!("is publicly accessible in subnet {subnet}, to which the internet is routed")));
    let port = database.port.unwrap_or_default();
    parts.extend(is_wide.then(|| format!("admits {} to port {port}", sources_listed(&sources.addresses))));
    parts.extend(via_default.map(|group| format!("admits the default group {group} to port {port}")));
    let services = services(database, &sources);
    let shown: Vec<&str> = services.iter().take(SHOWN).map(String::as_str).collect();
    let evidence = json!({
        "DBInstanceIdentifier": node.name(),
        "Port": database.port,
        "VpcId": vpc_id,
        "PubliclyAccessible": database.publicly_accessible,
        "publicSubnet": via_subnet,
        "VpcSecurityGroups": database.groups.iter().map(|group| group.vpc_security_group_id.as_str()).collect::<Vec<_>>(),
        "sources": sources_evidence(&sources.addresses),
        "defaultGroup": via_default,
        "services": shown,
        "serviceCount": services.len(),
    });
    let told = match services.as_slice() {
        [] => String::new(),
        some => {
            let names: Vec<&str> = some.iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn)).collect();
            format!("; {} also by group", counted("service", &names))
        }
    };
    let failure = fail(format!("{} {}{told}", node.name(), parts.join(" and ")), evidence).path(path(database, &services));
    if via_subnet.is_some() { failure.severity(Severity::Critical).verdict() } else { failure.verdict() }
}

/// ARNs of the services whose groups the database's groups name, in order. What definitions name by host name is not kept.
fn services<T: Resource>(database: &Database<'_, T>, sources: &Sources<'_>) -> Vec<String> {
    let groups = sources.groups.iter().filter_map(|pair| {
        let account = pair.user_id.as_deref().map_or_else(|| database.node.account().clone(), AccountId::new);
        database.node.estate().security_group(&account, database.node.region(), pair.group_id.as_deref()?).found()
    });
    let mut services: Vec<String> =
        groups.flat_map(Node::<'_, SecurityGroup>::services).map(|service| service.data().service_arn.clone()).collect();
    services.sort_unstable();
    services.dedup();
    services
}

fn path<T: Resource>(database: &Database<'_, T>, services: &[String]) -> Vec<PathStep> {
    let service = services.first().map(|arn| PathStep { arn: arn.clone(), via: "its security group".to_owned() });
    let groups = database.groups.iter().map(|group| group.vpc_security_group_id.as_str()).collect::<Vec<_>>();
    let own = PathStep { arn: database.node.arn().into_owned(), via: counted("security group", &groups) };
    service.into_iter().chain([own]).collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, rule};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ec2::{IpPermission, Route, RouteTable, SecurityGroup, UserIdGroupPair, Vpc};
    use plimsoll_model::aws::rds::{DbCluster, DbInstance, DbSubnetGroup, Endpoint, Subnet, VpcSecurityGroupMembership};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn groups() -> Vec<VpcSecurityGroupMembership> {
        vec![VpcSecurityGroupMembership { vpc_security_group_id: "sg-db".to_owned(), status: Some("active".to_owned()) }]
    }

    /// The shop with database `orders` on port 5432, whose group has these rules.
    fn database(rules: Vec<IpPermission>, change: impl FnOnce(&mut DbInstance)) -> Fixture {
        let mut instance = DbInstance {
            db_instance_identifier: "orders".to_owned(),
            db_instance_arn: arn("rds", "db:orders"),
            endpoint: Some(Endpoint { address: Some("orders.example".to_owned()), port: Some(5432) }),
            publicly_accessible: Some(false),
            db_subnet_group: Some(DbSubnetGroup {
                vpc_id: Some("vpc-main".to_owned()),
                subnets: vec![Subnet { subnet_identifier: "subnet-a".to_owned() }],
                ..Default::default()
            }),
            vpc_security_groups: groups(),
            ..Default::default()
        };
        change(&mut instance);
        fixture().shop().security_group("db", |group| group.ip_permissions = rules).resource(instance)
    }

    fn from_group(id: &str, owner: Option<&str>) -> Vec<IpPermission> {
        let pair = UserIdGroupPair { group_id: Some(id.to_owned()), user_id: owner.map(str::to_owned), ..Default::default() };
        vec![IpPermission { ip_ranges: Vec::new(), user_id_group_pairs: vec![pair], ..rule("tcp", 5432, "10.0.0.0/8") }]
    }

    fn public(instance: &mut DbInstance) {
        instance.publicly_accessible = Some(true);
    }

    fn gateway(table: &mut RouteTable) {
        let gateway_id = Some("igw-1".to_owned());
        table.routes.push(Route { destination_cidr_block: Some("0.0.0.0/0".to_owned()), gateway_id, ..Default::default() });
    }

    #[test]
    fn fails_when_the_vpc_or_more_may_connect() {
        for range in ["10.0.0.0/16", "10.0.0.0/8", "0.0.0.0/0", "::/0", "52.0.0.0/8"] {
            assert_eq!(outcome(&CHECK, database(vec![rule("tcp", 5432, range)], |_| {})), Fail(Severity::Medium), "{range}");
        }
        let halves = vec![rule("tcp", 5432, "10.0.0.0/17"), rule("-1", 0, "10.0.128.0/17")];
        assert_eq!(outcome(&CHECK, database(halves, |_| {})), Fail(Severity::Medium));
        let found = findings(&CHECK, database(vec![rule("tcp", 5432, "10.0.0.0/16")], |_| {}));
        assert_eq!(found[0].message, "orders admits 10.0.0.0/16 to port 5432");
    }

    #[test]
    fn passes_when_groups_of_services_or_less_than_the_vpc_may_connect() {
        assert_eq!(outcome(&CHECK, database(from_group("sg-web", None), |_| {})), Pass);
        assert_eq!(outcome(&CHECK, database(vec![rule("tcp", 5432, "10.0.0.0/24")], |_| {})), Pass);
        assert_eq!(outcome(&CHECK, database(vec![rule("tcp", 5432, "2001:db8::/64")], |_| {})), Pass);
        assert_eq!(outcome(&CHECK, database(vec![rule("tcp", 3306, "0.0.0.0/0")], |_| {})), Pass);
    }

    #[test]
    fn fails_when_the_default_group_may_connect() {
        let account = database(from_group("sg-default", None), |_| {}).security_group("default", |_| {});
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, database(from_group("sg-peer", Some("222222222222")), |_| {})), Unknown);
    }

    #[test]
    fn a_public_database_with_a_route_is_critical() {
        assert_eq!(outcome(&CHECK, database(from_group("sg-web", None), public).each(gateway)), Fail(Severity::Critical));
        assert_eq!(outcome(&CHECK, database(from_group("sg-web", None), public)), Pass);
        assert_eq!(outcome(&CHECK, database(from_group("sg-web", None), |_| {}).each(gateway)), Pass);
        let unread = |rules| database(rules, public).without::<RouteTable>().denied("ec2:DescribeRouteTables");
        assert_eq!(outcome(&CHECK, unread(from_group("sg-web", None))), Unknown);
        assert_eq!(outcome(&CHECK, unread(vec![rule("tcp", 5432, "10.0.0.0/8")])), Fail(Severity::Medium));
        let untold = |instance: &mut DbInstance| {
            public(instance);
            instance.db_subnet_group.as_mut().unwrap().subnets.clear();
        };
        assert_eq!(outcome(&CHECK, database(from_group("sg-web", None), untold).each(gateway)), Unknown);
    }

    #[test]
    fn names_the_services_that_are_let_in_by_group() {
        let rules = from_group("sg-web", None).into_iter().chain([rule("tcp", 5432, "10.0.0.0/16")]).collect();
        let found = findings(&CHECK, database(rules, |_| {}));
        assert_eq!(found[0].message, "orders admits 10.0.0.0/16 to port 5432; service web also by group");
        assert_eq!(found[0].path.len(), 2);
    }

    #[test]
    fn a_cluster_without_instances_is_judged_itself() {
        let cluster = DbCluster {
            db_cluster_identifier: "serverless".to_owned(),
            db_cluster_arn: arn("rds", "cluster:serverless"),
            port: Some(5432),
            vpc_security_groups: groups(),
            ..Default::default()
        };
        let account = fixture().shop().security_group("db", |group| group.ip_permissions = vec![rule("tcp", 5432, "10.0.0.0/16")]);
        assert_eq!(outcome(&CHECK, account.resource(cluster)), Fail(Severity::Medium));
    }

    #[test]
    fn says_nothing_of_databases_away_from_containers() {
        let away = |instance: &mut DbInstance| instance.db_subnet_group.as_mut().unwrap().vpc_id = Some("vpc-other".to_owned());
        assert_eq!(outcome(&CHECK, database(vec![rule("tcp", 5432, "0.0.0.0/0")], away)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_groups_vpc_or_port_were_not_told() {
        let account = || database(vec![rule("tcp", 5432, "10.0.0.0/24")], |_| {});
        assert_eq!(outcome(&CHECK, account().without::<SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
        assert_eq!(outcome(&CHECK, account().without::<Vpc>().denied("ec2:DescribeVpcs")), Unknown);
        assert_eq!(outcome(&CHECK, database(Vec::new(), |instance| instance.endpoint = None)), Unknown);
    }
}
