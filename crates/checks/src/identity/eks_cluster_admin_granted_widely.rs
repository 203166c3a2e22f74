//! Reads who may do everything in each EKS cluster by its access entries. Yields one verdict per cluster; a failure lists
//! the administrators. Whom the `aws-auth` config map adds stands inside the cluster, where this version does not look.

use jiff::SignedDuration;
use plimsoll_graph::{Link, Missing, Node, Unknown};
use plimsoll_model::aws::eks::{AccessEntry, Cluster};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::policy::wildcard_match;
use plimsoll_model::{Arn, Gap, Resource, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist, pci};
use crate::reading::{listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "eks-cluster-admin-granted-widely",
    title: "Too many IAM principals are cluster administrators",
    severity: Severity::Medium,
    resource: "AWS::EKS::Cluster",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "eks:ListAccessEntries",
        "eks:DescribeAccessEntry",
        "eks:ListAssociatedAccessPolicies",
        "iam:GetAccountAuthorizationDetails",
        "k8s:get configmaps",
    ],
    // The verdict on each cluster is unknown without its entries, their policies and roles, and its config map.
    shades: &[
        "eks:ListAccessEntries",
        "eks:DescribeAccessEntry",
        "eks:ListAssociatedAccessPolicies",
        "iam:GetAccountAuthorizationDetails",
        "k8s:get configmaps",
    ],
    compliance: &[cis_eks("4.1.1"), cis_eks("4.1.7?"), cis_eks("5.5.1"), nist("AC-6"), pci("7.2.1")],
    fails_when: "More than 5 (configurable) access entries with AmazonEKSClusterAdminPolicy and accessScope.type cluster \
                 or kubernetesGroups with system:masters, plus aws-auth mapRoles/mapUsers to system:masters; or any of \
                 them is a workload, node or CI role outside the allow-list, an IAM user, or an account root (high). \
                 authenticationMode CONFIG_MAP, or bootstrapClusterCreatorAdminPermissions true with the creator still \
                 admin, is low.",
    why: "Whoever takes one of these principals owns the cluster with every secret and pod in it, and the more there are, the \
          sooner one is taken; a workload or a node that is among them hands the cluster to whoever breaks out of it.",
    remediation: Remediation {
        text: "Use access entries with namespaced policies and remove system:masters mappings.",
        cli: "aws eks disassociate-access-policy --cluster-name CLUSTER --principal-arn ARN --policy-arn \
             arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.eks_clusters(), judge),
};

/// The access policy that allows everything.
const CLUSTER_ADMIN: &str = ":cluster-access-policy/AmazonEKSClusterAdminPolicy";
/// The group of Kubernetes that may do everything.
const MASTERS: &str = "system:masters";
/// Services whose roles belong to workloads and nodes.
const OF_WORKLOADS: [&str; 4] = ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "lambda.amazonaws.com", "pods.eks.amazonaws.com"];
/// Services whose roles belong to pipelines.
const OF_PIPELINES: [&str; 2] = ["codebuild.amazonaws.com", "codepipeline.amazonaws.com"];
/// Parts of the names of identity providers of pipelines.
const PIPELINE_PROVIDERS: [&str; 5] =
    ["token.actions.githubusercontent.com", "gitlab", "bitbucket", "app.terraform.io", "oidc.circleci.com"];
/// Part of the names of the identity providers of EKS clusters, whose roles belong to service accounts.
const CLUSTER_PROVIDER: &str = "oidc.eks.";
/// The creator's entry is made with the cluster, others when it is ACTIVE, which takes longer.
const WITH_THE_CLUSTER: SignedDuration = SignedDuration::from_mins(5);
/// The config map by which principals may enter besides.
const CONFIG_MAP: &str = "k8s:get configmaps";

