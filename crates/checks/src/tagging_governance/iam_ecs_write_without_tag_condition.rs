//! Reads the policies of roles and users that do not administer their account, one by one and together with all that binds
//! them. Yields one verdict per customer managed policy in use and per principal with policies of its own; a failure lists
//! what they let whom do to any resource of ECS, whatever its tags.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Leave, Member, Node, UNNAMED_RESOURCE, Unknown};
use plimsoll_iam::KeyState;
use plimsoll_model::aws::iam::{Policy, Role, User};
use plimsoll_model::{AccountId, Region, Resource, Severity, partition_of};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::{distinct, listed};

pub(crate) const CHECK: Check = Check {
    id: "iam-ecs-write-without-tag-condition",
    title: "ECS write access is not limited by resource tags",
    severity: Severity::Low,
    resource: "AWS::IAM::Policy",
    area: Area::TaggingGovernance,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "iam:GetAccountAuthorizationDetails",
        "organizations:DescribeOrganization",
        "organizations:ListParents",
        "organizations:ListPoliciesForTarget",
        "organizations:DescribePolicy",
    ],
    // What the organization forbids only makes a failure less certain when it was not read.
    shades: &[
        "organizations:DescribeOrganization",
        "organizations:ListParents",
        "organizations:ListPoliciesForTarget",
        "organizations:DescribePolicy",
    ],
    compliance: &[nist("AC-3"), nist("AC-6"), nist("AC-16?")],
    fails_when: "A customer managed or inline policy of a non-admin principal allows ecs:* or one of ecs:DeleteCluster, \
                 DeleteService, UpdateService, StopTask, RunTask, RegisterTaskDefinition, TagResource, UntagResource on \
                 Resource \"*\" with no aws:ResourceTag, ecs:ResourceTag, aws:RequestTag or ecs:cluster condition, and neither \
                 another policy of the principal nor an SCP denies it by tag. AmazonECS_FullAccess attached to a non-admin \
                 principal fails as medium.",
    why: "Who may write to any cluster reaches production from the role of a test: only tags or names in the policy hold the two \
          apart.",
    remediation: Remediation {
        text: "Add aws:ResourceTag conditions, and aws:RequestTag with aws:TagKeys for create actions.",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate,
};

/// Actions that write, each with the kind of resource that it is asked on.
const WRITES: [(&str, &str); 8] = [
    ("ecs:DeleteCluster", "cluster/"),
    ("ecs:DeleteService", "service/plimsoll-unnamed/"),
    ("ecs:UpdateService", "service/plimsoll-unnamed/"),
    ("ecs:StopTask", "task/plimsoll-unnamed/"),
    ("ecs:RunTask", "task-definition/"),
    ("ecs:RegisterTaskDefinition", "task-definition/"),
    ("ecs:TagResource", "cluster/"),
    ("ecs:UntagResource", "cluster/"),
];
/// Beginnings of the keys that tell resources or requests apart by tag or cluster.
const LIMITING: [&str; 5] = ["aws:resourcetag/", "ecs:resourcetag/", "aws:requesttag/", "aws:tagkeys", "ecs:cluster"];
/// The managed policy of AWS that allows everything on ECS.
const FULL_ACCESS: &str = ":iam::aws:policy/AmazonECS_FullAccess";
/// Of evidence.
const SHOWN: usize = 20;

/// What a policy lets principals do to any resource.
#[derive(Default)]
struct Open<'e> {
    actions: BTreeSet<&'static str>,
    principals: BTreeSet<&'e str>,
    certain: bool,
}

impl<'e> Open<'e> {
    fn add(&mut self, action: &'static str, member: Member<'e>, certain: bool) {
        self.actions.insert(action);
        self.principals.insert(member.principal().arn());
        self.certain |= certain;
    }
}

/// What all principals together show.
#[derive(Default)]
struct Survey<'e> {
    managed: BTreeMap<&'e str, Open<'e>>,
    /// Managed policies of principals that do not administer their account.
    in_use: BTreeSet<&'e str>,
    /// By principal and name of the policy.
    own: BTreeMap<&'e str, BTreeMap<&'e str, Open<'e>>>,
    unread: BTreeMap<&'e str, Unknown>,
    /// Principals that do not administer their account and have a say in ECS by policies of their own.
    judged: BTreeSet<&'e str>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut survey = Survey::default();
    for member in estate.members() {
        survey.add(member);
    }
    let customers = |policy: &Node<'e, Policy>| !policy.data().arn.contains(":iam::aws:policy/");
    verdicts.each(estate.all::<Policy>().filter(customers), |policy| judge_policy(policy, &survey));
    verdicts.each(estate.all::<Role>(), |role| survey.judge(&role.data().arn, role));
    verdicts.each(estate.all::<User>(), |user| survey.judge(&user.data().arn, user));
}

