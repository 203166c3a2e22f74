//! Against canned answers of the EC2 API: paging, filters, denials, user data, and what is kept.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use plimsoll_model::aws::{ec2, ecs};
use plimsoll_model::{Inventory, Seen};
use plimsoll_secrets::Detector;
use serde_json::{Value, json};

use super::{OPERATIONS, defaults, hosts, launches, network};
use crate::api::Api;
use crate::replay::{Answer, Replay};

// Put together here so that no scanner takes this file for a leak.
const PASSWORD: &str = concat!("Tr0ub4dor", "&3");

/// `#!/bin/bash`, an agent setting and `export DB_PASSWORD=` with the password above.
const USER_DATA: &str =
    concat!("IyEvYmluL2Jhc2gKZWNobyBFQ1NfQ0xVU1RFUj1zaG9wID4+IC9ldGMvZWNzL2Vjcy5jb25maWcKZXhwb3J0", "IERCX1BBU1NXT1JEPVRyMHViNGRvciYzCg==");

/// A Region in which every operation has something to answer.
fn region() -> Replay {
    Replay::new()
        .xml("DescribeVpcs", include_str!("testdata/vpcs.xml"))
        .xml("DescribeSubnets", include_str!("testdata/subnets.xml"))
        .xml("DescribeRouteTables", include_str!("testdata/route_tables.xml"))
        .xml("DescribeNetworkAcls", include_str!("testdata/network_acls.xml"))
        .xml("DescribeSecurityGroups", include_str!("testdata/security_groups.xml"))
        .xml("DescribeNetworkInterfaces", include_str!("testdata/network_interfaces.xml"))
        .xml("DescribeInternetGateways", include_str!("testdata/internet_gateways.xml"))
        .xml("DescribeEgressOnlyInternetGateways", include_str!("testdata/egress_only_internet_gateways.xml"))
        .xml("DescribeNatGateways", include_str!("testdata/nat_gateways.xml"))
        .xml("DescribeVpcEndpoints", include_str!("testdata/vpc_endpoints.xml"))
        .xml("DescribeVpcPeeringConnections", include_str!("testdata/vpc_peering_connections.xml"))
        .xml("DescribeFlowLogs", include_str!("testdata/flow_logs.xml"))
        .xml("DescribeManagedPrefixLists", include_str!("testdata/prefix_lists.xml"))
        .xml(
            "GetManagedPrefixListEntries",
            "<entrySet><item><cidr>198.51.100.0/24</cidr><description>office</description></item></entrySet>",
        )
        .xml(
            "DescribeVpcBlockPublicAccessOptions",
            "<vpcBlockPublicAccessOptions><internetGatewayBlockMode>block-ingress</internetGatewayBlockMode>\
             <state>update-complete</state><exclusionsAllowed>allowed</exclusionsAllowed></vpcBlockPublicAccessOptions>",
        )
        .xml(
            "DescribeVpcBlockPublicAccessExclusions",
            "<vpcBlockPublicAccessExclusionSet><item><exclusionId>e-1</exclusionId>\
             <internetGatewayExclusionMode>allow-egress</internetGatewayExclusionMode><resourceArn>arn:x</resourceArn>\
             <state>create-complete</state></item></vpcBlockPublicAccessExclusionSet>",
        )
        .xml("DescribeInstances", include_str!("testdata/instances.xml"))
        .xml("DescribeVolumes", include_str!("testdata/volumes.xml"))
        .xml("DescribeImages", include_str!("testdata/images.xml"))
        .xml("DescribeLaunchTemplateVersions", include_str!("testdata/launch_template_versions.xml"))
        .on("DescribeInstanceAttribute", |request| {
            assert_eq!(request["Attribute"], "userData");
            Answer::Xml(format!("<instanceId>i-2</instanceId><userData><value>{USER_DATA}</value></userData>"))
        })
        .xml("GetEbsEncryptionByDefault", "<ebsEncryptionByDefault>true</ebsEncryptionByDefault>")
        .xml("GetEbsDefaultKmsKeyId", "<kmsKeyId>alias/aws/ebs</kmsKeyId>")
        .xml("GetInstanceMetadataDefaults", "<accountLevel><httpTokens>required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint></accountLevel>")
}

