//! Reads whether a task definition names a task role and what the services and tasks that use it run on. Yields one verdict
//! per task definition in scope; evidence tells the instance profile of the hosts and whether containers reach it.

use plimsoll_graph::{Launch, Node, Unknown};
use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecs::{Service, Task, TaskDefinition};
use plimsoll_model::{Gap, LaunchKind, PathStep, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist};
use crate::reading::users;

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-no-task-role",
    title: "Task on EC2 has no task role and falls back to the instance role",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
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
        "ecs:DescribeCapacityProviders",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ec2:DescribeInstances",
    ],
    shades: &["ecs:ListContainerInstances", "ecs:DescribeContainerInstances", "ec2:DescribeInstances"],
    compliance: &[nist("AC-6"), nist("IA-2?"), cis_eks("5.2.1?")],
    fails_when: "taskRoleArn is absent and the revision runs on EC2 (launchType EC2, or a capacity provider with \
                 autoScalingGroupProvider): SDKs in the container then find the instance profile through IMDS when it is \
                 reachable. On Fargate absence means no AWS credentials at all: pass.",
    why: "Without credentials of its own a program asks the instance metadata service, which hands out those of the host: \
          every such container then has the rights of the instance role.",
    remediation: Remediation {
        text: "Create a task role with the least permissions (or none) and set taskRoleArn.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # taskRoleArn=ROLE_ARN; then: aws \
             ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// Evidence names at most this many hosts.
const SHOWN_HOSTS: usize = 10;

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    if definition.data().task_role_arn.as_deref().is_some_and(|role| !role.is_empty()) {
        return Ok(Verdict::Pass);
    }
    let mut undecided = false;
    // A task that was started with a role of its own does not fall back.
    let bare = |task: &Node<'_, Task>| task.data().overrides.as_ref().is_none_or(|overrides| overrides.task_role_arn.is_none());
    for kind in definition.services().map(Node::<'_, Service>::launch).chain(definition.tasks().filter(bare).map(Node::<'_, Task>::launch))
    {
        if is_host(kind) {
            return failure(definition, kind);
        }
        undecided |= kind == LaunchKind::Unknown;
    }
    if !runs_on_hosts(definition.compatible()) {
        return Ok(Verdict::Pass);
    }
    if undecided {
        return Err(not_told(definition));
    }
    if definition.in_use()? {
        return Ok(Verdict::Pass);
    }
    // Nothing runs it: what counts is what it asks for. A definition for Fargate is compatible with EC2 as well.
    let asks = &definition.data().requires_compatibilities;
    if asks.is_empty() || asks.iter().any(|kind| matches!(kind.as_str(), "EC2" | "MANAGED_INSTANCES")) {
        return failure(definition, LaunchKind::Unknown);
    }
    Ok(Verdict::Pass)
}

fn is_host(kind: LaunchKind) -> bool {
    matches!(kind, LaunchKind::Ec2 | LaunchKind::ManagedInstances)
}

fn runs_on_hosts(launch: Launch) -> bool {
    launch.ec2 || launch.managed_instances
}

fn not_told(definition: Node<'_, TaskDefinition>) -> Unknown {
    const PROVIDERS: &str = "ecs:DescribeCapacityProviders";
    let coverage = definition.estate().coverage();
    let gap = coverage.check(definition.account(), definition.region(), PROVIDERS).err().unwrap_or_else(|| Gap {
        account: definition.account().clone(),
        region: definition.region().clone(),
        code: Gap::NOT_FOUND.to_owned(),
        message: "what the users of the revision run on is not told".to_owned(),
        ..Gap::not_collected(PROVIDERS)
    });
    gap.into()
}

fn failure(definition: Node<'_, TaskDefinition>, kind: LaunchKind) -> Judgement {
    let mut hosts: Vec<(Node<'_, Task>, Node<'_, Instance>)> = Vec::new();
    for task in definition.tasks() {
        let instance = task.container_instance().and_then(|link| link.found()?.instance().found());
        if let Some(instance) = instance
            && hosts.len() < SHOWN_HOSTS
            && hosts.iter().all(|(_, known)| *known != instance)
        {
            hosts.push((task, instance));
        }
    }
    let network_mode = definition.data().network_mode.as_deref();
    let told: Vec<Value> = hosts.iter().map(|(task, instance)| host(*task, *instance)).collect();
    let evidence = json!({
        "taskRoleArn": null,
        "launchType": if kind == LaunchKind::Unknown { None } else { Some(kind.label()) },
        "networkMode": network_mode,
        "hosts": told,
        "usedBy": users(definition),
    });
    let profiled = hosts.iter().find_map(|(task, instance)| Some((task, instance, profile(*instance)?)));
    let message = match (kind, profiled) {
        (LaunchKind::Unknown, _) => format!("{} is made for EC2 and has no task role", definition.name()),
        (_, None) => format!("{} runs on {} without task role", definition.name(), kind.label()),
        (_, Some((_, _, profile))) => {
            format!("{} runs on {} without task role, on hosts with instance profile {profile}", definition.name(), kind.label())
        }
    };
    let path = profiled.map_or_else(Vec::new, |(task, instance, profile)| {
        vec![
            PathStep { arn: definition.arn().into_owned(), via: "runs as".to_owned() },
            PathStep { arn: task.arn().into_owned(), via: "runs on".to_owned() },
            PathStep { arn: instance.arn().into_owned(), via: "has instance profile".to_owned() },
            PathStep { arn: profile.to_owned(), via: "gives its role".to_owned() },
        ]
    });
    fail(message, evidence).path(path).verdict()
}

