//! Reads what the role in the instance profile of each container host may do beyond what the ECS agent takes, and whether it
//! keeps to its own cluster. Yields one verdict per role; hosts of ECS Managed Instances and ECS Anywhere are left out.

use std::collections::BTreeSet;

use plimsoll_graph::{Estate, Node, Principal};
use plimsoll_iam::KeyState;
use plimsoll_model::aws::ecs::{Cluster, Task};
use plimsoll_model::{PathStep, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::grants::{
    ANY_BUCKET, ANY_KEY, ANY_PARAMETER, ANY_SECRET, Doubt, Escalating, Grant, Holdings, Probe, administrator, escalating, unnamed_keys,
};
use crate::reading::{counted, instance_of, listed};
use crate::roles::{HostRole, boundary, host_roles};
use crate::vault::Vault;

pub(crate) const CHECK: Check = Check {
    id: "iam-container-instance-role-overbroad",
    title: "Instance role of container hosts has more than the agent needs",
    severity: Severity::High,
    resource: "AWS::IAM::Role",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:ListClusters",
        "ec2:DescribeInstances",
        "iam:GetAccountAuthorizationDetails",
        "secretsmanager:ListSecrets",
        "ssm:DescribeParameters",
    ],
    shades: &[],
    compliance: &[nist("AC-6"), pci("7.2.5")],
    fails_when: "Role in the instance profile of a container host is ADMIN (critical), CAN-ESCALATE, may read secrets, \
                 decrypt with wildcard, read S3 with wildcard, or may call ecs:DeregisterContainerInstance, \
                 ecs:UpdateContainerInstancesState, ecs:StartTask or ecs:SubmitTaskStateChange on clusters other than its \
                 own (no ecs:cluster condition). The last alone is medium: AmazonEC2ContainerServiceforEC2Role grants it \
                 on \"*\", which lets one stolen host drain others.",
    why: "Whoever breaks out of a container, or reaches the metadata service from one, has the role of the host: what it \
          grants beyond the agent's needs is granted to every task on it.",
    remediation: Remediation {
        text: "Reduce to the agent baseline with an ecs:cluster condition; move application rights to task roles.",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate,
};

/// What the agent may do to any cluster unless a condition names its own.
const ANY_CLUSTER: &[Probe] = &[
    Probe { action: "ecs:DeregisterContainerInstance", resource: "arn:{P}:ecs:{R}:{A}:cluster/plimsoll-unnamed" },
    Probe { action: "ecs:UpdateContainerInstancesState", resource: "arn:{P}:ecs:{R}:{A}:container-instance/plimsoll-unnamed/0" },
    Probe { action: "ecs:StartTask", resource: "arn:{P}:ecs:{R}:{A}:task-definition/plimsoll-unnamed:1" },
    Probe { action: "ecs:SubmitTaskStateChange", resource: "arn:{P}:ecs:{R}:{A}:cluster/plimsoll-unnamed" },
];
/// Policies with which AWS has hosts managed by Systems Manager; that they read parameters is theirs.
const MANAGED: [&str; 3] = ["AmazonSSMManagedInstanceCore", "AmazonEC2RoleforSSM", "AmazonSSMManagedEC2InstanceDefaultPolicy"];
/// Clusters, hosts and tasks that are named in evidence.
const SHOWN: usize = 10;

struct Answers {
    any: Holdings,
    clusters: Holdings,
    vault: Vault,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let roles = host_roles(estate);
    let principals = || roles.iter().map(|one| Principal::Role(one.role));
    let probes: Vec<&Probe> = ANY_SECRET.iter().chain(ANY_PARAMETER).chain(ANY_KEY).chain(ANY_BUCKET).collect();
    let mut elsewhere = unnamed_keys();
    elsewhere.push(("ecs:cluster", KeyState::known("arn:aws:ecs:us-east-1:000000000000:cluster/plimsoll-unnamed")));
    let answers = Answers {
        any: Holdings::of_probes(estate, principals(), &probes, unnamed_keys()),
        clusters: Holdings::of_probes(estate, principals(), &ANY_CLUSTER.iter().collect::<Vec<_>>(), elsewhere),
        vault: Vault::open(estate, principals()),
    };
    for one in &roles {
        verdicts.judge(one.role, judge(one, &answers));
    }
}

fn judge(one: &HostRole<'_>, answers: &Answers) -> Judgement {
    let principal = Principal::Role(one.role);
    let clusters = answers.clusters.grants(principal, |_| true);
    let who = format!("instance role {} of {}", one.role.name(), hosts(one));
    if let Ok(Some(administrator)) = administrator(principal) {
        let by = administrator.grant.as_ref().map_or(String::new(), |grant| format!(" by {}", grant.by()));
        let statements: Vec<Grant> = administrator.grant.into_iter().collect();
        let message = format!("{who} administers account {}{by}", one.role.account());
        let failure = fail(message, evidence(one, &statements, None)).severity(Severity::Critical).path(path(one));
        return administrator.doubt.mark(failure).verdict();
    }
    let way = escalating(principal).ok().flatten();
    let (powers, grants) = powers(principal, answers);
    let mut parts: Vec<String> = way.iter().map(|way| format!("becomes an administrator {}", way.told())).collect();
    parts.extend(powers);
    let grave = !parts.is_empty();
    if let Some(first) = clusters.first() {
        let actions: BTreeSet<&str> = clusters.iter().map(|grant| grant.action.as_str()).collect();
        let actions: Vec<&str> = actions.into_iter().collect();
        parts.push(format!("may call {} on any cluster, by {}", listed(&actions), first.by()));
    }
    if parts.is_empty() {
        return principal.unread().map_or(Ok(Verdict::Pass), Err);
    }
    let least = if grants.is_empty() { Doubt::common(clusters.iter()) } else { Doubt::common(grants.iter()) };
    let doubt = if grave && grants.is_empty() { way.as_ref().map_or(least, Escalating::doubt) } else { least };
    let statements: Vec<Grant> = grants.into_iter().chain(clusters).collect();
    let mut steps = path(one);
    if let Some(way) = &way {
        steps.pop();
        steps.extend(way.steps());
    }
    let failure = fail(format!("{who} {}", parts.join("; it ")), evidence(one, &statements, way.as_ref())).path(steps);
    let failure = if grave { failure } else { failure.severity(Severity::Medium) };
    doubt.mark(failure).verdict()
}

/// What the role reads and decrypts, in words, with the grants.
fn powers(principal: Principal<'_>, answers: &Answers) -> (Vec<String>, Vec<Grant>) {
    let any: Vec<Grant> = answers.any.grants(principal, |_| true).into_iter().filter(|grant| !grant.is_only_of_aws(&MANAGED)).collect();
    let of = |service: &str| any.iter().any(|grant| grant.action.starts_with(service));
    let single = answers.vault.grants_where(principal, |question| {
        question.action.starts_with("secretsmanager:") && !of("secretsmanager:") || question.action.starts_with("ssm:") && !of("ssm:")
    });
    let single: Vec<Grant> = single.into_iter().filter(|grant| !grant.is_only_of_aws(&MANAGED)).collect();
    let mut powers: Vec<String> = Vec::new();
    for (service, what) in [
        ("secretsmanager:", "may read every secret"),
        ("ssm:", "may read every parameter"),
        ("kms:", "may decrypt with any key that leaves its use to IAM"),
        ("s3:", "may read any bucket"),
    ] {
        if of(service) {
            powers.push(what.to_owned());
        }
    }
    let names: BTreeSet<&str> = single.iter().map(|grant| crate::vault::name(&grant.resource)).collect();
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        powers.push(format!("may read {}", counted("secret", &names)));
    }
    (powers, any.into_iter().chain(single).collect())
}

