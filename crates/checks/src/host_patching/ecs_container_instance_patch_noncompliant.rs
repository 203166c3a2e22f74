//! Reads the last patch run of each container instance's EC2 instance, and whether Systems Manager reaches it. Yields one
//! verdict per container instance.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::Instance;
use plimsoll_model::aws::ecs::ContainerInstance;
use plimsoll_model::aws::ssm::{InstanceInformation, InstancePatchState};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::hosts::{each_host, image_of, is_bottlerocket, recommended_for};
use crate::reading::{days_between, listed};

pub(crate) const CHECK: Check = Check {
    id: "ecs-container-instance-patch-noncompliant",
    title: "Container host has missing patches or is not under Systems Manager",
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
        "ec2:DescribeImages",
        "ssm:DescribeInstanceInformation",
        "ssm:DescribeInstancePatchStates",
        "ssm:GetParameters",
    ],
    // What was not read of one host leaves the verdict on that host unknown.
    shades: &["ecs:DescribeCapacityProviders", "ec2:DescribeImages", "ssm:GetParameters"],
    compliance: &[fsbp("SSM.2"), fsbp("SSM.1"), nist("SI-2"), nist("CM-8"), pci("6.3.3")],
    fails_when: "InstancePatchStates shows CriticalNonCompliantCount or SecurityNonCompliantCount or FailedCount > 0, or \
                 InstalledPendingRebootCount > 0 for over 7 days, or OperationEndTime older than 30 days. Low (separate \
                 reason): no InstanceInformation has this InstanceId or PingStatus is not Online, so that patch state and \
                 remote response are missing.",
    why: "Known flaws of the operating system stay open under every task of the host; and where Systems Manager is missing, nobody even knows of them.",
    remediation: Remediation {
        text: "Patch through Patch Manager or replace the host with the current AMI.",
        cli: "aws ssm send-command --document-name AWS-RunPatchBaseline --targets Key=InstanceIds,Values=ID \
             --parameters Operation=Install",
    },
    evaluate: |estate, verdicts| each_host(estate, verdicts, judge),
};

fn judge(host: Node<'_, ContainerInstance>, instance: Node<'_, Instance>) -> Judgement {
    let state = instance.patch_state().exists()?.map(|one| one.data());
    let reasons = state.map(|state| reasons(host, state)).unwrap_or_default();
    let exempt = || Ok::<_, Unknown>(is_bottlerocket(host, instance)? || is_fresh(instance)?);
    if !reasons.is_empty() {
        // Only Bottlerocket and new hosts may lack patches, and neither can have a run that failed for weeks.
        return if exempt()? { Ok(Verdict::NotApplicable) } else { failure(host, instance, state, &reasons) };
    }
    let management = instance.management().exists()?.map(|one| one.data());
    let ping = management.and_then(|management| management.ping_status.as_deref());
    let missing = match (management, ping, state) {
        (None, ..) => Some("is not under Systems Manager".to_owned()),
        (Some(_), Some("Online"), Some(_)) => None,
        (Some(_), Some("Online"), None) => Some("never had a patch run".to_owned()),
        (Some(_), ping, _) => Some(format!("is {} in Systems Manager", ping.unwrap_or("of no known status"))),
    };
    let Some(missing) = missing else {
        return if exempt()? { Ok(Verdict::NotApplicable) } else { Ok(Verdict::Pass) };
    };
    if exempt()? {
        return Ok(Verdict::NotApplicable);
    }
    let message = format!("container host {} {missing}", host.name());
    fail(message, evidence(state, management)).severity(Severity::Low).verdict()
}

fn reasons(host: Node<'_, ContainerInstance>, state: &InstancePatchState) -> Vec<String> {
    let limits = host.estate().thresholds();
    let now = host.estate().inventory().header.finished_at;
    let mut reasons = Vec::new();
    let mut count = |number: Option<i32>, what: &str| {
        if let Some(number) = number.filter(|number| *number > 0) {
            reasons.push(format!("{number} {what}"));
        }
    };
    count(state.critical_non_compliant_count, "critical patches missing");
    count(state.security_non_compliant_count, "security patches missing");
    count(state.failed_count, "patches that failed to install");
    let ended = state.operation_end_time;
    let installed = state.last_no_reboot_install_operation_time.or(ended).map(|at| days_between(at, now));
    if installed.is_some_and(|days| days > i64::from(limits.patch_reboot_days)) {
        count(state.installed_pending_reboot_count, "patches waiting for a reboot");
    }
    let since = ended.map(|at| days_between(at, now)).filter(|days| *days > i64::from(limits.patch_run_days));
    reasons.extend(since.map(|days| format!("no patch run for {days} days")));
    reasons
}

