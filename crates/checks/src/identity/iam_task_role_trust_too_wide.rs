//! Reads the trust policy of each task and execution role of the task definitions in scope. Yields one verdict per role; a
//! failure names whoever may take it besides ECS: everybody, accounts of somebody else, the own account, other services.

use std::collections::BTreeSet;

use plimsoll_graph::{Estate, Link, Node, Standing, Unknown};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::policy::Statement;
use plimsoll_model::{Arn, Severity};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::policies::{LimitingKeys, account_of_principal, is_whole_account, names_everyone, raw_statement};
use crate::reading::{listed, statement_name};

pub(crate) const CHECK: Check = Check {
    id: "iam-task-role-trust-too-wide",
    title: "Principals other than ECS tasks can assume the task role",
    severity: Severity::High,
    resource: "AWS::IAM::Role",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "iam:GetAccountAuthorizationDetails",
        "organizations:DescribeOrganization",
    ],
    // Only roles that name another account are unknown without it.
    shades: &["organizations:DescribeOrganization"],
    compliance: &[nist("AC-3"), nist("AC-6"), pci("7.2.1?")],
    fails_when: "The AssumeRolePolicyDocument has an Allow on sts:AssumeRole* for Principal \"*\" or AWS \"*\" (critical \
                 without a limiting condition), an account outside the organization or allow-list without sts:ExternalId, \
                 the own account root, or a second service (ec2.amazonaws.com, lambda.amazonaws.com). Roles for ECS need \
                 only ecs-tasks.amazonaws.com.",
    why: "Whoever else takes the role has the rights of the task from outside of it, where neither its image nor its network \
          stands in the way.",
    remediation: Remediation {
        text: "Leave only ecs-tasks.amazonaws.com in the trust policy.",
        cli: "aws iam update-assume-role-policy --role-name ROLE --policy-document file://trust.json",
    },
    evaluate,
};

/// The service that takes task and execution roles.
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// Condition keys that tell who takes a role, or from where.
const LIMITS: LimitingKeys = LimitingKeys {
    always_present: &["aws:PrincipalAccount", "aws:PrincipalArn"],
    sometimes_present: &[
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:SourceAccount",
        "aws:SourceVpc",
        "aws:SourceVpce",
        "sts:ExternalId",
    ],
};
const EXTERNAL_ID: LimitingKeys = LimitingKeys { always_present: &[], sometimes_present: &["sts:ExternalId"] };
const ORGANIZATION: LimitingKeys = LimitingKeys { always_present: &[], sometimes_present: &["aws:PrincipalOrgID"] };

/// Whoever may take a role and should not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Taker {
    Everyone(Limit),
    OwnAccount,
    Account {
        number: String,
        /// It may yet be a member of the organization.
        perhaps_member: bool,
    },
    Service(String),
}

/// What the conditions of a statement make of everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    None,
    /// Conditions that may or may not keep somebody out.
    Perhaps,
    Known,
}

impl Taker {
    fn severity(&self) -> Severity {
        if matches!(self, Self::Everyone(Limit::None | Limit::Perhaps)) { Severity::Critical } else { Severity::High }
    }

    fn is_certain(&self) -> bool {
        !matches!(self, Self::Everyone(Limit::Perhaps) | Self::Account { perhaps_member: true, .. })
    }

    fn told(&self) -> String {
        match self {
            Self::Everyone(Limit::None) => "every AWS principal".to_owned(),
            Self::Everyone(Limit::Perhaps) => "every AWS principal, as far as the conditions do not keep it out".to_owned(),
            Self::Everyone(Limit::Known) => "every AWS principal that the conditions admit".to_owned(),
            Self::OwnAccount => "every principal of its own account that is allowed to".to_owned(),
            Self::Account { number, perhaps_member: false } => format!("account {number}"),
            Self::Account { number, perhaps_member: true } => {
                format!("account {number}, which was not scanned and may be one of the organization")
            }
            Self::Service(service) => service.clone(),
        }
    }
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut named: FxHashSet<u32> = FxHashSet::default();
    for definition in estate.definitions_in_scope() {
        let roles = definition.task_role().into_iter().chain(definition.execution_role());
        named.extend(roles.filter_map(Link::found).map(|role| role.index()));
    }
    verdicts.each(estate.all::<Role>().filter(|role| named.contains(&role.index())), judge);
}

