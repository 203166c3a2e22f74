//! Reads what the roles may do that service accounts of EKS take, by association with EKS Pod Identity or by trust policy,
//! and which service accounts share one. Yields one verdict per such role. Which service accounts carry a role's name as
//! annotation stands inside the clusters, where this version does not look: it matters where a trust policy admits many.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node, Principal, ServiceAccount, Unknown};
use plimsoll_model::aws::eks::Cluster;
use plimsoll_model::aws::iam::Role;
use plimsoll_model::{Gap, PathStep, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist, pci};
use crate::grants::{Administrator, Doubt, Escalating, Grant, administrator, escalating};
use crate::reading::{counted, listed};

pub(crate) const CHECK: Check = Check {
    id: "eks-service-account-role-privileged",
    title: "Pods get an administrator or escalating role",
    severity: Severity::High,
    resource: "AWS::IAM::Role",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "eks:ListPodIdentityAssociations",
        "eks:DescribePodIdentityAssociation",
        "k8s:list serviceaccounts",
        "k8s:list pods",
        "iam:GetAccountAuthorizationDetails",
    ],
    // A role is unknown by itself where annotations would tell who takes it; pods are evidence.
    shades: &["k8s:list serviceaccounts", "k8s:list pods"],
    compliance: &[cis_eks("5.2.1"), cis_eks("4.1.5"), nist("AC-6"), pci("7.2.5")],
    fails_when: "Role bound to a service account (eks.amazonaws.com/role-arn annotation, or roleArn or targetRoleArn of a \
                 Pod Identity association) is ADMIN or CAN-ESCALATE, or bound to accounts in two or more namespaces or \
                 clusters with different owners (medium), or bound to the account named default (medium).",
    why: "Every pod with the service account has the rights of the role: a hole in one of them opens the AWS account, or what \
          another team keeps in it.",
    remediation: Remediation {
        text: "Give each service account its own scoped role.",
        cli: "aws eks update-pod-identity-association --cluster-name CLUSTER --association-id ID --role-arn ROLE",
    },
    evaluate: |estate: &Estate<'_>, verdicts| verdicts.each(estate.all::<Role>(), judge),
};

/// The service account of every pod that names none.
const DEFAULT: &str = "default";
/// The reading that tells which service accounts carry the name of a role.
const ANNOTATIONS: &str = "k8s:list serviceaccounts";
/// Evidence names at most this many service accounts.
const SHOWN: usize = 20;

/// Why a role is too much for a pod.
enum Power<'e> {
    Administrator(Box<Administrator>),
    Escalating(Escalating<'e>),
}

/// What a role may do that no pod should: administer the account, or come to do so.
fn power(role: Node<'_, Role>) -> Result<Option<Power<'_>>, Unknown> {
    let principal = Principal::Role(role);
    if let Some(administrator) = administrator(principal)? {
        return Ok(Some(Power::Administrator(Box::new(administrator))));
    }
    Ok(escalating(principal)?.map(Power::Escalating))
}

impl Power<'_> {
    fn told(&self) -> String {
        match self {
            Self::Administrator(_) => "administers its account".to_owned(),
            Self::Escalating(way) => format!("becomes an administrator {}", way.told()),
        }
    }

    fn doubt(&self) -> Doubt {
        match self {
            Self::Administrator(administrator) => administrator.doubt.clone(),
            Self::Escalating(way) => way.doubt(),
        }
    }
}

