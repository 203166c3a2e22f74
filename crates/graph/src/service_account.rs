//! Which service accounts of Kubernetes take which roles. Trust policies (IAM roles for service accounts) and associations
//! (EKS Pod Identity) flow in; statements by issuer, and service accounts of clusters flow out.

use plimsoll_model::aws::eks::{Cluster, PodIdentityAssociation};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::policy::Statement;
use plimsoll_model::{AccountId, Gap, Region, Resource};

use crate::{Estate, Link, Missing, Node, Unknown};

/// What the issuers of EKS clusters begin with; the Region follows.
const ISSUERS: [&str; 2] = ["oidc.eks.", "oidc-eks."];
/// What the subject of a token of a service account begins with; namespace and name follow.
const SUBJECT: &str = "system:serviceaccount:";
/// The audience of the tokens that pods take to STS.
const AUDIENCES: [&str; 2] = ["sts.amazonaws.com", "sts.amazonaws.com.cn"];

/// A statement that lets service accounts take a role with tokens of one issuer.
#[derive(Clone, Debug)]
pub struct IssuerTrust<'s> {
    /// The statement.
    pub statement: &'s Statement<'s>,
    /// The issuer, without `https://`.
    pub issuer: &'s str,
    /// Whom its condition on the subject admits.
    pub subjects: Subjects<'s>,
    /// Whether a condition asks for tokens that are made for STS.
    pub asks_audience: bool,
}

/// Whom a condition on the subject of a token admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subjects<'s> {
    /// Everybody: there is no such condition.
    Any,
    /// These.
    Listed(Vec<Subject<'s>>),
}

/// A service account that a condition admits, or several by a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject<'s> {
    /// The namespace; `None` for more than one.
    pub namespace: Option<&'s str>,
    /// The name; `None` for more than one.
    pub name: Option<&'s str>,
}

/// A service account, or those of a namespace or of the whole cluster, that may take a role.
#[derive(Clone, Debug)]
pub struct ServiceAccount<'e> {
    /// The cluster.
    pub cluster: Node<'e, Cluster>,
    /// The namespace; `None` for more than one.
    pub namespace: Option<String>,
    /// The name; `None` for more than one.
    pub name: Option<String>,
    /// The association that gives it the role; `None` where the trust policy admits it.
    pub association: Option<Node<'e, PodIdentityAssociation>>,
}

impl<'s> IssuerTrust<'s> {
    /// The statements of a trust policy that let service accounts of EKS in, once for each issuer.
    pub fn of(statements: &'s [Statement<'s>]) -> impl Iterator<Item = Self> {
        let admitting = statements.iter().filter(|s| s.allows && s.covers_action("sts:AssumeRoleWithWebIdentity"));
        admitting.flat_map(|statement| {
            let providers = statement.principals.iter().flat_map(|principals| &principals.federated);
            let issuers = providers.filter_map(|provider| provider.split_once(":oidc-provider/").map(|(_, issuer)| issuer));
            issuers.filter(|issuer| region_of(issuer).is_some()).map(move |issuer| Self {
                statement,
                issuer,
                subjects: subjects(statement, issuer),
                asks_audience: asks_audience(statement, issuer),
            })
        })
    }
}

impl Subjects<'_> {
    /// Whether a condition of `admitted` is the wider one.
    fn width(&self) -> usize {
        match self {
            Self::Any => 4,
            Self::Listed(list) => {
                list.iter().map(|one| 1 + usize::from(one.name.is_none()) + usize::from(one.namespace.is_none())).max().unwrap_or(0)
            }
        }
    }
}

/// All conditions have to hold: the narrowest tells.
fn subjects<'s>(statement: &'s Statement<'_>, issuer: &str) -> Subjects<'s> {
    let conditions = on_claim(statement, issuer, "sub").filter_map(|(operator, values)| {
        let pattern = match operator {
            "stringequals" | "stringequalsignorecase" => false,
            "stringlike" => true,
            _ => return None,
        };
        Some(Subjects::Listed(values.iter().filter_map(|value| Subject::of(value, pattern)).collect()))
    });
    conditions.min_by_key(Subjects::width).unwrap_or(Subjects::Any)
}

