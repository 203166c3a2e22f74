#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::ec2::launches;
use crate::replay::Replay;
use plimsoll_model::Inventory;
use plimsoll_model::aws::{ec2, ecs};

const GROUP: &str = "arn:aws:autoscaling:eu-west-3:111111111111:autoScalingGroup:aa:autoScalingGroupName/hosts";

const GROUPS: &str = "<AutoScalingGroups>
    <member><AutoScalingGroupName>hosts</AutoScalingGroupName>
      <AutoScalingGroupARN>arn:aws:autoscaling:eu-west-3:111111111111:autoScalingGroup:aa:autoScalingGroupName/hosts</AutoScalingGroupARN>
      <MixedInstancesPolicy><LaunchTemplate>
        <LaunchTemplateSpecification><LaunchTemplateId>lt-1</LaunchTemplateId><Version>$Latest</Version></LaunchTemplateSpecification>
        <Overrides><member><InstanceType>m7g.large</InstanceType>
          <LaunchTemplateSpecification><LaunchTemplateId>lt-1</LaunchTemplateId></LaunchTemplateSpecification></member></Overrides>
      </LaunchTemplate></MixedInstancesPolicy>
      <MinSize>1</MinSize><MaxSize>3</MaxSize><DesiredCapacity>2</DesiredCapacity>
      <NewInstancesProtectedFromScaleIn>true</NewInstancesProtectedFromScaleIn>
      <Instances><member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState></member></Instances>
      <Tags><member><Key>db-password</Key><Value>Tr0ub4dor&amp;3</Value><PropagateAtLaunch>true</PropagateAtLaunch></member></Tags></member>
    <member><AutoScalingGroupName>old</AutoScalingGroupName><AutoScalingGroupARN>arn:old</AutoScalingGroupARN>
      <LaunchConfigurationName>lc</LaunchConfigurationName><MinSize>0</MinSize><MaxSize>1</MaxSize><DesiredCapacity>0</DesiredCapacity></member>
  </AutoScalingGroups>";

fn behind() -> Inventory {
    let mut inventory = Inventory::default();
    let place = (&"111111111111".into(), &"eu-west-3".into());
    let provider = ecs::AutoScalingGroupProvider { auto_scaling_group_arn: GROUP.to_owned(), ..Default::default() };
    inventory.push(place.0, place.1, ecs::CapacityProvider { auto_scaling_group_provider: Some(provider), ..Default::default() });
    let tag = ec2::Tag { key: "aws:autoscaling:groupName".to_owned(), value: "old".to_owned() };
    inventory.push(place.0, place.1, ec2::Instance { instance_id: "i-9".to_owned(), tags: vec![tag], ..Default::default() });
    inventory
}

fn answering() -> Replay {
    Replay::new()
        .xml("DescribeAutoScalingGroups", GROUPS)
        .xml(
            "DescribeInstanceRefreshes",
            "<InstanceRefreshes><member><InstanceRefreshId>r1</InstanceRefreshId><Status>Successful</Status>
             <StartTime>2026-05-01T00:00:00Z</StartTime><PercentageComplete>100</PercentageComplete></member></InstanceRefreshes>",
        )
        .xml(
            "DescribeLaunchConfigurations",
            "<LaunchConfigurations><member><LaunchConfigurationName>lc</LaunchConfigurationName><LaunchConfigurationARN>arn:lc</LaunchConfigurationARN>
             <UserData>c2VjcmV0</UserData><AssociatePublicIpAddress>true</AssociatePublicIpAddress>
             <MetadataOptions><HttpTokens>optional</HttpTokens></MetadataOptions></member></LaunchConfigurations>",
        )
}

