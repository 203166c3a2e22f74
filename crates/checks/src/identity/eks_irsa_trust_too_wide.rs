//! Reads the trust policy of each role that service accounts of EKS may take, by the issuer of their cluster or by EKS Pod
//! Identity. Yields one verdict per role; a failure tells what each statement leaves open.

use std::collections::BTreeSet;

use plimsoll_graph::{Estate, IssuerTrust, Link, Missing, Node, ServiceAccount, Subject, Subjects, Unknown};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::policy::Statement;
use plimsoll_model::{AccountId, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist};
use crate::engine::Verdicts;
use crate::policies::raw_statement;
use crate::reading::{distinct, listed, names_service};

pub(crate) const CHECK: Check = Check {
    id: "eks-irsa-trust-too-wide",
    title: "Service-account role can be assumed by other service accounts",
    severity: Severity::High,
    resource: "AWS::IAM::Role",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "eks:ListPodIdentityAssociations",
        "eks:DescribePodIdentityAssociation",
        "iam:GetAccountAuthorizationDetails",
    ],
    // Associations are evidence.
    shades: &["eks:ListPodIdentityAssociations", "eks:DescribePodIdentityAssociation"],
    compliance: &[cis_eks("5.2.1"), nist("AC-3"), nist("AC-6")],
    fails_when: "A role trusts the OIDC provider of a cluster with sts:AssumeRoleWithWebIdentity and has no condition on \
                 ISSUER:sub (critical), a StringLike sub with a wildcard in namespace or account name \
                 (system:serviceaccount:*:*, or NAMESPACE:* as medium), no ISSUER:aud equal to sts.amazonaws.com (low), \
                 or trusts a provider of a cluster that no longer exists. For Pod Identity: trust to \
                 pods.eks.amazonaws.com without aws:SourceAccount, eks-cluster-arn or namespace session-tag conditions is \
                 low.",
    why: "Any service account that the conditions admit, and so whoever may create pods or service accounts there, takes the \
          role and its rights in AWS.",
    remediation: Remediation {
        text: "Pin sub to one namespace and service account and aud to sts.amazonaws.com.",
        cli: "aws iam update-assume-role-policy --role-name ROLE --policy-document file://trust.json",
    },
    evaluate,
};

/// The service that takes roles for pods.
const POD_IDENTITY: &str = "pods.eks.amazonaws.com";
/// Condition keys by which Pod Identity keeps to clusters, namespaces and service accounts.
const POD_IDENTITY_KEYS: [&str; 6] = [
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:RequestTag/eks-cluster-arn",
    "aws:RequestTag/eks-cluster-name",
    "aws:RequestTag/kubernetes-namespace",
    "aws:RequestTag/kubernetes-service-account",
];

/// What a statement leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    AnySubject,
    AnyNamespace,
    WholeNamespace,
    NoCluster,
    AnyAudience,
    AnyAssociation,
}

impl Opening {
    fn severity(self) -> Severity {
        match self {
            Self::AnySubject => Severity::Critical,
            Self::AnyNamespace | Self::NoCluster => Severity::High,
            Self::WholeNamespace => Severity::Medium,
            Self::AnyAudience | Self::AnyAssociation => Severity::Low,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::AnySubject => "asks for no subject, so that every service account of the cluster takes it",
            Self::AnyNamespace => "admits service accounts of any namespace by a wildcard",
            Self::WholeNamespace => "admits every service account of a namespace by a wildcard",
            Self::NoCluster => "trusts the issuer of a cluster that does not exist in the account",
            Self::AnyAudience => "does not ask for the audience sts.amazonaws.com",
            Self::AnyAssociation => "lets EKS Pod Identity take it for any account, cluster and namespace",
        }
    }
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let accounts: BTreeSet<&AccountId> = estate.eks_clusters().map(|cluster| cluster.account()).collect();
    verdicts.each(estate.all::<Role>(), |role| judge(role, accounts.contains(role.account())));
}

