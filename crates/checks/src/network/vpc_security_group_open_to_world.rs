//! Reads the ingress rules of each security group on tasks, container hosts, EKS nodes and clusters, all rules of a group
//! together and prefix lists spelled out. Yields one verdict per group; a failure names the open ports and who carries it.
//! A group that only load balancers carry is not among them: it may let everybody in on 80 and 443.

use plimsoll_graph::{CarriedGroup, Estate, Node};
use plimsoll_model::{Resource, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::ingress::{is_grave, opened, opening_rules, openings_evidence};
use crate::reading::counted;

pub(crate) const CHECK: Check = Check {
    id: "vpc-security-group-open-to-world",
    title: "Security group of a container workload accepts traffic from anywhere",
    severity: Severity::Medium,
    resource: "AWS::EC2::SecurityGroup",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:ListClusters",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ec2:DescribeSubnets",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
    ],
    // Prefix lists matter to the groups that name one: their verdicts alone are unknown without them.
    shades: &["ec2:DescribeManagedPrefixLists", "ec2:GetManagedPrefixListEntries"],
    compliance: &[fsbp("EC2.18"), fsbp("EC2.19"), nist("SC-7"), nist("AC-4"), pci("1.3.1"), pci("1.2.5?")],
    fails_when: "An ingress rule of a group on a task ENI, container host, EKS node or cluster has CidrIp 0.0.0.0/0 or \
                 CidrIpv6 ::/0 (or a prefix list that contains them). Ports 80 and 443 on groups used only by load \
                 balancers are allowed. High for IpProtocol -1 or database and admin ports. Exposure itself is reported \
                 by ecs-task-internet-reachable; this finding stands even when no route exists.",
    why: "Nothing but routes and addresses then keeps strangers from the ports of the workload: one public address or a \
          load balancer that passes them on, and everybody may connect.",
    remediation: Remediation {
        text: "Replace the CIDR by a security group reference.",
        cli: "aws ec2 revoke-security-group-ingress --group-id SG --security-group-rule-ids SGR",
    },
    evaluate,
};

/// Carriers of a kind that evidence lists.
const SHOWN: usize = 10;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for carried in estate.carried_groups() {
        verdicts.judge(carried.group, judge(&carried));
    }
}

fn judge(carried: &CarriedGroup<'_>) -> Judgement {
    let openings = carried.group.open_to_internet();
    if openings.open.is_empty() {
        return openings.unread.map_or(Ok(Verdict::Pass), Err);
    }
    let group = carried.group.data();
    let severity = if openings.open.iter().any(is_grave) { Severity::High } else { Severity::Medium };
    let evidence = json!({
        "GroupId": group.group_id,
        "GroupName": group.group_name,
        "VpcId": group.vpc_id,
        "open": openings_evidence(&openings.open),
        "IpPermissions": opening_rules(&group.ip_permissions, &openings.open),
        "networkInterfaces": carriers(&carried.interfaces),
        "services": carriers(&carried.services),
        "instances": carriers(&carried.instances),
        "eksClusters": carriers(&carried.clusters),
    });
    let message = format!("{}, on {}, admits the whole internet to {}", group.group_id, carriers_listed(carried), opened(&openings.open));
    fail(message, evidence).severity(severity).verdict()
}

fn carriers<T: Resource>(nodes: &[Node<'_, T>]) -> Value {
    let shown: Vec<String> = nodes.iter().take(SHOWN).map(|node| node.arn().into_owned()).collect();
    json!({"arns": shown, "count": nodes.len()})
}

fn names<'e, T: Resource>(nodes: &[Node<'e, T>]) -> Vec<&'e str> {
    nodes.iter().map(Node::name).collect()
}