fn asks_audience(statement: &Statement<'_>, issuer: &str) -> bool {
    on_claim(statement, issuer, "aud").any(|(operator, values)| {
        matches!(operator, "stringequals" | "stringequalsignorecase" | "stringlike")
            && !values.is_empty()
            && values.iter().all(|value| AUDIENCES.contains(&value.as_str()))
    })
}

/// The conditions on a claim of a token: operator in lower case without set and `IfExists`, as every token has the claims.
fn on_claim<'s>(statement: &'s Statement<'_>, issuer: &str, claim: &str) -> impl Iterator<Item = (&'static str, &'s [String])> {
    let key = format!("{issuer}:{claim}");
    statement.conditions.iter().filter(move |(_, name, _)| name.eq_ignore_ascii_case(&key)).filter_map(|(operator, _, values)| {
        let operator = operator.to_ascii_lowercase();
        let operator = operator.rsplit(':').next().unwrap_or_default();
        let operator = operator.strip_suffix("ifexists").unwrap_or(operator);
        let known = ["stringequals", "stringequalsignorecase", "stringlike"].into_iter().find(|known| *known == operator);
        known.map(|operator| (operator, values.as_slice()))
    })
}

impl<'s> Subject<'s> {
    /// Reads a value of a condition; `None` for one that no service account matches.
    fn of(value: &'s str, is_pattern: bool) -> Option<Self> {
        let is_wild = |text: &str| is_pattern && text.contains(['*', '?']);
        let all = Self { namespace: None, name: None };
        match value.strip_prefix(SUBJECT).map(|rest| (rest, rest.split_once(':'))) {
            Some((_, Some((namespace, _)))) if is_wild(namespace) => Some(all),
            Some((_, Some((namespace, name)))) => Some(Self { namespace: Some(namespace), name: (!is_wild(name)).then_some(name) }),
            // A star may stand for a colon too.
            Some((rest, None)) => is_wild(rest).then_some(all),
            None => is_wild(value).then_some(all),
        }
    }
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SUBJECT}{}:{}", self.namespace.unwrap_or("*"), self.name.unwrap_or("*"))
    }
}

/// The Region of an issuer of EKS.
fn region_of(issuer: &str) -> Option<&str> {
    let rest = ISSUERS.iter().find_map(|prefix| issuer.strip_prefix(prefix))?;
    rest.split('.').next().filter(|region| !region.is_empty())
}

impl Estate<'_> {
    /// The cluster with this issuer, as a role of this account trusts it. A cluster of another account is found when that
    /// was scanned; that there is none is known of the account itself only.
    pub fn cluster_of_issuer(&self, account: &AccountId, issuer: &str) -> Link<'_, Cluster> {
        if let Some(cluster) = self.kubernetes.issuers.get(issuer).and_then(|&position| self.at(position)) {
            return Link::Found(cluster);
        }
        let reference = issuer.to_owned();
        let region = Region::new(region_of(issuer).unwrap_or_default());
        let coverage = self.coverage();
        if !self.is_scanned(account, &region) {
            return Link::Missing(Missing::OutOfScope { reference });
        }
        let here = |gap: &&Gap| gap.account == *account && gap.region == region;
        let undescribed = || coverage.undescribed(Cluster::OPERATION).find(here).cloned();
        let silent = || self.all::<Cluster>().find(|one| one.account() == account && *one.region() == region && one.issuer().is_none());
        let gap = coverage.check(account, &region, "eks:ListClusters").err().or_else(undescribed).or_else(|| {
            silent().map(|cluster| Gap {
                account: account.clone(),
                region: region.clone(),
                operation: Cluster::OPERATION.to_owned(),
                code: Gap::INCONCLUSIVE.to_owned(),
                message: format!("cluster {} does not tell its issuer", cluster.name()),
                resource: Some(cluster.data().arn.clone()),
            })
        });
        Link::Missing(gap.map_or_else(
            || Missing::NotFound { reference: reference.clone() },
            |gap| Missing::Unseen { reference: reference.clone(), gap },
        ))
    }
}