/// `has_cluster`: whether the account has a cluster that is up.
fn judge(role: Node<'_, Role>, has_cluster: bool) -> Judgement {
    let statements = role.assume_statements()?;
    let mut openings: Vec<(&Statement<'_>, Opening)> = Vec::new();
    let mut unread: Option<Unknown> = None;
    let mut in_scope = false;
    for trust in IssuerTrust::of(&statements) {
        let cluster = role.estate().cluster_of_issuer(role.account(), trust.issuer);
        match &cluster {
            // One that is made or deleted just now is not in scope.
            Link::Found(cluster) if !cluster.is_up() => continue,
            Link::Found(_) => {}
            Link::Missing(Missing::NotFound { .. }) => {
                in_scope = true;
                openings.push((trust.statement, Opening::NoCluster));
                continue;
            }
            Link::Missing(_) => unread = cluster.known().err(),
        }
        in_scope = true;
        openings.extend(of_issuer(&trust).map(|opening| (trust.statement, opening)));
    }
    for statement in statements.iter().filter(|s| has_cluster && s.allows && names_service(s, POD_IDENTITY)) {
        in_scope = true;
        if !keeps_to_some_pods(statement) {
            openings.push((statement, Opening::AnyAssociation));
        }
    }
    if !openings.is_empty() {
        return failure(role, &openings);
    }
    match unread {
        Some(unknown) => Err(unknown),
        None if in_scope => Ok(Verdict::Pass),
        None => Ok(Verdict::NotApplicable),
    }
}

fn of_issuer(trust: &IssuerTrust<'_>) -> impl Iterator<Item = Opening> {
    let subject = match &trust.subjects {
        Subjects::Any => Some(Opening::AnySubject),
        Subjects::Listed(list) if list.iter().any(|one| one.namespace.is_none()) => Some(Opening::AnyNamespace),
        Subjects::Listed(list) if list.iter().any(|one| one.name.is_none()) => Some(Opening::WholeNamespace),
        Subjects::Listed(_) => None,
    };
    subject.into_iter().chain((!trust.asks_audience).then_some(Opening::AnyAudience))
}

/// Whether a condition tells the pods of some account, cluster or namespace from others.
fn keeps_to_some_pods(statement: &Statement<'_>) -> bool {
    statement.conditions.iter().any(|(operator, key, values)| {
        let operator = operator.to_ascii_lowercase();
        let positive = operator.contains("equals") || operator.contains("like");
        // Without session tags these two forms hold for everybody.
        let holds_when_absent = operator.starts_with("forallvalues:") || operator.ends_with("ifexists") || operator.contains("not");
        let known = POD_IDENTITY_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key));
        known && positive && !holds_when_absent && !values.is_empty() && values.iter().all(|value| value != "*")
    })
}

fn failure(role: Node<'_, Role>, openings: &[(&Statement<'_>, Opening)]) -> Judgement {
    let told = distinct(openings.iter().map(|(_, opening)| opening.told()));
    let severity = openings.iter().map(|(_, opening)| opening.severity()).max().unwrap_or(CHECK.severity);
    let message = format!("the trust policy of role {} {}", role.name(), listed(&told));
    // A cluster of another account may have the issuer.
    let certain = openings.iter().any(|(_, opening)| opening.severity() == severity && *opening != Opening::NoCluster);
    let failure = fail(message, evidence(role, openings)).severity(severity);
    if certain { failure.verdict() } else { failure.possible().verdict() }
}

fn evidence(role: Node<'_, Role>, openings: &[(&Statement<'_>, Opening)]) -> Value {
    const SHOWN: usize = 20;
    let mut indices: Vec<usize> = openings.iter().map(|(statement, _)| statement.index).collect();
    indices.sort_unstable();
    indices.dedup();
    let raw: Vec<&Value> = indices.iter().filter_map(|&index| raw_statement(role, index)).collect();
    let trusts = openings.iter().flat_map(|(statement, _)| IssuerTrust::of(std::slice::from_ref(*statement)));
    let mut issuers: Vec<Value> = trusts.map(|trust| issuer(role, &trust)).collect();
    issuers.dedup();
    let associated: Vec<String> = role.associated_service_accounts().take(SHOWN).map(|account| ServiceAccount::path(&account)).collect();
    json!({"AssumeRolePolicyDocument": {"Statement": raw}, "issuers": issuers, "podIdentityAssociations": associated})
}

