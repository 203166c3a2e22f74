//! Reads host volumes that containers mount and host devices that they map. Yields one verdict per task definition in
//! scope; a failure names every sensitive path. Sockets of the container runtime have a check of their own.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{ContainerDefinition, Device, TaskDefinition};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist};
use crate::escape::{is_takeover, mapped_devices, sensitive_mounts};
use crate::reading::{DEFINITION_NEEDS, HostMount, containers, distinct, host_path, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-sensitive-host-path-mount",
    title: "Container mounts a sensitive directory or device of the host",
    severity: Severity::High,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Aws, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[cis_docker("5.6"), cis_docker("5.18"), nist("AC-6"), nist("CM-7")],
    fails_when: "A mounted volumes[].host.sourcePath is or lies under /etc, /proc, /sys, /dev, /boot, /root, /home, /usr, \
                 /lib, /var/lib/docker, /var/lib/ecs, /var/log, /data (ECS agent state) or C:\\ProgramData\\Amazon. Write \
                 access (mountPoints[].readOnly absent or false) is high, read-only is medium. Allow-list exact \
                 image+path pairs of known agents (log collectors) in configuration. Runtime socket paths belong to the \
                 docker-socket check. Also fails when linuxParameters.devices maps a host device other than /dev/fuse, \
                 /dev/nvidia*, /dev/neuron* or /dev/null: medium, and high for block devices (/dev/sd*, /dev/xvd*, \
                 /dev/nvme*), /dev/mem and /dev/kmsg.",
    why: "Through these paths a container reads secrets of the host and of other tasks; where it may write, it changes what \
          the host runs and so gets out.",
    remediation: Remediation {
        text: "Use a Docker volume, EFS or EBS volume, or mount the one needed file read-only.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # remove or narrow \
             host.sourcePath; then: aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition \
             FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    // Fargate accepts neither host.sourcePath nor devices.
    if definition.launch().only_fargate() {
        return Ok(Verdict::NotApplicable);
    }
    let mounts: Vec<HostMount<'_>> = sensitive_mounts(definition).collect();
    let devices: Vec<(&ContainerDefinition, &Device)> = mapped_devices(definition.data()).collect();
    if mounts.is_empty() && devices.is_empty() {
        return Ok(Verdict::Pass);
    }
    let takes_over =
        mounts.iter().any(HostMount::is_writable) || devices.iter().any(|(_, device)| is_takeover(&host_path(&device.host_path)));
    let names = distinct(mounts.iter().map(HostMount::container_name).chain(devices.iter().map(|(container, _)| container.name.as_str())));
    let paths = distinct(mounts.iter().map(HostMount::source_path).chain(devices.iter().map(|(_, device)| device.host_path.as_str())));
    let evidence = json!({
        "mountPoints": mounts.iter().map(HostMount::evidence).collect::<Vec<_>>(),
        "devices": devices
            .iter()
            .map(|(container, device)| json!({"containerName": container.name, "hostPath": device.host_path, "permissions": device.permissions}))
            .collect::<Vec<_>>(),
        "usedBy": users(definition),
    });
    let reach = if names.len() == 1 { "reaches" } else { "reach" };
    let message = format!("{} of {} {reach} {} of the host", containers(&names), definition.name(), listed(&paths));
    fail(message, evidence).severity(if takes_over { Severity::High } else { Severity::Medium }).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, container, fixture, mounts};
    use plimsoll_model::aws::ecs::{Device, LinuxParameters};
    use plimsoll_model::{AcceptedMount, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn maps(device: &str) -> Fixture {
        let devices = vec![Device { host_path: device.to_owned(), ..Device::default() }];
        fixture().on_ec2(|definition| {
            definition.container_definitions[0].linux_parameters = Some(LinuxParameters { devices, ..LinuxParameters::default() });
        })
    }

    #[test]
    fn fails_when_a_sensitive_directory_is_writable() {
        for path in ["/etc", "/etc/ssh", "/var/lib/docker/volumes", "/data", "/var", "/usr/../home", r"C:\ProgramData\Amazon\ECS", r"c:\"] {
            assert_eq!(outcome(&CHECK, fixture().on_ec2(mounts(path, false))), Fail(Severity::High), "{path}");
        }
    }

    #[test]
    fn read_only_is_medium() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(mounts("/proc", true))), Fail(Severity::Medium));
    }

    #[test]
    fn mapping_a_device_is_medium_and_a_disk_or_the_kernel_is_high() {
        assert_eq!(outcome(&CHECK, maps("/dev/net/tun")), Fail(Severity::Medium));
        for device in ["/dev/sda", "/dev/xvda1", "/dev/nvme0n1", "/dev/mem", "/dev/kmsg", "/dev/"] {
            assert_eq!(outcome(&CHECK, maps(device)), Fail(Severity::High), "{device}");
        }
    }

    #[test]
    fn passes_for_harmless_devices_and_directories() {
        for device in ["/dev/fuse", "/dev/nvidia0", "/dev/neuron1", "/dev/null"] {
            assert_eq!(outcome(&CHECK, maps(device)), Pass, "{device}");
        }
        for path in ["/srv/data", "/etcetera", "/opt/app", "/mnt/efs"] {
            assert_eq!(outcome(&CHECK, fixture().on_ec2(mounts(path, false))), Pass, "{path}");
        }
    }

    #[test]
    fn runtime_sockets_are_left_to_their_own_check() {
        for path in ["/", "/var/run", "/run/docker.sock"] {
            assert_eq!(outcome(&CHECK, fixture().on_ec2(mounts(path, false))), Pass, "{path}");
        }
    }

    #[test]
    fn does_not_apply_on_fargate() {
        assert_eq!(outcome(&CHECK, fixture().shop()), NotApplicable);
    }

    #[test]
    fn the_message_names_container_and_path() {
        let found = findings(&CHECK, fixture().on_ec2(mounts("/etc", true)));
        assert_eq!(found[0].message, "container app of agent:1 reaches /etc of the host");
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().denied("ecs:DescribeTaskDefinition")), Unknown);
    }

    #[test]
    fn passes_for_a_pair_of_image_and_path_that_the_configuration_accepts() {
        let account = |image: &str, path: &str| {
            let accepted = AcceptedMount { image: image.to_owned(), path: path.to_owned() };
            fixture().on_ec2(mounts("/var/log/", true)).thresholds(|thresholds| thresholds.accepted_host_mounts = vec![accepted])
        };
        let image = container("app").image;
        assert_eq!(outcome(&CHECK, account(&image, "/var/log")), Pass);
        assert_eq!(outcome(&CHECK, account("other", "/var/log")), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, account(&image, "/etc")), Fail(Severity::Medium));
    }
}
