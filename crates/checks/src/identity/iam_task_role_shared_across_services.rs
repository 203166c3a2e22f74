//! Reads who uses each task role: ACTIVE services by family, instance profiles, and what else its trust policy admits.
//! Yields one verdict per role that task definitions in scope or overrides of RUNNING tasks name.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Link, Missing, Node, Unknown};
use plimsoll_model::aws::ecs::{Service, TaskDefinition};
use plimsoll_model::aws::iam::{InstanceProfile, Role};
use plimsoll_model::{AccountId, Gap, Resource, Severity};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{counted, listed};

pub(crate) const CHECK: Check = Check {
    id: "iam-task-role-shared-across-services",
    title: "Several services share one task role",
    severity: Severity::Medium,
    resource: "AWS::IAM::Role",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Shared },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "eks:ListPodIdentityAssociations",
        "eks:DescribePodIdentityAssociation",
        "eks:ListClusters",
        "iam:GetAccountAuthorizationDetails",
    ],
    shades: &[],
    compliance: &[nist("AC-6"), pci("7.2.5?"), pci("8.6.1?"), cis_eks("5.2.1?")],
    fails_when: "The role is taskRoleArn of ACTIVE services of two or more families, or of an ECS service and a Lambda \
                 function, EC2 profile or EKS service account. Low when all users have the same owner tag. Revisions of \
                 one family, and blue/green pairs of one application tag, count once.",
    why: "Each service has the rights that any of them needs, so a break-in into one reaches the data of all, and the trail \
          cannot tell them apart.",
    remediation: Remediation {
        text: "Give each service its own role.",
        cli: "aws iam create-role --role-name SERVICE-task --assume-role-policy-document file://trust.json",
    },
    evaluate,
};

/// The service that runs functions with a role.
const LAMBDA: &str = "lambda.amazonaws.com";
/// Part of the names of the OIDC providers of EKS clusters.
const CLUSTER_PROVIDER: &str = "oidc.eks.";
/// Evidence names at most this many services and tasks.
const SHOWN: usize = 10;

/// Users of one role.
struct Use<'e> {
    role: Node<'e, Role>,
    // Each with the family of the definition that names the role.
    services: Vec<(Node<'e, Service>, &'e str)>,
    // RUNNING tasks that were started with it.
    tasks: Vec<&'e str>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let in_scope: FxHashSet<u32> = estate.definitions_in_scope().map(|definition| definition.index()).collect();
    let mut started: FxHashMap<u32, Vec<&str>> = FxHashMap::default();
    for task in estate.running_tasks() {
        if let Some(Link::Found(role)) = task.task_role_override() {
            started.entry(role.index()).or_default().push(task.data().task_arn.as_str());
        }
    }
    let profiles = profiles(estate);
    let unread = unread(estate);
    for role in estate.all::<Role>() {
        let mut one = Use { role, services: Vec::new(), tasks: started.remove(&role.index()).unwrap_or_default() };
        let mut named = !one.tasks.is_empty();
        for definition in role.definitions_as_task_role().filter(|definition| in_scope.contains(&definition.index())) {
            named = true;
            let family = definition.data().family.as_str();
            one.services.extend(definition.services().filter(|service| is_active(*service)).map(|service| (service, family)));
        }
        if named {
            let of_role = profiles.get(role.data().arn.as_str()).map(Vec::as_slice).unwrap_or_default();
            verdicts.judge(role, judge(&one, of_role, unread.get(role.account())));
        }
    }
}

fn is_active(service: Node<'_, Service>) -> bool {
    service.status == "ACTIVE" && service.cluster().found().is_none_or(|cluster| cluster.status == "ACTIVE")
}

/// Accounts with an ACTIVE service whose definition, and so whose role, was not read.
fn unread<'e>(estate: &'e Estate<'e>) -> BTreeMap<&'e AccountId, Gap> {
    let mut unread = BTreeMap::new();
    if estate.inventory().gaps.iter().all(|gap| gap.operation != TaskDefinition::OPERATION) {
        return unread;
    }
    for service in estate.active_services() {
        for definition in service.task_definitions() {
            if let Link::Missing(Missing::Unseen { gap, .. }) = definition {
                unread.entry(service.account()).or_insert(gap);
            }
        }
    }
    unread
}