/// Container instances on `i-1` and `i-2`, one outside EC2, and a service with a managed volume.
fn containers() -> Inventory {
    let mut inventory = Inventory::default();
    let mut push = |id: &str| {
        let instance = ecs::ContainerInstance {
            container_instance_arn: format!("arn:{id}"),
            ec2_instance_id: Some(id.to_owned()),
            ..Default::default()
        };
        inventory.push(&"111111111111".into(), &"eu-west-3".into(), instance);
    };
    push("i-1");
    push("i-2");
    push("i-2");
    push("mi-0123");
    let managed = ecs::ServiceVolumeConfiguration {
        managed_ebs_volume: Some(ecs::ServiceManagedEbsVolumeConfiguration::default()),
        ..Default::default()
    };
    let deployment = ecs::Deployment { volume_configurations: vec![managed], ..Default::default() };
    let service = ecs::Service { deployments: vec![deployment], ..Default::default() };
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), service);
    inventory
}

struct Collected {
    inventory: Inventory,
    gaps: Vec<plimsoll_model::Gap>,
}

impl Collected {
    /// The snapshot's lines of a kind.
    fn lines(&self, kind: &str) -> Vec<Value> {
        let mut text = Vec::new();
        plimsoll_model::write(&self.inventory, &mut text).unwrap();
        let lines = std::str::from_utf8(&text).unwrap().lines().skip(1);
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["kind"] == kind).map(|mut line| line["data"].take()).collect()
    }
}

async fn run(replay: &Replay) -> Collected {
    run_with(&Api::in_test(), replay).await
}

async fn run_with(api: &Api, replay: &Replay) -> Collected {
    let (client, ecs) = (replay.ec2(), containers());
    let mut inventory = network(api, &client).await;
    inventory.absorb(hosts(api, &client, &ecs).await);
    inventory.absorb(defaults(api, &client, &ecs).await);
    let mut groups = Inventory::default();
    groups.push(api.account(), api.region(), plimsoll_model::aws::autoscaling::AutoScalingGroup::default());
    inventory.absorb(launches(api, &client, &inventory, &mut groups).await);
    inventory.sort();
    Collected { inventory, gaps: api.take_gaps() }
}

#[tokio::test]
async fn each_operation_is_called_once_with_the_largest_page() {
    let replay = region();
    let collected = run(&replay).await;
    assert_eq!(collected.gaps, []);
    let requests = replay.requests();
    let of = |name: &str| requests.iter().filter(|(operation, _)| operation == name).map(|(_, request)| request).collect::<Vec<_>>();
    for operation in OPERATIONS {
        assert_eq!(of(operation.name).len(), 1, "{}", operation.name);
        let page = match operation.name {
            "DescribeRouteTables" | "DescribeManagedPrefixLists" | "GetManagedPrefixListEntries" => "100",
            "DescribeEgressOnlyInternetGateways" => "255",
            // At most as many as the filter or the request names; or one answer.
            "DescribeImages"
            | "DescribeLaunchTemplateVersions"
            | "DescribeInstanceAttribute"
            | "GetEbsEncryptionByDefault"
            | "GetEbsDefaultKmsKeyId"
            | "GetInstanceMetadataDefaults"
            | "DescribeVpcBlockPublicAccessOptions" => continue,
            _ => "1000",
        };
        assert_eq!(of(operation.name)[0]["MaxResults"], page, "{}", operation.name);
    }
    assert_eq!(of("GetManagedPrefixListEntries")[0]["PrefixListId"], "pl-office");
    assert_eq!(of("DescribeNatGateways")[0]["Filter.1.Name"], "state");
    assert_eq!(of("DescribeVpcPeeringConnections")[0]["Filter.1.Name"], "status-code");
    assert_eq!(of("DescribeImages")[0]["IncludeDeprecated"], "true");
    assert_eq!(of("DescribeInstances")[0]["Filter.1.Value.2"], "i-2");
    assert_eq!(of("DescribeInstances")[0]["Filter.1.Value.3"], Value::Null);
}

