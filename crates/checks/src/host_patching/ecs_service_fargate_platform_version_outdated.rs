//! Reads the platform version of Fargate services, their live task sets and running tasks. Yields one verdict per
//! ACTIVE service; a failure names the pinned version, or the tasks on an older one.

use plimsoll_graph::Node;
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::{LaunchKind, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-fargate-platform-version-outdated",
    title: "Fargate service is pinned to an old platform version",
    severity: Severity::Medium,
    resource: "AWS::ECS::Service",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks"],
    shades: &[],
    compliance: &[fsbp("ECS.10"), nist("SI-2"), pci("6.3.3")],
    fails_when: "launchType FARGATE or a FARGATE capacity provider, and platformVersion is neither LATEST nor the newest \
                 known version (Linux 1.4.0, Windows 1.0.0), or a RUNNING task of it reports an older platformVersion.",
    why: "AWS retires the kernel and runtime of old platform versions: what is pinned to one misses fixes and protections \
          such as encrypted ephemeral storage.",
    remediation: Remediation {
        text: "Set the platform version to LATEST and redeploy.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --platform-version LATEST \
             --force-new-deployment",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_services(), judge),
};

/// Newest platform version for Linux.
const NEWEST_LINUX: &str = "1.4.0";
/// Newest platform version for Windows.
const NEWEST_WINDOWS: &str = "1.0.0";
/// Tasks that evidence lists.
const SHOWN: usize = 10;

fn judge(service: Node<'_, Service>) -> Judgement {
    if service.launch() != LaunchKind::Fargate {
        return Ok(Verdict::NotApplicable);
    }
    let data = service.data();
    let own = [(data.platform_version.as_deref(), data.platform_family.as_deref())];
    let of_sets = service.task_sets().filter(|set| set.is_live()).map(|set| {
        let set = set.data();
        (set.platform_version.as_deref(), set.platform_family.as_deref())
    });
    let pinned = own.into_iter().chain(of_sets).find_map(|(version, family)| outdated(version, family));
    let old = || {
        let running = service.tasks().map(|task| task.data()).filter(|task| task.last_status == "RUNNING");
        running.filter_map(|task| Some((task, outdated(task.platform_version.as_deref(), task.platform_family.as_deref())?)))
    };
    let newest = newest(data.platform_family.as_deref());
    let message = match (pinned, old().next()) {
        (None, None) => return Ok(Verdict::Pass),
        (Some(version), _) => format!("{} is pinned to Fargate platform {version}; the newest is {newest}", service.name()),
        (None, Some((_, version))) => {
            let (count, name) = (old().count(), service.name());
            format!(
                "{count} running {} of {name} on Fargate platform {version}; the newest is {newest}",
                if count == 1 { "task" } else { "tasks" }
            )
        }
    };
    let tasks: Vec<_> = old().take(SHOWN).map(|(task, version)| json!({"taskArn": task.task_arn, "platformVersion": version})).collect();
    let evidence =
        json!({"platformVersion": pinned.or(data.platform_version.as_deref()), "platformFamily": data.platform_family, "tasks": tasks});
    fail(message, evidence).verdict()
}

fn newest(family: Option<&str>) -> &'static str {
    let is_windows = family.is_some_and(|family| family.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("windows")));
    if is_windows { NEWEST_WINDOWS } else { NEWEST_LINUX }
}

/// The version when it is older than the newest, or none that is known; LATEST and a version that is yet to come are not.
fn outdated<'e>(version: Option<&'e str>, family: Option<&str>) -> Option<&'e str> {
    version.filter(|&version| version != "LATEST" && numbers(version).is_none_or(|numbers| Some(numbers) < self::numbers(newest(family))))
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn pinned(version: &'static str, family: &'static str) -> Fixture {
        fixture().shop().each(move |service: &mut ecs::Service| {
            service.platform_version = Some(version.to_owned());
            service.platform_family = Some(family.to_owned());
        })
    }

    #[test]
    fn fails_when_the_service_is_pinned_to_an_old_version() {
        assert_eq!(outcome(&CHECK, pinned("1.3.0", "Linux")), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_a_running_task_is_on_an_old_version() {
        let account = fixture().shop().each(|task: &mut ecs::Task| task.platform_version = Some("1.3.0".to_owned()));
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, account.clone())[0].evidence["tasks"][0]["platformVersion"], "1.3.0");
        assert_eq!(outcome(&CHECK, account.each(|task: &mut ecs::Task| task.last_status = "STOPPING".to_owned())), Pass);
    }

    #[test]
    fn fails_when_a_live_task_set_is_pinned() {
        let set = ecs::TaskSet {
            task_set_arn: plimsoll_fixture::arn("ecs", "task-set/shop/web/1"),
            service_arn: plimsoll_fixture::arn("ecs", "service/shop/web"),
            status: "PRIMARY".to_owned(),
            launch_type: Some("FARGATE".to_owned()),
            platform_version: Some("1.3.0".to_owned()),
            ..Default::default()
        };
        assert_eq!(outcome(&CHECK, fixture().shop().resource(set)), Fail(Severity::Medium));
    }

    #[test]
    fn passes_on_the_newest_version_of_each_platform_and_on_later_ones() {
        for (version, family) in [("LATEST", "Linux"), ("1.4.0", "Linux"), ("1.10.0", "Linux"), ("1.0.0", "WINDOWS_SERVER_2022_CORE")] {
            assert_eq!(outcome(&CHECK, pinned(version, family)), Pass, "{version} {family}");
        }
        assert_eq!(outcome(&CHECK, pinned("1.0.0", "Linux")), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_to_services_on_ec2() {
        let on_ec2 = pinned("1.3.0", "Linux").each(|service: &mut ecs::Service| service.launch_type = Some("EC2".to_owned()));
        assert_eq!(outcome(&CHECK, on_ec2), NotApplicable);
    }

    #[test]
    fn is_unknown_when_tasks_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().without::<ecs::Task>().denied("ecs:DescribeTasks")), Unknown);
    }
}
