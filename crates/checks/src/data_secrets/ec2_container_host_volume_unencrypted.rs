//! Reads the EBS volumes that hang on container instances and nodes of EKS. Yields one verdict per volume; a failure names the instance.

use plimsoll_graph::{Estate, Node, NodeKind};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::{Instance, Volume};
use plimsoll_model::aws::ecs::ContainerInstance;
use rustc_hash::FxHashMap;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::engine::Verdicts;

pub(crate) const CHECK: Check = Check {
    id: "ec2-container-host-volume-unencrypted",
    title: "Disk of a container host is not encrypted",
    severity: Severity::Medium,
    resource: "AWS::EC2::Volume",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ec2:DescribeVolumes",
    ],
    // Asked for hosts that have a provider: the verdict on their volumes alone is unknown without it.
    shades: &["ecs:DescribeCapacityProviders"],
    compliance: &[fsbp("EC2.3"), fsbp("EC2.7"), cis_aws("5.0.0/5.1.1"), cis_aws("3.0.0/2.2.1"), nist("SC-28"), pci("3.5.1?")],
    fails_when: "A volume attached to an ECS or EKS host has Encrypted false.",
    why: "Layers of images, logs and what containers write lie on the disk in plain text, and in every snapshot of it that \
          is made or shared.",
    remediation: Remediation {
        text: "Turn on default EBS encryption and replace the hosts.",
        cli: "aws ec2 enable-ebs-encryption-by-default",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let hosts: FxHashMap<&str, Node<'_, ContainerInstance>> =
        estate.hosts().filter_map(|host| Some((host.data().ec2_instance_id.as_deref()?, host))).collect();
    let nodes: FxHashMap<&str, Node<'_, Instance>> = estate.nodes_alone().map(|node| (node.data().instance_id.as_str(), node)).collect();
    for volume in estate.all::<Volume>() {
        let attachments = volume.data().attachments.iter().filter_map(|attachment| attachment.instance_id.as_deref());
        let attached: Vec<&str> = attachments.collect();
        if let Some(&host) = attached.iter().find_map(|id| hosts.get(id)) {
            verdicts.judge(volume, host.is_run_by_customer().and_then(|ours| judge(volume, host.name(), ours)));
        } else if let Some(&node) = attached.iter().find_map(|id| nodes.get(id)) {
            // AWS keeps the nodes of EKS Auto Mode.
            verdicts.judge(volume, judge(volume, node.data().instance_id.as_str(), node.node_kind() != NodeKind::AutoMode));
        }
    }
}

fn judge(volume: Node<'_, Volume>, host: &str, run_by_customer: bool) -> Judgement {
    if !run_by_customer {
        return Ok(Verdict::NotApplicable);
    }
    if volume.encrypted {
        return Ok(Verdict::Pass);
    }
    let evidence = json!({
        "VolumeId": volume.volume_id,
        "InstanceId": host,
        "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key_id,
    });
    fail(format!("volume {} of container host {host} is not encrypted", volume.volume_id), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn host() -> Fixture {
        fixture().cluster("shop", |_| {}).container_instance("shop", "h1", |_| {}).instance("h1", |_| {})
    }

    fn plain(volume: &mut ec2::Volume) {
        volume.encrypted = false;
    }

    #[test]
    fn fails_when_a_volume_of_a_host_is_not_encrypted() {
        assert_eq!(outcome(&CHECK, host().each(plain)), Fail(Severity::Medium));
        let unread = host().each(plain).without::<ec2::Instance>().denied("ec2:DescribeInstances");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_a_volume_of_a_node_of_kubernetes_is_not_encrypted() {
        let node = || fixture().eks_cluster("k", |_| {}).node("k", None, "n1", |_| {});
        assert_eq!(outcome(&CHECK, node().each(plain)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, node()), Pass);
        let auto_mode = |instance: &mut ec2::Instance| {
            instance.operator = Some(ec2::OperatorResponse { managed: Some(true), principal: Some("eks.amazonaws.com".to_owned()) });
        };
        assert_eq!(outcome(&CHECK, node().each(plain).each(auto_mode)), NotApplicable);
    }

    #[test]
    fn a_volume_on_two_hosts_is_judged_once() {
        let account = host().container_instance("shop", "h2", |_| {}).each(|volume: &mut ec2::Volume| {
            plain(volume);
            volume.attachments.push(ec2::VolumeAttachment { instance_id: Some("i-h2".to_owned()), ..Default::default() });
        });
        assert_eq!(findings(&CHECK, account).len(), 1);
    }

    #[test]
    fn passes_when_the_volume_is_encrypted() {
        assert_eq!(outcome(&CHECK, host()), Pass);
    }

    #[test]
    fn does_not_apply_to_volumes_of_other_instances() {
        let other = |volume: &mut ec2::Volume| {
            plain(volume);
            volume.attachments[0].instance_id = Some("i-other".to_owned());
        };
        assert_eq!(outcome(&CHECK, host().each(other)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_volumes_or_the_capacity_provider_were_not_readable() {
        assert_eq!(outcome(&CHECK, host().without::<ec2::Volume>().denied("ec2:DescribeVolumes")), Unknown);
        let provided = |host: &mut ecs::ContainerInstance| host.capacity_provider_name = Some("hosts".to_owned());
        let account = host().each(plain).each(provided);
        assert_eq!(outcome(&CHECK, account.clone().denied("ecs:DescribeCapacityProviders")), Unknown);
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }
}
