//! Reads the trust policy of every role that ECS tasks may take. Yields one verdict per such role; a failure shows the
//! statements that let ECS act for any account.

use plimsoll_graph::{Estate, Node};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::policy::Statement;
use plimsoll_model::{AccountId, Arn, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::policies::raw_statement;
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "iam-task-role-trust-no-source-condition",
    title: "Task role trust lacks a confused-deputy condition",
    severity: Severity::Low,
    resource: "AWS::IAM::Role",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &["iam:GetAccountAuthorizationDetails"],
    shades: &[],
    compliance: &[nist("AC-3"), nist("AC-4")],
    fails_when: "A statement trusts Service ecs-tasks.amazonaws.com and its Condition has neither aws:SourceAccount \
                 (equal to the account of the role) nor aws:SourceArn (ArnLike arn:aws:ecs:REGION:ACCOUNT:*). Medium for \
                 roles that are ADMIN, or when aws:SourceArn or aws:SourceAccount names another account.",
    why: "The trust names a service that acts for every AWS account: without the condition nothing in the role itself keeps \
          ECS from taking it on behalf of somebody else.",
    remediation: Remediation {
        text: "Add aws:SourceAccount and an ArnLike aws:SourceArn condition.",
        cli: "aws iam update-assume-role-policy --role-name ROLE --policy-document file://trust.json",
    },
    evaluate: |estate: &Estate<'_>, verdicts| verdicts.each(estate.all::<Role>(), judge),
};

/// The service that takes task and execution roles.
const TASKS: &str = "ecs-tasks.amazonaws.com";
/// Where the roles live that AWS alone may edit.
const SERVICE_LINKED: &str = "/aws-service-role/";

/// What the conditions of a statement say of the account that ECS acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source<'s> {
    /// Only the account of the role.
    Own,
    /// Another account, too.
    Other(&'s str),
    /// Any account.
    Any,
}

fn judge(role: Node<'_, Role>) -> Judgement {
    if role.data().path.as_deref().is_some_and(|path| path.starts_with(SERVICE_LINKED)) {
        return Ok(Verdict::NotApplicable);
    }
    let statements = role.trust_statements()?;
    let mut trusting = statements.iter().filter(|statement| trusts_tasks(statement)).peekable();
    if trusting.peek().is_none() {
        return Ok(Verdict::NotApplicable);
    }
    let account = role.account();
    let failing: Vec<(&Statement<'_>, Source<'_>)> =
        trusting.map(|statement| (statement, source(statement, account))).filter(|(_, source)| *source != Source::Own).collect();
    if failing.is_empty() {
        return Ok(Verdict::Pass);
    }
    let others: Vec<&str> =
        failing.iter().filter_map(|(_, source)| if let Source::Other(id) = source { Some(*id) } else { None }).collect();
    // Severity only: an unread policy leaves the base.
    let administrator = role.is_administrator().ok();
    let mut message = if others.is_empty() {
        format!(
            "role {} lets {TASKS} take it for any account: no aws:SourceAccount or aws:SourceArn of its trust names its own",
            role.name()
        )
    } else {
        format!("role {} lets {TASKS} take it for account {}", role.name(), listed(&others))
    };
    if administrator == Some(true) {
        message.push_str("; it administers its account");
    }
    let statements: Vec<Value> = failing.iter().filter_map(|(statement, _)| raw_statement(role, statement.index)).cloned().collect();
    let evidence = json!({"AssumeRolePolicyDocument": {"Statement": statements}, "administrator": administrator});
    let failure = fail(message, evidence);
    let graver = administrator == Some(true) || !others.is_empty();
    if graver { failure.severity(Severity::Medium).verdict() } else { failure.verdict() }
}

fn trusts_tasks(statement: &Statement<'_>) -> bool {
    let named = statement.principals.as_ref().is_some_and(|principals| principals.service.iter().any(|service| service == TASKS));
    statement.allows && named && statement.covers_action("sts:AssumeRole")
}

/// Conditions all have to hold: one that keeps to the account of the role is enough.
fn source<'s>(statement: &'s Statement<'_>, account: &AccountId) -> Source<'s> {
    let accounts = statement.condition_values("aws:SourceAccount", |operator| matches!(base(operator), "StringEquals" | "StringLike"));
    let arns = statement
        .condition_values("aws:SourceArn", |operator| matches!(base(operator), "ArnLike" | "ArnEquals" | "StringLike" | "StringEquals"));
    let arns: Vec<&str> = arns.into_iter().map(|arn| Arn::parse(arn).map_or("*", |arn| arn.account)).collect();
    match (keeps_to(&accounts, account), keeps_to(&arns, account)) {
        (Source::Own, _) | (_, Source::Own) => Source::Own,
        (Source::Other(id), _) | (_, Source::Other(id)) => Source::Other(id),
        _ => Source::Any,
    }
}

/// One of the values has to match.
fn keeps_to<'s>(values: &[&'s str], account: &AccountId) -> Source<'s> {
    if values.is_empty() || values.iter().any(|value| value.is_empty() || value.contains(['*', '?'])) {
        return Source::Any;
    }
    values.iter().find(|value| **value != account.as_str()).map_or(Source::Own, |other| Source::Other(other))
}

