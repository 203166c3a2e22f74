#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::Replay;
use plimsoll_model::Inventory;
use plimsoll_model::aws::{ec2, ecs};
use serde_json::json;

fn running() -> Inventory {
    let mut inventory = Inventory::default();
    let (account, region) = ("111111111111".into(), "eu-west-3".into());
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
    let service: ecs::Service = serde_json::from_value(json!({"serviceArn": "s", "networkConfiguration": network})).unwrap();
    inventory.push(&account, &region, service);
    inventory.push(&account, &region, serde_json::from_value::<ec2::Subnet>(json!({"SubnetId": "subnet-1", "VpcId": "vpc-1"})).unwrap());
    inventory
}

fn instance(name: &str, vpc: &str) -> String {
    format!(
        "<DBInstance><DBInstanceIdentifier>{name}</DBInstanceIdentifier><DBInstanceArn>arn:aws:rds:eu-west-3:111111111111:db:{name}</DBInstanceArn>\
         <PubliclyAccessible>false</PubliclyAccessible><Endpoint><Address>{name}.example</Address><Port>5432</Port></Endpoint>\
         <VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-1</VpcSecurityGroupId><Status>active</Status></VpcSecurityGroupMembership></VpcSecurityGroups>\
         <DBSubnetGroup><VpcId>{vpc}</VpcId><Subnets><Subnet><SubnetIdentifier>subnet-7</SubnetIdentifier></Subnet></Subnets></DBSubnetGroup>\
         <TagList><Tag><Key>db-password</Key><Value>Tr0ub4dor&amp;3</Value></Tag></TagList></DBInstance>"
    )
}

#[tokio::test]
async fn databases_in_the_vpcs_of_containers_are_kept() {
    let listed = format!("<DBInstances>{}{}</DBInstances>", instance("ledger", "vpc-1"), instance("other", "vpc-2"));
    let cluster = "<DBClusters><DBCluster><DBClusterIdentifier>c</DBClusterIdentifier><DBClusterArn>arn:c</DBClusterArn><Port>5432</Port>\
        <DBClusterMembers><DBClusterMember><DBInstanceIdentifier>ledger</DBInstanceIdentifier></DBClusterMember></DBClusterMembers></DBCluster></DBClusters>";
    let replay = Replay::new().xml("DescribeDBInstances", &listed).xml("DescribeDBClusters", cluster);
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &running()).await;
    let instance = &found.db_instances[0].data;
    assert_eq!((found.db_instances.len(), found.db_clusters.len()), (1, 1));
    assert_eq!((instance.db_instance_identifier.as_str(), instance.publicly_accessible), ("ledger", Some(false)));
    assert_eq!(instance.endpoint.as_ref().unwrap().port, Some(5432));
    assert_eq!(instance.vpc_security_groups[0].vpc_security_group_id, "sg-1");
    assert_eq!(instance.db_subnet_group.as_ref().unwrap().subnets[0].subnet_identifier, "subnet-7");
    assert_eq!(instance.tag_list[0].value, "[secret: named-secret]");
    assert_eq!(found.db_clusters[0].data.port, Some(5432));
}

#[tokio::test]
async fn a_refusal_is_a_gap() {
    let replay = Replay::new().error("DescribeDBInstances", "AccessDenied").xml("DescribeDBClusters", "<DBClusters/>");
    let api = Api::in_test();
    assert!(collect(&api, &replay.wire(&SERVICE), &running()).await.is_empty());
    assert_eq!(api.take_gaps()[0].operation, "rds:DescribeDBInstances");
}
