//! Reads the capabilities and security options of each container and, where it runs on EC2, what the hosts of its
//! clusters offer. Yields one verdict per Linux task definition in scope; a failure lists every gap.

use plimsoll_graph::Node;
use plimsoll_model::aws::ecs::{ContainerDefinition, TaskDefinition};
use plimsoll_model::{LaunchKind, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, nist};
use crate::reading::{containers, containers_where, is_capability, is_for_fargate, listed, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-linux-hardening-missing",
    title: "Linux container lacks basic kernel hardening",
    severity: Severity::Low,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Shared, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    // Bottlerocket shows in the attributes of the container instance, so no call to EC2 is needed.
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:ListClusters",
        "ec2:DescribeInstances",
        "ec2:DescribeImages",
    ],
    // The name of the image tells Bottlerocket from others where the agent registered too little.
    shades: &["ec2:DescribeInstances", "ec2:DescribeImages"],
    compliance: &[
        cis_docker("5.2"),
        cis_docker("5.3"),
        cis_docker("5.26"),
        cis_docker("5.4"),
        nist("AC-3"),
        nist("SC-39?"),
        nist("AC-6"),
        nist("CM-7"),
        nist("CM-6"),
    ],
    fails_when: "operatingSystemFamily is LINUX or absent and any of these gaps holds; one finding per revision lists all \
                 gaps. (a) linuxParameters.capabilities.drop holds neither ALL nor NET_RAW (all launch types; skip \
                 privileged containers). Only when compatibilities contains EC2: (b) dockerSecurityOptions has neither \
                 no-new-privileges nor no-new-privileges:true; (c) dockerSecurityOptions contains apparmor:unconfined or \
                 label:disable (then medium); (d) no entry starts with apparmor: or label: although hosts of the cluster \
                 advertise attribute ecs.capability.apparmor or ecs.capability.selinux; (e) no host of the cluster \
                 advertises either attribute (ECS_APPARMOR_CAPABLE / ECS_SELINUX_CAPABLE unset) and the AMI is not \
                 Bottlerocket.",
    why: "Each of these turns a bug in the program or in the kernel into less: without them a process forges packets, gains \
          privileges through setuid files, or reaches kernel interfaces that no profile closes.",
    remediation: Remediation {
        text: "Drop ALL capabilities and add back the needed ones; on EC2 set no-new-privileges and an AppArmor profile \
              or SELinux label, on hosts that support it.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # capabilities.drop=[ALL], \
             dockerSecurityOptions=[no-new-privileges,apparmor:PROFILE]; then: aws ecs update-service --cluster \
             CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    if !definition.is_linux() {
        return Ok(Verdict::NotApplicable);
    }
    let mut gaps: Vec<String> = Vec::new();
    let sends_raw = containers_where(definition, |container| container.privileged != Some(true) && !drops_raw(container));
    if !sends_raw.is_empty() {
        gaps.push(format!("{} drops neither ALL nor NET_RAW", each_of(&sends_raw)));
    }
    let mut unconfined = Vec::new();
    // Fargate takes no dockerSecurityOptions and isolates each task in a virtual machine of its own.
    // ECS Managed Instances count as EC2: several tasks share one of them.
    let launch = definition.launch();
    if (launch.ec2 || launch.managed_instances) && !is_for_fargate(definition) {
        let gains = containers_where(definition, |container| !has_option(container, "no-new-privileges", &["", "true"]));
        if !gains.is_empty() {
            gaps.push(format!("{} lacks no-new-privileges", each_of(&gains)));
        }
        unconfined = containers_where(definition, |container| {
            has_option(container, "apparmor", &["unconfined"]) || has_option(container, "label", &["disable"])
        });
        if !unconfined.is_empty() {
            gaps.push(format!("{} switches its confinement off", each_of(&unconfined)));
        }
        host_gaps(definition, &mut gaps);
    }
    if gaps.is_empty() {
        return Ok(Verdict::Pass);
    }
    let failure = fail(format!("{}: {}", definition.name(), gaps.join(", ")), evidence(definition));
    if unconfined.is_empty() { failure.verdict() } else { failure.severity(Severity::Medium).verdict() }
}

