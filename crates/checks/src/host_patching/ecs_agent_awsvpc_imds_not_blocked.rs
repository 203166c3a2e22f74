//! Reads the capabilities that the agent of a container instance registered, and which definitions may run there.
//! Yields one verdict per container instance; a failure shows what user data writes for the setting.

use plimsoll_graph::{Estate, Node, Unknown};
use plimsoll_model::aws::ecs::{ContainerInstance, TaskDefinition};
use plimsoll_model::{AccountId, LaunchKind, Region, Severity};
use rustc_hash::FxHashSet;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::{instance_of, written_setting};

pub(crate) const CHECK: Check = Check {
    id: "ecs-agent-awsvpc-imds-not-blocked",
    title: "ECS agent does not block metadata access from awsvpc tasks",
    severity: Severity::Medium,
    resource: "AWS::ECS::ContainerInstance",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "ecs:ListTaskDefinitionFamilies",
        "ecs:DescribeTaskDefinition",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeImages",
    ],
    // Definitions are asked where none is known to use awsvpc, providers for hosts that have one, EC2 where the agent
    // registered no capabilities.
    shades: &[
        "ecs:DescribeCapacityProviders",
        "ecs:ListTaskDefinitionFamilies",
        "ecs:DescribeTaskDefinition",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeImages",
    ],
    compliance: &[nist("CM-6"), nist("AC-6")],
    fails_when: "Effective agent configuration (cloud-init user data writing /etc/ecs/ecs.config, Bottlerocket \
                 settings.ecs, or Windows Initialize-ECSAgent -AwsvpcBlockIMDS) lacks ECS_AWSVPC_BLOCK_IMDS=true. \
                 Evaluated for hosts that run or may run awsvpc tasks.",
    why: "Any container with its own interface can then ask the metadata service for the credentials of the instance \
          role, and act as the host.",
    remediation: Remediation {
        text: "Write ECS_AWSVPC_BLOCK_IMDS=true to the agent configuration in the launch template and replace the \
              hosts.",
        cli: "aws ec2 create-launch-template-version --launch-template-id LT --source-version 1 --launch-template-data \
             UserData=BASE64",
    },
    evaluate,
};

const SETTING: &str = "ECS_AWSVPC_BLOCK_IMDS";
/// Registered by agents that can run awsvpc tasks.
const CAN_RUN_AWSVPC: &str = "ecs.capability.task-eni";
/// Registered by agents that can and that have the setting on, however it came to them: user data, image or hand.
const BLOCKS_METADATA: &str = "ecs.capability.task-eni-block-instance-metadata";

/// Accounts and Regions with a definition in scope that is known to put awsvpc tasks on EC2 instances.
type Places<'e> = FxHashSet<(&'e AccountId, &'e Region)>;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let places: Places<'_> =
        estate.definitions_in_scope().filter(|&definition| may_run_on_ec2(definition)).map(|d| (d.account(), d.region())).collect();
    verdicts.each(estate.hosts(), |host| judge(host, &places));
}

/// Whether awsvpc tasks of a definition may run on EC2 instances: some do, or it was made for that.
fn may_run_on_ec2(definition: Node<'_, TaskDefinition>) -> bool {
    let asked = &definition.data().requires_compatibilities;
    definition.network_mode.as_deref() == Some("awsvpc")
        && (asked.is_empty()
            || asked.iter().any(|compatibility| compatibility == "EC2")
            || definition.services().any(|service| service.launch() == LaunchKind::Ec2)
            || definition.tasks().any(|task| task.container_instance_arn.is_some()))
}

fn judge(host: Node<'_, ContainerInstance>, places: &Places<'_>) -> Judgement {
    if host.has_attribute(BLOCKS_METADATA) {
        return Ok(Verdict::Pass);
    }
    // An agent that registers its capabilities tells what it can and what it does: that is proof. Where it registered
    // none of them, what was written for it has to do.
    if (host.tells_capabilities() && !host.has_attribute(CAN_RUN_AWSVPC)) || has_ended(host)? {
        return Ok(Verdict::NotApplicable);
    }
    if !places.contains(&(host.account(), host.region())) {
        for operation in ["ecs:ListTaskDefinitionFamilies", "ecs:DescribeTaskDefinition"] {
            host.estate().coverage().check(host.account(), host.region(), operation)?;
        }
        return Ok(Verdict::NotApplicable);
    }
    if host.blocks_awsvpc_metadata()? {
        return Ok(Verdict::Pass);
    }
    let instance = host.instance().found();
    let evidence = json!({
        "attribute": {"name": BLOCKS_METADATA, "present": false},
        "userData": written_setting(host, SETTING),
        "imageId": instance.and_then(|instance| instance.data().image_id.as_deref()),
    });
    fail(format!("awsvpc tasks on {} can reach its instance metadata: the agent runs without {SETTING}", host.name()), evidence).verdict()
}