fn judge(role: Node<'_, Role>) -> Judgement {
    // Of a trust policy that does not read as one, the associations remain.
    let (accounts, unread) = match role.service_accounts() {
        Ok(accounts) => (accounts, None),
        Err(unknown) => (role.associated_service_accounts().collect(), Some(unknown)),
    };
    if accounts.is_empty() {
        return unread.map_or(Ok(Verdict::NotApplicable), Err);
    }
    let power = power(role);
    let mut wrong: Vec<String> = Vec::new();
    let mut severity = Severity::Medium;
    let mut doubt = Doubt::default();
    if let Ok(Some(power)) = &power {
        wrong.push(power.told());
        severity = Severity::High;
        doubt = power.doubt();
    }
    let places = places_of_several_owners(&accounts);
    if !places.is_empty() {
        wrong.push(format!("is shared by namespaces of different owners ({})", listed(&places)));
    }
    if accounts.iter().any(|account| account.name.as_deref() == Some(DEFAULT)) {
        wrong.push("belongs to every pod that names no service account".to_owned());
    }
    if !wrong.is_empty() {
        let paths: BTreeSet<String> = accounts.iter().map(ServiceAccount::path).collect();
        let paths: Vec<String> = paths.into_iter().collect();
        let message = format!("role {} of {} {}", role.name(), counted("service account", &paths), listed(&wrong));
        let power = power.ok().flatten();
        let mut steps = path(role, &accounts);
        if let Some(Power::Escalating(way)) = &power {
            steps.pop();
            steps.extend(way.steps());
        }
        let failure = fail(message, evidence(role, &accounts, power.as_ref()));
        return doubt.mark(failure.severity(severity).path(steps)).verdict();
    }
    power?;
    if let Some(unknown) = unread {
        return Err(unknown);
    }
    match accounts.iter().find(|account| account.namespace.is_none() || account.name.is_none()) {
        Some(open) => Err(annotations_unread(open)),
        None => Ok(Verdict::Pass),
    }
}

/// Clusters by ARN and namespace, with the owner of the namespace as far as a tag tells it.
type Owners<'a> = BTreeMap<(&'a str, &'a str), (Node<'a, Cluster>, Option<&'a str>)>;

/// Clusters and namespaces of the service accounts, as `cluster/namespace`, when nothing tells that one owner has them
/// all. Who owns a namespace is told by the tags of its associations; one name in several clusters belongs to the owner of
/// these.
fn places_of_several_owners(accounts: &[ServiceAccount<'_>]) -> Vec<String> {
    let mut owners: Owners<'_> = BTreeMap::new();
    for account in accounts {
        let Some(namespace) = account.namespace.as_deref() else { continue };
        let tag = account.association.and_then(|association| association.tag(&association.estate().thresholds().owner_tag));
        let place = owners.entry((account.cluster.data().arn.as_str(), namespace)).or_insert((account.cluster, None));
        place.1 = place.1.or(tag);
    }
    let distinct: BTreeSet<(Option<&str>, &str, &str)> = owners
        .iter()
        .map(|((arn, namespace), (cluster, owner))| match owner {
            Some(owner) => (Some(*owner), "", ""),
            None => (None, cluster.tag(&cluster.estate().thresholds().owner_tag).unwrap_or(arn), *namespace),
        })
        .collect();
    if distinct.len() < 2 {
        return Vec::new();
    }
    owners.iter().map(|((_, namespace), (cluster, _))| format!("{}/{namespace}", cluster.name())).collect()
}

/// The unknown of a role that a trust policy leaves to the annotations of service accounts.
fn annotations_unread(open: &ServiceAccount<'_>) -> Unknown {
    let cluster = open.cluster;
    let (account, region) = (cluster.account().clone(), cluster.region().clone());
    Gap { account, region, resource: Some(cluster.data().arn.clone()), ..Gap::not_collected(ANNOTATIONS) }.into()
}

fn path(role: Node<'_, Role>, accounts: &[ServiceAccount<'_>]) -> Vec<PathStep> {
    let Some(first) = accounts.first() else { return Vec::new() };
    let mut path = vec![PathStep { arn: first.cluster.data().arn.clone(), via: "has service accounts that take".to_owned() }];
    if let Some(association) = first.association {
        path.push(PathStep { arn: association.arn().into_owned(), via: "gives".to_owned() });
    }
    path.push(PathStep { arn: role.data().arn.clone(), via: "is taken".to_owned() });
    path
}