/// The carriers that people know by name, else the interfaces of tasks.
fn carriers_listed(carried: &CarriedGroup<'_>) -> String {
    let kinds = [("service", names(&carried.services)), ("EKS cluster", names(&carried.clusters)), ("instance", names(&carried.instances))];
    let told: Vec<String> = kinds.iter().filter(|(_, names)| !names.is_empty()).map(|(noun, names)| counted(noun, names)).collect();
    if told.is_empty() { counted("task interface", &names(&carried.interfaces)) } else { told.join("; ") }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, rule};
    use plimsoll_model::aws::ec2::{IpPermission, ManagedPrefixList, NetworkInterface, PrefixListEntry, PrefixListId, SecurityGroup};
    use plimsoll_model::aws::eks::Cluster;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// The shop behind its load balancer, group `NAME` with these rules.
    fn ruled(name: &'static str, rules: &[IpPermission]) -> Fixture {
        let change = |group: &mut SecurityGroup| {
            if group.group_name == name {
                group.ip_permissions = rules.to_vec();
            }
        };
        fixture().shop().behind_load_balancer().each(change)
    }

    fn listed(entries: Seen<Vec<PrefixListEntry>>) -> Fixture {
        let lists = vec![PrefixListId { prefix_list_id: "pl-1".to_owned(), description: None }];
        let rule = IpPermission { prefix_list_ids: lists, ip_ranges: Vec::new(), ..rule("tcp", 8080, "10.0.0.0/8") };
        let list = ManagedPrefixList { prefix_list_id: "pl-1".to_owned(), entries, ..Default::default() };
        ruled("web", &[rule]).resource(list)
    }

    #[test]
    fn fails_when_a_group_on_tasks_lets_everybody_in() {
        let account = ruled("web", &[rule("tcp", 8080, "0.0.0.0/0")]);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        let found = findings(&CHECK, account);
        assert_eq!(found[0].message, "sg-web, on service web, admits the whole internet to tcp 8080");
        assert_eq!(found[0].evidence["networkInterfaces"]["count"], 1);
        assert_eq!(found[0].evidence["IpPermissions"][0]["IpRanges"][0]["CidrIp"], "0.0.0.0/0");
        assert_eq!(outcome(&CHECK, ruled("web", &[rule("tcp", 443, "::/0")])), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_more_for_everything_and_for_ports_of_databases_and_administration() {
        for rule in [rule("-1", 0, "0.0.0.0/0"), rule("tcp", 22, "::/0"), rule("tcp", 5432, "0.0.0.0/0")] {
            assert_eq!(outcome(&CHECK, ruled("web", &[rule])), Fail(Severity::High));
        }
    }

    #[test]
    fn rules_that_open_everything_together_fail_and_half_of_it_passes() {
        let halves = [rule("tcp", 8080, "0.0.0.0/1"), rule("tcp", 8080, "128.0.0.0/1")];
        assert_eq!(outcome(&CHECK, ruled("web", &halves)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, ruled("web", &halves[..1])), Pass);
        assert_eq!(outcome(&CHECK, ruled("web", &[rule("tcp", 8080, "10.0.0.0/8")])), Pass);
    }

    #[test]
    fn a_prefix_list_counts_by_its_entries() {
        let entries = |cidr: &str| Seen::Known(vec![PrefixListEntry { cidr: Some(cidr.to_owned()), description: None }]);
        assert_eq!(outcome(&CHECK, listed(entries("0.0.0.0/0"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, listed(entries("198.51.100.0/24"))), Pass);
        let unread = || gap("ec2:GetManagedPrefixListEntries").into();
        assert_eq!(outcome(&CHECK, listed(unread())), Unknown);
        let open = listed(unread()).each(|group: &mut SecurityGroup| group.ip_permissions.push(rule("tcp", 81, "0.0.0.0/0")));
        assert_eq!(outcome(&CHECK, open), Fail(Severity::Medium));
    }

    #[test]
    fn a_group_that_only_a_load_balancer_carries_may_let_everybody_in() {
        let rules = [rule("tcp", 443, "0.0.0.0/0"), rule("tcp", 80, "0.0.0.0/0")];
        assert_eq!(outcome(&CHECK, ruled("front", &rules)), Pass);
        assert_eq!(
            outcome(&CHECK, fixture().network().security_group("idle", |group| group.ip_permissions = rules.to_vec())),
            NotApplicable
        );
    }

    #[test]
    fn hosts_nodes_and_clusters_count_as_tasks_do() {
        let open =
            |name: &str| fixture().network().security_group(name, |group| group.ip_permissions = vec![rule("tcp", 9000, "0.0.0.0/0")]);
        let host = open("hosts").cluster("shop", |_| {}).container_instance("shop", "h1", |_| {}).instance("h1", |_| {});
        assert_eq!(outcome(&CHECK, host), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, open("hosts").eks_cluster("k", |_| {}).node("k", None, "n1", |_| {})), Fail(Severity::Medium));
        let config =
            |cluster: &mut Cluster| cluster.resources_vpc_config.as_mut().unwrap().cluster_security_group_id = Some("sg-own".to_owned());
        assert_eq!(outcome(&CHECK, open("own").eks_cluster("k", config)), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_interfaces_or_groups_were_not_readable() {
        assert_eq!(outcome(&CHECK, ruled("web", &[]).without::<NetworkInterface>().denied("ec2:DescribeNetworkInterfaces")), Unknown);
        assert_eq!(outcome(&CHECK, ruled("web", &[]).without::<SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
    }
}
