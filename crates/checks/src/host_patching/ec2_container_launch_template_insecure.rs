//! Reads the launch template versions and launch configurations that the Auto Scaling groups of capacity providers and node
//! groups launch hosts from, the account's defaults and the images. Yields one verdict per launch template, over all its versions in use, and
//! one failure per launch configuration.

use std::collections::BTreeMap;

use plimsoll_graph::{Estate, Link, Node, Unknown};
use plimsoll_model::aws::autoscaling::AutoScalingGroup;
use plimsoll_model::aws::ec2::{Image, InstanceMetadataDefaults, LaunchTemplateVersion, ResponseLaunchTemplateData};
use plimsoll_model::aws::ecs::ContainerInstance;
use plimsoll_model::{Confidence, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::engine::Verdicts;
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "ec2-container-launch-template-insecure",
    title: "Launch template of a container fleet allows IMDSv1, a public IP or a hop limit above 1",
    severity: Severity::Medium,
    resource: "AWS::EC2::LaunchTemplate",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:DescribeCapacityProviders",
        "eks:ListClusters",
        "eks:ListNodegroups",
        "eks:DescribeNodegroup",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeImages",
        "ec2:GetInstanceMetadataDefaults",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeLaunchConfigurations",
    ],
    // Asked where a template leaves the choice to them: that verdict alone is unknown without them.
    shades: &["ec2:DescribeImages", "ec2:GetInstanceMetadataDefaults"],
    compliance: &[fsbp("EC2.170"), fsbp("EC2.25"), nist("CM-6"), nist("AC-6")],
    fails_when: "The version in use by the Auto Scaling group of a capacity provider or node group has \
                 MetadataOptions.HttpTokens not required (absent counts unless the account default is required), \
                 HttpPutResponseHopLimit > 1 without need (bridge tasks or EKS pods with hostNetwork only), \
                 NetworkInterfaces[].AssociatePublicIpAddress true, or a launch configuration is still used.",
    why: "Every host that the group launches from now on lets tasks take its role by way of the metadata service, or stands on the internet.",
    remediation: Remediation {
        text: "Create a version with HttpTokens required, hop limit 1 and no public IP, then refresh the fleet.",
        cli: "aws ec2 create-launch-template-version --launch-template-id LT --source-version 1 --launch-template-data \
             MetadataOptions={HttpTokens=required,HttpPutResponseHopLimit=1}",
    },
    evaluate,
};

/// A version and the groups that launch from it.
type InUse<'e> = BTreeMap<u32, (Node<'e, LaunchTemplateVersion>, Vec<Node<'e, AutoScalingGroup>>)>;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut templates: BTreeMap<&'e str, InUse<'e>> = BTreeMap::new();
    for group in estate.all::<AutoScalingGroup>().filter(launches_containers) {
        for (_, version) in group.launch_template_versions() {
            match version {
                Link::Found(version) => {
                    let versions = templates.entry(version.data().launch_template_id.as_str()).or_default();
                    let (_, groups) = versions.entry(version.index()).or_insert_with(|| (version, Vec::new()));
                    if !groups.contains(&group) {
                        groups.push(group);
                    }
                }
                // The template is gone or was not read: the group says what would be launched, and that is not known.
                missing @ Link::Missing(_) => verdicts.judge(group, missing.known().map(|_| Verdict::Pass)),
            }
        }
        if let Some(configuration) = group.launch_configuration() {
            let name = group.data().launch_configuration_name.as_deref().unwrap_or_default();
            let message = format!("Auto Scaling group {} still launches hosts from launch configuration {name}", group.name());
            let found = configuration.found();
            let data = found.map(|one| one.data());
            let evidence = json!({
                "LaunchConfigurationName": name,
                "AutoScalingGroupName": group.name(),
                "MetadataOptions": data.and_then(|data| data.metadata_options.as_ref()),
                "AssociatePublicIpAddress": data.and_then(|data| data.associate_public_ip_address),
            });
            let judgement = fail(message, evidence).discriminator(group.name()).verdict();
            match found {
                Some(configuration) => verdicts.judge(configuration, judgement),
                None => verdicts.judge(group, judgement),
            }
        }
    }
    for versions in templates.into_values() {
        if let Some((first, _)) = versions.values().next() {
            verdicts.judge(*first, judge(&versions));
        }
    }
}