fn hosts(one: &HostRole<'_>) -> String {
    let ids: Vec<&str> = one.hosts.iter().filter_map(|host| host.data().ec2_instance_id.as_deref()).collect();
    let ids: Vec<&str> = BTreeSet::from_iter(ids).into_iter().collect();
    counted("host", &ids)
}

fn path(one: &HostRole<'_>) -> Vec<PathStep> {
    let mut steps = Vec::new();
    if let Some((host, instance)) = one.hosts.iter().find_map(|host| Some((host, instance_of(*host).ok().flatten()?))) {
        steps.push(PathStep { arn: host.data().container_instance_arn.clone(), via: "runs on".to_owned() });
        steps.push(PathStep { arn: instance.arn().into_owned(), via: "has instance profile".to_owned() });
        if let Some(profile) = instance.data().iam_instance_profile.as_ref().and_then(|profile| profile.arn.clone()) {
            steps.push(PathStep { arn: profile, via: "holds".to_owned() });
        }
    }
    steps.push(PathStep { arn: one.role.data().arn.clone(), via: "grants too much".to_owned() });
    steps
}

fn evidence(one: &HostRole<'_>, grants: &[Grant], way: Option<&Escalating<'_>>) -> Value {
    let estate = one.role.estate();
    let own: BTreeSet<&str> = one.hosts.iter().map(|host| host.data().cluster_arn.as_str()).collect();
    let of_account = estate.active_clusters().filter(|cluster| cluster.account() == one.role.account());
    let others: Vec<&str> =
        of_account.map(|cluster: Node<'_, Cluster>| cluster.data().cluster_arn.as_str()).filter(|arn| !own.contains(arn)).collect();
    let tasks = one.hosts.iter().flat_map(|host| host.tasks());
    let reaching: Vec<&str> = tasks
        .filter(|task: &Node<'_, Task>| matches!(task.reaches_instance_metadata(), Ok(Some(_))))
        .map(|task| task.data().task_arn.as_str())
        .collect();
    let instance = one.hosts.iter().find_map(|host| instance_of(*host).ok().flatten());
    json!({
        "instanceProfile": instance.and_then(|instance| instance.data().iam_instance_profile.as_ref()?.arn.as_deref()),
        "role": one.role.data().arn,
        "PermissionsBoundary": boundary(one.role),
        "statements": grants.iter().map(Grant::evidence).collect::<Vec<_>>(),
        "escalation": way.map(Escalating::evidence),
        "containerInstances": one.hosts.iter().take(SHOWN).map(|host| host.data().container_instance_arn.as_str()).collect::<Vec<_>>(),
        "containerInstanceCount": one.hosts.len(),
        "otherClusters": others.iter().take(SHOWN).collect::<Vec<_>>(),
        "otherClusterCount": others.len(),
        "tasksReachingMetadata": reaching.iter().take(SHOWN).collect::<Vec<_>>(),
        "tasksReachingMetadataCount": reaching.len(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, arn, fixture, policy, role_arn};
    use plimsoll_model::aws::ec2::{IamInstanceProfile, Instance};
    use plimsoll_model::aws::iam::{AttachedPolicy, InstanceProfile, InstanceProfileRole, Policy, PolicyVersion, Role};
    use plimsoll_model::{Confidence, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    /// Host `h1` of cluster `shop` with role `host`.
    fn host(statement: Value) -> Fixture {
        let profile = format!("arn:aws:iam::{ACCOUNT}:instance-profile/host");
        let of_instance = IamInstanceProfile { arn: Some(profile.clone()), ..Default::default() };
        alone(fixture().on_ec2(|_| {}))
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |instance| instance.iam_instance_profile = Some(of_instance))
            .role("host", |_| {})
            .global_resource(InstanceProfile {
                arn: profile,
                instance_profile_name: "host".to_owned(),
                roles: vec![InstanceProfileRole { arn: role_arn("host"), role_name: "host".to_owned() }],
                ..Default::default()
            })
            .each(grants("host", statement))
    }

    fn allowed(action: &str, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    fn managed(account: Fixture, name: &str, statement: Value) -> Fixture {
        let policy_arn = format!("arn:aws:iam::aws:policy/{name}");
        let mut document = json!({"Version": "2012-10-17"});
        document["Statement"] = statement;
        let document = policy(document);
        let attached = policy_arn.clone();
        account
            .global_resource(Policy {
                arn: policy_arn,
                policy_name: name.to_owned(),
                policy_version_list: vec![PolicyVersion { is_default_version: true, document: Some(document), ..Default::default() }],
                ..Default::default()
            })
            .each(move |role: &mut Role| {
                role.attached_managed_policies.push(AttachedPolicy { policy_arn: attached.clone(), policy_name: None });
            })
    }

    #[test]
    fn passes_with_the_agents_needs_in_its_own_cluster() {
        let own = json!([
            {"Effect": "Allow", "Action": ["ecs:DeregisterContainerInstance", "ecs:Submit*", "ecs:Poll", "ecs:UpdateContainerInstancesState"],
                "Resource": "*", "Condition": {"ArnEquals": {"ecs:cluster": arn("ecs", "cluster/shop")}}},
            {"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecs:RegisterContainerInstance", "logs:PutLogEvents"], "Resource": "*"},
        ]);
        assert_eq!(outcome(&CHECK, host(own)), Pass);
        assert_eq!(outcome(&CHECK, alone(fixture().shop())), NotApplicable);
    }

    #[test]
    fn is_medium_when_it_may_reach_other_clusters() {
        let found = findings(
            &CHECK,
            host(json!({"Effect": "Allow", "Action": ["ecs:DeregisterContainerInstance", "ecs:Submit*"], "Resource": "*"}))
                .cluster("pay", |_| {}),
        );
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::Medium, Confidence::Certain));
        assert_eq!(
            found[0].message,
            "instance role host of host i-h1 may call ecs:DeregisterContainerInstance and ecs:SubmitTaskStateChange on any cluster, \
             by statement #0 of access"
        );
        assert_eq!(found[0].evidence["otherClusters"], json!([arn("ecs", "cluster/pay")]));
        assert_eq!(found[0].path.len(), 4);
    }

    #[test]
    fn is_high_for_secrets_keys_buckets_and_a_way_to_an_administrator() {
        for statement in [
            allowed("secretsmanager:GetSecretValue", "*"),
            allowed("ssm:GetParameter", "*"),
            allowed("kms:Decrypt", "*"),
            allowed("s3:Get*", "*"),
            allowed("iam:PutRolePolicy", "*"),
        ] {
            assert_eq!(outcome(&CHECK, host(statement.clone())), Fail(Severity::High), "{statement}");
        }
        let one = host(allowed("secretsmanager:GetSecretValue", &arn("secretsmanager", "secret:db-*"))).secret("db", |_| {});
        assert_eq!(findings(&CHECK, one)[0].message, "instance role host of host i-h1 may read secret db");
        assert_eq!(outcome(&CHECK, host(allowed("s3:GetObject", "arn:aws:s3:::assets/*"))), Pass);
    }

    #[test]
    fn what_systems_manager_takes_is_no_read_of_secrets() {
        let account = || managed(host(allowed("ecs:Poll", "*")), "AmazonSSMManagedInstanceCore", allowed("ssm:GetParameter", "*"));
        assert_eq!(outcome(&CHECK, account()), Pass);
        assert_eq!(outcome(&CHECK, account().parameter("/shop/db", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, account().each(grants("host", allowed("ssm:GetParameters", "*")))), Fail(Severity::High));
    }

    #[test]
    fn is_critical_for_an_administrator() {
        let found = findings(&CHECK, host(allowed("*", "*")));
        assert_eq!((found.len(), found[0].severity), (1, Severity::Critical));
        assert_eq!(found[0].message, "instance role host of host i-h1 administers account 111111111111 by statement #0 of access");
    }

    #[test]
    fn is_unknown_when_a_policy_or_the_hosts_were_not_readable() {
        let torn = |role: &mut Role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, host(allowed("ecs:Poll", "*")).each(torn)), Unknown);
        for operation in ["iam:GetAccountAuthorizationDetails", "ecs:DescribeContainerInstances", "ec2:DescribeInstances"] {
            assert_eq!(outcome(&CHECK, host(allowed("ecs:Poll", "*")).denied(operation)), Unknown, "{operation}");
        }
        assert_eq!(outcome(&CHECK, host(allowed("ecs:Poll", "*")).without::<Instance>().denied("ec2:DescribeInstances")), Unknown);
    }
}
