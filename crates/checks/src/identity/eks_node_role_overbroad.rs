//! Reads what the roles of EKS nodes are granted beyond what AWS's own policies for nodes hold: those of node groups, of EKS
//! Auto Mode and of instances that join by themselves. Yields one verdict per role.

use plimsoll_graph::{Estate, Node, Principal, Unknown};
use plimsoll_iam::Granted;
use plimsoll_model::aws::eks::Cluster;
use plimsoll_model::{Arn, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist, pci};
use crate::excess::{Excess, actions, common_doubt, excess};
use crate::grants::{Doubt, Grant, administrator, escalating, is_of_aws};
use crate::reading::{counted, listed};
use crate::roles::{NodeRole, boundary, node_roles};

pub(crate) const CHECK: Check = Check {
    id: "eks-node-role-overbroad",
    title: "Node role grants more than nodes need",
    severity: Severity::High,
    resource: "AWS::IAM::Role",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "eks:ListNodegroups",
        "eks:DescribeNodegroup",
        "eks:ListAddons",
        "eks:DescribeAddon",
        "eks:ListPodIdentityAssociations",
        "eks:DescribePodIdentityAssociation",
        "ec2:DescribeInstances",
        "iam:GetAccountAuthorizationDetails",
    ],
    shades: &["eks:ListAddons", "eks:DescribeAddon", "eks:ListPodIdentityAssociations", "eks:DescribePodIdentityAssociation"],
    compliance: &[cis_eks("5.1.3"), cis_eks("5.2.1"), nist("AC-6"), pci("7.2.5")],
    fails_when: "nodeRole (or profile role of self-managed nodes, or computeConfig.nodeRoleArn) is ADMIN or CAN-ESCALATE \
                 (critical), or has any Allow beyond AmazonEKSWorkerNodePolicy or MinimalPolicy, \
                 AmazonEC2ContainerRegistryReadOnly or PullOnly, AmazonEKS_CNI_Policy and AmazonSSMManagedInstanceCore: \
                 secret reads, wildcard S3, kms:Decrypt, ecr:PutImage. CNI policy on the node role while the VPC CNI has \
                 its own role is low.",
    why: "A pod that reaches the metadata service of its node, or breaks out of its container, has the node's role: what \
          it grants beyond running a node is granted to every pod there.",
    remediation: Remediation {
        text: "Move the rights to service-account roles.",
        cli: "aws iam detach-role-policy --role-name ROLE --policy-arn ARN",
    },
    evaluate: |estate: &Estate<'_>, verdicts| {
        for one in node_roles(estate) {
            verdicts.judge(one.role, judge(&one));
        }
    },
};

/// AWS's policies for nodes.
const OF_NODES: [&str; 6] = [
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKSWorkerNodeMinimalPolicy",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEC2ContainerRegistryPullOnly",
    CNI,
    "AmazonSSMManagedInstanceCore",
];
const CNI: &str = "AmazonEKS_CNI_Policy";
/// The service account of the VPC CNI.
const AWS_NODE: &str = "aws-node";
/// What these policies allow, for those who write their own; without the read of parameters that Systems Manager has.
const NEEDED: &[&str] = &[
    "ec2:AssignIpv6Addresses",
    "ec2:AssignPrivateIpAddresses",
    "ec2:AttachNetworkInterface",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVolumesModifications",
    "ec2:DescribeVpcs",
    "ec2:DetachNetworkInterface",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:UnassignPrivateIpAddresses",
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:GetRepositoryPolicy",
    "ecr:ListImages",
    "ecr:ListTagsForResource",
    "eks-auth:AssumeRoleForPodIdentity",
    "eks:DescribeCluster",
    "ssm:DescribeAssociation",
    "ssm:DescribeDocument",
    "ssm:GetDeployablePatchSnapshotForInstance",
    "ssm:GetDocument",
    "ssm:GetManifest",
    "ssm:ListAssociations",
    "ssm:ListInstanceAssociations",
    "ssm:PutComplianceItems",
    "ssm:PutConfigurePackageResult",
    "ssm:PutInventory",
    "ssm:UpdateAssociationStatus",
    "ssm:UpdateInstanceAssociationStatus",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
];
/// Statements and nodes that are named in evidence.
const SHOWN: usize = 20;