impl<'e> Node<'e, Role> {
    /// The service accounts of clusters that are up which take it: by association with EKS Pod Identity, and as far as its
    /// trust policy admits them. Which service accounts carry its name as annotation stands inside the clusters.
    pub fn service_accounts(self) -> Result<Vec<ServiceAccount<'e>>, Unknown> {
        let mut found: Vec<ServiceAccount<'e>> = self.associated_service_accounts().collect();
        let statements = self.assume_statements()?;
        for trust in IssuerTrust::of(&statements) {
            // No cluster, no service account; one that was not read gives none that could be named.
            let Some(cluster) = self.estate.cluster_of_issuer(self.account(), trust.issuer).found().filter(|cluster| cluster.is_up())
            else {
                continue;
            };
            let admitted = |one: Subject<'_>| ServiceAccount {
                cluster,
                namespace: one.namespace.map(str::to_owned),
                name: one.name.map(str::to_owned),
                association: None,
            };
            match trust.subjects {
                Subjects::Any => found.push(admitted(Subject { namespace: None, name: None })),
                Subjects::Listed(list) => found.extend(list.into_iter().map(admitted)),
            }
        }
        Ok(found)
    }

    /// Those of them that EKS Pod Identity associates with it.
    pub fn associated_service_accounts(self) -> impl Iterator<Item = ServiceAccount<'e>> {
        self.estate.service_accounts_with(&self.data().arn).filter_map(|association| {
            let cluster = association.cluster().filter(|cluster| cluster.is_up())?;
            let (namespace, name) = (association.data().namespace.clone(), association.data().service_account.clone());
            Some(ServiceAccount { cluster, namespace: Some(namespace), name: Some(name), association: Some(association) })
        })
    }
}

