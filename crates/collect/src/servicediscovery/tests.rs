#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs::{Cluster, Service, TaskSet};
use serde_json::{Value, json};

const PLACE: &str = "arn:aws:servicediscovery:eu-west-3:111111111111";

fn services(services: &[Value]) -> Inventory {
    let mut inventory = Inventory::default();
    for service in services {
        inventory.push(&"111111111111".into(), &"eu-west-3".into(), serde_json::from_value::<Service>(service.clone()).unwrap());
    }
    inventory
}

fn registered(arns: &[&str]) -> Value {
    let registries: Vec<Value> = arns.iter().map(|arn| json!({"registryArn": arn})).collect();
    json!({"serviceArn": format!("{arns:?}"), "clusterArn": "shop", "serviceRegistries": registries})
}

fn connected(namespace: Option<&str>, alias: Option<&str>) -> Value {
    let offered = json!({"portName": "http", "clientAliases": [{"port": 80, "dnsName": alias}]});
    json!({"serviceArn": "connected", "clusterArn": "shop", "deployments": [
        {"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": true, "namespace": namespace, "services": [offered]}}]})
}

fn namespace(id: &str) -> Value {
    json!({"Id": id, "Arn": format!("{PLACE}:namespace/{id}"), "Name": "shop.local", "Type": "DNS_PRIVATE",
           "Properties": {"DnsProperties": {"HostedZoneId": "Z1", "SOA": {}}}, "CreateDate": 1.6e9})
}

/// Two pages of namespaces, and `srv-web` in the second one.
fn cloud_map() -> Replay {
    let list = |request: &Value| {
        Answer::Json(match request.get("NextToken") {
            None => json!({"Namespaces": [namespace("ns-other")], "NextToken": "2"}),
            Some(_) => json!({"Namespaces": [namespace("ns-shop")]}),
        })
    };
    let get = |request: &Value| {
        if request["Id"] != "srv-web" {
            return Answer::Error("ServiceNotFound");
        }
        Answer::Json(json!({"Service": {
            "Id": "srv-web", "Arn": format!("{PLACE}:service/srv-web"), "Name": "web", "NamespaceId": "ns-shop", "Type": "DNS_HTTP",
            "DnsConfig": {"NamespaceId": "ns-shop", "RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "A", "TTL": 60}]}}}))
    };
    Replay::new().on("ListNamespaces", list).on("GetService", get)
}

#[tokio::test]
async fn only_what_ecs_services_refer_to_is_asked_for_and_kept() {
    let (ours, gone) = (format!("{PLACE}:service/srv-web"), format!("{PLACE}:service/srv-gone"));
    let elsewhere = ours.replace("eu-west-3", "us-east-1");
    let foreign = ours.replace("111111111111", "222222222222");
    let (replay, api) = (cloud_map(), Api::in_test());
    let mut containers = services(&[registered(&[&ours, &elsewhere]), registered(&[&ours, &foreign])]);
    let set = json!({"serviceRegistries": [{"registryArn": gone}]});
    containers.push(&"111111111111".into(), &"eu-west-3".into(), serde_json::from_value::<TaskSet>(set).unwrap());
    let found = collect(&api, &replay.wire(&SERVICE), &containers).await;
    let mut requests = replay.requests();
    requests.sort_by_key(|(operation, body)| format!("{operation} {body}"));
    assert_eq!(
        requests,
        [
            ("GetService".to_owned(), json!({"Id": "srv-gone"})),
            ("GetService".to_owned(), json!({"Id": "srv-web"})),
            ("ListNamespaces".to_owned(), json!({"MaxResults": 100, "NextToken": "2"})),
            ("ListNamespaces".to_owned(), json!({"MaxResults": 100})),
        ]
    );
    assert_eq!(found.discovery_services.iter().map(|service| service.data.name.as_str()).collect::<Vec<_>>(), ["web"]);
    assert!(found.discovery_services[0].data.is_in_dns());
    assert_eq!(found.discovery_namespaces.iter().map(|namespace| namespace.data.id.as_str()).collect::<Vec<_>>(), ["ns-shop"]);
    assert_eq!(api.take_gaps(), [], "a service that does not exist is no gap");
}

#[tokio::test]
async fn a_refusal_is_a_gap_of_the_call() {
    let arn = format!("{PLACE}:service/srv-web");
    for (operation, resource, kept) in [("ListNamespaces", None, 1), ("GetService", Some(arn.clone()), 0)] {
        let api = Api::in_test();
        let replay = cloud_map().error(operation, "AccessDeniedException");
        let found = collect(&api, &replay.wire(&SERVICE), &services(&[registered(&[&arn])])).await;
        let gaps = api.take_gaps();
        assert_eq!(gaps.len(), 1);
        assert_eq!((gaps[0].operation.as_str(), &gaps[0].resource), (format!("servicediscovery:{operation}").as_str(), &resource));
        assert_eq!(found.len(), kept, "{operation}");
    }
}

#[tokio::test]
async fn aliases_without_a_name_need_the_namespace_that_is_told_by_arn() {
    let arn = format!("{PLACE}:namespace/ns-shop");
    let namespaces = |service: Value, default: Option<&str>| {
        let mut containers = services(&[service]);
        let cluster = json!({"clusterArn": "shop", "serviceConnectDefaults": {"namespace": default}});
        containers.push(&"111111111111".into(), &"eu-west-3".into(), serde_json::from_value::<Cluster>(cluster).unwrap());
        async move {
            let replay = cloud_map();
            let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &containers).await;
            (replay.requests().len(), found.discovery_namespaces.len())
        }
    };
    assert_eq!(namespaces(connected(Some(&arn), None), None).await, (2, 1));
    assert_eq!(namespaces(connected(None, None), Some(&arn)).await, (2, 1));
    assert_eq!(namespaces(connected(Some("shop.local"), None), Some(&arn)).await, (0, 0));
    assert_eq!(namespaces(connected(Some(&arn), Some("web")), None).await, (0, 0));
    assert_eq!(namespaces(connected(Some(&arn.replace("111111111111", "222222222222")), None), None).await, (0, 0));
}

#[tokio::test]
async fn a_region_without_registered_services_costs_no_call() {
    let replay = Replay::new();
    let foreign = registered(&["arn:aws:servicediscovery:eu-west-3:222222222222:service/srv-web"]);
    collect(&Api::in_test(), &replay.wire(&SERVICE), &services(&[foreign, registered(&[])])).await;
    assert_eq!(replay.requests(), []);
}
