//! Reads, for every role and user, which roles it may pass to tasks of ECS that run its own code, of those that may do
//! something it may not: the engine evaluates each permission on the clusters, services and definitions that exist. Yields
//! one verdict per role and user; a failure names the roles, what each gains and the statements.

use plimsoll_model::Severity;

use crate::check::{Area, ByLaunch, Check, Remediation, Responsibility, nist, pci};
use crate::principals::{Reach, each_principal};

pub(crate) const CHECK: Check = Check {
    id: "iam-principal-can-pass-role-to-ecs",
    title: "Principal can run its own code under a stronger task role",
    severity: Severity::High,
    resource: "AWS::IAM::Policy",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "iam:GetAccountAuthorizationDetails",
    ],
    shades: &[],
    compliance: &[nist("AC-6"), pci("7.2.5?")],
    fails_when: "A non-admin user or role has iam:PassRole on a role R that trusts ecs-tasks.amazonaws.com (an \
                 iam:PassedToService condition that excludes ecs-tasks.amazonaws.com breaks the path) and either (a) \
                 ecs:RegisterTaskDefinition plus one of ecs:RunTask, StartTask, CreateService, UpdateService, \
                 CreateTaskSet on some cluster (ecs:CreateCluster when none exists), or (b) ecs:RunTask or StartTask \
                 alone, by passing R in overrides.taskRoleArn with a command override of an existing definition; and R \
                 grants something the principal lacks. Critical when R is ADMIN.",
    why: "Whoever has the credentials of this principal starts a container of their own, and reads the credentials of the \
          stronger role inside it: the role's permissions are the principal's.",
    remediation: Remediation {
        text: "Limit iam:PassRole to the role ARNs of that pipeline with iam:PassedToService ecs-tasks.amazonaws.com.",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate: |estate, verdicts| each_principal(estate, verdicts, |principal| REACH.judge(principal, principal.runs_on_ecs_as())),
};