/// ARNs of instance profiles by the ARN of their role.
fn profiles<'e>(estate: &'e Estate<'e>) -> FxHashMap<&'e str, Vec<&'e str>> {
    let mut profiles: FxHashMap<&str, Vec<&str>> = FxHashMap::default();
    for profile in estate.all::<InstanceProfile>() {
        for role in &profile.data().roles {
            profiles.entry(role.arn.as_str()).or_default().push(profile.data().arn.as_str());
        }
    }
    profiles
}

fn judge(one: &Use<'_>, profiles: &[&str], unread: Option<&Gap>) -> Judgement {
    let families = families(&one.services);
    let accounts = service_accounts(one.role);
    let others = !profiles.is_empty() || !accounts.is_empty();
    let shared = families.len() > 1 || (!families.is_empty() && others);
    let admitted = if families.is_empty() { Ok(Vec::new()) } else { admitted(one.role) };
    if !shared && admitted.as_ref().is_ok_and(Vec::is_empty) {
        return unread.map_or(Ok(Verdict::Pass), |gap| Err(gap.into()));
    }
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(_) if shared => Vec::new(),
        Err(unknown) => return Err(unknown),
    };
    let of_families = match families.as_slice() {
        [only] => format!("family {only}"),
        several => format!("{} families ({})", several.len(), listed(several)),
    };
    let others = match (profiles, accounts.as_slice(), shared) {
        ([], [], true) => String::new(),
        ([], [], false) => format!(", and its trust policy admits {}, whose use of it was not read", listed(&admitted)),
        ([], accounts, _) => format!(" and the role of {}", counted("service account", accounts)),
        (_, _, _) => format!(" and the role of instance profile {}", listed(profiles)),
    };
    let message = format!("role {} is the task role of services of {of_families}{others}", one.role.name());
    let failure = fail(message, evidence(one, &families, profiles, &accounts, &admitted));
    let failure = if shared { failure } else { failure.possible() };
    let one_owner = profiles.is_empty() && accounts.is_empty() && admitted.is_empty() && has_one_owner(&one.services);
    if one_owner { failure.severity(Severity::Low).verdict() } else { failure.verdict() }
}

/// The families that count: revisions of a family once, a blue and a green family of one application once.
fn families<'e>(services: &[(Node<'e, Service>, &'e str)]) -> Vec<&'e str> {
    if let [(_, only)] = services {
        return vec![only];
    }
    let mut names = BTreeSet::new();
    let mut pairs = BTreeSet::new();
    for (service, family) in services {
        let pair = service
            .tag(&service.estate().thresholds().application_tag)
            .and_then(|application| Some((application, without_colour(family)?)));
        if pair.is_none_or(|pair| pairs.insert(pair)) {
            names.insert(*family);
        }
    }
    names.into_iter().collect()
}

/// `shop` for `shop-blue` and `shop_green`; `None` for a name without colour.
fn without_colour(family: &str) -> Option<String> {
    let is_colour = |part: &str| part.eq_ignore_ascii_case("blue") || part.eq_ignore_ascii_case("green");
    let parts = || family.split(['-', '_']);
    parts().any(is_colour).then(|| parts().filter(|part| !is_colour(part)).collect::<Vec<_>>().join("-"))
}

/// Service accounts of Kubernetes that EKS Pod Identity gives the role, as cluster, namespace and name.
fn service_accounts(role: Node<'_, Role>) -> Vec<String> {
    let associations = role.estate().service_accounts_with(&role.data().arn);
    associations.map(|one| format!("{}/{}/{}", one.cluster_name, one.namespace, one.service_account)).collect()
}

