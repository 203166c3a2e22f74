//! Reads whether the containers of each running task reach the metadata service of their EC2 host, and the role that it
//! gives away. Yields one verdict per running task; a failure tells the way there.

use plimsoll_graph::{Certainty, Estate, Link, MetadataAccess, MetadataWay, Node, Principal};
use plimsoll_model::aws::ecs::Task;
use plimsoll_model::aws::iam::Role;
use plimsoll_model::{PathStep, Severity};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, fsbp, nist};
use crate::engine::Verdicts;
use crate::reading::written_setting;

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-imds-reachable",
    title: "Container can reach the credentials of its EC2 host",
    severity: Severity::High,
    resource: "AWS::ECS::Task",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeCapacityProviders",
        "ecs:DescribeContainerInstances",
        "ecs:ListContainerInstances",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeImages",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeLaunchConfigurations",
        "iam:GetAccountAuthorizationDetails",
    ],
    // Only tasks with a host rest on more than the tasks themselves, and each is unknown without what was not read of its
    // host. IAM names the role.
    shades: &[
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeCapacityProviders",
        "ecs:DescribeContainerInstances",
        "ecs:ListContainerInstances",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeImages",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeLaunchConfigurations",
        "iam:GetAccountAuthorizationDetails",
    ],
    compliance: &[fsbp("EC2.8"), nist("AC-6"), nist("SC-7"), cis_docker("5.10?")],
    fails_when: "Task on EC2, MetadataOptions.HttpEndpoint enabled, instance has an IamInstanceProfile, and: host mode \
                 (always reachable); bridge mode with HttpPutResponseHopLimit >= 2 or HttpTokens optional, and no \
                 iptables DOCKER-USER drop of 169.254.169.254 in user data; awsvpc mode without \
                 ECS_AWSVPC_BLOCK_IMDS=true in user data or AMI configuration. Critical when the instance role is ADMIN \
                 or CAN-ESCALATE.",
    why: "One request from any container of the task returns the credentials of the instance role, and with them everything \
          that the host and every other task on it may do.",
    remediation: Remediation {
        text: "Set ECS_AWSVPC_BLOCK_IMDS=true, require IMDSv2 with hop limit 1, and use awsvpc mode.",
        cli: "aws ec2 modify-instance-metadata-options --instance-id ID --http-tokens required \
             --http-put-response-hop-limit 1",
    },
    evaluate,
};

/// What the agent calls the setting that shields awsvpc tasks.
const SETTING: &str = "ECS_AWSVPC_BLOCK_IMDS";

/// What makes a role worth more than its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Administrator,
    Escalates,
}

/// What the roles of hosts are worth and how sure that is, each asked once; `None` where there is nothing, or it was not read.
type Powers = FxHashMap<u32, Option<(Power, Certainty)>>;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut powers = Powers::default();
    for task in estate.running_tasks() {
        verdicts.judge(task, judge(task, &mut powers));
    }
}

fn power(role: Node<'_, Role>) -> Option<(Power, Certainty)> {
    let role = Principal::Role(role);
    let administers = role.administers().ok().flatten().map(|certainty| (Power::Administrator, certainty));
    administers.or_else(|| Some((Power::Escalates, role.escalates().ok()??.certainty())))
}

fn judge(task: Node<'_, Task>, powers: &mut Powers) -> Judgement {
    if task.customer_host()?.is_none() {
        return Ok(Verdict::NotApplicable);
    }
    let Some(access) = task.reaches_instance_metadata()? else { return Ok(Verdict::Pass) };
    // Without a profile, or with one that holds no role, there are no credentials.
    let Some(role) = access.instance.role() else { return Ok(Verdict::Pass) };
    let role: Option<Node<'_, Role>> = role.found();
    // Severity only: what was not read leaves the base.
    let power = role.and_then(|role| *powers.entry(role.index()).or_insert_with(|| power(role)));
    let gives = match (role, power.map(|(power, _)| power)) {
        (Some(role), Some(Power::Administrator)) => format!("role {}, an administrator", role.name()),
        (Some(role), Some(Power::Escalates)) => format!("role {}, which can become an administrator", role.name()),
        (Some(role), None) => format!("role {}", role.name()),
        (None, _) => "a role that was not read".to_owned(),
    };
    let unsure = matches!(power, Some((_, Certainty::Conditional)));
    let on = if unsure { " on conditions that were not verified" } else { "" };
    let host = &access.instance.data().instance_id;
    let message =
        format!("containers of task {} reach the metadata service of {host} {}; it gives away {gives}{on}", task.name(), way(access));
    let failure = fail(message, evidence(task, access, role, power)).path(path(task, access, role));
    let failure = if power.is_some() { failure.severity(Severity::Critical) } else { failure };
    if unsure { failure.possible().verdict() } else { failure.verdict() }
}