/// What the entries of a cluster say.
struct Admins<'e> {
    entries: Vec<(Node<'e, AccessEntry>, Option<&'static str>)>,
    gap: Option<Unknown>,
}

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let mode = cluster.data().access_config.as_ref().and_then(|config| config.authentication_mode.as_deref());
    let mut admins = admins(cluster, mode);
    let (name, most) = (cluster.name(), cluster.estate().thresholds().cluster_admins);
    let wrong: Vec<String> =
        admins.entries.iter().filter_map(|(entry, wrong)| wrong.map(|wrong| format!("{} ({wrong})", entry.name()))).collect();
    let config_map = cluster.reads_config_map() != Some(false);
    let besides = if config_map { format!("; those of its aws-auth config map were not read ({CONFIG_MAP})") } else { String::new() };
    let evidence = evidence(&admins.entries, mode, config_map);
    if !wrong.is_empty() {
        let message = format!("cluster {name} is administered by {}{besides}", listed(&wrong));
        return fail(message, evidence).severity(Severity::High).verdict();
    }
    if admins.entries.len() > most as usize {
        let message = format!("cluster {name} has {} administrators, more than {most}{besides}", admins.entries.len());
        return fail(message, evidence).verdict();
    }
    if mode == Some("CONFIG_MAP") {
        let message = format!("cluster {name} knows its principals by the aws-auth config map alone, which was not read ({CONFIG_MAP})");
        return fail(message, evidence).severity(Severity::Low).verdict();
    }
    if let Some(creator) = creator(cluster, &admins.entries) {
        let message = format!("{} seems to have created cluster {name} and still administers it{besides}", creator.name());
        return fail(message, evidence).severity(Severity::Low).possible().verdict();
    }
    if let Some(unknown) = admins.gap.take() {
        return Err(unknown);
    }
    if mode.is_none() {
        return Err(undecided(cluster, "eks:DescribeCluster", "NotAnswered", "the cluster tells no authenticationMode"));
    }
    if config_map {
        let (account, region) = (cluster.account().clone(), cluster.region().clone());
        return Err(Gap { account, region, resource: Some(cluster.data().arn.clone()), ..Gap::not_collected(CONFIG_MAP) }.into());
    }
    Ok(Verdict::Pass)
}

fn admins<'e>(cluster: Node<'e, Cluster>, mode: Option<&str>) -> Admins<'e> {
    let mut admins = Admins { entries: Vec::new(), gap: None };
    // Without access entries nothing was listed.
    if mode != Some("CONFIG_MAP") {
        admins.gap = cluster.was_listed("eks:ListAccessEntries").err().or_else(|| undescribed(cluster));
    }
    for entry in cluster.access_entries() {
        match is_admin(entry) {
            Ok(true) => match wrong(entry) {
                Ok(wrong) => admins.entries.push((entry, wrong)),
                Err(unknown) => {
                    admins.entries.push((entry, None));
                    admins.gap = Some(unknown);
                }
            },
            Ok(false) => {}
            Err(unknown) => admins.gap = Some(unknown),
        }
    }
    admins
}

/// The gap of an entry of the cluster that was listed and could not be described.
fn undescribed(cluster: Node<'_, Cluster>) -> Option<Unknown> {
    let of_cluster = format!(":access-entry/{}/", cluster.name());
    let mut gaps = cluster.estate().coverage().undescribed(AccessEntry::OPERATION);
    let gap = gaps.find(|gap| {
        gap.account == *cluster.account()
            && gap.region == *cluster.region()
            && gap.resource.as_ref().is_some_and(|resource| resource.contains(&of_cluster))
    });
    gap.map(Unknown::from)
}

fn is_admin(entry: Node<'_, AccessEntry>) -> Result<bool, Unknown> {
    if entry.kubernetes_groups.iter().any(|group| group == MASTERS) {
        return Ok(true);
    }
    let everywhere = |scope: &plimsoll_model::aws::eks::AccessScope| scope.kind.as_deref() == Some("cluster");
    Ok(entry
        .data()
        .associated_access_policies
        .known()?
        .iter()
        .any(|policy| policy.policy_arn.ends_with(CLUSTER_ADMIN) && policy.access_scope.as_ref().is_some_and(everywhere)))
}

/// What an administrator should not be, when it is not on the list of those who may.
fn wrong(entry: Node<'_, AccessEntry>) -> Result<Option<&'static str>, Unknown> {
    let (principal, thresholds) = (entry.data().principal_arn.as_str(), entry.estate().thresholds());
    if thresholds.cluster_admin_principals.iter().any(|pattern| wildcard_match(pattern, principal)) {
        return Ok(None);
    }
    let Some(arn) = Arn::parse(principal) else { return Ok(None) };
    if arn.resource == "root" {
        return Ok(Some("the account's root"));
    }
    if arn.resource.starts_with("user/") {
        return Ok(Some("an IAM user"));
    }
    if !arn.resource.starts_with("role/") {
        return Ok(None);
    }
    let role: Node<'_, Role> = match entry.estate().role(entry.account(), principal) {
        Link::Found(role) => role,
        // Nobody can take a role that is gone.
        Link::Missing(Missing::NotFound { .. }) => return Ok(None),
        missing @ Link::Missing(_) => return missing.known().map(|_| None),
    };
    if thresholds.is_pipeline_role(principal, role.tags()) {
        return Ok(None);
    }
    if role.definitions_as_task_role().next().is_some() || entry.estate().service_accounts_with(principal).next().is_some() {
        return Ok(Some("the role of a workload"));
    }
    let statements = role.trust_statements()?;
    let trusted = || statements.iter().filter(|statement| statement.allows).filter_map(|statement| statement.principals.as_ref());
    let service = |names: &[&str]| trusted().any(|principals| principals.service.iter().any(|service| names.contains(&&**service)));
    let provider = |names: &[&str]| {
        trusted().any(|principals| principals.federated.iter().any(|provider| names.iter().any(|name| provider.contains(name))))
    };
    Ok(if service(&OF_WORKLOADS) || provider(&[CLUSTER_PROVIDER]) {
        Some("the role of a workload or node")
    } else if service(&OF_PIPELINES) || provider(&PIPELINE_PROVIDERS) {
        Some("the role of a pipeline")
    } else {
        None
    })
}

