//! Reads what each role that tasks run with may do, and what it can become by that: other roles, users and their policies,
//! and the services, tasks, hosts and images through which one acts as another. Yields one verdict per role; a failure has
//! the shortest path to an administrator.

use plimsoll_graph::Estate;
use plimsoll_model::{Arn, Severity};
use serde_json::Value;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::grants::escalating;
use crate::roles::{TaskRole, task_roles};

pub(crate) const CHECK: Check = Check {
    id: "iam-task-role-privilege-escalation",
    title: "Task role can raise itself to administrator",
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
    ],
    shades: &[],
    compliance: &[nist("AC-6(1)?"), nist("AC-6"), pci("7.2.5")],
    fails_when: "CAN-ESCALATE(role): at least one path of the catalogue (iam:CreatePolicyVersion, iam:Attach*/Put*Policy, \
                 iam:UpdateAssumeRolePolicy, iam:PassRole with ecs, ec2, lambda, cloudformation, glue, codebuild, \
                 sagemaker create actions, sts:AssumeRole into a stronger role, ssm:SendCommand or StartSession on a \
                 stronger host, ecs:ExecuteCommand on a stronger task) holds with a real target in the account. Role \
                 itself not ADMIN.",
    why: "The role looks harmless, yet whoever takes it from a container needs a few calls to be an administrator of the \
          account.",
    remediation: Remediation {
        text: "Remove the first permission of the path or narrow its Resource and add iam:PassedToService.",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate: |estate: &Estate<'_>, verdicts| {
        for one in task_roles(estate) {
            verdicts.judge(one.role, judge(&one));
        }
    },
};

fn judge(one: &TaskRole<'_>) -> Judgement {
    let Some(way) = escalating(one.principal())? else { return Ok(Verdict::Pass) };
    let administrator = way.administrator();
    let name = if administrator == one.role.data().arn {
        "an administrator".to_owned()
    } else {
        format!("administrator {}", Arn::parse(administrator).map_or(administrator, |arn| arn.name()))
    };
    let message = format!("task role {}{} becomes {name} {}", one.role.name(), one.told(), way.told());
    let mut evidence = way.evidence();
    if let Value::Object(evidence) = &mut evidence {
        evidence.insert("usedBy".to_owned(), one.users());
    }
    way.doubt().mark(fail(message, evidence).path(way.steps())).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, policy, role_arn};
    use plimsoll_model::aws::iam::{AttachedPolicy, Role};
    use plimsoll_model::{Confidence, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    fn shop(statement: Value) -> Fixture {
        alone(fixture().shop()).each(grants("web-task", statement))
    }

    /// A role `boss` that administers the account and trusts everybody in it.
    fn with_boss(account: Fixture) -> Fixture {
        let trust = policy(json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::111111111111:root"}}]}));
        account
            .role("boss", |role| role.assume_role_policy_document = Some(trust))
            .each(grants("boss", json!({"Effect": "Allow", "Action": "*", "Resource": "*"})))
    }

    #[test]
    fn fails_when_the_role_may_change_its_own_policies() {
        let found = findings(&CHECK, shop(json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": role_arn("web-task")})));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "task role web-task of service web becomes an administrator in one step (iam:PutRolePolicy)");
        assert_eq!(found[0].evidence["hops"][0]["pathId"], "iam-005");
        assert_eq!(found[0].evidence["hops"][0]["permissions"][0]["policy"], "access");
        assert_eq!(found[0].path.len(), 2);
    }

    #[test]
    fn fails_when_the_role_may_take_an_administrator() {
        let found = findings(&CHECK, with_boss(shop(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}))));
        assert_eq!(found[0].message, "task role web-task of service web becomes administrator boss in one step (sts:AssumeRole)");
        assert_eq!(found[0].path.last().unwrap().arn, role_arn("boss"));
        let account = with_boss(shop(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn("other")})));
        assert_eq!(outcome(&CHECK, account), Pass);
    }

    #[test]
    fn an_administrator_passes_here() {
        assert_eq!(outcome(&CHECK, shop(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))), Pass);
        assert_eq!(outcome(&CHECK, shop(json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*"}))), Pass);
    }

    #[test]
    fn a_path_of_more_steps_than_the_threshold_passes() {
        let account = || with_boss(shop(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})));
        assert_eq!(outcome(&CHECK, account().thresholds(|thresholds| thresholds.escalation_steps = 0)), Pass);
        assert_eq!(outcome(&CHECK, account().thresholds(|thresholds| thresholds.escalation_steps = 1)), Fail(Severity::High));
    }

    #[test]
    fn is_possible_on_conditions_and_without_the_policies_of_the_organization() {
        let statement = json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}});
        let found = findings(&CHECK, shop(statement));
        assert_eq!(found[0].confidence, Confidence::Possible);
        assert!(found[0].message.contains("it depends on aws:SourceIp"), "{}", found[0].message);
        let unread = fixture().shop().each(grants("web-task", json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"})));
        assert_eq!(findings(&CHECK, unread)[0].confidence, Confidence::Possible);
    }

    #[test]
    fn is_unknown_when_a_policy_was_not_readable_and_no_path_is_seen() {
        let attached = |role: &mut Role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).each(attached)), Unknown);
        let raised = shop(json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"})).each(attached);
        assert_eq!(outcome(&CHECK, raised), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).denied("iam:GetAccountAuthorizationDetails")), Unknown);
    }
}