fn profile(instance: Node<'_, Instance>) -> Option<&str> {
    instance.data().iam_instance_profile.as_ref()?.arn.as_deref()
}

fn host(task: Node<'_, Task>, instance: Node<'_, Instance>) -> Value {
    let options = instance.data().metadata_options.as_ref();
    json!({
        "InstanceId": instance.instance_id,
        "IamInstanceProfile": {"Arn": profile(instance)},
        "HttpEndpoint": options.and_then(|options| options.http_endpoint.as_deref()),
        "HttpTokens": options.and_then(|options| options.http_tokens.as_deref()),
        "HttpPutResponseHopLimit": options.and_then(|options| options.http_put_response_hop_limit),
        "imdsReachable": task.reaches_instance_metadata().ok().map(|access| access.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, role_arn};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ec2::{IamInstanceProfile, Instance};
    use plimsoll_model::aws::ecs::{
        AutoScalingGroupProvider, CapacityProvider, CapacityProviderStrategyItem, Service, Task, TaskDefinition, TaskOverride,
    };

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn without_role(definition: &mut TaskDefinition) {
        definition.task_role_arn = None;
        definition.network_mode = Some("bridge".to_owned());
    }

    fn on_ec2(change: impl FnOnce(&mut TaskDefinition)) -> Fixture {
        let ec2 = |service: &mut Service| service.launch_type = Some("EC2".to_owned());
        fixture().cluster("shop", |_| {}).ec2_task_definition("app", change).service("shop", "app", ec2)
    }

    /// The service gets its launch type from capacity provider `hosts`.
    fn on_provider(account: Fixture) -> Fixture {
        account.each(|service: &mut Service| {
            service.launch_type = None;
            let capacity_provider = "hosts".to_owned();
            service.capacity_provider_strategy = vec![CapacityProviderStrategyItem { capacity_provider, ..Default::default() }];
        })
    }

    #[test]
    fn fails_without_task_role_on_ec2() {
        assert_eq!(outcome(&CHECK, on_ec2(without_role)), Fail(Severity::Medium));
    }

    #[test]
    fn fails_on_hosts_of_a_capacity_provider() {
        let provider = CapacityProvider {
            capacity_provider_arn: arn("ecs", "capacity-provider/hosts"),
            name: "hosts".to_owned(),
            auto_scaling_group_provider: Some(AutoScalingGroupProvider::default()),
            ..Default::default()
        };
        assert_eq!(outcome(&CHECK, on_provider(on_ec2(without_role)).resource(provider)), Fail(Severity::Medium));
    }

    #[test]
    fn names_the_instance_profile_of_the_host() {
        let account = on_ec2(without_role)
            .task("shop", "app", "t1", |task| {
                task.launch_type = Some("EC2".to_owned());
                task.container_instance_arn = Some(arn("ecs", "container-instance/shop/a"));
            })
            .container_instance("shop", "a", |_| {})
            .instance("a", |instance: &mut Instance| {
                instance.iam_instance_profile = Some(IamInstanceProfile { arn: Some(arn("iam", "instance-profile/hosts")), id: None });
            });
        let found = findings(&CHECK, account);
        assert_eq!(
            found[0].message,
            "app:1 runs on EC2 without task role, on hosts with instance profile arn:aws:iam::111111111111:instance-profile/hosts"
        );
        assert_eq!(found[0].evidence["hosts"][0]["imdsReachable"], false);
        assert_eq!(found[0].path.len(), 4);
    }

    #[test]
    fn passes_with_a_task_role() {
        assert_eq!(outcome(&CHECK, on_ec2(|_| {})), Pass);
    }

    #[test]
    fn passes_on_fargate_where_there_is_nothing_to_fall_back_to() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(without_role)), Pass);
        assert_eq!(outcome(&CHECK, fixture().task_definition("job", without_role)), Pass);
    }

    #[test]
    fn passes_when_the_task_was_started_with_a_role() {
        let with_role = |task: &mut Task| {
            task.launch_type = Some("EC2".to_owned());
            task.overrides = Some(TaskOverride { task_role_arn: Some(role_arn("job")), ..Default::default() });
        };
        let account = fixture().cluster("shop", |_| {}).ec2_task_definition("job", without_role);
        assert_eq!(outcome(&CHECK, account.standalone_task("shop", "job", "t1", with_role)), Pass);
    }

    #[test]
    fn weighs_less_when_nothing_runs_the_revision() {
        assert_eq!(outcome(&CHECK, fixture().ec2_task_definition("app", without_role)), Fail(Severity::Low));
    }

    #[test]
    fn is_unknown_when_the_launch_type_is() {
        let account = on_provider(on_ec2(without_role));
        assert_eq!(outcome(&CHECK, account.clone()), Unknown);
        assert_eq!(outcome(&CHECK, account.denied("ecs:DescribeCapacityProviders")), Unknown);
    }

    #[test]
    fn hosts_only_add_evidence() {
        assert_eq!(outcome(&CHECK, on_ec2(|_| {}).denied("ec2:DescribeInstances").denied("ecs:ListContainerInstances")), Pass);
        assert_eq!(outcome(&CHECK, on_ec2(without_role).denied("ec2:DescribeInstances")), Fail(Severity::Medium));
    }
}
