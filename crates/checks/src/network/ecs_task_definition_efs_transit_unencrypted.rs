//! Reads the EFS volumes of each task definition. Yields one verdict per task definition in scope; a failure names the
//! volumes that are mounted in plain text.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{EfsVolumeConfiguration, TaskDefinition, Volume};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::reading::{DEFINITION_NEEDS, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-efs-transit-unencrypted",
    title: "EFS volume is mounted without encryption in transit",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[fsbp("ECS.18"), nist("SC-8"), pci("4.2.1?")],
    fails_when: "volumes[].efsVolumeConfiguration is present and transitEncryption is absent or DISABLED.",
    why: "Files then cross the network of the VPC in plain text, and neither an access point nor IAM stands between the task \
          and the rest of the file system.",
    remediation: Remediation {
        text: "Set transitEncryption to ENABLED (required for an access point or IAM authorization).",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # \
             efsVolumeConfiguration.transitEncryption=ENABLED; then: aws ecs update-service --cluster CLUSTER \
             --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let plain: Vec<(&Volume, &EfsVolumeConfiguration)> = definition
        .data()
        .volumes
        .iter()
        .filter_map(|volume| Some((volume, volume.efs_volume_configuration.as_ref()?)))
        .filter(|(_, efs)| efs.transit_encryption.as_deref() != Some("ENABLED"))
        .collect();
    if plain.is_empty() {
        return Ok(Verdict::Pass);
    }
    let volumes: Vec<String> = plain.iter().map(|(volume, efs)| format!("{} ({})", volume.name, efs.file_system_id)).collect();
    let evidence = json!({
        "volumes": plain
            .iter()
            .map(|(volume, efs)| {
                let configuration = json!({"fileSystemId": efs.file_system_id, "transitEncryption": efs.transit_encryption});
                json!({"name": volume.name, "efsVolumeConfiguration": configuration})
            })
            .collect::<Vec<_>>(),
        "usedBy": users(definition),
    });
    let noun = if plain.len() == 1 { "volume" } else { "volumes" };
    fail(format!("{} mounts EFS {noun} {} without encryption in transit", definition.name(), listed(&volumes)), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{EfsVolumeConfiguration, TaskDefinition, Volume};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn efs(transit_encryption: Option<&str>) -> Fixture {
        let efs_volume_configuration = Some(EfsVolumeConfiguration {
            file_system_id: "fs-1".to_owned(),
            transit_encryption: transit_encryption.map(str::to_owned),
            ..EfsVolumeConfiguration::default()
        });
        let volume = Volume { name: "files".to_owned(), efs_volume_configuration, ..Volume::default() };
        fixture().shop().each(move |definition: &mut TaskDefinition| definition.volumes = vec![volume.clone()])
    }

    #[test]
    fn fails_when_encryption_is_off_or_not_set() {
        assert_eq!(outcome(&CHECK, efs(Some("DISABLED"))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, efs(None)), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, efs(None))[0].message, "web:1 mounts EFS volume files (fs-1) without encryption in transit");
    }

    #[test]
    fn evidence_names_fields_as_aws_does() {
        let volume = &findings(&CHECK, efs(Some("DISABLED")))[0].evidence["volumes"][0];
        let configuration = json!({"fileSystemId": "fs-1", "transitEncryption": "DISABLED"});
        assert_eq!(*volume, json!({"name": "files", "efsVolumeConfiguration": configuration}));
    }

    #[test]
    fn passes_when_it_is_on_or_there_is_no_such_volume() {
        assert_eq!(outcome(&CHECK, efs(Some("ENABLED"))), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
