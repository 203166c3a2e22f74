//! Reads the agent's connection and version, and whether the EC2 instance runs. Yields one verdict per container
//! instance; a failure tells how many tasks run out of reach.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecs::ContainerInstance;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::instance_of;

pub(crate) const CHECK: Check = Check {
    id: "ecs-container-instance-agent-disconnected",
    title: "ECS agent is disconnected while tasks run",
    severity: Severity::Medium,
    resource: "AWS::ECS::ContainerInstance",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "ec2:DescribeInstances",
    ],
    // Asked for hosts whose agent is disconnected: their verdict alone is unknown without them.
    shades: &["ecs:DescribeCapacityProviders", "ec2:DescribeInstances"],
    compliance: &[nist("SI-4?"), nist("CM-8")],
    fails_when: "agentConnected is false, runningTasksCount > 0 and the EC2 instance has State.Name running; or \
                 versionInfo is empty. ECS then has no control over these containers.",
    why: "ECS can neither stop nor replace the containers of such a host: a bad image keeps running, and nobody sees what \
          happens to it.",
    remediation: Remediation {
        text: "Repair the agent or drain and end the instance.",
        cli: "aws ecs update-container-instances-state --cluster CLUSTER --container-instances ARN --status DRAINING",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.hosts(), judge),
};

fn judge(host: Node<'_, ContainerInstance>) -> Judgement {
    let version = host.data().version_info.as_ref().and_then(|version| version.agent_version.as_deref()).filter(|v| !v.is_empty());
    let is_cut_off = !host.agent_connected && host.running_tasks_count > 0;
    if version.is_some() && !is_cut_off {
        return Ok(Verdict::Pass);
    }
    if !host.is_run_by_customer()? {
        return Ok(Verdict::NotApplicable);
    }
    // A host without agent version is out of control whether it could be read in EC2 or not.
    let instance = match (instance_of(host), version) {
        (Ok(Some(instance)), _) => Some(instance),
        (Ok(None), _) => return Ok(Verdict::NotApplicable),
        (Err(_), None) => None,
        (Err(unknown), Some(_)) => return Err(unknown),
    };
    let state = instance.and_then(|instance| state(instance.data()));
    if version.is_some() && state != Some("running") {
        return Ok(Verdict::Pass);
    }
    let evidence = json!({
        "agentConnected": host.agent_connected,
        "runningTasksCount": host.running_tasks_count,
        "agentVersion": version,
        "registeredAt": host.registered_at,
        "state": state,
    });
    let tasks = match host.running_tasks_count {
        1 => "1 task runs".to_owned(),
        count => format!("{count} tasks run"),
    };
    let how = if version.is_none() { "never told its version" } else { "is disconnected" };
    fail(format!("the ECS agent of {} {how} while {tasks} there", host.name()), evidence).verdict()
}

fn state(instance: &Instance) -> Option<&str> {
    instance.state.as_ref()?.name.as_deref()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn host(change: impl FnOnce(&mut ecs::ContainerInstance)) -> Fixture {
        fixture().cluster("shop", |_| {}).container_instance("shop", "h1", change).instance("h1", |_| {})
    }

    fn disconnected(host: &mut ecs::ContainerInstance) {
        host.agent_connected = false;
    }

    fn in_state(name: &'static str) -> impl Fn(&mut ec2::Instance) {
        move |instance| instance.state.as_mut().unwrap().name = Some(name.to_owned())
    }

    #[test]
    fn fails_when_tasks_run_under_a_disconnected_agent() {
        assert_eq!(outcome(&CHECK, host(disconnected)), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_the_agent_never_told_its_version() {
        let mute = |host: &mut ecs::ContainerInstance| host.version_info = Some(ecs::VersionInfo::default());
        assert_eq!(outcome(&CHECK, host(mute)), Fail(Severity::Medium));
        let unread = host(mute).without::<ec2::Instance>().denied("ec2:DescribeInstances");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_agent_is_connected_or_nothing_runs() {
        assert_eq!(outcome(&CHECK, host(|_| {})), Pass);
        let idle = |host: &mut ecs::ContainerInstance| (host.agent_connected, host.running_tasks_count) = (false, 0);
        assert_eq!(outcome(&CHECK, host(idle)), Pass);
    }

    #[test]
    fn passes_when_the_instance_is_stopped() {
        assert_eq!(outcome(&CHECK, host(disconnected).each(in_state("stopped"))), Pass);
    }

    #[test]
    fn does_not_apply_when_the_instance_has_ended() {
        assert_eq!(outcome(&CHECK, host(disconnected).each(in_state("terminated"))), NotApplicable);
        assert_eq!(outcome(&CHECK, host(disconnected).without::<ec2::Instance>()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_instance_was_not_readable() {
        let unread = |change: fn(&mut ecs::ContainerInstance)| host(change).without::<ec2::Instance>().denied("ec2:DescribeInstances");
        assert_eq!(outcome(&CHECK, unread(disconnected)), Unknown);
        assert_eq!(outcome(&CHECK, unread(|_| {})), Pass);
    }

    #[test]
    fn is_unknown_when_container_instances_were_not_readable() {
        assert_eq!(outcome(&CHECK, host(|_| {}).denied("ecs:ListContainerInstances")), Unknown);
    }
}
