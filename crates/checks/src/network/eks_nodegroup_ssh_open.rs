//! Reads the remote access of managed node groups, the security groups of what they launch, and those of nodes that the
//! customer runs. Yields one verdict per managed node group and one per other node; a failure names the open groups.

use plimsoll_graph::{Estate, Link, Node, NodeKind, OpenPorts, Unknown};
use plimsoll_model::aws::ec2::{Instance, SecurityGroup};
use plimsoll_model::aws::eks::{Cluster, Nodegroup};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{Gap, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::ingress::opening_rules;
use crate::reading::{counted, has_ended, undecided};

pub(crate) const CHECK: Check = Check {
    id: "eks-nodegroup-ssh-open",
    title: "Node group allows SSH from any address",
    severity: Severity::High,
    resource: "AWS::EKS::Nodegroup",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "eks:ListNodegroups",
        "eks:DescribeNodegroup",
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "autoscaling:DescribeAutoScalingGroups",
        "ec2:DescribeLaunchTemplateVersions",
        "iam:GetAccountAuthorizationDetails",
    ],
    // What a node group launches is looked up where it tells, and so are its role and prefix lists: where they matter and
    // were not read, the judgement itself is unknown.
    shades: &[
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "autoscaling:DescribeAutoScalingGroups",
        "ec2:DescribeLaunchTemplateVersions",
        "iam:GetAccountAuthorizationDetails",
    ],
    compliance: &[fsbp("EC2.13"), nist("AC-17"), nist("SC-7"), pci("1.3.1?")],
    fails_when: "remoteAccess.ec2SshKey is set and sourceSecurityGroups is empty (EKS then opens port 22 to 0.0.0.0/0), \
                 or the launch template security groups do so. Low when SSH is limited to source groups but SSM is \
                 available.",
    why: "A node holds the credentials and the data of all its pods, and one stolen key or one flaw of its SSH daemon \
          opens it to everybody who reaches the port.",
    remediation: Remediation {
        text: "Recreate the node group without an SSH key and use Session Manager.",
        cli: "aws eks create-nodegroup --cluster-name CLUSTER --nodegroup-name NEW --subnets SUBNET --node-role ROLE",
    },
    evaluate,
};

/// The port of SSH.
const SSH: u16 = 22;
/// Managed policies of AWS that let a host speak to Systems Manager.
const MANAGED_BY_SSM: &[&str] = &["AmazonSSMManagedInstanceCore", "AmazonEC2RoleforSSM", "AmazonSSMManagedEC2InstanceDefaultPolicy"];
/// What the SSM agent must be allowed for Session Manager.
const SESSION_CHANNEL: &str = "ssmmessages:CreateControlChannel";

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let groups = estate.all::<Nodegroup>().filter(|group| matches!(group.status.as_str(), "ACTIVE" | "UPDATING" | "DEGRADED"));
    verdicts.each(groups, judge);
    let nodes = estate.all::<Cluster>().flat_map(Node::<'_, Cluster>::nodes);
    verdicts.each(nodes.filter(|node| node.node_kind() == NodeKind::SelfManaged && !has_ended(node.data())), judge_node);
}

/// Groups that let everybody in on SSH, with those openings.
#[derive(Default)]
struct Open<'e> {
    groups: Vec<(Node<'e, SecurityGroup>, Vec<OpenPorts>)>,
    unread: Option<Unknown>,
}

impl<'e> Open<'e> {
    fn among(links: impl Iterator<Item = Link<'e, SecurityGroup>>) -> Self {
        let mut open = Self::default();
        for link in links {
            match link.exists() {
                Ok(Some(group)) if !open.groups.iter().any(|(known, _)| *known == group) => {
                    let openings = group.open_to_internet();
                    let ssh: Vec<OpenPorts> = openings.open.into_iter().filter(|opening| opening.admits_tcp(SSH)).collect();
                    if !ssh.is_empty() {
                        open.groups.push((group, ssh));
                    }
                    open.unread = open.unread.or(openings.unread);
                }
                Ok(_) => {}
                Err(unknown) => open.unread = Some(unknown),
            }
        }
        open
    }