impl<'e> Survey<'e> {
    fn add(&mut self, member: Member<'e>) {
        let arn = member.principal().arn();
        match member.is_administrator() {
            Ok(true) => return,
            Ok(false) => {}
            Err(unknown) => {
                self.unread.insert(arn, unknown);
                return;
            }
        }
        self.in_use.extend(member.managed_policies());
        if member.holds_own_policies() || member.managed_policies().any(|policy| policy.ends_with(FULL_ACCESS)) {
            self.judged.insert(arn);
        }
        for (action, kind) in WRITES {
            let mut granting =
                member.granting(action).filter(|policy| policy.ends_with(FULL_ACCESS) || !policy.contains(":iam::aws:policy/"));
            let Some(first) = granting.next() else { continue };
            // What the principal may not do after all, or only by tag, no policy of it leaves open.
            let Some(together) = is_open(|keys, resource| member.may(action, resource, keys), member, kind) else { continue };
            for policy in std::iter::once(first).chain(granting) {
                let Some(alone) = is_open(|keys, resource| member.may_by(policy, action, resource, keys), member, kind) else { continue };
                let open = if policy.starts_with("arn:") && !policy.ends_with(FULL_ACCESS) {
                    self.managed.entry(policy).or_default()
                } else {
                    self.own.entry(arn).or_default().entry(policy).or_default()
                };
                open.add(action, member, together && alone && organization_read(member));
            }
        }
    }

    fn judge<T: Resource>(&self, arn: &str, node: Node<'e, T>) -> Judgement {
        let Some(policies) = self.own.get(arn) else {
            return match self.unread.get(arn) {
                Some(unknown) => Err(unknown.clone()),
                None if self.judged.contains(arn) => Ok(Verdict::Pass),
                None => Ok(Verdict::NotApplicable),
            };
        };
        let names: Vec<&str> = policies.keys().map(|policy| policy.rsplit('/').next().unwrap_or(policy)).collect();
        let actions: Vec<&str> = distinct(policies.values().flat_map(|open| open.actions.iter().copied()));
        let message = format!(
            "{} of {} {} {} on any resource whatever its tags",
            told_policies(&names),
            node.name(),
            if names.len() == 1 { "allows" } else { "allow" },
            listed(&actions)
        );
        let evidence = json!({"principal": arn, "policies": names, "actions": actions});
        let failure = fail(message, evidence);
        let full = policies.keys().any(|policy| policy.ends_with(FULL_ACCESS));
        let failure = if full { failure.severity(Severity::Medium) } else { failure };
        told(failure, policies.values().any(|open| open.certain))
    }
}

fn judge_policy(policy: Node<'_, Policy>, survey: &Survey<'_>) -> Judgement {
    let arn = policy.data().arn.as_str();
    let Some(open) = survey.managed.get(arn) else {
        return Ok(if survey.in_use.contains(arn) { Verdict::Pass } else { Verdict::NotApplicable });
    };
    let actions: Vec<&str> = open.actions.iter().copied().collect();
    let names: Vec<&str> = open.principals.iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn)).collect();
    let message = format!("policy {} allows {} {} on any resource whatever its tags", policy.name(), listed(&names), listed(&actions));
    let principals: Vec<&&str> = open.principals.iter().take(SHOWN).collect();
    let evidence = json!({"PolicyArn": arn, "actions": actions, "principals": principals, "principalCount": open.principals.len()});
    told(fail(message, evidence), open.certain)
}

fn told_policies(names: &[&str]) -> String {
    format!("{} {}", if names.len() == 1 { "policy" } else { "policies" }, listed(names))
}

fn told(mut failure: crate::check::Failure, certain: bool) -> Judgement {
    if certain {
        return failure.verdict();
    }
    failure.message.push_str(", unless other conditions or policies of the organization that were not read forbid it");
    failure.possible().verdict()
}