#[tokio::test]
async fn listings_are_read_to_their_end() {
    let replay = region().on("DescribeNetworkInterfaces", |request| {
        let (id, next) = match request["NextToken"].as_str() {
            None => ("eni-1", "<nextToken>2</nextToken>"),
            Some("2") => ("eni-2", "<nextToken>3</nextToken>"),
            Some(_) => ("eni-3", ""),
        };
        Answer::Xml(format!("<networkInterfaceSet><item><networkInterfaceId>{id}</networkInterfaceId></item></networkInterfaceSet>{next}"))
    });
    assert_eq!(run(&replay).await.inventory.network_interfaces.len(), 3);
    assert_eq!(replay.count("DescribeNetworkInterfaces"), 3);
}

#[tokio::test]
async fn hosts_are_asked_for_in_batches_that_a_filter_takes() {
    let mut ecs = Inventory::default();
    for index in 0..450 {
        let instance = ecs::ContainerInstance { ec2_instance_id: Some(format!("i-{index:04}")), ..Default::default() };
        ecs.push(&"111111111111".into(), &"eu-west-3".into(), instance);
    }
    let replay = region().on("DescribeInstances", |request| {
        let ids = (1..).map_while(|index| request[format!("Filter.1.Value.{index}")].as_str());
        let items: Vec<String> = ids.map(|id| format!("<item><instanceId>{id}</instanceId></item>")).collect();
        Answer::Xml(format!("<reservationSet><item><instancesSet>{}</instancesSet></item></reservationSet>", items.concat()))
    });
    let api = Api::in_test();
    let inventory = hosts(&api, &replay.ec2(), &ecs).await;
    assert_eq!(inventory.instances.len(), 450);
    assert_eq!((replay.count("DescribeInstances"), replay.count("DescribeVolumes")), (3, 3));
}

#[tokio::test]
async fn without_hosts_and_volumes_nothing_is_asked() {
    let replay = region();
    let (api, client, ecs) = (Api::in_test(), replay.ec2(), Inventory::default());
    assert!(hosts(&api, &client, &ecs).await.is_empty());
    assert!(defaults(&api, &client, &ecs).await.is_empty());
    assert_eq!(replay.requests(), []);
}

#[tokio::test]
async fn each_denial_is_a_gap_and_costs_nothing_else() {
    let api = Api::in_test();
    let whole = run(&region()).await;
    for operation in OPERATIONS {
        let denied = run_with(&api, &region().error(operation.name, "UnauthorizedOperation")).await;
        assert!(!denied.gaps.is_empty(), "{}", operation.name);
        for gap in &denied.gaps {
            assert_eq!((gap.operation.as_str(), gap.code.as_str()), (operation.id().as_str(), "UnauthorizedOperation"));
        }
        let lost: &[&str] = match operation.name {
            "DescribeVpcs" => &["ec2:Vpc"],
            "DescribeSubnets" => &["ec2:Subnet"],
            "DescribeRouteTables" => &["ec2:RouteTable"],
            "DescribeNetworkAcls" => &["ec2:NetworkAcl"],
            "DescribeSecurityGroups" => &["ec2:SecurityGroup"],
            "DescribeNetworkInterfaces" => &["ec2:NetworkInterface"],
            "DescribeInternetGateways" => &["ec2:InternetGateway"],
            "DescribeEgressOnlyInternetGateways" => &["ec2:EgressOnlyInternetGateway"],
            "DescribeNatGateways" => &["ec2:NatGateway"],
            "DescribeVpcEndpoints" => &["ec2:VpcEndpoint"],
            "DescribeVpcPeeringConnections" => &["ec2:VpcPeeringConnection"],
            "DescribeFlowLogs" => &["ec2:FlowLog"],
            "DescribeVpcBlockPublicAccessOptions" => &["ec2:VpcBlockPublicAccessOptions"],
            "DescribeInstances" => &["ec2:Instance", "ec2:Image", "ec2:LaunchTemplateVersion"],
            "DescribeVolumes" => &["ec2:Volume"],
            "DescribeImages" => &["ec2:Image"],
            "DescribeLaunchTemplateVersions" => &["ec2:LaunchTemplateVersion"],
            "GetInstanceMetadataDefaults" => &["ec2:InstanceMetadataDefaults"],
            _ => &[],
        };
        for (kind, _) in Inventory::KINDS {
            let expected = match (lost.contains(kind), operation.name, *kind) {
                (true, _, _) => 0,
                // The one that a rule names is there all the same.
                (_, "DescribeManagedPrefixLists", "ec2:ManagedPrefixList") => 1,
                _ => whole.lines(kind).len(),
            };
            assert_eq!(denied.lines(kind).len(), expected, "{} {kind}", operation.name);
        }
    }
}