/// Whether a group is that of a capacity provider or of a node group of EKS.
fn launches_containers(group: &Node<'_, AutoScalingGroup>) -> bool {
    group.capacity_providers().next().is_some() || group.nodegroups().next().is_some()
}

/// What is wrong with a version.
#[derive(Default)]
struct Faults {
    reasons: Vec<String>,
    confidence: Option<Confidence>,
    unread: Option<Unknown>,
}

fn judge(versions: &InUse<'_>) -> Judgement {
    let mut all = Vec::new();
    let mut evidence = Vec::new();
    let mut possible = true;
    let mut unread = None;
    for (version, groups) in versions.values() {
        let faults = faults(*version, groups);
        unread = unread.or(faults.unread);
        if faults.reasons.is_empty() {
            continue;
        }
        possible &= faults.confidence.is_some();
        all.push(format!("version {} {}", version.data().version_number, listed(&faults.reasons)));
        evidence.push(shown(*version, groups));
    }
    let Some((first, _)) = versions.values().next().filter(|_| !all.is_empty()) else {
        return unread.map_or(Ok(Verdict::Pass), Err);
    };
    let message = format!("launch template {} of container hosts: {}", first.name(), listed(&all));
    let failure = fail(message, json!({"LaunchTemplateId": first.data().launch_template_id, "versions": evidence}));
    if possible { failure.possible().verdict() } else { failure.verdict() }
}

fn faults(version: Node<'_, LaunchTemplateVersion>, groups: &[Node<'_, AutoScalingGroup>]) -> Faults {
    let nothing = ResponseLaunchTemplateData::default();
    let data = version.data().launch_template_data.as_ref().unwrap_or(&nothing);
    let mut faults = Faults::default();
    if data.network_interfaces.iter().any(|interface| interface.associate_public_ip_address == Some(true)) {
        faults.reasons.push("gives hosts public addresses".to_owned());
    }
    let options = data.metadata_options.as_ref();
    if options.and_then(|options| options.http_endpoint.as_deref()) == Some("disabled") {
        return faults;
    }
    let defaults = version.estate().instance_metadata_defaults(version.account(), version.region());
    let (defaults, unread) = match defaults {
        Ok(defaults) => (defaults.map(|one| one.data()), None),
        Err(unknown) => (None, Some(unknown)),
    };
    let default_of = |field: fn(&InstanceMetadataDefaults) -> Option<&str>| defaults.and_then(field);
    let written = options.and_then(|options| options.http_tokens.as_deref());
    match written.or_else(|| default_of(|defaults| defaults.http_tokens.as_deref())) {
        Some("required") => {}
        Some(_) => faults.reasons.push("allows version 1 of the metadata service".to_owned()),
        None if unread.is_some() => faults.unread.clone_from(&unread),
        // Then the image decides.
        None => match image(version, data) {
            Ok(Some(image)) if image.data().imds_support.as_deref() == Some("v2.0") => {}
            Ok(Some(_)) => faults.reasons.push("leaves version 1 of the metadata service on".to_owned()),
            Ok(None) => {
                let certain = !faults.reasons.is_empty();
                faults.reasons.push("does not require version 2 of the metadata service, unless its image does".to_owned());
                faults.confidence = (!certain).then_some(Confidence::Possible);
            }
            Err(unknown) => faults.unread = Some(unknown),
        },
    }
    let hops = options.and_then(|options| options.http_put_response_hop_limit);
    let hops = hops.or_else(|| defaults.and_then(|defaults| defaults.http_put_response_hop_limit));
    if let Some(hops) = hops.filter(|hops| *hops > 1 && !groups.iter().any(|group| needs_hops(*group))) {
        faults.reasons.push(format!("lets answers of the metadata service pass {hops} hops"));
        faults.confidence = None;
    }
    faults
}