fn issuer(role: Node<'_, Role>, trust: &IssuerTrust<'_>) -> Value {
    let cluster = role.estate().cluster_of_issuer(role.account(), trust.issuer).found();
    let subjects = match &trust.subjects {
        Subjects::Any => Value::Null,
        Subjects::Listed(list) => list.iter().map(Subject::to_string).collect(),
    };
    json!({
        "issuer": trust.issuer,
        "cluster": cluster.map(|cluster| cluster.data().arn.as_str()),
        "sub": subjects,
        "audIsSts": trust.asks_audience,
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, policy, trust};
    use plimsoll_model::aws::eks::{Cluster, Identity, Oidc};
    use plimsoll_model::aws::iam::Role;
    use plimsoll_model::policy::PolicyDocument;
    use plimsoll_model::{Confidence, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    const ISSUER: &str = "oidc.eks.us-east-1.amazonaws.com/id/A1";

    fn cluster() -> Fixture {
        let issuer = Some(format!("https://{ISSUER}"));
        fixture().eks_cluster("k", |cluster| cluster.identity = Some(Identity { oidc: Some(Oidc { issuer }) }))
    }

    /// A cluster, and role `web` that trusts its issuer for these subjects and STS as audience.
    fn trusting(operator: &str, subject: Option<&str>) -> Fixture {
        let mut condition = json!({"StringEquals": {format!("{ISSUER}:aud"): "sts.amazonaws.com"}});
        if let Some(subject) = subject {
            condition[operator][format!("{ISSUER}:sub")] = json!(subject);
        }
        with_condition(&condition)
    }

    fn with_condition(condition: &Value) -> Fixture {
        let document = policy(json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition,
            "Principal": {"Federated": format!("arn:aws:iam::111111111111:oidc-provider/{ISSUER}")}}]}));
        cluster().role("web", |role| role.assume_role_policy_document = Some(document))
    }

    fn outcome_of(operator: &str, subject: Option<&str>) -> Outcome {
        outcome(&CHECK, trusting(operator, subject))
    }

    #[test]
    fn passes_when_one_service_account_is_named() {
        assert_eq!(outcome_of("StringEquals", Some("system:serviceaccount:shop:api")), Pass);
        assert_eq!(outcome_of("StringLike", Some("system:serviceaccount:shop:api")), Pass);
    }

    #[test]
    fn is_critical_without_a_condition_on_the_subject() {
        let found = findings(&CHECK, trusting("StringEquals", None));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::Critical, Confidence::Certain));
        let message = "the trust policy of role web asks for no subject, so that every service account of the cluster takes it";
        assert_eq!(found[0].message, message);
        assert_eq!(found[0].evidence["issuers"][0]["sub"], Value::Null);
        assert_eq!(outcome_of("StringNotEquals", Some("system:serviceaccount:shop:api")), Fail(Severity::Critical));
    }

    #[test]
    fn a_wildcard_weighs_as_much_as_it_admits() {
        assert_eq!(outcome_of("StringLike", Some("system:serviceaccount:*:*")), Fail(Severity::High));
        assert_eq!(outcome_of("StringLike", Some("system:serviceaccount:team-*:api")), Fail(Severity::High));
        assert_eq!(outcome_of("StringLike", Some("system:serviceaccount:shop:*")), Fail(Severity::Medium));
        assert_eq!(outcome_of("StringEquals", Some("system:serviceaccount:*:*")), Pass);
    }

    #[test]
    fn is_low_without_the_audience() {
        let condition = json!({"StringEquals": {format!("{ISSUER}:sub"): "system:serviceaccount:shop:api"}});
        assert_eq!(outcome(&CHECK, with_condition(&condition)), Fail(Severity::Low));
    }

    #[test]
    fn an_issuer_without_a_cluster_fails() {
        let named = || trusting("StringEquals", Some("system:serviceaccount:shop:api"));
        let found = findings(&CHECK, named().without::<Cluster>());
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Possible));
        let deleting = |cluster: &mut Cluster| "DELETING".clone_into(&mut cluster.status);
        assert_eq!(outcome(&CHECK, named().each(deleting)), NotApplicable);
        let untold = |cluster: &mut Cluster| cluster.identity = None;
        assert_eq!(outcome(&CHECK, named().each(untold)), Unknown);
        assert_eq!(outcome(&CHECK, trusting("StringEquals", None).each(untold)), Fail(Severity::Critical));
    }

    #[test]
    fn pod_identity_without_conditions_is_low() {
        let open = |condition: Value| {
            policy(json!({"Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Condition": condition,
                "Principal": {"Service": "pods.eks.amazonaws.com"}}]}))
        };
        let account = |document: PolicyDocument| cluster().role("web", |role| role.assume_role_policy_document = Some(document));
        assert_eq!(outcome(&CHECK, account(open(json!({})))), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, account(trust("pods.eks.amazonaws.com"))), Pass);
        for key in ["aws:RequestTag/kubernetes-namespace", "aws:RequestTag/eks-cluster-arn", "aws:SourceAccount"] {
            assert_eq!(outcome(&CHECK, account(open(json!({"StringEquals": {key: "x"}})))), Pass, "{key}");
            assert_eq!(outcome(&CHECK, account(open(json!({"StringLike": {key: "*"}})))), Fail(Severity::Low), "{key}");
        }
        assert_eq!(outcome(&CHECK, account(open(json!({}))).without::<Cluster>()), NotApplicable);
    }

    #[test]
    fn does_not_apply_to_other_roles() {
        assert_eq!(outcome(&CHECK, cluster().role("web", |_| {})), NotApplicable);
        let github = policy(json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"}}]}));
        assert_eq!(outcome(&CHECK, cluster().role("ci", |role| role.assume_role_policy_document = Some(github))), NotApplicable);
    }

    #[test]
    fn is_unknown_when_clusters_roles_or_their_trust_were_not_readable() {
        let named = || trusting("StringEquals", Some("system:serviceaccount:shop:api"));
        for operation in ["eks:ListClusters", "iam:GetAccountAuthorizationDetails"] {
            assert_eq!(outcome(&CHECK, named().denied(operation)), Unknown, "{operation}");
        }
        assert_eq!(outcome(&CHECK, named().without::<Cluster>().denied("eks:ListClusters")), Unknown);
        let malformed = |role: &mut Role| role.assume_role_policy_document = None;
        assert_eq!(outcome(&CHECK, named().each(malformed)), Unknown);
    }
}