fn way(access: MetadataAccess<'_>) -> String {
    match access.way {
        MetadataWay::HostNetwork => "from the host's own network".to_owned(),
        MetadataWay::BridgeWithoutToken => "over the bridge, as it asks for no token (IMDSv1)".to_owned(),
        MetadataWay::BridgeWithinHops(hops) => format!("over the bridge, as its answers travel {hops} hops"),
        MetadataWay::OwnInterface => format!("from their own interface, as the agent runs without {SETTING}"),
    }
}

fn path(task: Node<'_, Task>, access: MetadataAccess<'_>, role: Option<Node<'_, Role>>) -> Vec<PathStep> {
    let step = |arn: &str, via: &str| PathStep { arn: arn.to_owned(), via: via.to_owned() };
    let mut path = vec![
        step(&task.arn(), "runs on"),
        step(&access.host.arn(), "is"),
        step(&access.instance.arn(), if role.is_some() { "gives away" } else { "gives away its role" }),
    ];
    path.extend(role.map(|role| step(&role.arn(), "is taken")));
    path
}

fn evidence(task: Node<'_, Task>, access: MetadataAccess<'_>, role: Option<Node<'_, Role>>, power: Option<(Power, Certainty)>) -> Value {
    let definition = task.task_definition();
    let mode = if let Link::Found(definition) = &definition { definition.data().network_mode.as_deref() } else { None };
    let instance = access.instance.data();
    json!({
        "networkMode": mode,
        "containerInstanceArn": access.host.data().container_instance_arn,
        "ec2InstanceId": instance.instance_id,
        "MetadataOptions": instance.metadata_options,
        "userData": written_setting(access.host, SETTING),
        "IamInstanceProfile": instance.iam_instance_profile,
        "role": role.map(|role| role.data().arn.as_str()),
        "administrator": power.is_some_and(|(power, _)| power == Power::Administrator),
        "canEscalate": power.is_some_and(|(power, _)| power == Power::Escalates),
        "escalation": role.and_then(|role| Some(Principal::Role(role).escalates().ok()??.to_string())),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, arn, fixture, gap, policy, role_arn};
    use plimsoll_model::aws::ec2::{IamInstanceProfile, Instance, InstanceMetadataOptions};
    use plimsoll_model::aws::ecs::{ContainerInstance, Task};
    use plimsoll_model::aws::iam::{AttachedPolicy, InstanceProfile, InstanceProfileRole, PolicyDetail, Role};
    use plimsoll_model::aws::organizations::Account;
    use plimsoll_model::{Confidence, Region, Seen, Severity};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// Task `t1` in a network mode on host `h1` with role `hosts`.
    fn task(mode: &'static str) -> Fixture {
        let profile = InstanceProfile {
            arn: arn("iam", "instance-profile/hosts"),
            roles: vec![InstanceProfileRole { arn: role_arn("hosts"), role_name: "hosts".to_owned() }],
            ..Default::default()
        };
        fixture()
            .cluster("shop", |_| {})
            .role("hosts", |_| {})
            .with(|inventory| {
                let account = inventory.roles[0].account.clone();
                inventory.push(&account, &Region::global(), profile);
            })
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |instance| {
                instance.iam_instance_profile = Some(IamInstanceProfile { arn: Some(arn("iam", "instance-profile/hosts")), id: None });
            })
            .ec2_task_definition("web", |definition| definition.network_mode = Some(mode.to_owned()))
            .task("shop", "web", "t1", |task| {
                task.launch_type = Some("EC2".to_owned());
                task.container_instance_arn = Some(arn("ecs", "container-instance/shop/h1"));
            })
    }

    fn options(change: impl Fn(&mut InstanceMetadataOptions)) -> impl Fn(&mut Instance) {
        move |instance| change(instance.metadata_options.as_mut().unwrap())
    }

    fn two_hops() -> impl Fn(&mut Instance) {
        options(|options| options.http_put_response_hop_limit = Some(2))
    }

    #[test]
    fn fails_in_host_mode() {
        let found = findings(&CHECK, task("host"));
        assert_eq!((found.len(), found[0].severity), (1, Severity::High));
        let message = "containers of task t1 reach the metadata service of i-h1 from the host's own network; it gives away role hosts";
        assert_eq!(found[0].message, message);
        assert_eq!(found[0].path.len(), 4);
    }

    #[test]
    fn fails_over_a_bridge_within_reach() {
        assert_eq!(outcome(&CHECK, task("bridge").each(two_hops())), Fail(Severity::High));
        let optional = options(|options| options.http_tokens = Some("optional".to_owned()));
        assert_eq!(outcome(&CHECK, task("bridge").each(optional)), Fail(Severity::High));
    }

    #[test]
    fn fails_in_awsvpc_mode_where_the_agent_does_not_block() {
        let account = task("awsvpc").each(|host: &mut ContainerInstance| {
            host.attributes.retain(|one| one.name != "ecs.capability.task-eni-block-instance-metadata");
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn an_administrator_is_critical() {
        let attached = AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(), policy_name: None };
        let account = task("host").each(move |role: &mut Role| role.attached_managed_policies = vec![attached.clone()]);
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Critical));
    }

    #[test]
    fn a_role_that_can_become_an_administrator_is_critical() {
        let account = || {
            let account = Account { id: ACCOUNT.to_owned(), organization: Seen::Known(None), ..Default::default() };
            task("host").global_resource(account).each(|role: &mut Role| {
                let statement = json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": role_arn("hosts")});
                let document = Some(policy(json!({"Version": "2012-10-17", "Statement": statement})));
                role.role_policy_list = vec![PolicyDetail { policy_name: "own".to_owned(), policy_document: document }];
            })
        };
        let found = findings(&CHECK, account());
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Critical, Confidence::Certain));
        assert!(found[0].message.ends_with("gives away role hosts, which can become an administrator"), "{}", found[0].message);
        assert!(found[0].evidence["escalation"].as_str().unwrap().contains("iam:PutRolePolicy"));
        let found = findings(&CHECK, account().without::<Account>());
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Critical, Confidence::Possible));
    }

    #[test]
    fn passes_when_it_is_out_of_reach_or_has_nothing_to_give() {
        assert_eq!(outcome(&CHECK, task("awsvpc")), Pass);
        assert_eq!(outcome(&CHECK, task("bridge")), Pass);
        assert_eq!(outcome(&CHECK, task("host").each(options(|options| options.http_endpoint = Some("disabled".to_owned())))), Pass);
        assert_eq!(outcome(&CHECK, task("host").each(|instance: &mut Instance| instance.iam_instance_profile = None)), Pass);
        assert_eq!(outcome(&CHECK, task("host").each(|profile: &mut InstanceProfile| profile.roles.clear())), Pass);
    }

    #[test]
    fn does_not_apply_without_a_host_of_the_customer() {
        let fargate = |task: &mut Task| (task.launch_type, task.container_instance_arn) = (Some("FARGATE".to_owned()), None);
        assert_eq!(outcome(&CHECK, task("awsvpc").each(fargate)), NotApplicable);
        for launch_type in ["EXTERNAL", "MANAGED_INSTANCES"] {
            let elsewhere = move |task: &mut Task| task.launch_type = Some(launch_type.to_owned());
            assert_eq!(outcome(&CHECK, task("host").each(elsewhere)), NotApplicable);
        }
    }

    #[test]
    fn user_data_that_was_not_read_matters_but_in_host_mode() {
        let unread = |instance: &mut Instance| instance.user_data = gap("ec2:DescribeInstanceAttribute").into();
        assert_eq!(outcome(&CHECK, task("bridge").each(two_hops()).each(unread)), Unknown);
        let silent = |host: &mut ContainerInstance| host.attributes.clear();
        assert_eq!(outcome(&CHECK, task("awsvpc").each(silent).each(unread)), Unknown);
        assert_eq!(outcome(&CHECK, task("host").each(unread)), Fail(Severity::High));
    }

    #[test]
    fn fails_whatever_the_role_when_that_was_not_readable() {
        let account = task("host").without::<Role>().without::<InstanceProfile>().denied("iam:GetAccountAuthorizationDetails");
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn is_unknown_when_tasks_or_hosts_were_not_readable() {
        assert_eq!(outcome(&CHECK, task("awsvpc").denied("ecs:ListTasks")), Unknown);
        let unread = task("host").without::<ContainerInstance>().denied("ecs:DescribeContainerInstances");
        assert_eq!(outcome(&CHECK, unread), Unknown);
        assert_eq!(outcome(&CHECK, task("host").without::<Instance>().denied("ec2:DescribeInstances")), Unknown);
    }
}
