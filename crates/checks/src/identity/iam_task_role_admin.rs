//! Reads what binds each role that tasks run with: its policies, permissions boundary and the organization's policies.
//! Yields one verdict per role; a failure names the statement that makes it an administrator.

use plimsoll_graph::Estate;
use plimsoll_model::Severity;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::grants::administrator;
use crate::roles::{TaskRole, boundary, task_roles};

pub(crate) const CHECK: Check = Check {
    id: "iam-task-role-admin",
    title: "Task role has administrator rights",
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
    compliance: &[fsbp("IAM.1"), cis_aws("3.0.0/1.16"), cis_aws("5.0.0/1.15"), nist("AC-6"), pci("7.2.1"), pci("7.2.5")],
    fails_when: "ADMIN(role) as defined in the header. Critical when a container of it is internet-exposed is reported by \
                 ecs-internet-path-to-admin-role, not here.",
    why: "Whoever runs code in a container of the task takes the role's credentials from there, and with them the whole \
          account: its data, its users, its other workloads.",
    remediation: Remediation {
        text: "Replace the policy with the exact actions and resources of the service.",
        cli: "aws iam detach-role-policy --role-name ROLE --policy-arn arn:aws:iam::aws:policy/AdministratorAccess",
    },
    evaluate: |estate: &Estate<'_>, verdicts| {
        for one in task_roles(estate) {
            verdicts.judge(one.role, judge(&one));
        }
    },
};

fn judge(one: &TaskRole<'_>) -> Judgement {
    let Some(administrator) = administrator(one.principal())? else { return Ok(Verdict::Pass) };
    let by = administrator.grant.as_ref().map_or(String::new(), |grant| format!(" by {}", grant.by()));
    let message = format!("task role {}{} administers account {}{by}", one.role.name(), one.told(), one.role.account());
    let evidence = json!({
        "policy": administrator.grant.as_ref().map(|grant| grant.policy.as_str()),
        "statement": administrator.grant.as_ref().map(|grant| grant.statement.as_str()),
        "PermissionsBoundary": boundary(one.role),
        "usedBy": one.users(),
    });
    administrator.doubt.mark(fail(message, evidence)).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, policy, role_arn};
    use plimsoll_model::aws::ecs::TaskOverride;
    use plimsoll_model::aws::iam::{AttachedPermissionsBoundary, AttachedPolicy, Role};
    use plimsoll_model::aws::organizations::Account;
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    fn shop(statement: Value) -> Fixture {
        alone(fixture().shop()).each(grants("web-task", statement))
    }

    #[test]
    fn fails_for_everything_and_for_all_of_iam() {
        let found = findings(&CHECK, shop(json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "task role web-task of service web administers account 111111111111 by statement All of access");
        assert_eq!(found[0].evidence["usedBy"]["taskCount"], 1);
        for statement in [
            json!({"Effect": "Allow", "Action": ["iam:*"], "Resource": "*"}),
            json!({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}),
        ] {
            assert_eq!(outcome(&CHECK, shop(statement)), Fail(Severity::High));
        }
    }

    #[test]
    fn passes_when_a_boundary_or_a_condition_narrows_it() {
        for statement in [
            json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::111111111111:role/app-*"}),
            json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": {"StringEquals": {"iam:PermissionsBoundary": "x"}}}),
            json!({"Effect": "Allow", "Action": "iam:Get*", "Resource": "*"}),
        ] {
            assert_eq!(outcome(&CHECK, shop(statement.clone())), Pass, "{statement}");
        }
        assert_eq!(outcome(&CHECK, alone(fixture().shop())), Pass);
    }

    #[test]
    fn is_possible_with_a_condition_that_is_not_decided_and_what_was_not_read() {
        let address =
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}});
        let found = findings(&CHECK, shop(address));
        assert_eq!(found[0].confidence, Confidence::Possible);
        assert!(found[0].message.ends_with("(it depends on aws:SourceIp)"), "{}", found[0].message);
        let all = || json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let unread = shop(all()).each(|account: &mut Account| account.policies = Seen::from(gap("organizations:ListPoliciesForTarget")));
        let unread = unread.each(|account: &mut Account| account.organization = Seen::from(gap("organizations:DescribeOrganization")));
        let found = findings(&CHECK, unread);
        assert_eq!(found[0].confidence, Confidence::Possible);
        assert!(found[0].message.ends_with("(SCPs were not read)"), "{}", found[0].message);
        let bounded = shop(all()).each(|role: &mut Role| {
            let arn = Some("arn:aws:iam::111111111111:policy/limit".to_owned());
            role.permissions_boundary = Some(AttachedPermissionsBoundary { permissions_boundary_arn: arn, ..Default::default() });
        });
        assert!(findings(&CHECK, bounded)[0].message.ends_with("(the permissions boundary was not read)"));
    }

    #[test]
    fn counts_the_role_that_a_running_task_was_started_with() {
        let account =
            alone(fixture().shop()).role("admin", |_| {}).each(grants("admin", json!({"Effect": "Allow", "Action": "*", "Resource": "*"})));
        assert_eq!(outcome(&CHECK, account.clone()), Pass);
        let account = account.each(|task: &mut plimsoll_model::aws::ecs::Task| {
            task.overrides = Some(TaskOverride { task_role_arn: Some(role_arn("admin")), ..Default::default() });
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn is_unknown_when_a_policy_or_a_listing_was_not_readable() {
        let attached = |role: &mut Role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).each(attached)), Unknown);
        let torn = |role: &mut Role| {
            for one in &mut role.role_policy_list {
                one.policy_document = Some(policy(json!({"Statement": "none"})));
            }
        };
        assert_eq!(outcome(&CHECK, shop(json!({"Effect": "Allow", "Action": "*", "Resource": "*"})).each(torn)), Unknown);
        for operation in ["iam:GetAccountAuthorizationDetails", "ecs:DescribeTasks"] {
            assert_eq!(outcome(&CHECK, alone(fixture().shop()).denied(operation)), Unknown, "{operation}");
        }
        assert_eq!(outcome(&CHECK, alone(fixture().role("idle", |_| {}))), NotApplicable);
    }
}