#[tokio::test]
async fn what_was_not_read_is_unseen_and_not_empty() {
    let denied = region()
        .error("GetManagedPrefixListEntries", "UnauthorizedOperation")
        .error("DescribeVpcBlockPublicAccessExclusions", "UnauthorizedOperation")
        .error("GetEbsEncryptionByDefault", "UnauthorizedOperation")
        .error("DescribeLaunchTemplateVersions", "UnauthorizedOperation")
        .error("DescribeInstanceAttribute", "UnauthorizedOperation");
    let inventory = run(&denied).await.inventory;
    for list in &inventory.managed_prefix_lists {
        let code = if list.data.prefix_list_id == "pl-office" { "UnauthorizedOperation" } else { "NotCollected" };
        assert_eq!(list.data.entries.known().unwrap_err().code, code);
    }
    assert!(inventory.vpc_block_public_access_options[0].data.exclusions.known().is_err());
    let defaults = &inventory.ebs_encryption_defaults[0].data;
    assert!(defaults.ebs_encryption_by_default.known().is_err());
    assert_eq!(defaults.ebs_default_kms_key_id, Seen::Known(Some("alias/aws/ebs".to_owned())));
    for instance in &inventory.instances {
        let gap = instance.data.user_data.known().unwrap_err();
        assert_eq!((gap.code.as_str(), gap.resource.as_deref()), ("UnauthorizedOperation", Some(instance.data.instance_id.as_str())));
    }
}

#[tokio::test]
async fn exclusions_are_asked_for_only_where_access_is_blocked() {
    for mode in ["<internetGatewayBlockMode>off</internetGatewayBlockMode>", ""] {
        let options = format!("<vpcBlockPublicAccessOptions>{mode}</vpcBlockPublicAccessOptions>");
        let replay = region().xml("DescribeVpcBlockPublicAccessOptions", &options);
        let collected = run(&replay).await;
        assert_eq!(collected.gaps, []);
        assert_eq!(replay.count("DescribeVpcBlockPublicAccessExclusions"), 0);
        let exclusions = &collected.inventory.vpc_block_public_access_options[0].data.exclusions;
        assert_eq!(exclusions.known().unwrap_err().code, "NotCollected");
    }
}

#[tokio::test]
async fn an_endpoint_without_block_public_access_is_not_asked_long() {
    let replay = region().on("DescribeVpcBlockPublicAccessOptions", |_| Answer::Raw(500, "<html/>".to_owned()));
    let collected = run(&replay).await;
    assert_eq!(collected.gaps[0].operation, "ec2:DescribeVpcBlockPublicAccessOptions");
    assert_eq!(replay.count("DescribeVpcBlockPublicAccessOptions"), 3);
}

fn user_data<'i>(inventory: &'i Inventory, id: &str) -> &'i ec2::UserData {
    let instance = inventory.instances.iter().find(|instance| instance.data.instance_id == id).unwrap();
    instance.data.user_data.known().unwrap().as_ref().unwrap()
}