    fn names(&self) -> String {
        counted("security group", &self.groups.iter().map(|(group, _)| group.data().group_id.as_str()).collect::<Vec<_>>())
    }

    fn evidence(&self) -> serde_json::Value {
        let one = |(group, ssh): &(Node<'e, SecurityGroup>, Vec<OpenPorts>)| json!({"GroupId": group.group_id, "IpPermissions": opening_rules(&group.data().ip_permissions, ssh)});
        self.groups.iter().map(one).collect()
    }
}

fn judge(group: Node<'_, Nodegroup>) -> Judgement {
    let nodes = group.data();
    let access = nodes.remote_access.as_ref().filter(|access| access.ec2_ssh_key.as_deref().is_some_and(|key| !key.is_empty()));
    let is_open = access.is_some_and(|access| access.source_security_groups.is_empty());
    let (launched, unread) = launched_groups(group);
    let mut open = Open::among(launched.into_iter());
    open.unread = open.unread.or(unread);
    let evidence = json!({
        "remoteAccess": nodes.remote_access,
        "remoteAccessSecurityGroup": nodes.resources.as_ref().and_then(|resources| resources.remote_access_security_group.as_deref()),
        "subnets": nodes.subnets,
        "securityGroups": open.evidence(),
    });
    let named = &nodes.nodegroup_name;
    if is_open {
        let message = format!("node group {named} has an SSH key and no source groups: EKS opens port 22 of its nodes to every address");
        return fail(message, evidence).verdict();
    }
    if !open.groups.is_empty() {
        return fail(format!("{} of node group {named} opens port 22 to every address", open.names()), evidence).verdict();
    }
    if let Some(unknown) = open.unread {
        return Err(unknown);
    }
    let Some(access) = access.filter(|_| has_session_manager(group) != Ok(false)) else { return Ok(Verdict::Pass) };
    has_session_manager(group)?;
    let sources = counted("group", &access.source_security_groups);
    let message = format!("node group {named} admits SSH from {sources} though its nodes can use Session Manager");
    fail(message, evidence).severity(Severity::Low).verdict()
}

/// The security groups of what a node group launches: of the launch templates of its Auto Scaling groups and of its nodes,
/// as far as these were read. Without either, that they were not read stands in the way only where the group has a
/// template of the customer.
fn launched_groups(group: Node<'_, Nodegroup>) -> (Vec<Link<'_, SecurityGroup>>, Option<Unknown>) {
    let estate = group.estate();
    let (mut found, mut is_told, mut unread) = (Vec::new(), false, None);
    for name in group.data().resources.iter().flat_map(|resources| &resources.auto_scaling_groups) {
        match estate.auto_scaling_group(group.account(), group.region(), &name.name).exists() {
            Ok(Some(scaling)) => {
                for (_, link) in scaling.launch_template_versions() {
                    match link.exists() {
                        Ok(version) => {
                            let data = version.and_then(|version| version.data().launch_template_data.as_ref());
                            let interfaces = data.into_iter().flat_map(|data| &data.network_interfaces);
                            let own = data.into_iter().flat_map(|data| &data.security_group_ids);
                            let ids = own.chain(interfaces.flat_map(|interface| &interface.groups));
                            found.extend(ids.map(|id| estate.security_group(group.account(), group.region(), id)));
                            is_told |= data.is_some();
                        }
                        Err(unknown) => unread = Some(unknown),
                    }
                }
            }
            Ok(None) => {}
            Err(unknown) => unread = Some(unknown),
        }
    }
    for node in group.nodes().filter(|node| !has_ended(node.data())) {
        is_told = true;
        found.extend(node.all_security_groups());
    }
    if is_told || group.data().launch_template.is_none() {
        return (found, None);
    }
    let untold = || {
        undecided(
            group,
            "ec2:DescribeLaunchTemplateVersions",
            Gap::INCONCLUSIVE,
            "nothing shows the security groups of its launch template",
        )
    };
    (found, Some(unread.unwrap_or_else(untold)))
}

/// Whether the role of the nodes lets Session Manager reach them.
fn has_session_manager(group: Node<'_, Nodegroup>) -> Result<bool, Unknown> {
    let Some(arn) = group.data().node_role.as_deref() else { return Ok(false) };
    let Some(role) = group.estate().role(group.account(), arn).exists()? else { return Ok(false) };
    Ok(speaks_to_ssm(role.data()))
}

fn speaks_to_ssm(role: &Role) -> bool {
    let attached = role.attached_managed_policies.iter().filter_map(|policy| policy.policy_arn.rsplit('/').next());
    let mut inline = role.role_policy_list.iter().filter_map(|policy| policy.policy_document.as_ref());
    let allows = |document: &PolicyDocument| {
        document
            .statements()
            .is_ok_and(|statements| statements.iter().any(|statement| statement.allows && statement.covers_action(SESSION_CHANNEL)))
    };
    attached.into_iter().any(|name| MANAGED_BY_SSM.contains(&name)) || inline.any(allows)
}

fn judge_node(node: Node<'_, Instance>) -> Judgement {
    let open = Open::among(node.all_security_groups());
    if open.groups.is_empty() {
        return open.unread.map_or(Ok(Verdict::Pass), Err);
    }
    let cluster = node.eks_cluster().map_or("", |cluster| cluster.name());
    let evidence = json!({
        "InstanceId": node.instance_id,
        "SubnetId": node.subnet_id,
        "eksCluster": cluster,
        "securityGroups": open.evidence(),
    });
    fail(format!("{} opens port 22 of node {} of {cluster} to every address", open.names(), node.instance_id), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, policy, role_arn, rule};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::autoscaling::AutoScalingGroup as ScalingGroup;
    use plimsoll_model::aws::ec2::{Instance, LaunchTemplateVersion, OperatorResponse, SecurityGroup};
    use plimsoll_model::aws::eks::{AutoScalingGroup, LaunchTemplateSpecification, Nodegroup, NodegroupResources, RemoteAccessConfig};
    use plimsoll_model::aws::iam::{AttachedPolicy, PolicyDetail, Role};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn grouped(change: impl FnOnce(&mut Nodegroup)) -> Fixture {
        fixture().network().role("node", |_| {}).eks_cluster("k", |_| {}).nodegroup("k", "workers", |group| {
            group.node_role = Some(role_arn("node"));
            change(group);
        })
    }

    fn key(sources: &'static [&'static str]) -> impl FnOnce(&mut Nodegroup) {
        let source_security_groups = sources.iter().map(|&id| id.to_owned()).collect();
        move |group| group.remote_access = Some(RemoteAccessConfig { ec2_ssh_key: Some("ops".to_owned()), source_security_groups })
    }

