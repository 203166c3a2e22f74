//! Reads the capacity provider of each container instance, the Auto Scaling group that its EC2 instance is tagged with, and
//! when that was launched. Yields one verdict per container instance.

use plimsoll_graph::{Link, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecs::ContainerInstance;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::hosts::each_host;
use crate::reading::days_between;

pub(crate) const CHECK: Check = Check {
    id: "ecs-container-instance-not-replaceable",
    title: "Container host is outside any Auto Scaling group or capacity provider",
    severity: Severity::Low,
    resource: "AWS::ECS::ContainerInstance",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "ec2:DescribeInstances",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
    ],
    // Auto Scaling tags what it launches: groups and refreshes are for the evidence.
    shades: &["ecs:DescribeCapacityProviders", "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes"],
    compliance: &[nist("CM-2"), nist("SI-2")],
    fails_when: "capacityProviderName is absent and the instance is not in an Auto Scaling group, or LaunchTime is older \
                 than 90 days (configurable) so that no rolling replacement takes place.",
    why: "A host that nothing replaces is patched by hand or not at all, and whatever was changed on it stays.",
    remediation: Remediation {
        text: "Register hosts through an Auto Scaling capacity provider and refresh them on each AMI release.",
        cli: "aws autoscaling start-instance-refresh --auto-scaling-group-name ASG",
    },
    evaluate: |estate, verdicts| each_host(estate, verdicts, judge),
};

fn judge(host: Node<'_, ContainerInstance>, instance: Node<'_, Instance>) -> Judgement {
    let estate = host.estate();
    let provider = host.data().capacity_provider_name.as_deref();
    let group = instance.auto_scaling_group();
    let launched = instance.data().launch_time;
    let age = launched.map(|launched| days_between(launched, estate.inventory().header.finished_at));
    let too_old = age.filter(|days| *days > i64::from(estate.thresholds().host_days));
    let is_outside = provider.is_none() && group.is_none();
    if !is_outside && too_old.is_none() {
        return Ok(Verdict::Pass);
    }
    let group = group.and_then(Link::found);
    let refreshes = group.and_then(|group| group.data().instance_refreshes.known().ok());
    let evidence = json!({
        "capacityProviderName": provider,
        "AutoScalingGroupName": group.map(|group| group.name()),
        "LaunchTime": launched,
        "lastInstanceRefresh": refreshes.and_then(|refreshes| refreshes.first()),
    });
    let outside = "is in no Auto Scaling group and no capacity provider";
    let message = match (is_outside, too_old) {
        (true, Some(days)) => format!("container host {} {outside}, and was launched {days} days ago", host.name()),
        (true, None) => format!("container host {} {outside}", host.name()),
        (false, days) => {
            format!("container host {} was launched {} days ago and not replaced since", host.name(), days.unwrap_or_default())
        }
    };
    fail(message, evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn host(change: impl Fn(&mut ec2::Instance)) -> Fixture {
        fixture().cluster("shop", |_| {}).container_instance("shop", "h1", |_| {}).instance("h1", change)
    }

    fn alone(instance: &mut ec2::Instance) {
        instance.tags.clear();
    }

    #[test]
    fn fails_outside_of_groups_and_providers() {
        assert_eq!(outcome(&CHECK, host(alone)), Fail(Severity::Low));
    }

    #[test]
    fn passes_in_a_group_or_of_a_provider() {
        assert_eq!(outcome(&CHECK, host(|_| {})), Pass);
        let of_provider = host(alone).capacity_provider("hosts", |_| {});
        let of_provider = of_provider.each(|host: &mut ecs::ContainerInstance| host.capacity_provider_name = Some("hosts".to_owned()));
        assert_eq!(outcome(&CHECK, of_provider), Pass);
    }

    #[test]
    fn fails_when_launched_long_ago() {
        let old = |instance: &mut ec2::Instance| instance.launch_time = Some(at("2026-03-01T00:00:00Z"));
        let found = findings(&CHECK, host(old).auto_scaling_group("hosts", |_| {}));
        assert!(found[0].message.contains("106 days ago"), "{}", found[0].message);
        assert_eq!(found[0].evidence["AutoScalingGroupName"], "hosts");
        assert_eq!(outcome(&CHECK, host(old).thresholds(|limits| limits.host_days = 120)), Pass);
    }

    #[test]
    fn is_unknown_when_the_instances_were_not_readable() {
        assert_eq!(outcome(&CHECK, host(alone).without::<ec2::Instance>().denied("ec2:DescribeInstances")), Unknown);
    }
}