#[tokio::test]
async fn user_data_comes_from_the_launch_template_of_an_auto_scaling_group() {
    let replay = region();
    let collected = run(&replay).await;
    let requests = replay.requests();
    let (_, request) = requests.iter().find(|(operation, _)| operation == "DescribeLaunchTemplateVersions").unwrap();
    assert_eq!((&request["LaunchTemplateId"], &request["LaunchTemplateVersion.1"]), (&json!("lt-1"), &json!("3")));
    let of_template = user_data(&collected.inventory, "i-1");
    assert_eq!(of_template.source, "launch-template lt-1/3");
    assert_eq!(of_template.agent_configuration["ECS_CLUSTER"], "shop");
    let found = &of_template.secrets_in_text[0];
    assert_eq!((found.name.as_str(), found.looks_like.as_deref(), found.length), ("line 3", Some("named-secret"), Some(11)));
    assert_eq!(user_data(&collected.inventory, "i-2").source, "instance");

    let mut text = Vec::new();
    plimsoll_model::write(&collected.inventory, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap() + &format!("{:?}{:?}", collected.inventory, collected.gaps);
    for leaked in [PASSWORD, "DB_PASSWORD", USER_DATA, "bin/bash"] {
        assert!(!text.contains(leaked), "{leaked}");
    }
}

#[tokio::test]
async fn a_launch_template_that_is_gone_leaves_the_instance_to_ask() {
    for code in ["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.VersionNotFound"] {
        let replay = region().error("DescribeLaunchTemplateVersions", code);
        let collected = run(&replay).await;
        assert_eq!(collected.gaps, []);
        assert_eq!(user_data(&collected.inventory, "i-1").source, "instance");
        assert_eq!(replay.count("DescribeInstanceAttribute"), 2);
    }
}

#[tokio::test]
async fn an_instance_that_is_gone_is_no_gap() {
    let collected = run(&region().error("DescribeInstanceAttribute", "InvalidInstanceID.NotFound")).await;
    assert_eq!(collected.gaps, []);
}

#[tokio::test]
async fn user_data_may_be_absent_or_unreadable() {
    let none = run(&region().xml("DescribeInstanceAttribute", "<instanceId>i-2</instanceId><userData/>")).await;
    let instance = none.inventory.instances.iter().find(|instance| instance.data.instance_id == "i-2").unwrap();
    assert_eq!(instance.data.user_data, Seen::Known(None));
    let broken = run(&region().xml("DescribeInstanceAttribute", "<userData><value>!!!</value></userData>")).await;
    assert_eq!(user_data(&broken.inventory, "i-2").unreadable.as_deref(), Some("user data is not base64"));
}

#[tokio::test]
async fn versions_of_one_template_are_asked_for_together_and_all_kept() {
    let instance = |id: &str, version: &str| {
        let tag = |key: &str, value: &str| format!("<item><key>{key}</key><value>{value}</value></item>");
        let tags =
            [tag("aws:autoscaling:groupName", "g"), tag("aws:ec2launchtemplate:id", "lt-1"), tag("aws:ec2launchtemplate:version", version)];
        format!("<item><instanceId>{id}</instanceId><tagSet>{}</tagSet></item>", tags.concat())
    };
    let instances = format!(
        "<reservationSet><item><instancesSet>{}{}</instancesSet></item></reservationSet>",
        instance("i-1", "3"),
        instance("i-2", "4")
    );
    let version = |number: u8| {
        format!("<item><launchTemplateId>lt-1</launchTemplateId><versionNumber>{number}</versionNumber><launchTemplateData/></item>")
    };
    let versions = format!("<launchTemplateVersionSet>{}{}</launchTemplateVersionSet>", version(4), version(3));
    let replay = region().xml("DescribeInstances", &instances).xml("DescribeLaunchTemplateVersions", &versions);
    let collected = run(&replay).await;
    assert_eq!((replay.count("DescribeLaunchTemplateVersions"), replay.count("DescribeInstanceAttribute")), (1, 0));
    let numbers: Vec<i64> = collected.inventory.launch_template_versions.iter().map(|one| one.data.version_number).collect();
    assert_eq!(numbers, [3, 4]);
    assert!(collected.inventory.instances.iter().all(|instance| instance.data.user_data == Seen::Known(None)));
}

#[tokio::test]
async fn throttled_requests_are_sent_again() {
    let asked = AtomicUsize::new(0);
    let replay = region().on("DescribeVpcs", move |_| {
        if asked.fetch_add(1, Ordering::Relaxed) < 3 {
            Answer::Error("RequestLimitExceeded")
        } else {
            Answer::Xml(include_str!("testdata/vpcs.xml").to_owned())
        }
    });
    let collected = run(&replay).await;
    assert_eq!(collected.gaps, []);
    assert_eq!(collected.inventory.vpcs.len(), 1);
}

#[tokio::test]
async fn a_policy_that_does_not_parse_is_kept_as_text() {
    let endpoint =
        "<vpcEndpointSet><item><vpcEndpointId>vpce-1</vpcEndpointId><policyDocument>{oops</policyDocument></item></vpcEndpointSet>";
    let collected = run(&region().xml("DescribeVpcEndpoints", endpoint)).await;
    let policy = collected.inventory.vpc_endpoints[0].data.policy_document.as_ref().unwrap();
    assert!(policy.statements().is_err());
}

#[tokio::test]
async fn a_secret_in_a_tag_is_replaced() {
    let vpc = format!(
        "<vpcSet><item><vpcId>vpc-1</vpcId><tagSet><item><key>password</key><value>{}</value></item></tagSet></item></vpcSet>",
        PASSWORD.replace('&', "&amp;")
    );
    let collected = run(&region().xml("DescribeVpcs", &vpc)).await;
    assert_eq!(collected.inventory.vpcs[0].data.tags[0].value, "[secret: named-secret]");
    assert!(Detector::new(None).named_value("password", PASSWORD).is_some());
}

/// The samples hold every field that the model has; the names are AWS's.
#[tokio::test]
async fn every_field_is_carried() {
    let collected = run(&region()).await;
    let expected: Value = serde_json::from_str(include_str!("testdata/expected.json")).unwrap();
    for (kind, expected) in expected.as_object().unwrap() {
        assert_eq!(Value::Array(collected.lines(kind)), *expected, "{kind}");
    }
    let kinds: BTreeSet<&str> = expected.as_object().unwrap().keys().map(String::as_str).collect();
    let all: BTreeSet<&str> = Inventory::KINDS.iter().map(|(kind, _)| *kind).filter(|kind| kind.starts_with("ec2:")).collect();
    assert_eq!(kinds, all);
}

#[tokio::test]
async fn nodes_of_kubernetes_are_found_by_their_tags_in_one_request() {
    let mut clusters = Inventory::default();
    for name in ["shop", "jobs"] {
        let cluster = plimsoll_model::aws::eks::Cluster { name: name.to_owned(), arn: format!("arn:{name}"), ..Default::default() };
        clusters.push(&"111111111111".into(), &"eu-west-3".into(), cluster);
    }
    let replay = region().on("DescribeInstances", |request| {
        let values = ["1", "2", "3", "4"].map(|number| request[format!("Filter.1.Value.{number}")].as_str().unwrap().to_owned());
        assert_eq!(values, ["eks:cluster-name", "eks:eks-cluster-name", "kubernetes.io/cluster/jobs", "kubernetes.io/cluster/shop"]);
        assert_eq!((&request["Filter.1.Name"], &request["Filter.2.Name"]), (&json!("tag-key"), &json!("instance-state-name")));
        let operator = "<operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator>";
        Answer::Xml(format!(
            "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>{operator}</item></instancesSet></item></reservationSet>"
        ))
    });
    let found = hosts(&Api::in_test(), &replay.ec2(), &clusters).await;
    assert_eq!(found.instances[0].data.operator.as_ref().unwrap().principal.as_deref(), Some("eks.amazonaws.com"));
    assert_eq!((replay.count("DescribeInstances"), replay.count("DescribeVolumes")), (1, 1));
}
