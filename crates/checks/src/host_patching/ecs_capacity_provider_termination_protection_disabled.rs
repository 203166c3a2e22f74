//! Reads the Auto Scaling group provider of each capacity provider. Yields one verdict per capacity provider; those of Fargate
//! and of Managed Instances have no instances of the customer.

use plimsoll_graph::{Link, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::CapacityProvider;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};

pub(crate) const CHECK: Check = Check {
    id: "ecs-capacity-provider-termination-protection-disabled",
    title: "Scale-in of the capacity provider can kill running tasks",
    severity: Severity::Low,
    resource: "AWS::ECS::CapacityProvider",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &["ecs:DescribeCapacityProviders", "autoscaling:DescribeAutoScalingGroups"],
    // Only for the evidence.
    shades: &["autoscaling:DescribeAutoScalingGroups"],
    compliance: &[fsbp("ECS.19"), nist("CP-10?")],
    fails_when: "autoScalingGroupProvider.managedTerminationProtection is DISABLED or absent. FSBP rates this medium; the \
                 effect is on availability, so the base is low.",
    why: "When the group shrinks, an instance is ended with the tasks on it, whether or not another one is empty.",
    remediation: Remediation {
        text: "Enable managed scaling, then managed termination protection.",
        cli: "aws ecs update-capacity-provider --name CP --auto-scaling-group-provider \
             managedScaling={status=ENABLED},managedTerminationProtection=ENABLED",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<CapacityProvider>().filter(|provider| provider.status != "INACTIVE"), judge),
};

fn judge(provider: Node<'_, CapacityProvider>) -> Judgement {
    let Some(group) = &provider.data().auto_scaling_group_provider else { return Ok(Verdict::NotApplicable) };
    let protection = group.managed_termination_protection.as_deref();
    if protection == Some("ENABLED") {
        return Ok(Verdict::Pass);
    }
    let auto_scaling = provider.auto_scaling_group().and_then(Link::found);
    let evidence = json!({
        "autoScalingGroupProvider": {
            "autoScalingGroupArn": group.auto_scaling_group_arn,
            "managedTerminationProtection": protection,
            "managedScaling": group.managed_scaling,
            "managedDraining": group.managed_draining,
        },
        "NewInstancesProtectedFromScaleIn": auto_scaling.and_then(|group| group.data().new_instances_protected_from_scale_in),
    });
    let message = format!("managed termination protection of capacity provider {} is {}", provider.name(), protection.unwrap_or("not set"));
    fail(message, evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::fixture;
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::CapacityProvider;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    #[test]
    fn fails_when_protection_is_off_or_not_set() {
        for protection in [Some("DISABLED".to_owned()), None] {
            let provider = fixture().capacity_provider("hosts", |group| group.managed_termination_protection = protection.clone());
            assert_eq!(outcome(&CHECK, provider), Fail(Severity::Low));
        }
    }

    #[test]
    fn the_evidence_tells_what_the_group_does_by_itself() {
        let provider = fixture().capacity_provider("hosts", |group| group.managed_termination_protection = None);
        let found = findings(&CHECK, provider.auto_scaling_group("hosts", |_| {}));
        assert_eq!(found[0].evidence["NewInstancesProtectedFromScaleIn"], true);
    }

    #[test]
    fn passes_when_protection_is_on() {
        assert_eq!(outcome(&CHECK, fixture().capacity_provider("hosts", |_| {})), Pass);
    }

    #[test]
    fn does_not_apply_to_fargate() {
        let fargate = CapacityProvider { name: "FARGATE".to_owned(), status: "ACTIVE".to_owned(), ..Default::default() };
        assert_eq!(outcome(&CHECK, fixture().resource(fargate)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_providers_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeCapacityProviders")), Unknown);
    }
}