fn evidence(role: Node<'_, Role>, accounts: &[ServiceAccount<'_>], power: Option<&Power<'_>>) -> Value {
    let told: Vec<Value> = accounts
        .iter()
        .take(SHOWN)
        .map(|account| {
            json!({
                "cluster": account.cluster.data().arn,
                "namespace": account.namespace,
                "serviceAccount": account.name,
                "associationArn": account.association.map(|association| association.data().association_arn.as_str()),
            })
        })
        .collect();
    let attached: Vec<&str> = role.data().attached_managed_policies.iter().map(|policy| policy.policy_arn.as_str()).collect();
    let inline: Vec<&str> = role.data().role_policy_list.iter().map(|policy| policy.policy_name.as_str()).collect();
    json!({
        "serviceAccounts": told,
        "serviceAccountCount": accounts.len(),
        "administrator": matches!(power, Some(Power::Administrator(_))),
        "statement": match power {
            Some(Power::Administrator(administrator)) => administrator.grant.as_ref().map(Grant::evidence),
            _ => None,
        },
        "escalation": match power {
            Some(Power::Escalating(way)) => Some(way.evidence()),
            _ => None,
        },
        "AttachedManagedPolicies": attached,
        "RolePolicyList": inline,
        "annotationsRead": false,
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, policy, role_arn, trust};
    use plimsoll_model::aws::eks::{Cluster, Identity, Oidc, PodIdentityAssociation};
    use plimsoll_model::aws::iam::{AttachedPolicy, Role};
    use plimsoll_model::{Confidence, Severity};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    const ISSUER: &str = "oidc.eks.us-east-1.amazonaws.com/id/A1";

    /// Cluster `k` with role `web`, which trusts EKS Pod Identity.
    fn cluster() -> Fixture {
        let issuer = Some(format!("https://{ISSUER}"));
        fixture()
            .eks_cluster("k", |cluster| cluster.identity = Some(Identity { oidc: Some(Oidc { issuer }) }))
            .role("web", |role| role.assume_role_policy_document = Some(trust("pods.eks.amazonaws.com")))
    }

    fn association(cluster: &str, namespace: &str, name: &str, owner: Option<&str>) -> PodIdentityAssociation {
        PodIdentityAssociation {
            association_arn: format!("{cluster}/{namespace}/{name}"),
            cluster_name: cluster.to_owned(),
            namespace: namespace.to_owned(),
            service_account: name.to_owned(),
            role_arn: role_arn("web"),
            tags: owner.map(|owner| ("Owner".to_owned(), owner.to_owned())).into_iter().collect(),
            ..Default::default()
        }
    }

    fn bound() -> Fixture {
        cluster().resource(association("k", "shop", "api", None))
    }

    fn trusting(subject: &str) -> Fixture {
        let document = policy(json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": format!("arn:aws:iam::111111111111:oidc-provider/{ISSUER}")},
            "Condition": {"StringLike": {format!("{ISSUER}:sub"): subject}}}]}));
        cluster().each(move |role: &mut Role| role.assume_role_policy_document = Some(document.clone()))
    }

    fn administrator(role: &mut Role) {
        let policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess".to_owned();
        role.attached_managed_policies = vec![AttachedPolicy { policy_arn, policy_name: None }];
    }

    #[test]
    fn fails_for_an_administrator() {
        let found = findings(&CHECK, alone(bound()).each(administrator));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "role web of service account k/shop/api administers its account");
        let by_target = cluster().resource(PodIdentityAssociation {
            role_arn: role_arn("first"),
            target_role_arn: Some(role_arn("web")),
            ..association("k", "shop", "api", None)
        });
        assert_eq!(outcome(&CHECK, by_target.each(administrator)), Fail(Severity::High));
        for subject in ["system:serviceaccount:shop:api", "system:serviceaccount:*:*"] {
            assert_eq!(outcome(&CHECK, trusting(subject).each(administrator)), Fail(Severity::High), "{subject}");
        }
    }

    #[test]
    fn fails_for_who_becomes_an_administrator() {
        let statement = json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"});
        let found = findings(&CHECK, alone(bound()).each(grants("web", statement.clone())));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "role web of service account k/shop/api becomes an administrator in one step (iam:PutRolePolicy)");
        let arns: Vec<&str> = found[0].path.iter().map(|step| step.arn.as_str()).collect();
        assert_eq!(arns.last(), Some(&role_arn("web").as_str()));
        let unread = findings(&CHECK, bound().each(grants("web", statement)));
        assert_eq!(unread[0].confidence, Confidence::Possible);
    }

    #[test]
    fn passes_with_one_service_account_and_few_rights() {
        assert_eq!(outcome(&CHECK, bound()), Pass);
        assert_eq!(outcome(&CHECK, bound().resource(association("k", "shop", "worker", None))), Pass);
        assert_eq!(outcome(&CHECK, trusting("system:serviceaccount:shop:api")), Pass);
    }

    #[test]
    fn is_medium_when_namespaces_of_different_owners_share_it() {
        let two = bound().resource(association("k", "pay", "api", None));
        let found = findings(&CHECK, two);
        assert_eq!(found[0].severity, Severity::Medium);
        assert!(found[0].message.ends_with("is shared by namespaces of different owners (k/pay and k/shop)"), "{}", found[0].message);
        let tagged = |first: &str, second: &str| {
            cluster().resource(association("k", "shop", "api", Some(first))).resource(association("k", "pay", "api", Some(second)))
        };
        assert_eq!(outcome(&CHECK, tagged("ada", "ada")), Pass);
        assert_eq!(outcome(&CHECK, tagged("ada", "bob")), Fail(Severity::Medium));
    }

    #[test]
    fn clusters_of_one_owner_may_share_it_in_one_namespace() {
        let two = || bound().eks_cluster("j", |_| {}).resource(association("j", "shop", "api", None));
        assert_eq!(outcome(&CHECK, two()), Pass);
        let other = |cluster: &mut Cluster| drop(cluster.tags.insert("owner".to_owned(), cluster.name.clone()));
        assert_eq!(outcome(&CHECK, two().each(other)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, two().each(|cluster: &mut Cluster| cluster.tags.clear())), Fail(Severity::Medium));
    }

    #[test]
    fn is_medium_when_the_default_account_has_it() {
        assert_eq!(outcome(&CHECK, cluster().resource(association("k", "shop", "default", None))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, trusting("system:serviceaccount:shop:default")), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_to_roles_of_no_service_account() {
        assert_eq!(outcome(&CHECK, cluster().each(administrator)), NotApplicable);
        let deleting = |cluster: &mut Cluster| "DELETING".clone_into(&mut cluster.status);
        assert_eq!(outcome(&CHECK, bound().each(administrator).each(deleting)), NotApplicable);
    }

    #[test]
    fn is_unknown_where_annotations_would_tell() {
        let found = findings(&CHECK, trusting("system:serviceaccount:shop:*"));
        assert!(found[0].message.contains("k8s:list serviceaccounts"), "{found:?}");
    }

    #[test]
    fn is_unknown_when_associations_roles_or_policies_were_not_readable() {
        for operation in ["eks:ListClusters", "eks:ListPodIdentityAssociations", "iam:GetAccountAuthorizationDetails"] {
            assert_eq!(outcome(&CHECK, bound().denied(operation)), Unknown, "{operation}");
        }
        let custom = AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None };
        assert_eq!(outcome(&CHECK, bound().each(move |role: &mut Role| role.attached_managed_policies = vec![custom.clone()])), Unknown);
        let malformed = |role: &mut Role| role.assume_role_policy_document = None;
        assert_eq!(outcome(&CHECK, bound().each(malformed)), Unknown);
        assert_eq!(outcome(&CHECK, bound().each(malformed).each(administrator)), Fail(Severity::High));
        let undescribed = bound().without::<PodIdentityAssociation>().with(|inventory| {
            let mut gap = gap("eks:DescribePodIdentityAssociation");
            gap.resource = Some("arn:aws:eks:us-east-1:111111111111:podidentityassociation/k/a-1".to_owned());
            inventory.gaps.push(gap);
        });
        assert_eq!(outcome(&CHECK, undescribed), Unknown);
    }
}
