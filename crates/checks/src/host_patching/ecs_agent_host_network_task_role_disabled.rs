//! Reads the tasks on a container instance, their definitions, and the capabilities that the agent registered. Yields
//! one verdict per container instance; a failure names the tasks that get the instance role instead of their own.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{ContainerInstance, Task};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{counted, undecided, written_setting};

pub(crate) const CHECK: Check = Check {
    id: "ecs-agent-host-network-task-role-disabled",
    title: "Host-mode task has a task role that its agent does not serve",
    severity: Severity::Medium,
    resource: "AWS::ECS::ContainerInstance",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:DescribeTaskDefinition",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeLaunchTemplateVersions",
    ],
    // Definitions are asked where the capability is missing, providers for hosts that have one, EC2 where the agent
    // registered no capabilities.
    shades: &[
        "ecs:DescribeCapacityProviders",
        "ecs:DescribeTaskDefinition",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeLaunchTemplateVersions",
    ],
    compliance: &[nist("AC-6")],
    fails_when: "A host runs tasks with networkMode host and a taskRoleArn, and the agent configuration sets \
                 ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST=false or, on agents without the ecs-init default, does not set it \
                 to true: the task then uses the instance role instead of its own. A missing instance attribute \
                 com.amazonaws.ecs.capability.task-iam-role-network-host is the direct proof.",
    why: "The containers silently work with the permissions of the instance role, which every task on the host shares and \
          which is broader than any one of them needs.",
    remediation: Remediation {
        text: "Set ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST=true, or move the task to awsvpc.",
        cli: "aws ecs list-attributes --cluster CLUSTER --target-type container-instance --attribute-name \
             com.amazonaws.ecs.capability.task-iam-role-network-host",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.hosts(), judge),
};

const SETTING: &str = "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST";
/// Registered by agents that have the setting on, however it came to them.
const SERVES_HOST_MODE: &str = "com.amazonaws.ecs.capability.task-iam-role-network-host";
/// Tasks that evidence lists.
const SHOWN: usize = 10;

/// What a task has to do with the setting.
#[derive(PartialEq, Eq)]
enum Mode {
    Other,
    HostWithoutRole,
    HostWithRole,
}

fn judge(host: Node<'_, ContainerInstance>) -> Judgement {
    let mut gap = None;
    let mut in_host_mode = false;
    let mut unserved: Vec<Node<'_, Task>> = Vec::new();
    for task in host.tasks().filter(|task| task.last_status != "STOPPED") {
        match mode(task) {
            Ok(Mode::Other) => {}
            Ok(mode) => {
                in_host_mode = true;
                if mode == Mode::HostWithRole {
                    unserved.push(task);
                }
            }
            Err(unknown) => gap = Some(unknown),
        }
    }
    if host.has_attribute(SERVES_HOST_MODE) {
        return Ok(if in_host_mode { Verdict::Pass } else { Verdict::NotApplicable });
    }
    if unserved.is_empty() {
        return match gap {
            Some(unknown) => Err(unknown),
            None => Ok(if in_host_mode { Verdict::Pass } else { Verdict::NotApplicable }),
        };
    }
    if !host.is_run_by_customer()? {
        return Ok(Verdict::NotApplicable);
    }
    // An agent that registers capabilities would register this one. Where it registered none of them, user data that
    // turns the setting on speaks for it.
    let tells = host.attributes.iter().any(|attribute| attribute.name.contains("ecs.capability."));
    if !tells && is_written(host)? {
        return Ok(Verdict::Pass);
    }
    let tasks: Vec<_> =
        unserved.iter().take(SHOWN).map(|task| json!({"taskArn": task.task_arn, "taskDefinitionArn": task.task_definition_arn})).collect();
    let evidence = json!({
        "attribute": {"name": SERVES_HOST_MODE, "present": false},
        "userData": written_setting(host, SETTING),
        "tasks": tasks,
        "taskCount": unserved.len(),
    });
    let mut families: Vec<&str> = unserved.iter().filter_map(|task| task.data().task_definition_arn.rsplit('/').next()).collect();
    families.sort_unstable();
    families.dedup();
    let message =
        format!("host-mode tasks of {} on {} get the instance role instead of their own", counted("revision", &families), host.name());
    fail(message, evidence).verdict()
}

/// Whether user data turns the setting on; unknown where what was not read may do so.
fn is_written(host: Node<'_, ContainerInstance>) -> Result<bool, Unknown> {
    let Some(instance) = host.instance().exists()? else { return Ok(false) };
    let Some(data) = instance.data().user_data.known()? else { return Ok(false) };
    if let Some(value) = data.agent_configuration.get(SETTING) {
        return Ok(value == "true");
    }
    if data.configured_elsewhere || data.unresolved.contains(SETTING) || data.unreadable.is_some() {
        let message = "user data takes the agent configuration from elsewhere";
        return Err(undecided(host, "ec2:DescribeInstanceAttribute", "Unresolved", message));
    }
    Ok(false)
}