/// The administrator whose entry was made with the cluster, where its creator became one.
fn creator<'e>(cluster: Node<'_, Cluster>, admins: &[(Node<'e, AccessEntry>, Option<&str>)]) -> Option<Node<'e, AccessEntry>> {
    let bootstrapped = cluster.data().access_config.as_ref()?.bootstrap_cluster_creator_admin_permissions == Some(true);
    let born = cluster.data().created_at.filter(|_| bootstrapped)?;
    let allowed = &cluster.estate().thresholds().cluster_admin_principals;
    let with_it = |entry: &Node<'_, AccessEntry>| entry.data().created_at.is_some_and(|made| made.duration_since(born) <= WITH_THE_CLUSTER);
    let listed = |entry: &Node<'_, AccessEntry>| allowed.iter().any(|pattern| wildcard_match(pattern, &entry.principal_arn));
    admins.iter().map(|(entry, _)| *entry).find(|entry| with_it(entry) && !listed(entry))
}

fn evidence(admins: &[(Node<'_, AccessEntry>, Option<&'static str>)], mode: Option<&str>, config_map: bool) -> Value {
    const SHOWN: usize = 50;
    let entries: Vec<Value> = admins
        .iter()
        .take(SHOWN)
        .map(|(entry, wrong)| {
            let data = entry.data();
            json!({
                "principalArn": data.principal_arn,
                "kubernetesGroups": data.kubernetes_groups,
                "associatedAccessPolicies": data.associated_access_policies.known().ok(),
                "kind": wrong,
            })
        })
        .collect();
    json!({
        "administrators": entries,
        "administratorCount": admins.len(),
        "authenticationMode": mode,
        "awsAuthRead": !config_map,
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, at, fixture, gap, role_arn, trust};
    use plimsoll_model::aws::eks::{AccessEntry, AccessScope, Cluster};
    use plimsoll_model::aws::iam::Role;
    use plimsoll_model::policy::PolicyDocument;
    use plimsoll_model::{Confidence, Gap, Seen, Severity};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    const ADMIN: &str = "AmazonEKSClusterAdminPolicy";

    /// A role that people take.
    fn person(role: &mut Role) {
        let document =
            json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "sts:AssumeRole"}]});
        role.assume_role_policy_document = Some(PolicyDocument(document));
    }

    fn admin(account: Fixture, name: &str) -> Fixture {
        account.role(name, person).access_entry("shop", &role_arn(name), &[ADMIN], |_| {})
    }

    fn cluster() -> Fixture {
        fixture().eks_cluster("shop", |_| {})
    }

    fn admins(count: usize) -> Fixture {
        (0..count).fold(cluster(), |account, number| admin(account, &format!("admin{number}")))
    }

    fn mode(mode: &'static str) -> impl Fn(&mut Cluster) {
        move |cluster| cluster.access_config.as_mut().unwrap().authentication_mode = Some(mode.to_owned())
    }

    fn trusting(account: Fixture, document: PolicyDocument) -> Fixture {
        account.each(move |role: &mut Role| role.assume_role_policy_document = Some(document.clone()))
    }

    #[test]
    fn fails_when_there_are_more_administrators_than_allowed() {
        assert_eq!(outcome(&CHECK, admins(6)), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, admins(6))[0].message, "cluster shop has 6 administrators, more than 5");
        assert_eq!(outcome(&CHECK, admins(2).thresholds(|thresholds| thresholds.cluster_admins = 1)), Fail(Severity::Medium));
    }

    #[test]
    fn passes_with_a_few_administrators_and_any_number_of_others() {
        assert_eq!(outcome(&CHECK, admins(5)), Pass);
        let viewer = admins(5).access_entry("shop", &role_arn("viewer"), &["AmazonEKSViewPolicy"], |_| {});
        let limited = viewer.access_entry("shop", &role_arn("team"), &[ADMIN], |entry: &mut AccessEntry| {
            if let Seen::Known(policies) = &mut entry.associated_access_policies {
                policies[0].access_scope = Some(AccessScope { kind: Some("namespace".to_owned()), namespaces: vec!["team".to_owned()] });
            }
        });
        assert_eq!(outcome(&CHECK, limited), Pass);
    }

    #[test]
    fn weighs_more_when_a_user_the_root_or_a_workload_is_among_them() {
        assert_eq!(outcome(&CHECK, cluster().access_entry("shop", &arn("iam", "user/ada"), &[ADMIN], |_| {})), Fail(Severity::High));
        let root =
            cluster().access_entry("shop", &arn("iam", "root"), &[], |entry| entry.kubernetes_groups = vec!["system:masters".to_owned()]);
        assert_eq!(outcome(&CHECK, root), Fail(Severity::High));
        for service in ["ec2.amazonaws.com", "codebuild.amazonaws.com"] {
            assert_eq!(outcome(&CHECK, trusting(admins(1), trust(service))), Fail(Severity::High));
        }
        let github = json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"}}]});
        let found = findings(&CHECK, trusting(admins(1), PolicyDocument(github)));
        assert_eq!(found[0].message, "cluster shop is administered by admin0 (the role of a pipeline)");
        let task_role = admins(1).task_definition("web", |definition| definition.task_role_arn = Some(role_arn("admin0")));
        assert_eq!(outcome(&CHECK, task_role), Fail(Severity::High));
    }

    #[test]
    fn the_configuration_names_who_may() {
        let user = || cluster().access_entry("shop", &arn("iam", "user/ada"), &[ADMIN], |_| {});
        assert_eq!(outcome(&CHECK, user().thresholds(|t| t.cluster_admin_principals = vec!["arn:aws:iam::*:user/ada".to_owned()])), Pass);
        let pipeline = trusting(admins(1), trust("codebuild.amazonaws.com"));
        assert_eq!(outcome(&CHECK, pipeline.thresholds(|t| t.pipeline_roles = vec!["*:role/admin0".to_owned()])), Pass);
    }

    #[test]
    fn weighs_less_when_the_config_map_rules_or_the_creator_stays() {
        assert_eq!(outcome(&CHECK, cluster().each(mode("CONFIG_MAP"))), Fail(Severity::Low));
        let created = |made: &str| {
            let made = at(made);
            admins(1)
                .each(|cluster: &mut Cluster| {
                    cluster.access_config.as_mut().unwrap().bootstrap_cluster_creator_admin_permissions = Some(true);
                })
                .each(move |entry: &mut AccessEntry| entry.created_at = Some(made))
        };
        let found = findings(&CHECK, created("2026-01-15T12:01:00Z"));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Low, Confidence::Possible));
        assert_eq!(outcome(&CHECK, created("2026-01-15T13:00:00Z")), Pass);
    }

    #[test]
    fn is_unknown_when_the_config_map_may_add_more() {
        let found = findings(&CHECK, admins(1).each(mode("API_AND_CONFIG_MAP")));
        assert!(found[0].message.contains("k8s:get configmaps"), "{found:?}");
        assert_eq!(outcome(&CHECK, admins(6).each(mode("API_AND_CONFIG_MAP"))), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_entries_policies_or_roles_were_not_readable() {
        let missing = |operation: &str, resource: &str| {
            let gap = Gap { resource: Some(format!("arn:aws:eks:us-east-1:111111111111:{resource}")), ..gap(operation) };
            findings(&CHECK, admins(1).with(|inventory| inventory.gaps.push(gap)))
        };
        for (operation, resource) in [("eks:ListAccessEntries", "cluster/shop"), ("eks:DescribeAccessEntry", "access-entry/shop/arn:x")] {
            let found = missing(operation, resource);
            assert!(found.iter().any(|finding| finding.resource.name == "shop" && finding.message.contains(operation)), "{found:?}");
        }
        let unread = |entry: &mut AccessEntry| entry.associated_access_policies = gap("eks:ListAssociatedAccessPolicies").into();
        assert_eq!(outcome(&CHECK, admins(1).each(unread)), Unknown);
        assert_eq!(outcome(&CHECK, admins(1).without::<Role>().denied("iam:GetAccountAuthorizationDetails")), Unknown);
        assert_eq!(outcome(&CHECK, trusting(admins(1), PolicyDocument::from_text("oops"))), Unknown);
        assert_eq!(outcome(&CHECK, admins(1).each(|cluster: &mut Cluster| cluster.access_config = None)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("eks:ListClusters")), Unknown);
    }
}