/// The image of a version; `None` where none is written or it is not shown.
fn image<'e>(version: Node<'e, LaunchTemplateVersion>, data: &ResponseLaunchTemplateData) -> Result<Option<Node<'e, Image>>, Unknown> {
    let Some(id) = data.image_id.as_deref().filter(|id| id.starts_with("ami-")) else { return Ok(None) };
    version.estate().image(version.account(), version.region(), id).exists()
}

/// Whether tasks in bridge mode run on the group's hosts, or pods may: both stand one hop behind the host.
fn needs_hops(group: Node<'_, AutoScalingGroup>) -> bool {
    if group.nodegroups().next().is_some() {
        return true;
    }
    let tasks = group.container_instances().flat_map(Node::<'_, ContainerInstance>::tasks);
    let definitions = tasks.filter_map(|task| task.task_definition().found());
    definitions.into_iter().any(|definition| definition.data().network_mode.as_deref().is_none_or(|mode| mode == "bridge"))
}

fn shown(version: Node<'_, LaunchTemplateVersion>, groups: &[Node<'_, AutoScalingGroup>]) -> Value {
    let data = version.data().launch_template_data.as_ref();
    json!({
        "VersionNumber": version.data().version_number,
        "ImageId": data.and_then(|data| data.image_id.as_deref()),
        "MetadataOptions": data.and_then(|data| data.metadata_options.as_ref()),
        "NetworkInterfaces": data.map(|data| &data.network_interfaces),
        "AutoScalingGroupNames": groups.iter().map(Node::name).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::aws::autoscaling::{AutoScalingGroup, Instance, LaunchConfiguration};
    use plimsoll_model::aws::ec2::{Image, InstanceMetadataDefaults, LaunchTemplateNetworkInterface, LaunchTemplateVersion};
    use plimsoll_model::aws::ec2::{InstanceMetadataOptions, ResponseLaunchTemplateData};
    use plimsoll_model::{Confidence, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn fleet(change: impl Fn(&mut ResponseLaunchTemplateData)) -> Fixture {
        fixture().capacity_provider("hosts", |_| {}).auto_scaling_group("hosts", |_| {}).launch_template("hosts", change)
    }

    fn options(data: &mut ResponseLaunchTemplateData) -> &mut InstanceMetadataOptions {
        data.metadata_options.as_mut().unwrap()
    }

    fn silent(data: &mut ResponseLaunchTemplateData) {
        data.metadata_options = None;
    }

    fn image(imds_support: Option<&str>) -> Image {
        Image { image_id: "ami-ecs".to_owned(), imds_support: imds_support.map(str::to_owned), ..Default::default() }
    }

    #[test]
    fn fails_when_tokens_are_optional() {
        assert_eq!(outcome(&CHECK, fleet(|data| options(data).http_tokens = Some("optional".to_owned()))), Fail(Severity::Medium));
        let defaults = InstanceMetadataDefaults { http_tokens: Some("optional".to_owned()), ..Default::default() };
        assert_eq!(outcome(&CHECK, fleet(silent).resource(defaults)), Fail(Severity::Medium));
    }

    #[test]
    fn where_nothing_is_written_the_account_and_then_the_image_decide() {
        let required = InstanceMetadataDefaults { http_tokens: Some("required".to_owned()), ..Default::default() };
        assert_eq!(outcome(&CHECK, fleet(silent).resource(required)), Pass);
        assert_eq!(outcome(&CHECK, fleet(silent).resource(image(Some("v2.0")))), Pass);
        assert_eq!(outcome(&CHECK, fleet(silent).resource(image(None))), Fail(Severity::Medium));
        let found = findings(&CHECK, fleet(silent));
        assert_eq!(found[0].confidence, Confidence::Possible);
    }

    #[test]
    fn fails_on_public_addresses() {
        let public = LaunchTemplateNetworkInterface { associate_public_ip_address: Some(true), ..Default::default() };
        assert_eq!(outcome(&CHECK, fleet(|data| data.network_interfaces.push(public.clone()))), Fail(Severity::Medium));
    }

    #[test]
    fn fails_on_hops_that_no_task_in_bridge_mode_needs() {
        let two = fleet(|data| options(data).http_put_response_hop_limit = Some(2));
        assert_eq!(outcome(&CHECK, two.clone()), Fail(Severity::Medium));
        let bridge = two
            .cluster("shop", |_| {})
            .container_instance("shop", "h1", |_| {})
            .ec2_task_definition("agent", |definition| definition.network_mode = Some("bridge".to_owned()))
            .task("shop", "agent", "t1", |task| {
                task.container_instance_arn = Some(plimsoll_fixture::arn("ecs", "container-instance/shop/h1"));
            })
            .each(|group: &mut AutoScalingGroup| {
                group.instances.push(Instance { instance_id: "i-h1".to_owned(), ..Default::default() });
            });
        assert_eq!(outcome(&CHECK, bridge), Pass);
    }

    #[test]
    fn fails_when_a_launch_configuration_is_still_used() {
        let old = fixture().capacity_provider("hosts", |_| {}).auto_scaling_group("hosts", |group| {
            group.launch_template = None;
            group.launch_configuration_name = Some("lc".to_owned());
        });
        let configuration = LaunchConfiguration {
            launch_configuration_arn: plimsoll_fixture::arn("autoscaling", "launchConfiguration:1:launchConfigurationName/lc"),
            launch_configuration_name: "lc".to_owned(),
            ..Default::default()
        };
        assert_eq!(outcome(&CHECK, old.clone().resource(configuration)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, old.denied("autoscaling:DescribeLaunchConfigurations")), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_hardened_or_without_metadata_service() {
        assert_eq!(outcome(&CHECK, fleet(|_| {})), Pass);
        let off = |data: &mut ResponseLaunchTemplateData| {
            data.metadata_options =
                Some(InstanceMetadataOptions { http_endpoint: Some("disabled".to_owned()), ..InstanceMetadataOptions::default() });
        };
        assert_eq!(outcome(&CHECK, fleet(off)), Pass);
    }

    #[test]
    fn node_groups_count_and_their_pods_may_need_a_second_hop() {
        let group = |data: fn(&mut ResponseLaunchTemplateData)| {
            let cluster = fixture().eks_cluster("apps", |_| {}).nodegroup("apps", "workers", |group| {
                let group_of_nodes = plimsoll_model::aws::eks::AutoScalingGroup { name: "nodes".to_owned() };
                group.resources =
                    Some(plimsoll_model::aws::eks::NodegroupResources { auto_scaling_groups: vec![group_of_nodes], ..Default::default() });
            });
            cluster.auto_scaling_group("nodes", |_| {}).launch_template("nodes", data)
        };
        assert_eq!(outcome(&CHECK, group(|data| options(data).http_put_response_hop_limit = Some(2))), Pass);
        assert_eq!(outcome(&CHECK, group(|data| options(data).http_tokens = Some("optional".to_owned()))), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_to_groups_of_no_capacity_provider() {
        let other = fixture().auto_scaling_group("other", |_| {}).launch_template("other", silent);
        assert_eq!(outcome(&CHECK, other), NotApplicable);
    }

    #[test]
    fn is_unknown_when_templates_or_defaults_were_not_readable() {
        let unread = fleet(silent).without::<LaunchTemplateVersion>().denied("ec2:DescribeLaunchTemplateVersions");
        assert_eq!(outcome(&CHECK, unread), Unknown);
        assert_eq!(outcome(&CHECK, fleet(silent).denied("ec2:GetInstanceMetadataDefaults")), Unknown);
        assert_eq!(outcome(&CHECK, fleet(|_| {}).denied("ec2:GetInstanceMetadataDefaults")), Pass);
        assert_eq!(outcome(&CHECK, fixture().denied("autoscaling:DescribeAutoScalingGroups")), Unknown);
    }
}