/// Whether something may be done to a resource that nobody named, whatever its tags: `Some` when it may, certainly or not.
fn is_open(ask: impl FnOnce(&[(&str, KeyState)], &str) -> Result<Leave, Unknown>, member: Member<'_>, kind: &str) -> Option<bool> {
    let region = Region::new("us-east-1");
    let resource = format!("arn:{}:ecs:{region}:{}:{kind}{UNNAMED_RESOURCE}", partition_of(region.as_str()), member.principal().account());
    let keys = [
        ("aws:ResourceTag/", KeyState::Unknown),
        ("ecs:ResourceTag/", KeyState::Unknown),
        ("aws:RequestTag/", KeyState::Unknown),
        ("aws:TagKeys", KeyState::Unknown),
        ("ecs:cluster", KeyState::Unknown),
    ];
    match ask(&keys, &resource).ok()? {
        Leave::None => None,
        Leave::Certain => Some(true),
        Leave::On(keys) => {
            let limited = keys.iter().any(|key| LIMITING.iter().any(|limiting| key.starts_with(limiting)));
            (!limited).then_some(false)
        }
    }
}

fn organization_read(member: Member<'_>) -> bool {
    let account: &AccountId = member.principal().account();
    member.principal().estate().organization_read(account)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, policy};
    use plimsoll_model::aws::iam::{AttachedPolicy, Group, Policy, PolicyDetail, PolicyVersion, Role};
    use plimsoll_model::aws::organizations::{Account, Attachment, Organization, Parent, Policy as Control};
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    fn account() -> Fixture {
        let account = Account {
            id: ACCOUNT.to_owned(),
            organization: Seen::Known(None),
            parents: Seen::Known(Vec::new()),
            policies: Seen::Known(Vec::new()),
        };
        fixture().resource(account)
    }

    fn document(statements: &[Value]) -> plimsoll_model::policy::PolicyDocument {
        policy(json!({"Version": "2012-10-17", "Statement": statements}))
    }

    fn inline(name: &str, statements: &[Value]) -> PolicyDetail {
        PolicyDetail { policy_name: name.to_owned(), policy_document: Some(document(statements)) }
    }

    fn with(statements: &[Value]) -> Fixture {
        let detail = inline("deploy", statements);
        account().role("web", move |role: &mut Role| role.role_policy_list = vec![detail])
    }

    fn allow(actions: &Value, condition: &Value) -> Value {
        json!({"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition})
    }

    fn of(actions: &Value, condition: &Value) -> Outcome {
        outcome(&CHECK, with(&[allow(actions, condition)]))
    }

    #[test]
    fn write_on_everything_fails() {
        for actions in [json!("ecs:*"), json!(["ecs:Describe*", "ecs:StopTask"]), json!("ecs:Register*")] {
            assert_eq!(of(&actions, &json!({})), Fail(Severity::Low), "{actions}");
        }
        let found = findings(&CHECK, with(&[allow(&json!("ecs:UpdateService"), &json!({}))]));
        assert_eq!(found[0].confidence, Confidence::Certain);
        assert_eq!(found[0].message, "policy deploy of web allows ecs:UpdateService on any resource whatever its tags");
        let address = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
        let found = findings(&CHECK, with(&[allow(&json!("ecs:UpdateService"), &address)]));
        assert_eq!(found[0].confidence, Confidence::Possible);
    }

    #[test]
    fn tags_and_clusters_limit() {
        for condition in [
            json!({"StringEquals": {"aws:ResourceTag/environment": "test"}}),
            json!({"StringNotEquals": {"aws:ResourceTag/environment": "prod"}}),
            json!({"StringEquals": {"ecs:ResourceTag/environment": "test"}}),
            json!({"StringEquals": {"aws:RequestTag/environment": "test"}}),
            json!({"ArnEquals": {"ecs:cluster": "arn:aws:ecs:us-east-1:111111111111:cluster/test"}}),
        ] {
            assert_eq!(of(&json!("ecs:*"), &condition), Pass, "{condition}");
        }
        let named = json!({"Effect": "Allow", "Action": "ecs:*", "Resource": "arn:aws:ecs:us-east-1:111111111111:service/test/*"});
        assert_eq!(outcome(&CHECK, with(&[named])), Pass);
        assert_eq!(of(&json!("ecs:Describe*"), &json!({})), Pass);
    }

    #[test]
    fn a_deny_by_tag_limits_too() {
        let deny = json!({"Effect": "Deny", "Action": "ecs:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/environment": "prod"}}});
        assert_eq!(outcome(&CHECK, with(&[allow(&json!("ecs:StopTask"), &json!({})), deny.clone()])), Pass);
        let apart = vec![inline("deploy", &[allow(&json!("ecs:StopTask"), &json!({}))]), inline("guard", &[deny])];
        assert_eq!(outcome(&CHECK, account().role("web", move |role: &mut Role| role.role_policy_list = apart)), Pass);
    }

    fn managed(arn: &str, statements: &[Value]) -> Policy {
        Policy {
            arn: arn.to_owned(),
            policy_name: arn.rsplit('/').next().unwrap().to_owned(),
            policy_version_list: vec![PolicyVersion {
                is_default_version: true,
                document: Some(document(statements)),
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn attached(arn: &str) -> AttachedPolicy {
        AttachedPolicy { policy_arn: arn.to_owned(), ..Default::default() }
    }

    #[test]
    fn a_managed_policy_is_told_once_with_its_principals() {
        let arn = format!("arn:aws:iam::{ACCOUNT}:policy/deploy");
        let policy = managed(&arn, &[allow(&json!("ecs:RunTask"), &json!({}))]);
        let attach = |role: &mut Role| role.attached_managed_policies = vec![attached(&format!("arn:aws:iam::{ACCOUNT}:policy/deploy"))];
        let found = findings(&CHECK, account().global_resource(policy.clone()).role("a", attach).role("b", attach));
        assert_eq!((found.len(), found[0].resource.arn.as_str()), (1, arn.as_str()));
        assert_eq!(found[0].evidence["principalCount"], 2);
        let group = Group { group_name: "devs".to_owned(), attached_managed_policies: vec![attached(&arn)], ..Group::default() };
        let member = account().global_resource(policy.clone()).global_resource(group);
        let member = member.user("ann", |user| user.group_list = vec!["devs".to_owned()]);
        assert_eq!(outcome(&CHECK, member), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, account().global_resource(policy)), NotApplicable);
    }

    #[test]
    fn full_access_of_aws_is_medium() {
        let arn = "arn:aws:iam::aws:policy/AmazonECS_FullAccess";
        let policy = managed(arn, &[allow(&json!("ecs:*"), &json!({}))]);
        let full = account().global_resource(policy).role("web", |role| role.attached_managed_policies = vec![attached(arn)]);
        let found = findings(&CHECK, full);
        assert_eq!((found[0].severity, found[0].resource.name.as_str()), (Severity::Medium, "web"));
        let other = "arn:aws:iam::aws:policy/PowerUserAccess";
        let policy = managed(other, &[allow(&json!("ecs:*"), &json!({}))]);
        let power = account().global_resource(policy).role("web", |role| role.attached_managed_policies = vec![attached(other)]);
        assert_eq!(outcome(&CHECK, power), NotApplicable);
    }

    #[test]
    fn administrators_are_left_out() {
        assert_eq!(of(&json!("*"), &json!({})), NotApplicable);
    }

    fn member(content: Seen<plimsoll_model::policy::PolicyDocument>) -> Fixture {
        let attachment = |target: &str, policy: &str| Attachment {
            target_id: target.to_owned(),
            policy_id: policy.to_owned(),
            kind: "SERVICE_CONTROL_POLICY".to_owned(),
        };
        let control =
            |id: &str, content| Control { id: id.to_owned(), arn: id.to_owned(), name: id.to_owned(), content, ..Control::default() };
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let deploy = with(&[allow(&json!("ecs:StopTask"), &json!({}))]).each(move |account: &mut Account| {
            account.organization = Seen::Known(Some(Organization { id: "o-1".to_owned(), ..Organization::default() }));
            account.parents = Seen::Known(vec![Parent { id: "r-1".to_owned(), kind: "ROOT".to_owned() }]);
            account.policies = Seen::Known(vec![attachment("r-1", "all"), attachment(ACCOUNT, "all"), attachment(ACCOUNT, "guard")]);
        });
        deploy.global_resource(control("all", Seen::Known(document(&[all])))).global_resource(control("guard", content))
    }

    #[test]
    fn the_organization_may_limit() {
        let deny = json!({"Effect": "Deny", "Action": "ecs:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/environment": "prod"}}});
        assert_eq!(outcome(&CHECK, member(Seen::Known(document(&[deny])))), Pass);
        let found = findings(&CHECK, member(gap("organizations:DescribePolicy").into()));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Low, Confidence::Possible));
    }

    #[test]
    fn is_unknown_when_policies_were_not_readable() {
        assert_eq!(outcome(&CHECK, with(&[]).denied("iam:GetAccountAuthorizationDetails")), Unknown);
        let torn = vec![PolicyDetail { policy_name: "torn".to_owned(), policy_document: None }];
        assert_eq!(outcome(&CHECK, account().role("web", move |role: &mut Role| role.role_policy_list = torn)), Unknown);
    }
}