/// Whether the instance is gone or not the customer's; an instance that could not be read stands.
fn has_ended(host: Node<'_, ContainerInstance>) -> Result<bool, Unknown> {
    Ok(!host.is_run_by_customer()? || instance_of(host).is_ok_and(|instance| instance.is_none()))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::{BLOCKS_METADATA, CAN_RUN_AWSVPC, CHECK};
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn host() -> Fixture {
        fixture().cluster("shop", |_| {}).ec2_task_definition("web", |_| {}).container_instance("shop", "h1", |_| {}).instance("h1", |_| {})
    }

    fn without(attribute: &'static str) -> impl Fn(&mut ecs::ContainerInstance) {
        move |host| host.attributes.retain(|present| present.name != attribute)
    }

    #[test]
    fn fails_when_the_agent_does_not_register_the_block() {
        let account = host().each(without(BLOCKS_METADATA));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, account)[0].evidence["userData"]["ECS_AWSVPC_BLOCK_IMDS"], "true");
    }

    #[test]
    fn fails_when_ec2_was_not_readable() {
        let account = host().each(without(BLOCKS_METADATA)).without::<ec2::Instance>().denied("ec2:DescribeInstances");
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_agent_registers_the_block() {
        assert_eq!(outcome(&CHECK, host()), Pass);
    }

    #[test]
    fn does_not_apply_when_the_host_cannot_run_awsvpc_tasks() {
        assert_eq!(outcome(&CHECK, host().each(without(BLOCKS_METADATA)).each(without(CAN_RUN_AWSVPC))), NotApplicable);
    }

    #[test]
    fn does_not_apply_when_no_definition_puts_awsvpc_tasks_on_ec2() {
        let bridge = |definition: &mut ecs::TaskDefinition| definition.network_mode = Some("bridge".to_owned());
        assert_eq!(outcome(&CHECK, host().each(without(BLOCKS_METADATA)).each(bridge)), NotApplicable);
        let fargate = |definition: &mut ecs::TaskDefinition| definition.requires_compatibilities = vec!["FARGATE".to_owned()];
        let account = host().each(without(BLOCKS_METADATA)).each(fargate);
        assert_eq!(outcome(&CHECK, account.clone()), NotApplicable);
        let in_use = account.service("shop", "web", |service| service.launch_type = Some("EC2".to_owned()));
        assert_eq!(outcome(&CHECK, in_use), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_when_the_instance_has_ended() {
        let ended = |instance: &mut ec2::Instance| instance.state.as_mut().unwrap().name = Some("terminated".to_owned());
        assert_eq!(outcome(&CHECK, host().each(without(BLOCKS_METADATA)).each(ended)), NotApplicable);
    }

    fn silent(account: Fixture) -> Fixture {
        account.each(|host: &mut ecs::ContainerInstance| host.attributes.clear())
    }

    fn user_data(change: impl Fn(&mut ec2::UserData)) -> impl Fn(&mut ec2::Instance) {
        move |instance| {
            let mut data = ec2::UserData { source: "instance".to_owned(), ..Default::default() };
            change(&mut data);
            instance.user_data = plimsoll_model::Seen::Known(Some(data));
        }
    }

    #[test]
    fn user_data_decides_where_the_agent_registered_no_capabilities() {
        assert_eq!(outcome(&CHECK, silent(host())), Pass);
        assert_eq!(outcome(&CHECK, silent(host()).each(user_data(|_| {}))), Fail(Severity::Medium));
    }

    #[test]
    fn a_custom_image_or_a_fetched_configuration_may_carry_the_setting() {
        let custom = |image: &mut ec2::Image| image.image_owner_alias = None;
        assert_eq!(outcome(&CHECK, silent(host()).each(user_data(|_| {})).each(custom)), Unknown);
        assert_eq!(outcome(&CHECK, silent(host()).each(user_data(|data| data.configured_elsewhere = true))), Unknown);
    }

    #[test]
    fn is_unknown_when_neither_capabilities_nor_user_data_were_readable() {
        let unread = |instance: &mut ec2::Instance| instance.user_data = plimsoll_fixture::gap("ec2:DescribeInstanceAttribute").into();
        assert_eq!(outcome(&CHECK, silent(host()).each(unread)), Unknown);
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        let account = host().each(without(BLOCKS_METADATA)).without::<ecs::TaskDefinition>();
        assert_eq!(outcome(&CHECK, account.denied("ecs:DescribeTaskDefinition")), Unknown);
    }

    #[test]
    fn is_unknown_when_container_instances_were_not_readable() {
        assert_eq!(outcome(&CHECK, host().denied("ecs:DescribeContainerInstances")), Unknown);
    }
}