impl ServiceAccount<'_> {
    /// Cluster, namespace and name: `shop/web/api`, with a star for any.
    pub fn path(&self) -> String {
        let (namespace, name) = (self.namespace.as_deref().unwrap_or("*"), self.name.as_deref().unwrap_or("*"));
        format!("{}/{namespace}/{name}", self.cluster.name())
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, role_arn};
    use plimsoll_model::aws::eks::{Cluster, Identity, Oidc, PodIdentityAssociation};
    use plimsoll_model::aws::iam::Role;
    use plimsoll_model::policy::PolicyDocument;
    use plimsoll_model::{AccountId, Gap};
    use serde_json::{Value, json};

    use super::{IssuerTrust, Subject, Subjects};
    use crate::{Estate, Link, Missing};

    const ISSUER: &str = "oidc.eks.us-east-1.amazonaws.com/id/A1";

    fn trusting(condition: &Value) -> PolicyDocument {
        PolicyDocument(json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition,
            "Principal": {"Federated": format!("arn:aws:iam::111111111111:oidc-provider/{ISSUER}")}}}))
    }

    fn sub(operator: &str, values: &Value) -> Value {
        json!({operator: {format!("{ISSUER}:sub"): values}})
    }

    fn admitted(condition: &Value, expected: &Subjects<'_>) {
        let document = trusting(condition);
        let statements = document.statements().unwrap();
        let trusts: Vec<_> = IssuerTrust::of(&statements).collect();
        assert_eq!((trusts.len(), trusts[0].issuer), (1, ISSUER));
        assert_eq!(&trusts[0].subjects, expected, "{condition}");
    }

    fn only<'s>(namespace: Option<&'s str>, name: Option<&'s str>) -> Subjects<'s> {
        Subjects::Listed(vec![Subject { namespace, name }])
    }

    #[test]
    fn conditions_on_the_subject_admit_one_some_or_all() {
        admitted(&json!({}), &Subjects::Any);
        admitted(&sub("StringEquals", &json!("system:serviceaccount:shop:api")), &only(Some("shop"), Some("api")));
        admitted(&sub("ForAnyValue:StringEqualsIfExists", &json!("system:serviceaccount:shop:api")), &only(Some("shop"), Some("api")));
        admitted(&sub("StringLike", &json!(["system:serviceaccount:shop:*"])), &only(Some("shop"), None));
        for all in ["*", "system:serviceaccount:*", "system:serviceaccount:*:*", "system:serviceaccount:team-?:api"] {
            admitted(&sub("StringLike", &json!(all)), &only(None, None));
        }
        // To StringEquals a star is a letter, and no namespace has one.
        admitted(&sub("StringEquals", &json!("system:serviceaccount:shop:*")), &only(Some("shop"), Some("*")));
        admitted(&sub("StringEquals", &json!("repo:shop/web")), &Subjects::Listed(Vec::new()));
        admitted(&sub("StringNotLike", &json!("system:serviceaccount:shop:*")), &Subjects::Any);
        let mut both = sub("StringLike", &json!("system:serviceaccount:*:*"));
        both["StringEquals"] = json!({format!("{ISSUER}:sub"): "system:serviceaccount:shop:api"});
        admitted(&both, &only(Some("shop"), Some("api")));
    }

    #[test]
    fn a_condition_on_the_audience_names_sts() {
        let asks = |condition: &Value| {
            let document = trusting(condition);
            let statements = document.statements().unwrap();
            IssuerTrust::of(&statements).all(|trust| trust.asks_audience)
        };
        let aud = |values: &Value| json!({"StringEquals": {format!("{ISSUER}:AUD"): values}});
        assert!(asks(&aud(&json!("sts.amazonaws.com"))));
        assert!(!asks(&aud(&json!(["sts.amazonaws.com", "vault"]))));
        assert!(!asks(&json!({})));
    }

    fn cluster(issuer: Option<&str>) -> Fixture {
        let issuer = issuer.map(|issuer| format!("https://{issuer}"));
        fixture().eks_cluster("k", |cluster| cluster.identity = Some(Identity { oidc: Some(Oidc { issuer }) }))
    }

    #[test]
    fn a_cluster_is_found_by_its_issuer_or_known_not_to_exist() {
        let link = |account: Fixture, issuer: &str| {
            let inventory = account.build();
            let estate = Estate::new(&inventory);
            match estate.cluster_of_issuer(&AccountId::new("111111111111"), issuer) {
                Link::Found(cluster) => cluster.name().to_owned(),
                Link::Missing(Missing::NotFound { .. }) => "none".to_owned(),
                Link::Missing(Missing::Unseen { gap, .. }) => gap.operation,
                Link::Missing(Missing::OutOfScope { .. }) => "elsewhere".to_owned(),
            }
        };
        assert_eq!(link(cluster(Some(ISSUER)), ISSUER), "k");
        assert_eq!(link(cluster(Some("oidc.eks.us-east-1.amazonaws.com/id/B2")), ISSUER), "none");
        assert_eq!(link(cluster(None), ISSUER), "eks:DescribeCluster");
        assert_eq!(link(fixture().denied("eks:ListClusters"), ISSUER), "eks:ListClusters");
        let gap = Gap { resource: Some("arn:aws:eks:us-east-1:111111111111:cluster/x".to_owned()), ..gap("eks:DescribeCluster") };
        assert_eq!(link(fixture().with(|inventory| inventory.gaps.push(gap)), ISSUER), "eks:DescribeCluster");
        assert_eq!(link(fixture(), "oidc.eks.eu-west-3.amazonaws.com/id/A1"), "elsewhere");
    }

    #[test]
    fn service_accounts_take_a_role_by_association_and_by_trust() {
        let association = PodIdentityAssociation {
            association_arn: "a".to_owned(),
            cluster_name: "k".to_owned(),
            namespace: "jobs".to_owned(),
            service_account: "nightly".to_owned(),
            role_arn: role_arn("first"),
            target_role_arn: Some(role_arn("web")),
            ..Default::default()
        };
        let document = trusting(&sub("StringEquals", &json!("system:serviceaccount:shop:api")));
        let account = cluster(Some(ISSUER)).resource(association).role("web", |role| role.assume_role_policy_document = Some(document));
        let paths = |account: Fixture| {
            let inventory = account.build();
            let estate = Estate::new(&inventory);
            let role = estate.all::<Role>().next().unwrap();
            role.service_accounts().map(|accounts| accounts.iter().map(super::ServiceAccount::path).collect::<Vec<_>>()).ok()
        };
        assert_eq!(paths(account.clone()), Some(vec!["k/jobs/nightly".to_owned(), "k/shop/api".to_owned()]));
        assert_eq!(paths(account.clone().each(|cluster: &mut Cluster| "DELETING".clone_into(&mut cluster.status))), Some(Vec::new()));
        let malformed = |role: &mut Role| role.assume_role_policy_document = Some(PolicyDocument::from_text("oops"));
        assert_eq!(paths(account.each(malformed)), None);
    }
}