#[tokio::test]
async fn groups_behind_providers_and_hosts_are_read_with_refreshes_and_configurations() {
    let (replay, api) = (answering(), Api::in_test());
    let mut found = collect(&api, &replay.wire(&SERVICE), &behind()).await;
    found.sort();
    let asked = replay.requests().into_iter().find(|(operation, _)| operation == "DescribeAutoScalingGroups").unwrap().1;
    assert_eq!((&asked["AutoScalingGroupNames.member.1"], &asked["AutoScalingGroupNames.member.2"]), (&"hosts".into(), &"old".into()));
    let group = &found.auto_scaling_groups[0].data;
    assert_eq!((group.desired_capacity, group.new_instances_protected_from_scale_in), (2, Some(true)));
    assert_eq!(group.launch_templates().count(), 2);
    assert_eq!(group.instances[0].instance_id, "i-1");
    assert_eq!(group.tags[0].value, "[secret: named-secret]");
    assert_eq!(group.instance_refreshes.known().unwrap()[0].percentage_complete, Some(100));
    let configuration = &found.launch_configurations[0].data;
    assert_eq!(configuration.associate_public_ip_address, Some(true));
    assert!(!serde_json::to_string(configuration).unwrap().contains("c2VjcmV0"));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn versions_by_name_become_numbers() {
    let replay = answering()
        .xml(
            "DescribeLaunchTemplateVersions",
            "<launchTemplateVersionSet>
              <item><launchTemplateId>lt-1</launchTemplateId><versionNumber>7</versionNumber><defaultVersion>false</defaultVersion>
                <launchTemplateData><imageId>ami-7</imageId><networkInterfaceSet><item><associatePublicIpAddress>true</associatePublicIpAddress></item></networkInterfaceSet></launchTemplateData></item>
              <item><launchTemplateId>lt-1</launchTemplateId><versionNumber>4</versionNumber><defaultVersion>true</defaultVersion></item>
            </launchTemplateVersionSet>",
        )
        .xml("DescribeImages", "<imagesSet><item><imageId>ami-7</imageId><imdsSupport>v2.0</imdsSupport></item></imagesSet>")
        .xml("GetInstanceMetadataDefaults", "<accountLevel><httpTokens>required</httpTokens><httpPutResponseHopLimit>-1</httpPutResponseHopLimit></accountLevel>");
    let api = Api::in_test();
    let mut groups = collect(&api, &replay.wire(&SERVICE), &behind()).await;
    let found = launches(&api, &replay.ec2(), &behind(), &mut groups).await;
    groups.sort();
    let versions: Vec<Option<i64>> = groups.auto_scaling_groups[0].data.launch_templates().map(|one| one.resolved_version).collect();
    assert_eq!(versions, [Some(7), Some(4)]);
    let newest = found.launch_template_versions.iter().find(|version| version.data.version_number == 7).unwrap();
    assert_eq!(newest.data.launch_template_data.as_ref().unwrap().network_interfaces[0].associate_public_ip_address, Some(true));
    assert_eq!(found.images[0].data.imds_support.as_deref(), Some("v2.0"));
    let defaults = &found.instance_metadata_defaults[0].data;
    assert_eq!((defaults.http_tokens.as_deref(), defaults.http_put_response_hop_limit), (Some("required"), None));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn a_region_without_groups_costs_no_call() {
    let (replay, api) = (answering(), Api::in_test());
    let mut groups = collect(&api, &replay.wire(&SERVICE), &Inventory::default()).await;
    assert!(launches(&api, &replay.ec2(), &Inventory::default(), &mut groups).await.is_empty());
    assert_eq!(replay.requests(), []);
}

#[tokio::test]
async fn refused_refreshes_are_a_gap_of_their_group() {
    let replay = answering().error("DescribeInstanceRefreshes", "AccessDenied").error("DescribeLaunchConfigurations", "AccessDenied");
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &behind()).await;
    assert_eq!((found.auto_scaling_groups.len(), found.launch_configurations.len()), (2, 0));
    assert!(found.auto_scaling_groups[0].data.instance_refreshes.known().is_err());
    assert_eq!(api.take_gaps().len(), 3);
}