fn judge(role: Node<'_, Role>) -> Judgement {
    let statements = role.assume_statements()?;
    let mut takers: BTreeSet<Taker> = BTreeSet::new();
    let mut unread: Option<Unknown> = None;
    let mut open: Vec<&Value> = Vec::new();
    for statement in statements.iter().filter(|statement| statement.allows) {
        let (admitted, unknown) = admitted(role, statement);
        unread = unread.or(unknown);
        if !admitted.is_empty() {
            open.extend(raw_statement(role, statement.index));
            takers.extend(admitted);
        }
    }
    let Some(severity) = takers.iter().map(Taker::severity).max() else {
        return unread.map_or(Ok(Verdict::Pass), Err);
    };
    let told: Vec<String> = takers.iter().map(Taker::told).collect();
    let mut message = format!("role {} may be taken by {}", role.name(), listed(&told));
    let mut certain = takers.iter().any(|taker| taker.severity() == severity && taker.is_certain());
    // What denies to all comers may leave nobody.
    if let Some(deny) = statements.iter().find(|statement| !statement.allows && names_everyone(statement)) {
        message = format!("{message}, unless statement {} denies it", statement_name(deny));
        certain = false;
    }
    let failure = fail(message, json!({"AssumeRolePolicyDocument": {"Statement": open}, "takers": told})).severity(severity);
    if certain { failure.verdict() } else { failure.possible().verdict() }
}

/// Whom a statement admits besides ECS, and what was not read to tell.
fn admitted(role: Node<'_, Role>, statement: &Statement<'_>) -> (Vec<Taker>, Option<Unknown>) {
    if names_everyone(statement) {
        let limit = if statement.conditions.is_empty() {
            Limit::None
        } else if LIMITS.limit(statement) {
            Limit::Known
        } else {
            Limit::Perhaps
        };
        return (vec![Taker::Everyone(limit)], None);
    }
    let (mut takers, mut unread) = (Vec::new(), None);
    let Some(principals) = &statement.principals else { return (takers, unread) };
    takers.extend(principals.service.iter().filter(|service| *service != TASKS).cloned().map(Taker::Service));
    for principal in &principals.aws {
        let Some(number) = account_of_principal(principal) else { continue };
        if number == role.account().as_str() {
            if is_whole_account(principal) && !names_principals(statement) {
                takers.push(Taker::OwnAccount);
            }
            continue;
        }
        if EXTERNAL_ID.limit(statement) {
            continue;
        }
        match standing(role, statement, number) {
            Standing::Inside => {}
            Standing::Outside => takers.push(Taker::Account { number: number.to_owned(), perhaps_member: false }),
            Standing::PerhapsMember => takers.push(Taker::Account { number: number.to_owned(), perhaps_member: true }),
            Standing::Unread(unknown) => unread = Some(unknown),
        }
    }
    (takers, unread)
}

/// Where an account that a statement names stands; a condition on the organization tells more than the number.
fn standing(role: Node<'_, Role>, statement: &Statement<'_>, number: &str) -> Standing {
    let estate = role.estate();
    match estate.standing(role.account(), number) {
        Standing::Inside => Standing::Inside,
        _ if ORGANIZATION.limit(statement) => {
            let ids = statement.condition_values("aws:PrincipalOrgID", |operator| !operator.contains("Not"));
            let own: Result<Vec<bool>, Unknown> = ids.into_iter().map(|id| estate.is_own_organization(role.account(), id)).collect();
            match own {
                Ok(own) if own.iter().all(|own| *own) => Standing::Inside,
                Ok(_) => Standing::Outside,
                Err(unknown) => Standing::Unread(unknown),
            }
        }
        other => other,
    }
}

