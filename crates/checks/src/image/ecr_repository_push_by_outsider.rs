//! Reads the policies of each private repository and of its registry, evaluated for accounts outside the organization, and
//! who in the own account may push. Yields one verdict per repository; a failure names the outsiders, or how many push.

use std::collections::BTreeMap;

use plimsoll_graph::{Admitted, Estate, Member, Node, Outside, Unknown};
use plimsoll_model::aws::ecr::Repository;
use plimsoll_model::{AccountId, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist};
use crate::engine::Verdicts;
use crate::policies::{admitted_evidence, admitted_told, letting_in, named_statements};
use crate::reading::{listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecr-repository-push-by-outsider",
    title: "Outside account or wide group may push or replace images",
    severity: Severity::High,
    resource: "AWS::ECR::Repository",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecr:DescribeRepositories",
        "ecr:GetRepositoryPolicy",
        "ecr:GetRegistryPolicy",
        "iam:GetAccountAuthorizationDetails",
        "organizations:DescribeOrganization",
    ],
    // Only repositories whose policies name another account or an organization are unknown without it.
    shades: &["organizations:DescribeOrganization"],
    compliance: &[cis_eks("5.1.2"), nist("AC-3"), nist("AC-6"), nist("SI-7?")],
    fails_when: "Repository policy allows ecr:PutImage, InitiateLayerUpload, CompleteLayerUpload or ecr:* to an account \
                 outside the organization and allow-list; or the registry policy allows ecr:ReplicateImage, \
                 ecr:CreateRepository or ecr:BatchImportUpstreamImage to such an account or to \"*\". Medium: more than \
                 10 non-admin principals of the own account, pipelines aside, may push by identity policy.",
    why: "Whoever pushes an image decides what the containers run with their roles and data, from the next start of a task on.",
    remediation: Remediation {
        text: "Limit push to the role of the build pipeline.",
        cli: "aws ecr set-repository-policy --repository-name REPO --policy-text file://policy.json",
    },
    evaluate,
};

const PUSH: [&str; 3] = ["ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload"];
const FILL: [&str; 3] = ["ecr:ReplicateImage", "ecr:CreateRepository", "ecr:BatchImportUpstreamImage"];
/// The last step of a push.
const PUT: &str = "ecr:PutImage";

/// How many principals of the own account may push.
enum Pushers {
    Some(usize),
    Unread(Unknown),
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut by_account: BTreeMap<&AccountId, Vec<Node<'e, Repository>>> = BTreeMap::new();
    for repository in estate.all::<Repository>() {
        by_account.entry(repository.account()).or_default().push(repository);
    }
    for (account, repositories) in by_account {
        let pushers = pushers(estate, account, &repositories);
        for (repository, pushers) in repositories.into_iter().zip(pushers) {
            verdicts.judge(repository, judge(repository, &pushers));
        }
    }
}

/// For each of these repositories, all of one account.
fn pushers(estate: &Estate<'_>, account: &AccountId, repositories: &[Node<'_, Repository>]) -> Vec<Pushers> {
    let most = estate.thresholds().push_principals as usize;
    let mut unread: Vec<Unknown> = Vec::new();
    let mut ordinary: Vec<Member<'_>> = Vec::new();
    for member in estate.members().filter(|member| member.principal().account() == account) {
        let principal = member.principal();
        if estate.thresholds().is_pipeline_role(principal.arn(), principal.tags()) {
            continue;
        }
        match member.is_administrator() {
            Ok(true) => {}
            Ok(false) => ordinary.push(member),
            Err(unknown) => unread.push(unknown),
        }
    }
    // A policy of a repository adds those that it names; without one, those whose own policies grant it are all.
    let granted: Vec<Member<'_>> = ordinary.iter().copied().filter(|member| member.is_granted(PUT)).collect();
    let adds = |repository: &Node<'_, Repository>| {
        let policy = repository.data().policy.known().ok().and_then(Option::as_ref);
        let statements = policy.and_then(|policy| policy.statements().ok()).unwrap_or_default();
        statements.iter().any(|statement| statement.allows && statement.covers_action(PUT))
    };
    let mut counts: Vec<usize> = vec![0; repositories.len()];
    for adding in [true, false] {
        let members = if adding { &ordinary } else { &granted };
        if members.len() <= most {
            continue;
        }
        let (places, asked): (Vec<usize>, Vec<Node<'_, Repository>>) = repositories
            .iter()
            .enumerate()
            .filter(|(_, repository)| adds(repository) == adding)
            .map(|(place, node)| (place, *node))
            .unzip();
        for (place, count) in places.into_iter().zip(estate.count_who_may(members, PUT, &asked)) {
            if let Some(slot) = counts.get_mut(place) {
                *slot = count;
            }
        }
    }
    let short = |count: usize| count <= most && count + unread.len() > most;
    let answer = |count: usize| match unread.first() {
        Some(unknown) if short(count) => Pushers::Unread(unknown.clone()),
        _ => Pushers::Some(count),
    };
    counts.into_iter().map(answer).collect()
}

