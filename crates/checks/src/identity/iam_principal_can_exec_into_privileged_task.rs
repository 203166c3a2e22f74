//! Reads, for every role and user, in which running tasks it may open a shell, and whether their role may do something that
//! it may not: the engine evaluates each permission on the tasks and services that exist. Yields one verdict per role and
//! user; a failure names the tasks, the roles and the statements.

use plimsoll_model::Severity;

use crate::check::{Area, ByLaunch, Check, Remediation, Responsibility, nist};
use crate::principals::{Reach, each_principal};

pub(crate) const CHECK: Check = Check {
    id: "iam-principal-can-exec-into-privileged-task",
    title: "Principal can open a shell in a task that holds more rights",
    severity: Severity::High,
    resource: "AWS::IAM::Policy",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:DescribeTaskDefinition",
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "iam:GetAccountAuthorizationDetails",
    ],
    shades: &[],
    compliance: &[nist("AC-6"), nist("AC-17")],
    fails_when: "A non-admin user or role is allowed ecs:ExecuteCommand on a RUNNING task with enableExecuteCommand true \
                 (or on \"*\" together with ecs:UpdateService to enable it) without an ecs:container-name, \
                 aws:ResourceTag or MFA condition, and the task role gives rights the principal lacks. Also \
                 ssm:StartSession on the ecs: target.",
    why: "A shell in a container holds the credentials of its task role: whoever has this principal's reads and changes all \
          that the application may, past every review of its code.",
    remediation: Remediation {
        text: "Restrict ecs:ExecuteCommand to tagged clusters and tasks.",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate: |estate, verdicts| each_principal(estate, verdicts, |principal| REACH.judge(principal, principal.opens_shells_as())),
};

const REACH: Reach = Reach {
    places: "tasksAndServices",
    of_administrators: Severity::High,
    verb: "may open a shell in tasks with role",
    tail: "without a condition on container or tags",
    via: "opens a shell in",
};

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, arn, fixture, policy, role_arn};
    use plimsoll_model::aws::ecs::{Service, Task};
    use plimsoll_model::aws::iam::{PolicyDetail, Role, User};
    use plimsoll_model::aws::organizations::Account;
    use plimsoll_model::{Confidence, Finding, Seen, Severity, Status};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn inline(actions: &[&str]) -> Vec<PolicyDetail> {
        let statement = json!({"Sid": "Own", "Effect": "Allow", "Action": actions, "Resource": "*"});
        vec![PolicyDetail {
            policy_name: "own".to_owned(),
            policy_document: Some(policy(json!({"Version": "2012-10-17", "Statement": [statement]}))),
        }]
    }

    /// An account of no organization: no policy of one binds it.
    fn alone() -> Fixture {
        let account = Account {
            id: ACCOUNT.to_owned(),
            organization: Seen::Known(None),
            parents: Seen::Known(Vec::new()),
            policies: Seen::Known(Vec::new()),
        };
        fixture().global_resource(account)
    }

    /// User `dev` with these actions, and task `t1` of service `web`, open to shells, whose role reads a bucket.
    fn account(actions: &[&str]) -> Fixture {
        alone()
            .cluster("shop", |_| {})
            .role("app", |role| role.role_policy_list = inline(&["s3:GetObject", "ssmmessages:*"]))
            .task_definition("web", |definition| definition.task_role_arn = Some(role_arn("app")))
            .service("shop", "web", |_| {})
            .task("shop", "web", "t1", |task| task.enable_execute_command = true)
            .user("dev", |user| user.user_policy_list = inline(actions))
    }

    fn failed(account: Fixture) -> Vec<Finding> {
        findings(&CHECK, account).into_iter().filter(|finding| finding.status == Status::Fail).collect()
    }

    #[test]
    fn fails_when_a_user_opens_a_shell_where_more_is_held() {
        let found = failed(account(&["ecs:ExecuteCommand"]));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(
            found[0].message,
            "user dev may open a shell in tasks with role app without a condition on container or tags (ecs:ExecuteCommand); app may \
             s3:GetObject on *"
        );
        assert_eq!(found[0].evidence["tasksAndServices"], json!([arn("ecs", "task/shop/t1")]));
        assert_eq!(found[0].evidence["statements"], json!(["Allow in identity policy own, statement Own"]));
        assert_eq!(outcome(&CHECK, account(&["ssm:StartSession"])), Fail(Severity::High));
    }

    #[test]
    fn passes_where_no_shell_opens_or_nothing_is_gained() {
        let closed = |task: &mut Task| task.enable_execute_command = false;
        assert_eq!(outcome(&CHECK, account(&["ecs:ExecuteCommand"]).each(closed)), Pass);
        assert_eq!(outcome(&CHECK, account(&["ecs:ExecuteCommand"]).each(|task: &mut Task| task.last_status = "STOPPED".to_owned())), Pass);
        assert_eq!(outcome(&CHECK, account(&["ecs:ListTasks"])), Pass);
        assert_eq!(outcome(&CHECK, account(&["ecs:ExecuteCommand", "s3:*", "ssmmessages:*"])), Pass);
    }

    #[test]
    fn a_service_that_may_be_changed_lets_shells_in() {
        let closed = |task: &mut Task| task.enable_execute_command = false;
        assert_eq!(outcome(&CHECK, account(&["ecs:ExecuteCommand", "ecs:UpdateService"]).each(closed)), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, account(&["ecs:ExecuteCommand", "ecs:UpdateService"]).each(closed).without::<Service>()), Pass);
    }

    #[test]
    fn passes_when_a_condition_limits_it() {
        for condition in [
            json!({"StringEquals": {"ecs:container-name": "debug"}}),
            json!({"StringEquals": {"aws:ResourceTag/env": "test"}}),
            json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        ] {
            let limited = move |user: &mut User| {
                if let Some(Value::Object(statement)) =
                    user.user_policy_list[0].policy_document.as_mut().and_then(|document| document.0.pointer_mut("/Statement/0"))
                {
                    statement.insert("Condition".to_owned(), condition.clone());
                }
            };
            assert_eq!(outcome(&CHECK, account(&["ecs:ExecuteCommand"]).each(limited)), Pass);
        }
    }

    #[test]
    fn is_possible_when_the_role_may_not_open_the_channels() {
        let silent = |role: &mut Role| role.role_policy_list = inline(&["s3:GetObject"]);
        let found = failed(account(&["ecs:ExecuteCommand"]).each(silent));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Possible));
        assert!(found[0].message.ends_with("; not verified: the task role may open ssmmessages channels"), "{}", found[0].message);
    }

    #[test]
    fn says_nothing_of_administrators() {
        let admin = |role: &mut Role| role.role_policy_list = inline(&["*"]);
        assert_eq!(outcome(&CHECK, account(&["*"]).each(admin)), NotApplicable);
        assert_eq!(outcome(&CHECK, account(&["ecs:ExecuteCommand"]).each(admin)), Fail(Severity::High));
    }

    #[test]
    fn is_unknown_when_tasks_or_policies_were_not_readable() {
        assert_eq!(outcome(&CHECK, account(&["ecs:ListTasks"]).denied("ecs:DescribeTasks")), Unknown);
        let nobody = account(&[]).without::<User>().without::<Role>();
        assert_eq!(outcome(&CHECK, nobody.denied("iam:GetAccountAuthorizationDetails")), Unknown);
    }
}