/// Whether a condition names single principals of the account: then that is whom the statement admits.
fn names_principals(statement: &Statement<'_>) -> bool {
    let positive = |operator: &str| {
        let operator = operator.to_ascii_lowercase();
        ["stringequals", "stringlike", "arnequals", "arnlike"].iter().any(|known| operator.trim_end_matches("ifexists").ends_with(known))
    };
    let values = statement.condition_values("aws:PrincipalArn", positive);
    let is_named = |value: &&str| Arn::parse(value).is_some_and(|arn| !matches!(arn.resource, "*" | "role/*" | "user/*" | "root"));
    !values.is_empty() && values.iter().all(is_named)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, policy, role_arn};
    use plimsoll_model::aws::iam::Role;
    use plimsoll_model::aws::organizations::{Account, Organization};
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    const OTHER: &str = "222222222222";

    /// Definition `web`, whose role also trusts what these statements say, in an account of organization `o-shop`.
    fn trusting(statements: &[Value]) -> Fixture {
        let organization = Organization { id: "o-shop".to_owned(), ..Organization::default() };
        let account = Account { id: ACCOUNT.to_owned(), organization: Seen::Known(Some(organization)), ..Account::default() };
        let tasks = json!({"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"});
        let statements = [&[tasks], statements].concat();
        let document = json!({"Statement": statements});
        fixture().resource(account).task_definition("web", |definition| definition.execution_role_arn = None).role("web-task", |role| {
            role.assume_role_policy_document = Some(policy(document));
        })
    }

    fn allow(principal: &Value, condition: &Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition})
    }

    fn outcome_of(principal: &Value, condition: &Value) -> Outcome {
        outcome(&CHECK, trusting(&[allow(principal, condition)]))
    }

    #[test]
    fn passes_when_only_tasks_take_it() {
        assert_eq!(outcome(&CHECK, trusting(&[])), Pass);
        let other_role = json!({"AWS": role_arn("deploy")});
        assert_eq!(outcome_of(&other_role, &json!({})), Pass);
        assert_eq!(outcome_of(&json!({"AWS": "AROAEXAMPLEEXAMPLE"}), &json!({})), Pass);
        let tag = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:TagSession"});
        assert_eq!(outcome(&CHECK, trusting(&[tag])), Pass);
    }

    #[test]
    fn everyone_is_critical_without_a_limiting_condition() {
        for principal in [json!("*"), json!({"AWS": "*"}), json!({"AWS": [role_arn("deploy"), "*"]})] {
            assert_eq!(outcome_of(&principal, &json!({})), Fail(Severity::Critical));
        }
        let but_one = json!({"Effect": "Allow", "NotPrincipal": {"AWS": role_arn("x")}, "Action": "sts:*"});
        assert_eq!(outcome(&CHECK, trusting(&[but_one])), Fail(Severity::Critical));
        assert_eq!(outcome_of(&json!("*"), &json!({"StringEquals": {"aws:PrincipalOrgID": "o-shop"}})), Fail(Severity::High));
        assert_eq!(outcome_of(&json!("*"), &json!({"StringLike": {"aws:PrincipalArn": "*"}})), Fail(Severity::Critical));
        let found = findings(&CHECK, trusting(&[allow(&json!("*"), &json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}))]));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Critical, Confidence::Possible));
    }

    #[test]
    fn fails_for_the_own_account_unless_a_condition_names_principals() {
        for principal in [ACCOUNT.to_owned(), format!("arn:aws:iam::{ACCOUNT}:root")] {
            assert_eq!(outcome_of(&json!({"AWS": principal}), &json!({})), Fail(Severity::High));
        }
        let named = |arn: &str| outcome_of(&json!({"AWS": ACCOUNT}), &json!({"ArnLike": {"aws:PrincipalArn": arn}}));
        assert_eq!(named(&role_arn("deploy-*")), Pass);
        assert_eq!(named(&role_arn("*")), Fail(Severity::High));
    }

    #[test]
    fn fails_for_a_second_service() {
        let found = findings(&CHECK, trusting(&[allow(&json!({"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]}), &json!({}))]));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "role web-task may be taken by ec2.amazonaws.com");
    }

    fn other(condition: &Value) -> Fixture {
        trusting(&[allow(&json!({"AWS": format!("arn:aws:iam::{OTHER}:role/x")}), condition)])
    }

    #[test]
    fn fails_for_an_account_of_somebody_else() {
        let found = findings(&CHECK, other(&json!({})));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Possible));
        let alone = other(&json!({})).each(|account: &mut Account| account.organization = Seen::Known(None));
        assert_eq!(findings(&CHECK, alone)[0].confidence, Confidence::Certain);
        let elsewhere = json!({"StringEquals": {"aws:PrincipalOrgID": "o-else"}});
        assert_eq!(findings(&CHECK, other(&elsewhere))[0].confidence, Confidence::Certain);
    }

    #[test]
    fn passes_for_an_account_that_is_trusted_scanned_or_shows_an_external_id() {
        assert_eq!(outcome(&CHECK, other(&json!({"StringEquals": {"sts:ExternalId": "shop"}}))), Pass);
        assert_eq!(outcome(&CHECK, other(&json!({"StringLike": {"sts:ExternalId": "*"}}))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, other(&json!({"StringEquals": {"aws:PrincipalOrgID": "o-shop"}}))), Pass);
        assert_eq!(outcome(&CHECK, other(&json!({})).account(OTHER)), Pass);
        assert_eq!(outcome(&CHECK, other(&json!({})).thresholds(|thresholds| thresholds.trusted_accounts = vec![OTHER.to_owned()])), Pass);
        let named = other(&json!({"StringEquals": {"aws:PrincipalOrgID": "o-2"}}));
        assert_eq!(outcome(&CHECK, named.thresholds(|thresholds| thresholds.organizations = vec!["o-2".to_owned()])), Pass);
    }

    #[test]
    fn a_deny_to_all_comers_leaves_it_open() {
        let deny = json!({"Sid": "org", "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole",
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-shop"}}});
        let found = findings(&CHECK, trusting(&[allow(&json!("*"), &json!({})), deny]));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Critical, Confidence::Possible));
        assert!(found[0].message.ends_with("unless statement org denies it"), "{}", found[0].message);
    }

    #[test]
    fn does_not_apply_to_roles_that_no_definition_names() {
        let account = trusting(&[]).role("person", |role| {
            role.assume_role_policy_document = Some(policy(json!({"Statement": [allow(&json!({"AWS": ACCOUNT}), &json!({}))]})));
        });
        assert_eq!(outcome(&CHECK, account), Pass);
        assert_eq!(outcome(&CHECK, fixture().role("person", |_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_organization_was_not_readable() {
        let refused = |account: &mut Account| account.organization = gap("organizations:DescribeOrganization").into();
        assert_eq!(outcome(&CHECK, other(&json!({})).each(refused)), Unknown);
        assert_eq!(outcome(&CHECK, trusting(&[]).each(refused)), Pass);
    }

    #[test]
    fn is_unknown_when_roles_or_their_trust_were_not_readable() {
        let malformed = |role: &mut Role| role.assume_role_policy_document = None;
        assert_eq!(outcome(&CHECK, trusting(&[]).each(malformed)), Unknown);
        assert_eq!(outcome(&CHECK, trusting(&[]).denied("iam:GetAccountAuthorizationDetails")), Unknown);
    }
}