/// What is missing between the containers and the hosts that they run on.
fn host_gaps(definition: Node<'_, TaskDefinition>, gaps: &mut Vec<String>) {
    let unlabelled = containers_where(definition, |container| {
        !container.docker_security_options.iter().any(|option| matches!(parts(option).0, "apparmor" | "label"))
    });
    let (mut offering, mut bare) = (Vec::new(), Vec::new());
    for cluster in clusters(definition) {
        let confinement = definition.estate().confinement(cluster);
        let name = cluster.rsplit('/').next().unwrap_or(cluster);
        if confinement.is_offered() {
            offering.push(name);
        } else if confinement.bare > 0 {
            bare.push(name);
        }
    }
    if !unlabelled.is_empty() && !offering.is_empty() {
        gaps.push(format!(
            "{} names no AppArmor profile or SELinux label, which hosts of {} offer",
            each_of(&unlabelled),
            listed(&offering)
        ));
    }
    if !bare.is_empty() {
        gaps.push(format!("no host of {} offers AppArmor or SELinux", listed(&bare)));
    }
}

/// ARNs of the clusters where the definition runs on EC2, or may.
fn clusters(definition: Node<'_, TaskDefinition>) -> Vec<&str> {
    let on_ec2 = |launch| matches!(launch, LaunchKind::Ec2 | LaunchKind::Unknown);
    let of_services = definition.services().filter(|service| on_ec2(service.launch())).map(|service| &service.data().cluster_arn);
    let of_tasks = definition.tasks().filter(|task| on_ec2(task.launch())).map(|task| &task.data().cluster_arn);
    let mut clusters: Vec<&str> = of_services.chain(of_tasks).map(String::as_str).collect();
    clusters.sort_unstable();
    clusters.dedup();
    clusters
}

fn drops_raw(container: &ContainerDefinition) -> bool {
    let capabilities = container.linux_parameters.as_ref().and_then(|parameters| parameters.capabilities.as_ref());
    capabilities.is_some_and(|c| c.drop.iter().any(|dropped| is_capability(dropped, "ALL") || is_capability(dropped, "NET_RAW")))
}

fn has_option(container: &ContainerDefinition, name: &str, values: &[&str]) -> bool {
    container.docker_security_options.iter().map(|option| parts(option)).any(|(found, value)| found == name && values.contains(&value))
}

/// Name and value of a security option; Docker takes both `:` and `=` between them.
fn parts(option: &str) -> (&str, &str) {
    option.split_once([':', '=']).unwrap_or((option, ""))
}

fn each_of(names: &[&str]) -> String {
    if names.len() == 1 { containers(names) } else { format!("each of {}", containers(names)) }
}