fn mode(task: Node<'_, Task>) -> Result<Mode, Unknown> {
    let definition = task.task_definition().known()?.data();
    let overridden = task.data().overrides.as_ref().is_some_and(|overrides| overrides.task_role_arn.is_some());
    Ok(match definition.network_mode.as_deref() {
        Some("host") if overridden || definition.task_role_arn.is_some() => Mode::HostWithRole,
        Some("host") => Mode::HostWithoutRole,
        _ => Mode::Other,
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture};
    use plimsoll_model::aws::{ec2, ecs};
    use plimsoll_model::{Seen, Severity};

    use super::{CHECK, SERVES_HOST_MODE, SETTING};
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// A task of family `agent` on a host.
    fn host(change: impl FnOnce(&mut ecs::TaskDefinition)) -> Fixture {
        fixture()
            .cluster("shop", |_| {})
            .ec2_task_definition("agent", |definition| {
                definition.network_mode = Some("host".to_owned());
                change(definition);
            })
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |_| {})
            .standalone_task("shop", "agent", "t1", |task| {
                task.launch_type = Some("EC2".to_owned());
                task.container_instance_arn = Some(arn("ecs", "container-instance/shop/h1"));
                task.attachments.clear();
            })
    }

    fn unserved(host: &mut ecs::ContainerInstance) {
        host.attributes.retain(|attribute| attribute.name != SERVES_HOST_MODE);
    }

    #[test]
    fn fails_when_the_agent_does_not_serve_roles_to_host_mode_tasks() {
        let account = host(|_| {}).each(unserved);
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        let found = findings(&CHECK, account);
        assert!(found[0].message.contains("agent:1"), "{}", found[0].message);
    }

    #[test]
    fn fails_when_the_task_brings_its_role_as_an_override() {
        let account = host(|definition| definition.task_role_arn = None).each(unserved).each(|task: &mut ecs::Task| {
            let task_role_arn = Some(plimsoll_fixture::role_arn("other"));
            task.overrides = Some(ecs::TaskOverride { task_role_arn, ..Default::default() });
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_agent_serves_them() {
        assert_eq!(outcome(&CHECK, host(|_| {})), Pass);
    }

    #[test]
    fn user_data_speaks_for_an_agent_that_registered_no_capability() {
        let writes = |value: &'static str| {
            move |instance: &mut ec2::Instance| {
                let agent_configuration = [(SETTING.to_owned(), value.to_owned())].into();
                instance.user_data = Seen::Known(Some(ec2::UserData { agent_configuration, ..Default::default() }));
            }
        };
        let bare = |host: &mut ecs::ContainerInstance| host.attributes.clear();
        let sparse =
            |host: &mut ecs::ContainerInstance| host.attributes = vec![ecs::Attribute { name: "ecs.os-type".to_owned(), value: None }];
        assert_eq!(outcome(&CHECK, host(|_| {}).each(bare).each(writes("false"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, host(|_| {}).each(sparse).each(writes("false"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, host(|_| {}).each(sparse).each(writes("true"))), Pass);
        assert_eq!(outcome(&CHECK, host(|_| {}).each(unserved).each(writes("true"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, host(|_| {}).each(sparse)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, host(|_| {}).each(bare)), Fail(Severity::Medium));
        let unread = host(|_| {}).each(bare).without::<ec2::Instance>().denied("ec2:DescribeInstances");
        assert_eq!(outcome(&CHECK, unread), Unknown);
        let elsewhere = |instance: &mut ec2::Instance| {
            instance.user_data = Seen::Known(Some(ec2::UserData { configured_elsewhere: true, ..Default::default() }));
        };
        assert_eq!(outcome(&CHECK, host(|_| {}).each(bare).each(elsewhere)), Unknown);
    }

    #[test]
    fn passes_when_the_host_mode_task_has_no_role() {
        assert_eq!(outcome(&CHECK, host(|definition| definition.task_role_arn = None).each(unserved)), Pass);
    }

    #[test]
    fn does_not_apply_without_host_mode_tasks() {
        let bridge = host(|definition| definition.network_mode = Some("bridge".to_owned()));
        assert_eq!(outcome(&CHECK, bridge.each(unserved)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_definition_was_not_readable() {
        let unread = host(|_| {}).each(unserved).without::<ecs::TaskDefinition>().denied("ecs:DescribeTaskDefinition");
        assert_eq!(outcome(&CHECK, unread), Unknown);
    }

    #[test]
    fn is_unknown_when_tasks_were_not_readable() {
        assert_eq!(outcome(&CHECK, host(|_| {}).without::<ecs::Task>().denied("ecs:DescribeTasks")), Unknown);
    }
}