/// Whether a host is days old and runs the image that AWS recommends now: the next image brings its patches.
fn is_fresh(instance: Node<'_, Instance>) -> Result<bool, Unknown> {
    let estate = instance.estate();
    let youth = i64::from(estate.thresholds().patch_reboot_days);
    let age = instance.data().launch_time.map(|launched| days_between(launched, estate.inventory().header.finished_at));
    if age.is_none_or(|days| days >= youth) {
        return Ok(false);
    }
    let Some(image) = image_of(instance)? else { return Ok(false) };
    Ok(recommended_for(image)?.is_some_and(|recommended| recommended.image_id == image.data().image_id))
}

fn failure(
    host: Node<'_, ContainerInstance>,
    instance: Node<'_, Instance>,
    state: Option<&InstancePatchState>,
    reasons: &[String],
) -> Judgement {
    let message = format!("container host {} has {}", host.name(), listed(reasons));
    fail(message, evidence(state, instance.management().found().map(|one| one.data()))).verdict()
}

fn evidence(state: Option<&InstancePatchState>, management: Option<&InstanceInformation>) -> Value {
    json!({
        "InstancePatchState": state,
        "PingStatus": management.and_then(|management| management.ping_status.as_deref()),
        "AgentVersion": management.and_then(|management| management.agent_version.as_deref()),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ssm::InstancePatchState;
    use plimsoll_model::aws::{ec2, ssm};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn host() -> Fixture {
        fixture().cluster("shop", |_| {}).container_instance("shop", "h1", |_| {}).instance("h1", |_| {}).recommended_image("1.90.0")
    }

    fn with(change: fn(&mut InstancePatchState)) -> Fixture {
        host().patched("h1", change)
    }

    #[test]
    fn fails_when_patches_are_missing_or_failed() {
        assert_eq!(outcome(&CHECK, with(|state| state.critical_non_compliant_count = Some(2))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, with(|state| state.security_non_compliant_count = Some(1))), Fail(Severity::Medium));
        let found = findings(&CHECK, with(|state| state.failed_count = Some(3)));
        assert!(found[0].message.contains("3 patches that failed"), "{}", found[0].message);
    }

    #[test]
    fn fails_when_a_reboot_or_a_patch_run_is_overdue() {
        let waiting = |state: &mut InstancePatchState| state.installed_pending_reboot_count = Some(1);
        assert_eq!(outcome(&CHECK, with(waiting)), Pass);
        let overdue = |state: &mut InstancePatchState| {
            state.installed_pending_reboot_count = Some(1);
            state.last_no_reboot_install_operation_time = Some(at("2026-06-01T00:00:00Z"));
        };
        assert_eq!(outcome(&CHECK, with(overdue)), Fail(Severity::Medium));
        let idle = |state: &mut InstancePatchState| state.operation_end_time = Some(at("2026-05-01T00:00:00Z"));
        assert_eq!(outcome(&CHECK, with(idle)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, with(idle).thresholds(|limits| limits.patch_run_days = 60)), Pass);
    }

    #[test]
    fn weighs_less_when_systems_manager_does_not_reach_the_host() {
        assert_eq!(outcome(&CHECK, host()), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, host().managed("h1", |_| {})), Fail(Severity::Low));
        let lost = with(|_| {}).each(|system: &mut ssm::InstanceInformation| system.ping_status = Some("ConnectionLost".to_owned()));
        assert_eq!(outcome(&CHECK, lost), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_patched_and_online() {
        assert_eq!(outcome(&CHECK, with(|_| {})), Pass);
    }

    #[test]
    fn does_not_apply_to_bottlerocket_and_to_new_hosts_of_the_current_image() {
        let bottlerocket = |image: &mut ec2::Image| image.name = Some("bottlerocket-aws-ecs-2-x86_64-v1.19.0-0a1b2c3d".to_owned());
        assert_eq!(outcome(&CHECK, host().each(bottlerocket)), NotApplicable);
        let new = |instance: &mut ec2::Instance| {
            instance.image_id = Some("ami-new".to_owned());
            instance.launch_time = Some(at("2026-06-13T00:00:00Z"));
        };
        assert_eq!(outcome(&CHECK, host().each(new)), NotApplicable);
        let of_old_image = |instance: &mut ec2::Instance| instance.launch_time = Some(at("2026-06-13T00:00:00Z"));
        assert_eq!(outcome(&CHECK, host().each(of_old_image)), Fail(Severity::Low));
    }

    #[test]
    fn is_unknown_when_systems_manager_was_not_readable() {
        assert_eq!(outcome(&CHECK, host().denied("ssm:DescribeInstancePatchStates")), Unknown);
        assert_eq!(outcome(&CHECK, host().denied("ssm:DescribeInstanceInformation")), Unknown);
    }
}