/// What else may take the role by its trust policy: Lambda functions and service accounts of EKS, but for those that
/// Pod Identity names.
fn admitted(role: Node<'_, Role>) -> Result<Vec<&'static str>, Unknown> {
    // Most trust policies name neither, and need no reading.
    if role.data().assume_role_policy_document.as_ref().is_some_and(|document| document.0.is_object() && !mentions(&document.0)) {
        return Ok(Vec::new());
    }
    let statements = role.trust_statements()?;
    let principals = || statements.iter().filter(|statement| statement.allows).filter_map(|statement| statement.principals.as_ref());
    let service = |name: &str| principals().any(|principals| principals.service.iter().any(|service| service == name));
    let cluster = || principals().any(|principals| principals.federated.iter().any(|provider| provider.contains(CLUSTER_PROVIDER)));
    let mut admitted = Vec::new();
    if service(LAMBDA) {
        admitted.push("Lambda functions");
    }
    if cluster() {
        admitted.push("EKS service accounts");
    }
    Ok(admitted)
}

fn mentions(document: &Value) -> bool {
    match document {
        Value::String(text) => text == LAMBDA || text.contains(CLUSTER_PROVIDER),
        Value::Array(items) => items.iter().any(mentions),
        Value::Object(fields) => fields.values().any(mentions),
        _ => false,
    }
}

fn has_one_owner(services: &[(Node<'_, Service>, &str)]) -> bool {
    let mut owners = services.iter().map(|(service, _)| service.tag(&service.estate().thresholds().owner_tag));
    let first = owners.next().flatten();
    first.is_some() && owners.all(|owner| owner == first)
}

fn evidence(one: &Use<'_>, families: &[&str], profiles: &[&str], accounts: &[String], admitted: &[&str]) -> Value {
    let role = one.role.data();
    let services: BTreeSet<&str> = one.services.iter().map(|(service, _)| service.data().service_arn.as_str()).collect();
    let clusters: BTreeSet<&str> = one.services.iter().map(|(service, _)| service.data().cluster_arn.as_str()).collect();
    let attached: Vec<&str> = role.attached_managed_policies.iter().map(|policy| policy.policy_arn.as_str()).collect();
    let inline: Vec<&str> = role.role_policy_list.iter().map(|policy| policy.policy_name.as_str()).collect();
    json!({
        "families": families,
        "services": services.iter().take(SHOWN).collect::<Vec<_>>(),
        "serviceCount": services.len(),
        "clusters": clusters.iter().take(SHOWN).collect::<Vec<_>>(),
        "overridingTasks": one.tasks.iter().take(SHOWN).collect::<Vec<_>>(),
        "InstanceProfiles": profiles,
        "serviceAccounts": accounts.iter().take(SHOWN).collect::<Vec<_>>(),
        "trustAdmits": admitted,
        "AttachedManagedPolicies": attached,
        "RolePolicyList": inline,
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, definition_arn, fixture, gap, role_arn, trust};
    use plimsoll_model::aws::ecs::{Service, Tag, TaskDefinition};
    use plimsoll_model::aws::eks::PodIdentityAssociation;
    use plimsoll_model::aws::iam::{InstanceProfile, InstanceProfileRole};
    use plimsoll_model::policy::PolicyDocument;
    use plimsoll_model::{Confidence, Severity};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, Outcome, Pass, Unknown, findings, outcome};

    fn shared(definition: &mut TaskDefinition) {
        definition.task_role_arn = Some(role_arn("shared"));
    }

    fn tagged(key: &'static str, value: &'static str) -> impl Fn(&mut Service) {
        move |service| {
            service.tags.retain(|tag| tag.key != key);
            service.tags.push(Tag { key: key.to_owned(), value: value.to_owned() });
        }
    }

    /// Services `a` and `b` of these families, each with its own owner, and role `shared` for both.
    fn two(first: &str, second: &str) -> Fixture {
        fixture()
            .cluster("shop", |_| {})
            .role("shared", |_| {})
            .task_definition(first, shared)
            .service("shop", first, |service| tagged("owner", "team-a")(service))
            .task_definition(second, shared)
            .service("shop", second, |service| tagged("owner", "team-b")(service))
    }

    fn one() -> Fixture {
        two("web", "api").each(|definition: &mut TaskDefinition| {
            if definition.family == "api" {
                definition.task_role_arn = None;
            }
        })
    }

    fn outcome_of(account: Fixture) -> Outcome {
        outcome(&CHECK, account)
    }

    #[test]
    fn fails_when_services_of_two_families_have_one_role() {
        let found = findings(&CHECK, two("web", "api"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Medium);
        assert_eq!(found[0].message, "role shared is the task role of services of 2 families (api and web)");
        assert_eq!(found[0].resource.arn, role_arn("shared"));
    }

    #[test]
    fn is_low_when_one_owner_has_all_services() {
        assert_eq!(outcome_of(two("web", "api").each(tagged("owner", "team-a"))), Fail(Severity::Low));
        assert_eq!(outcome_of(two("web", "api").each(|service: &mut Service| service.tags.clear())), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_one_family_uses_the_role() {
        assert_eq!(outcome_of(one()), Pass);
        let second_service = one().service("shop", "web-batch", |service| {
            service.task_definition = Some(definition_arn("web"));
            service.deployments.clear();
        });
        assert_eq!(outcome_of(second_service), Pass);
    }

    #[test]
    fn a_service_that_is_not_active_does_not_count() {
        let account = two("web", "api").each(|service: &mut Service| {
            if service.service_name == "api" {
                "DRAINING".clone_into(&mut service.status);
            }
        });
        assert_eq!(outcome_of(account), Pass);
    }

    #[test]
    fn blue_and_green_of_one_application_count_once() {
        let pair = || two("shop-blue", "shop-green");
        assert_eq!(outcome_of(pair().each(tagged("application", "shop"))), Pass);
        assert_eq!(outcome_of(pair()), Fail(Severity::Medium));
        assert_eq!(outcome_of(two("shop-web", "shop-api").each(tagged("application", "shop"))), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_an_instance_profile_has_the_role_too() {
        let role = InstanceProfileRole { arn: role_arn("shared"), role_name: "shared".to_owned() };
        let profile = InstanceProfile { arn: arn("iam", "instance-profile/hosts"), roles: vec![role], ..Default::default() };
        assert_eq!(outcome_of(one().resource(profile)), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_a_service_account_of_kubernetes_has_the_role_too() {
        let association = PodIdentityAssociation {
            association_arn: "a".to_owned(),
            cluster_name: "k".to_owned(),
            namespace: "shop".to_owned(),
            service_account: "api".to_owned(),
            role_arn: role_arn("shared"),
            ..Default::default()
        };
        let found = findings(&CHECK, one().eks_cluster("k", |_| {}).resource(association));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Medium, Confidence::Certain));
        assert!(found[0].message.ends_with("family web and the role of service account k/shop/api"), "{}", found[0].message);
    }

    #[test]
    fn trust_in_lambda_or_eks_may_mean_another_user() {
        let trusting = |document: PolicyDocument| {
            one().each(move |role: &mut plimsoll_model::aws::iam::Role| role.assume_role_policy_document = Some(document.clone()))
        };
        let found = findings(&CHECK, trusting(trust("lambda.amazonaws.com")));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Medium, Confidence::Possible));
        assert_eq!(outcome_of(trusting(trust("pods.eks.amazonaws.com"))), Pass);
        let federated = json!({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn:aws:iam::111111111111:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/A"}}]});
        assert_eq!(outcome_of(trusting(PolicyDocument(federated))), Fail(Severity::Medium));
        assert_eq!(outcome_of(trusting(trust("ec2.amazonaws.com"))), Pass);
        assert_eq!(outcome_of(trusting(PolicyDocument::from_text("oops"))), Unknown);
    }

    #[test]
    fn is_unknown_when_the_definition_of_a_service_was_not_readable() {
        let account = two("web", "api").with(|inventory| {
            inventory.task_definitions.retain(|definition| definition.data.family == "web");
            let mut gap = gap("ecs:DescribeTaskDefinition");
            gap.resource = Some(definition_arn("api"));
            inventory.gaps.push(gap);
        });
        assert_eq!(outcome_of(account), Unknown);
    }

    #[test]
    fn is_unknown_when_roles_were_not_readable() {
        assert_eq!(outcome_of(one().denied("iam:GetAccountAuthorizationDetails")), Unknown);
        assert_eq!(outcome_of(one().denied("ecs:ListServices")), Unknown);
    }

    #[test]
    fn the_configuration_names_the_tags() {
        let account = two("web", "api").each(tagged("squad", "checkout"));
        assert_eq!(outcome_of(account.clone()), Fail(Severity::Medium));
        assert_eq!(outcome_of(account.thresholds(|thresholds| "squad".clone_into(&mut thresholds.owner_tag))), Fail(Severity::Low));
        let account = two("web-blue", "web-green").each(tagged("app", "web"));
        assert_eq!(outcome_of(account.clone()), Fail(Severity::Medium));
        assert_eq!(outcome_of(account.thresholds(|thresholds| "app".clone_into(&mut thresholds.application_tag))), Pass);
    }
}