const REACH: Reach = Reach {
    places: "clusters",
    of_administrators: Severity::Critical,
    verb: "may pass role",
    tail: "to a task of ECS that runs code of its choice",
    via: "passes a role to a task on",
};

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, cluster_arn, fixture, policy, role_arn};
    use plimsoll_model::aws::ecs::Cluster;
    use plimsoll_model::aws::iam::{AttachedPolicy, PolicyDetail, Role, User};
    use plimsoll_model::aws::organizations::Account;
    use plimsoll_model::{Confidence, Finding, Seen, Severity, Status};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    const RUN: [&str; 3] = ["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"];

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

    /// User `ci` with these actions, role `app` that reads a bucket, and cluster `shop`.
    fn account(actions: &[&str]) -> Fixture {
        alone()
            .cluster("shop", |_| {})
            .role("app", |role| role.role_policy_list = inline(&["s3:GetObject"]))
            .user("ci", |user| user.user_policy_list = inline(actions))
    }

    fn failed(account: Fixture) -> Vec<Finding> {
        findings(&CHECK, account).into_iter().filter(|finding| finding.status == Status::Fail).collect()
    }

    #[test]
    fn fails_when_a_user_runs_code_with_a_role_that_may_more() {
        let found = failed(account(&RUN));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(
            found[0].message,
            "user ci may pass role app to a task of ECS that runs code of its choice (iam:PassRole, ecs:RegisterTaskDefinition and \
             ecs:RunTask); app may s3:GetObject on *"
        );
        assert_eq!(found[0].evidence["statements"], json!(["Allow in identity policy own, statement Own"]));
        assert_eq!(found[0].evidence["clusters"], json!([cluster_arn("shop")]));
        assert_eq!(found[0].evidence["roles"][0]["roleArn"], role_arn("app"));
        assert_eq!(found[0].path.len(), 3);
    }

    #[test]
    fn an_administrator_is_critical_and_comes_first() {
        let account = account(&RUN).role("z-admin", |role| role.role_policy_list = inline(&["*"]));
        let found = failed(account);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Critical));
        assert!(found[0].message.starts_with("user ci may pass role z-admin and another role to"), "{}", found[0].message);
    }

    #[test]
    fn passes_when_a_part_of_the_way_is_missing() {
        assert_eq!(outcome(&CHECK, account(&RUN[..2])), Pass);
        assert_eq!(outcome(&CHECK, account(&RUN[1..])), Pass);
        assert_eq!(outcome(&CHECK, account(&RUN).without::<Cluster>()), Pass);
        assert_eq!(outcome(&CHECK, account(&["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask", "s3:*"])), Pass);
        let elsewhere = |role: &mut Role| role.assume_role_policy_document = Some(plimsoll_fixture::trust("lambda.amazonaws.com"));
        assert_eq!(outcome(&CHECK, account(&RUN).each(elsewhere)), Pass);
    }

    #[test]
    fn another_service_to_pass_to_breaks_the_way() {
        let passing = |service: &str| {
            let pass = json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": service}}});
            let run = json!({"Effect": "Allow", "Action": "ecs:*", "Resource": "*"});
            let document = policy(json!({"Version": "2012-10-17", "Statement": [pass, run]}));
            account(&[]).each(move |user: &mut User| {
                user.user_policy_list = vec![PolicyDetail { policy_name: "own".to_owned(), policy_document: Some(document.clone()) }];
            })
        };
        assert_eq!(outcome(&CHECK, passing("ecs-tasks.amazonaws.com")), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, passing("lambda.amazonaws.com")), Pass);
    }

    #[test]
    fn an_existing_definition_needs_no_right_to_register_one() {
        assert_eq!(outcome(&CHECK, account(&["iam:PassRole", "ecs:RunTask"])), Pass);
        assert_eq!(outcome(&CHECK, account(&["iam:PassRole", "ecs:RunTask"]).task_definition("web", |_| {})), Fail(Severity::High));
    }

    #[test]
    fn a_new_cluster_does_where_there_is_none() {
        let account = account(&["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask", "ecs:CreateCluster"]).without::<Cluster>();
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn what_cannot_be_decided_makes_it_possible() {
        let conditional = |user: &mut User| {
            let Some(Value::Object(statement)) =
                user.user_policy_list[0].policy_document.as_mut().and_then(|document| document.0.pointer_mut("/Statement/0"))
            else {
                return;
            };
            statement.insert("Condition".to_owned(), json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}));
        };
        let found = failed(account(&RUN).each(conditional));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Possible));
        assert!(found[0].message.ends_with("; not verified: aws:SourceVpc"), "{}", found[0].message);
        let unread = account(&RUN).without::<Account>();
        assert!(failed(unread)[0].message.ends_with("; not verified: service control policies that were not read"));
    }

    #[test]
    fn says_nothing_of_administrators_and_roles_of_services() {
        let nobody = || account(&[]).without::<Role>();
        let admin = nobody().each(|user: &mut User| user.user_policy_list = inline(&["*"]));
        assert_eq!(outcome(&CHECK, admin), NotApplicable);
        let linked = nobody().without::<User>().role("AWSServiceRoleForX", |role| {
            role.arn = role_arn("aws-service-role/x.amazonaws.com/AWSServiceRoleForX");
            role.role_policy_list = inline(&RUN);
        });
        assert_eq!(outcome(&CHECK, linked), NotApplicable);
    }

    #[test]
    fn is_unknown_without_what_it_rests_on_and_fails_whatever_else_was_not_read() {
        assert_eq!(outcome(&CHECK, account(&[]).denied("ecs:ListClusters")), Unknown);
        assert_eq!(outcome(&CHECK, account(&[]).without::<User>().without::<Role>().denied("iam:GetAccountAuthorizationDetails")), Unknown);
        let gone = |user: &mut User| {
            let policy_arn = format!("arn:aws:iam::{ACCOUNT}:policy/gone");
            user.attached_managed_policies = vec![AttachedPolicy { policy_arn, policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, account(&[]).each(gone)), Unknown);
        let found = failed(account(&RUN).each(gone));
        assert_eq!(found[0].confidence, Confidence::Possible);
    }
}