fn judge(one: &NodeRole<'_>) -> Judgement {
    let principal = Principal::Role(one.role);
    let who = format!("node role {} of {}", one.role.name(), nodes(one));
    if let Ok(Some(administrator)) = administrator(principal) {
        let by = administrator.grant.as_ref().map_or(String::new(), |grant| format!(" by {}", grant.by()));
        let statements: Vec<Value> = administrator.grant.iter().map(Grant::evidence).collect();
        let failure = fail(format!("{who} administers account {}{by}", one.role.account()), evidence(one, &statements));
        return administrator.doubt.mark(failure.severity(Severity::Critical)).verdict();
    }
    let excess = excess(principal, &is_needed);
    let statements: Vec<Value> = excess.iter().take(SHOWN).map(Excess::evidence).collect();
    if let Ok(Some(way)) = escalating(principal) {
        let mut evidence = evidence(one, &statements);
        if let Value::Object(evidence) = &mut evidence {
            evidence.insert("escalation".to_owned(), way.evidence());
        }
        let failure = fail(format!("{who} becomes an administrator {}", way.told()), evidence).path(way.steps());
        return way.doubt().mark(failure.severity(Severity::Critical)).verdict();
    }
    if !excess.is_empty() {
        let message = format!("{who} may call {}, which nodes do not need", listed(&actions(&excess)));
        return common_doubt(&excess).mark(fail(message, evidence(one, &statements))).verdict();
    }
    if let Some(unknown) = principal.unread() {
        return Err(unknown);
    }
    let attached = one.role.data().attached_managed_policies.iter().map(|policy| policy.policy_arn.as_str());
    let Some(policy) = attached.into_iter().find(|arn| is_of_aws(arn, &[CNI])) else { return Ok(Verdict::Pass) };
    match one.clusters.values().find(|cluster| has_own_cni_role(**cluster).unwrap_or(false)) {
        Some(cluster) => {
            let message = format!("{who} has {CNI}, while the VPC CNI of cluster {} has a role of its own", cluster.name());
            let doubt = Doubt::of_principal(principal);
            doubt.mark(fail(message, evidence(one, &[json!({"policy": policy})])).severity(Severity::Low)).verdict()
        }
        None => Ok(Verdict::Pass),
    }
}

/// Whether the VPC CNI of a cluster takes a role by its service account.
fn has_own_cni_role(cluster: Node<'_, Cluster>) -> Result<bool, Unknown> {
    let of_association =
        |one: Node<'_, plimsoll_model::aws::eks::PodIdentityAssociation>| one.namespace == "kube-system" && one.service_account == AWS_NODE;
    if cluster.pod_identity_associations().any(of_association) {
        return Ok(true);
    }
    Ok(cluster.addon("vpc-cni")?.is_some_and(|addon| addon.data().service_account_role_arn.is_some()))
}

fn is_needed(granted: &Granted, action: &str) -> bool {
    // The CNI tags the interfaces that it makes.
    let tags = action == "ec2:CreateTags"
        && !granted.all_resources_but
        && granted.resources.iter().all(|resource| resource.contains(":network-interface/"));
    tags || NEEDED.binary_search(&action).is_ok() || is_of_aws(&granted.policy, &OF_NODES)
}

fn nodes(one: &NodeRole<'_>) -> String {
    let names: Vec<&str> = one.nodes.iter().map(|arn| told(arn)).collect();
    if names.is_empty() { "no nodes".to_owned() } else { counted("node", &names).replacen("nodes ", "", 1).replacen("node ", "", 1) }
}

/// A node group as `node group g of k`, an instance by its id, a cluster with EKS Auto Mode by its name.
fn told(arn: &str) -> &str {
    let resource = Arn::parse(arn).map_or(arn, |arn| arn.resource);
    match resource.strip_prefix("nodegroup/") {
        Some(path) => path.rsplit_once('/').map_or(path, |(path, _)| path),
        None => resource.rsplit('/').next().unwrap_or(resource),
    }
}