fn evidence(definition: Node<'_, TaskDefinition>) -> Value {
    let of_containers: Vec<Value> = definition
        .container_definitions
        .iter()
        .map(|container| {
            json!({
                "name": container.name,
                "user": container.user,
                "linuxParameters": {"capabilities": container.linux_parameters.as_ref().and_then(|parameters| parameters.capabilities.as_ref())},
                "dockerSecurityOptions": container.docker_security_options,
            })
        })
        .collect();
    let hosts: Vec<Value> = clusters(definition)
        .into_iter()
        .map(|cluster| {
            let confinement = definition.estate().confinement(cluster);
            json!({
                "clusterArn": cluster,
                "containerInstances": confinement.hosts,
                "ecs.capability.apparmor": confinement.apparmor,
                "ecs.capability.selinux": confinement.selinux,
            })
        })
        .collect();
    json!({"containerDefinitions": of_containers, "clusters": hosts, "usedBy": users(definition)})
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ec2::Image;
    use plimsoll_model::aws::ecs::{Attribute, ContainerInstance, Service, TaskDefinition};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn options(options: &[&str]) -> Fixture {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        fixture().on_ec2(|definition| definition.container_definitions[0].docker_security_options = options)
    }

    fn on_hosts(account: Fixture, change: impl FnOnce(&mut ContainerInstance)) -> Fixture {
        account.container_instance("shop", "a", change)
    }

    fn message(account: Fixture) -> String {
        findings(&CHECK, account).into_iter().map(|finding| finding.message).collect()
    }

    fn keeps_capabilities(definition: &mut TaskDefinition) {
        definition.container_definitions[0].linux_parameters = None;
    }

    #[test]
    fn fails_everywhere_when_raw_packets_are_not_dropped() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(keeps_capabilities)), Fail(Severity::Low));
        assert_eq!(message(fixture().on_ec2(keeps_capabilities)), "agent:1: container app drops neither ALL nor NET_RAW");
    }

    #[test]
    fn dropping_from_a_privileged_container_is_not_asked_for() {
        let account = fixture().on_ec2(|definition| {
            keeps_capabilities(definition);
            definition.container_definitions[0].privileged = Some(true);
        });
        assert_eq!(outcome(&CHECK, account), Pass);
    }

    #[test]
    fn fails_on_ec2_when_processes_may_gain_privileges() {
        assert_eq!(outcome(&CHECK, options(&["apparmor:docker-default"])), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, options(&["no-new-privileges:false"])), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, options(&["no-new-privileges:true"])), Pass);
    }

    #[test]
    fn switching_confinement_off_is_medium() {
        assert_eq!(outcome(&CHECK, options(&["no-new-privileges", "apparmor:unconfined"])), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, options(&["no-new-privileges", "label=disable"])), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_hosts_offer_apparmor_and_the_container_takes_none() {
        let account = on_hosts(options(&["no-new-privileges"]), |_| {});
        assert!(message(account.clone()).contains("names no AppArmor profile or SELinux label, which hosts of shop offer"));
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, on_hosts(fixture().on_ec2(|_| {}), |_| {})), Pass);
    }

    #[test]
    fn fails_when_no_host_offers_either_unless_it_runs_bottlerocket() {
        let bare = on_hosts(fixture().on_ec2(|_| {}), |host| host.attributes.clear());
        assert_eq!(message(bare), "agent:1: no host of shop offers AppArmor or SELinux");
        let bottlerocket = on_hosts(fixture().on_ec2(|_| {}), |host| {
            host.attributes = vec![Attribute { name: "bottlerocket.variant".to_owned(), value: Some("aws-ecs-2".to_owned()) }];
        });
        assert_eq!(outcome(&CHECK, bottlerocket), Pass);
        let image =
            Image { image_id: "ami-ecs".to_owned(), name: Some("bottlerocket-aws-ecs-2-x86_64-v1.49.0".to_owned()), ..Image::default() };
        let by_name =
            on_hosts(fixture().on_ec2(|_| {}), |host| host.attributes.clear()).instance("a", |_| {}).without::<Image>().resource(image);
        assert_eq!(outcome(&CHECK, by_name), Pass);
    }

    #[test]
    fn managed_instances_count_as_ec2() {
        let account =
            options(&["apparmor:unconfined"]).each(|service: &mut Service| service.launch_type = Some("MANAGED_INSTANCES".to_owned()));
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn security_options_are_not_asked_for_on_fargate() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, fixture().task_definition("web", |_| {})), Pass);
        let on_ec2_after_all = fixture().shop().each(|service: &mut Service| service.launch_type = Some("EC2".to_owned()));
        assert_eq!(outcome(&CHECK, on_ec2_after_all), Fail(Severity::Low));
    }

    #[test]
    fn does_not_apply_to_windows_containers() {
        let account = fixture().shop().each(|definition: &mut TaskDefinition| {
            keeps_capabilities(definition);
            definition.runtime_platform.as_mut().unwrap().operating_system_family = Some("WINDOWS_SERVER_2022_CORE".to_owned());
        });
        assert_eq!(outcome(&CHECK, account), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_hosts_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().on_ec2(|_| {}).denied("ecs:ListContainerInstances")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().on_ec2(keeps_capabilities).denied("ecs:ListContainerInstances")), Fail(Severity::Low));
    }
}