    /// With a launch template of the customer whose version names group `ssh`.
    fn launching(range: &str) -> Fixture {
        let rule = rule("tcp", 22, range);
        let account = grouped(|group| {
            let groups = vec![AutoScalingGroup { name: "workers".to_owned() }];
            group.resources = Some(NodegroupResources { auto_scaling_groups: groups, ..Default::default() });
            group.launch_template = Some(LaunchTemplateSpecification::default());
        });
        account
            .auto_scaling_group("workers", |_| {})
            .launch_template("workers", |data| data.security_group_ids = vec!["sg-ssh".to_owned()])
            .security_group("ssh", |group| group.ip_permissions = vec![rule])
    }

    #[test]
    fn fails_when_a_key_is_set_without_source_groups() {
        assert_eq!(outcome(&CHECK, grouped(key(&[]))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, grouped(|group| group.remote_access = Some(RemoteAccessConfig::default()))), Pass);
        assert_eq!(outcome(&CHECK, grouped(|_| {})), Pass);
    }

    #[test]
    fn fails_when_a_group_of_the_launch_template_is_open() {
        let found = findings(&CHECK, launching("0.0.0.0/0"));
        assert_eq!(found[0].message, "security group sg-ssh of node group workers opens port 22 to every address");
        assert_eq!(outcome(&CHECK, launching("0.0.0.0/0")), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, launching("10.0.0.0/8")), Pass);
    }

    #[test]
    fn the_groups_of_nodes_tell_what_an_unread_template_does_not() {
        let unread = || launching("0.0.0.0/0").without::<LaunchTemplateVersion>().denied("ec2:DescribeLaunchTemplateVersions");
        assert_eq!(outcome(&CHECK, unread()), Unknown);
        assert_eq!(outcome(&CHECK, launching("::/0").without::<ScalingGroup>().denied("autoscaling:DescribeAutoScalingGroups")), Unknown);
        let gone = grouped(|group| group.launch_template = Some(LaunchTemplateSpecification::default()));
        assert_eq!(outcome(&CHECK, gone), Unknown);
        let node = unread().security_group("hosts", |_| {}).node("k", Some("workers"), "n1", |_| {});
        assert_eq!(outcome(&CHECK, node.clone()), Pass);
        let open = node.each(|group: &mut SecurityGroup| group.ip_permissions = vec![rule("-1", 0, "::/0")]);
        assert_eq!(outcome(&CHECK, open), Fail(Severity::High));
    }

    #[test]
    fn ssh_from_source_groups_weighs_little_where_session_manager_would_do() {
        let limited = || grouped(key(&["sg-bastion"]));
        assert_eq!(outcome(&CHECK, limited()), Pass);
        let attached = |role: &mut Role| {
            let policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore".to_owned();
            role.attached_managed_policies = vec![AttachedPolicy { policy_arn, ..Default::default() }];
        };
        assert_eq!(outcome(&CHECK, limited().each(attached)), Fail(Severity::Low));
        let inline = |role: &mut Role| {
            let document = json!({"Statement": {"Effect": "Allow", "Action": "ssmmessages:*", "Resource": "*"}});
            role.role_policy_list = vec![PolicyDetail { policy_name: "ssm".to_owned(), policy_document: Some(policy(document)) }];
        };
        assert_eq!(outcome(&CHECK, limited().each(inline)), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, limited().without::<Role>().denied("iam:GetAccountAuthorizationDetails")), Unknown);
    }

    #[test]
    fn nodes_that_the_customer_runs_are_judged_by_their_groups() {
        let node = |range: &str, change: fn(&mut Instance)| {
            let rule = rule("tcp", 22, range);
            let account = fixture().network().eks_cluster("k", |_| {}).security_group("hosts", |group| group.ip_permissions = vec![rule]);
            account.node("k", None, "n1", change)
        };
        assert_eq!(outcome(&CHECK, node("0.0.0.0/0", |_| {})), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, node("10.0.0.0/16", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, node("0.0.0.0/0", |_| {}).without::<SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
        let auto_mode = |instance: &mut Instance| {
            instance.operator = Some(OperatorResponse { managed: Some(true), principal: Some("eks.amazonaws.com".to_owned()) });
        };
        assert_eq!(outcome(&CHECK, node("0.0.0.0/0", auto_mode)), NotApplicable);
    }

    #[test]
    fn does_not_judge_groups_that_come_or_go() {
        assert_eq!(
            outcome(
                &CHECK,
                grouped(|group| {
                    key(&[])(group);
                    group.status = "DELETING".to_owned();
                })
            ),
            NotApplicable
        );
    }

    #[test]
    fn is_unknown_when_node_groups_were_not_readable() {
        assert_eq!(outcome(&CHECK, grouped(|_| {}).without::<Nodegroup>().denied("eks:ListNodegroups")), Unknown);
    }
}