fn evidence(one: &NodeRole<'_>, statements: &[Value]) -> Value {
    json!({
        "role": one.role.data().arn,
        "PermissionsBoundary": boundary(one.role),
        "statements": statements,
        "nodes": one.nodes.iter().take(SHOWN).collect::<Vec<_>>(),
        "nodeCount": one.nodes.len(),
        "clusters": one.clusters.keys().take(SHOWN).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, policy, role_arn};
    use plimsoll_model::aws::eks::{Addon, Cluster, ComputeConfigResponse, Nodegroup};
    use plimsoll_model::aws::iam::{AttachedPolicy, Policy, PolicyVersion, Role};
    use plimsoll_model::{Confidence, Severity};
    use serde_json::{Value, json};

    use super::{CHECK, NEEDED};
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    fn cluster() -> Fixture {
        alone(fixture().eks_cluster("k", |_| {}))
            .role("nodes", |_| {})
            .nodegroup("k", "g", |group| group.node_role = Some(role_arn("nodes")))
    }

    fn with(statement: Value) -> Fixture {
        cluster().each(grants("nodes", statement))
    }

    fn allowed(action: &str, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    fn managed(account: Fixture, name: &str, action: &str) -> Fixture {
        let policy_arn = format!("arn:aws:iam::aws:policy/{name}");
        let document = policy(json!({"Version": "2012-10-17", "Statement": allowed(action, "*")}));
        let attached = policy_arn.clone();
        account
            .global_resource(Policy {
                arn: policy_arn,
                policy_name: name.to_owned(),
                policy_version_list: vec![PolicyVersion { is_default_version: true, document: Some(document), ..Default::default() }],
                ..Default::default()
            })
            .each(move |role: &mut Role| {
                role.attached_managed_policies.push(AttachedPolicy { policy_arn: attached.clone(), policy_name: None });
            })
    }

    #[test]
    fn the_actions_of_nodes_are_in_order() {
        assert!(NEEDED.is_sorted());
    }

    #[test]
    fn passes_with_the_policies_of_nodes_and_others_of_the_same_actions() {
        let account = managed(cluster(), "AmazonEKSWorkerNodePolicy", "ec2:Describe*");
        let account = managed(account, "AmazonSSMManagedInstanceCore", "ssm:GetParameter");
        assert_eq!(outcome(&CHECK, managed(account, "AmazonEKS_CNI_Policy", "ec2:CreateNetworkInterface")), Pass);
        let own = json!([allowed("ecr:BatchGetImage", "*"), allowed("ec2:CreateTags", "arn:aws:ec2:*:*:network-interface/*")]);
        assert_eq!(outcome(&CHECK, with(own)), Pass);
    }

    #[test]
    fn is_high_with_anything_more() {
        let found = findings(&CHECK, with(allowed("s3:GetObject", "*")));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "node role nodes of k/g may call s3:GetObject, which nodes do not need");
        for statement in [
            allowed("secretsmanager:GetSecretValue", "*"),
            allowed("ssm:GetParameter", "*"),
            allowed("kms:Decrypt", "*"),
            allowed("ecr:PutImage", "*"),
            allowed("ec2:CreateTags", "*"),
        ] {
            assert_eq!(outcome(&CHECK, with(statement.clone())), Fail(Severity::High), "{statement}");
        }
        assert_eq!(outcome(&CHECK, managed(cluster(), "AmazonEBSCSIDriverPolicy", "ec2:CreateVolume")), Fail(Severity::High));
    }

    #[test]
    fn is_critical_for_an_administrator_and_who_becomes_one() {
        let found = findings(&CHECK, with(allowed("*", "*")));
        assert_eq!((found[0].severity, found.len()), (Severity::Critical, 1));
        assert_eq!(found[0].message, "node role nodes of k/g administers account 111111111111 by statement #0 of access");
        let found = findings(&CHECK, with(allowed("iam:PutRolePolicy", "*")));
        assert_eq!((found[0].severity, found[0].path.len()), (Severity::Critical, 2));
    }

    #[test]
    fn is_low_with_the_policy_of_the_cni_when_that_has_its_own_role() {
        let account = || managed(cluster(), "AmazonEKS_CNI_Policy", "ec2:CreateNetworkInterface").addon("k", "vpc-cni", |_| {});
        assert_eq!(outcome(&CHECK, account()), Pass);
        let own = |addon: &mut Addon| addon.service_account_role_arn = Some(role_arn("cni"));
        assert_eq!(outcome(&CHECK, account().each(own)), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, cluster().addon("k", "vpc-cni", own)), Pass);
    }

    #[test]
    fn counts_roles_of_auto_mode_and_of_instances_and_no_others() {
        let moved = |account: Fixture| account.each(|group: &mut Nodegroup| group.node_role = None);
        assert_eq!(outcome(&CHECK, moved(with(allowed("s3:*", "*")))), NotApplicable);
        let auto = moved(with(allowed("s3:*", "*"))).each(|cluster: &mut Cluster| {
            let node_role_arn = Some(role_arn("nodes"));
            cluster.compute_config = Some(ComputeConfigResponse { enabled: Some(true), node_role_arn, ..Default::default() });
        });
        assert_eq!(outcome(&CHECK, auto), Fail(Severity::High));
        let gone = with(allowed("s3:*", "*")).each(|group: &mut Nodegroup| "DELETING".clone_into(&mut group.status));
        assert_eq!(outcome(&CHECK, gone), NotApplicable);
    }

    #[test]
    fn is_unknown_when_a_policy_or_a_listing_was_not_readable() {
        let attached = |role: &mut Role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, cluster().each(attached)), Unknown);
        for operation in ["iam:GetAccountAuthorizationDetails", "eks:ListClusters", "eks:ListNodegroups", "ec2:DescribeInstances"] {
            assert_eq!(outcome(&CHECK, cluster().denied(operation)), Unknown, "{operation}");
        }
    }
}