/// `StringEquals` for `ForAnyValue:StringEqualsIfExists`: ECS always tells its source.
fn base(operator: &str) -> &str {
    let plain = operator.rsplit(':').next().unwrap_or(operator);
    plain.strip_suffix("IfExists").unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, arn, fixture, trust};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::iam::{AttachedPermissionsBoundary, AttachedPolicy, Policy, PolicyDetail, PolicyVersion, Role};
    use plimsoll_model::policy::PolicyDocument;
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    fn trusting(condition: Value) -> impl Fn(&mut Role) {
        move |role| {
            role.assume_role_policy_document = Some(PolicyDocument(json!({"Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": ["ecs-tasks.amazonaws.com"]},
                "Action": "sts:AssumeRole",
                "Condition": condition,
            }]})));
        }
    }

    fn outcome_of(condition: Value) -> Outcome {
        outcome(&CHECK, fixture().role("web", trusting(condition)))
    }

    fn open(change: impl Fn(&mut Role)) -> Fixture {
        fixture().role("web", trusting(json!({}))).each(change)
    }

    #[test]
    fn fails_without_condition_on_the_source() {
        let found = findings(&CHECK, open(|_| {}));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Low);
        let message = "role web lets ecs-tasks.amazonaws.com take it for any account: no aws:SourceAccount or aws:SourceArn of its trust names its own";
        assert_eq!(found[0].message, message);
        assert_eq!(outcome_of(json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})), Fail(Severity::Low));
        assert_eq!(outcome_of(json!({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:*:*:*"}})), Fail(Severity::Low));
        assert_eq!(outcome_of(json!({"StringLike": {"aws:SourceAccount": "*"}})), Fail(Severity::Low));
    }

    #[test]
    fn passes_with_either_condition() {
        assert_eq!(outcome_of(json!({"StringEquals": {"AWS:SourceAccount": ACCOUNT}})), Pass);
        assert_eq!(outcome_of(json!({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:*:111111111111:*"}})), Pass);
        assert_eq!(outcome(&CHECK, fixture().role("web", |_| {})), Pass);
    }

    #[test]
    fn another_account_is_medium() {
        assert_eq!(outcome_of(json!({"StringEquals": {"aws:SourceAccount": [ACCOUNT, "222222222222"]}})), Fail(Severity::Medium));
        assert_eq!(outcome_of(json!({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:222222222222:*"}})), Fail(Severity::Medium));
    }

    #[test]
    fn an_administrator_is_medium() {
        let attached = AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(), policy_name: None };
        let account = open(move |role| role.attached_managed_policies = vec![attached.clone()]);
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
        let document = PolicyDocument(json!({"Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}}));
        let inline = PolicyDetail { policy_name: "all".to_owned(), policy_document: Some(document) };
        assert_eq!(outcome(&CHECK, open(move |role| role.role_policy_list = vec![inline.clone()])), Fail(Severity::Medium));
    }

    #[test]
    fn a_deny_or_a_boundary_makes_an_administrator_none() {
        let inline = |effect: &str| PolicyDetail {
            policy_name: effect.to_owned(),
            policy_document: Some(PolicyDocument(json!({"Statement": {"Effect": effect, "Action": "*", "Resource": "*"}}))),
        };
        let denied = vec![inline("Allow"), inline("Deny")];
        assert_eq!(outcome(&CHECK, open(move |role| role.role_policy_list.clone_from(&denied))), Fail(Severity::Low));
        let document = PolicyDocument(json!({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}));
        let version = PolicyVersion { is_default_version: true, document: Some(document), version_id: None };
        let limit = Policy { arn: arn("iam", "policy/limit"), policy_version_list: vec![version], ..Default::default() };
        let allowed = vec![inline("Allow")];
        let bounded = open(move |role| {
            role.role_policy_list.clone_from(&allowed);
            let permissions_boundary_arn = Some(arn("iam", "policy/limit"));
            role.permissions_boundary = Some(AttachedPermissionsBoundary { permissions_boundary_arn, permissions_boundary_type: None });
        });
        assert_eq!(outcome(&CHECK, bounded.clone().resource(limit)), Fail(Severity::Low));
        assert_eq!(findings(&CHECK, bounded)[0].severity, Severity::Low, "a boundary that was not read leaves the base");
    }

    #[test]
    fn an_unread_policy_leaves_the_base_severity() {
        let attached = AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None };
        assert_eq!(outcome(&CHECK, open(move |role| role.attached_managed_policies = vec![attached.clone()])), Fail(Severity::Low));
    }

    #[test]
    fn does_not_apply_to_other_and_to_service_linked_roles() {
        let lambda = |role: &mut Role| role.assume_role_policy_document = Some(trust("lambda.amazonaws.com"));
        assert_eq!(outcome(&CHECK, open(lambda)), NotApplicable);
        let linked = |role: &mut Role| role.path = Some("/aws-service-role/ecs.amazonaws.com/".to_owned());
        assert_eq!(outcome(&CHECK, open(linked)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_trust_policy_does_not_read_as_one() {
        let account = open(|role| role.assume_role_policy_document = Some(PolicyDocument::from_text("{oops")));
        assert_eq!(outcome(&CHECK, account), Unknown);
    }

    #[test]
    fn is_unknown_when_roles_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("iam:GetAccountAuthorizationDetails")), Unknown);
    }
}
