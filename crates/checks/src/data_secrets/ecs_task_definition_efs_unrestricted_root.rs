//! Reads how each EFS volume of a task definition is mounted, and who else mounts the file system. Yields one verdict per task
//! definition in scope; a failure names each volume with what is open.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{EfsVolumeConfiguration, TaskDefinition, Volume};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::reading::{DEFINITION_NEEDS, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-efs-unrestricted-root",
    title: "EFS volume gives the task the whole file system",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[fsbp("EFS.3"), fsbp("EFS.4"), nist("AC-3"), nist("AC-6")],
    fails_when: "efsVolumeConfiguration has no authorizationConfig.accessPointId and rootDirectory is absent or \"/\", or \
                 authorizationConfig.iam is absent or DISABLED while more than one service mounts the same fileSystemId.",
    why: "A task that is taken over reads and changes every file there, those of the other services included.",
    remediation: Remediation {
        text: "Mount through an access point with a fixed POSIX user and root directory and turn on IAM authorization.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # \
             authorizationConfig={accessPointId,iam=ENABLED}; then: aws ecs update-service --cluster CLUSTER \
             --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let mounted = definition.data().volumes.iter().filter_map(|volume| Some((volume, volume.efs_volume_configuration.as_ref()?)));
    let open: Vec<(&Volume, &EfsVolumeConfiguration, String)> =
        mounted.filter_map(|(volume, mounted)| Some((volume, mounted, problem(definition, mounted)?))).collect();
    if open.is_empty() {
        return Ok(Verdict::Pass);
    }
    let volumes: Vec<Value> = open
        .iter()
        .map(|(volume, mounted, _)| {
            let id = mounted.file_system_id.as_str();
            let count = definition.services_mounting_count(id);
            let services: Vec<&str> =
                definition.services_mounting(id).take(10).map(|service| service.data().service_arn.as_str()).collect();
            json!({"name": volume.name, "efsVolumeConfiguration": mounted, "services": services, "serviceCount": count})
        })
        .collect();
    let told: Vec<String> = open.iter().map(|(volume, _, told)| format!("volume {} {told}", volume.name)).collect();
    let message = format!("in {}, {}", definition.name(), listed(&told));
    fail(message, json!({"volumes": volumes, "usedBy": users(definition)})).verdict()
}

/// What is open about one mount of a file system.
fn problem(definition: Node<'_, TaskDefinition>, mounted: &EfsVolumeConfiguration) -> Option<String> {
    let id = mounted.file_system_id.as_str();
    let authorization = mounted.authorization_config.as_ref();
    let has_point = authorization.and_then(|one| one.access_point_id.as_deref()).is_some_and(|point| !point.is_empty());
    let at_root = mounted.root_directory.as_deref().is_none_or(|root| root.split('/').all(str::is_empty));
    let by_iam = authorization.and_then(|one| one.iam.as_deref()) == Some("ENABLED");
    if !has_point && at_root {
        return Some(format!("mounts all of {id}"));
    }
    let services = definition.services_mounting_count(id);
    (!by_iam && services > 1).then(|| format!("mounts {id} without IAM authorization, as {services} services mount it"))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, definition_arn, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{EfsAuthorizationConfig, EfsVolumeConfiguration, TaskDefinition, Volume};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn mounting(root: Option<&str>, point: Option<&str>, iam: Option<&str>) -> impl Fn(&mut TaskDefinition) {
        let authorization = EfsAuthorizationConfig { access_point_id: point.map(str::to_owned), iam: iam.map(str::to_owned) };
        let efs = EfsVolumeConfiguration {
            file_system_id: "fs-1".to_owned(),
            root_directory: root.map(str::to_owned),
            authorization_config: Some(authorization),
            ..Default::default()
        };
        let volume = Volume { name: "files".to_owned(), efs_volume_configuration: Some(efs), ..Default::default() };
        move |definition| definition.volumes = vec![volume.clone()]
    }

    fn shop(change: impl Fn(&mut TaskDefinition)) -> Fixture {
        fixture().shop().each(change)
    }

    #[test]
    fn fails_when_the_whole_file_system_is_mounted() {
        for root in [None, Some("/"), Some("")] {
            assert_eq!(outcome(&CHECK, shop(mounting(root, None, Some("ENABLED")))), Fail(Severity::Medium), "{root:?}");
        }
    }

    #[test]
    fn fails_when_several_services_share_it_without_iam() {
        let shared = || fixture().shop().service("shop", "till", |service| service.task_definition = Some(definition_arn("web")));
        for iam in [None, Some("DISABLED")] {
            let found = findings(&CHECK, shared().each(mounting(None, Some("fsap-1"), iam)));
            assert_eq!(found[0].evidence["volumes"][0]["serviceCount"], 2);
        }
        assert_eq!(outcome(&CHECK, shared().each(mounting(None, Some("fsap-1"), Some("ENABLED")))), Pass);
    }

    #[test]
    fn passes_with_an_access_point_or_a_directory_of_its_own() {
        assert_eq!(outcome(&CHECK, shop(mounting(None, Some("fsap-1"), None))), Pass);
        assert_eq!(outcome(&CHECK, shop(mounting(Some("/web"), None, None))), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
    }

    #[test]
    fn weighs_less_when_nothing_runs_the_revision() {
        assert_eq!(outcome(&CHECK, fixture().task_definition("idle", mounting(None, None, None))), Fail(Severity::Low));
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {}).denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