fn judge(repository: Node<'_, Repository>, pushers: &Pushers) -> Judgement {
    let estate = repository.estate();
    let by_repository = repository.outsiders(&PUSH);
    let registry = estate.registry(repository.account(), repository.region());
    // Every account has a registry in every Region; it is missing where nothing was read.
    let unread = || undecided(repository, "ecr:GetRegistryPolicy", "NotAnswered", "the registry of the repository was not read");
    let by_registry = registry.ok_or_else(unread).and_then(|registry| registry.outsiders(&repository.data().repository_arn, &FILL));
    let found = |outside: &Result<Outside, Unknown>| -> Vec<Admitted> {
        outside.as_ref().map(|outside| outside.admitted.clone()).unwrap_or_default()
    };
    let (pushing, filling) = (found(&by_repository), found(&by_registry));
    if !pushing.is_empty() || !filling.is_empty() {
        let told: Vec<String> = pushing
            .iter()
            .map(admitted_told)
            .chain(filling.iter().map(|admitted| format!("{} by the policy of the registry", admitted_told(admitted))))
            .collect();
        let all = || pushing.iter().chain(&filling);
        let of_repository = repository.data().policy.known().ok().and_then(Option::as_ref);
        let of_registry = registry.and_then(|registry| registry.data().policy.known().ok().and_then(Option::as_ref));
        let evidence = json!({
            "repositoryArn": repository.data().repository_arn,
            "principals": admitted_evidence(all()),
            "repositoryPolicy": {"Statement": named_statements(of_repository, &letting_in(pushing.iter()))},
            "registryPolicy": {"Statement": named_statements(of_registry, &letting_in(filling.iter()))},
        });
        let failure = fail(format!("in repository {} {}", repository.name(), listed(&told)), evidence);
        return if all().any(|admitted| admitted.certain) { failure.verdict() } else { failure.possible().verdict() };
    }
    let most = estate.thresholds().push_principals;
    match pushers {
        Pushers::Some(count) if *count > most as usize => {
            let message = format!(
                "{count} principals of account {} that do not administer it may push to repository {}",
                repository.account(),
                repository.name()
            );
            let evidence = json!({"repositoryArn": repository.data().repository_arn, "principalCount": count, "most": most, "action": PUT});
            return fail(message, evidence).severity(Severity::Medium).verdict();
        }
        Pushers::Some(_) => {}
        Pushers::Unread(unknown) => return Err(unknown.clone()),
    }
    match (by_repository?.unread, by_registry?.unread) {
        (Some(unknown), _) | (None, Some(unknown)) => Err(unknown),
        (None, None) => Ok(Verdict::Pass),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, policy};
    use plimsoll_model::aws::ecr::{Registry, Repository};
    use plimsoll_model::aws::iam::{PolicyDetail, Role};
    use plimsoll_model::aws::organizations::{Account, Organization};
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    const OTHER: &str = "222222222222";

    fn account(organization: Option<&str>) -> Fixture {
        let organization = organization.map(|id| Organization { id: id.to_owned(), ..Organization::default() });
        let account = Account {
            id: ACCOUNT.to_owned(),
            organization: Seen::Known(organization),
            parents: Seen::Known(Vec::new()),
            policies: Seen::Known(Vec::new()),
        };
        fixture().resource(account).registry(|_| {}).repository("app", |_| {})
    }

    fn allowing(account: Fixture, statements: &[Value]) -> Fixture {
        let document = policy(json!({"Version": "2012-10-17", "Statement": statements}));
        account.each(move |repository: &mut Repository| repository.policy = Seen::Known(Some(document.clone())))
    }

    fn push() -> Value {
        let actions = ["ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"];
        json!({"Sid": "push", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")}, "Action": actions})
    }

    #[test]
    fn fails_for_an_account_outside() {
        let found = findings(&CHECK, allowing(account(None), &[push()]));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Certain));
        assert!(found[0].message.contains("account 222222222222 may ecr:PutImage"), "{}", found[0].message);
        let member = findings(&CHECK, allowing(account(Some("o-shop")), &[push()]));
        assert_eq!(member[0].confidence, Confidence::Possible);
    }

    #[test]
    fn passes_for_accounts_that_are_trusted_or_scanned_and_for_pull() {
        let pushed = || allowing(account(None), &[push()]);
        assert_eq!(outcome(&CHECK, account(None)), Pass);
        assert_eq!(outcome(&CHECK, pushed().thresholds(|thresholds| thresholds.trusted_accounts = vec![OTHER.to_owned()])), Pass);
        assert_eq!(outcome(&CHECK, pushed().account(OTHER)), Pass);
        let mut pull = push();
        pull["Action"] = json!("ecr:BatchGetImage");
        assert_eq!(outcome(&CHECK, allowing(account(None), &[pull])), Pass);
    }

    #[test]
    fn a_deny_takes_it_back_and_the_own_organization_is_inside() {
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "ecr:*",
            "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}});
        assert_eq!(outcome(&CHECK, allowing(account(None), &[push(), deny])), Pass);
        let everyone = |id: &str| json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:PutImage", "Condition": {"StringEquals": {"aws:PrincipalOrgID": id}}});
        assert_eq!(outcome(&CHECK, allowing(account(Some("o-shop")), &[everyone("o-shop")])), Pass);
        let found = findings(&CHECK, allowing(account(Some("o-shop")), &[everyone("o-else")]));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Certain));
        assert!(found[0].message.contains("organization o-else"), "{}", found[0].message);
    }

    #[test]
    fn fails_when_the_registry_takes_images_from_outside() {
        let document = policy(json!({"Version": "2012-10-17", "Statement": [{"Sid": "replicas", "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")}, "Action": ["ecr:CreateRepository", "ecr:ReplicateImage"],
            "Resource": format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*")}]}));
        let registry = move |registry: &mut Registry| registry.policy = Seen::Known(Some(document.clone()));
        let found = findings(&CHECK, account(None).each(registry));
        assert_eq!(found[0].severity, Severity::High);
        assert!(found[0].message.ends_with("by the policy of the registry"), "{}", found[0].message);
    }

    /// Roles that may push to every repository, under what condition.
    fn pushers(count: usize, statement: &Value) -> Fixture {
        (0..count).fold(account(None), |account, number| {
            let document = policy(json!({"Version": "2012-10-17", "Statement": [statement]}));
            account.role(&format!("r{number}"), move |role: &mut Role| {
                role.role_policy_list = vec![PolicyDetail { policy_name: "push".to_owned(), policy_document: Some(document) }];
            })
        })
    }

    #[test]
    fn many_principals_that_may_push_are_medium() {
        let push = json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"});
        let found = findings(&CHECK, pushers(11, &push));
        assert_eq!((found[0].severity, &found[0].evidence["principalCount"]), (Severity::Medium, &json!(11)));
        assert_eq!(outcome(&CHECK, pushers(10, &push)), Pass);
        assert_eq!(outcome(&CHECK, pushers(2, &push).thresholds(|thresholds| thresholds.push_principals = 1)), Fail(Severity::Medium));
    }

    #[test]
    fn administrators_pipelines_and_those_whom_the_repository_refuses_do_not_count() {
        let admin = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        assert_eq!(outcome(&CHECK, pushers(11, &admin)), Pass);
        let push = json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"});
        let pipelines = pushers(11, &push).thresholds(|thresholds| thresholds.pipeline_roles = vec!["*:role/r*".to_owned()]);
        assert_eq!(outcome(&CHECK, pipelines), Pass);
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "ecr:PutImage"});
        assert_eq!(outcome(&CHECK, allowing(pushers(11, &push), &[deny])), Pass);
    }

    #[test]
    fn is_unknown_when_policies_or_the_organization_were_not_readable() {
        let refused = |account: &mut Account| account.organization = gap("organizations:DescribeOrganization").into();
        assert_eq!(outcome(&CHECK, allowing(account(None), &[push()]).each(refused)), Unknown);
        assert_eq!(outcome(&CHECK, account(None).each(refused)), Pass);
        let registry = |registry: &mut Registry| registry.policy = gap("ecr:GetRegistryPolicy").into();
        assert_eq!(outcome(&CHECK, account(None).each(registry)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().repository("app", |_| {})), Unknown);
        assert_eq!(outcome(&CHECK, account(None).denied("iam:GetAccountAuthorizationDetails")), Unknown);
    }
}
