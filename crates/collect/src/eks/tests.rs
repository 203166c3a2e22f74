#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use serde_json::{Value, json};

const ADMIN: &str = "arn:aws:iam::111111111111:role/admin";
const ENTRY: &str = "GET /clusters/shop/access-entries/arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fadmin";

fn arn(resource: &str) -> String {
    format!("arn:aws:eks:eu-west-3:111111111111:{resource}")
}

/// One cluster with one of everything.
fn answering() -> Replay {
    let cluster = json!({
        "name": "shop", "arn": arn("cluster/shop"), "status": "ACTIVE", "version": "1.33", "createdAt": 1.7e9,
        "resourcesVpcConfig": {"vpcId": "vpc-1", "subnetIds": ["subnet-1"], "endpointPublicAccess": true, "publicAccessCidrs": ["0.0.0.0/0"]},
        "accessConfig": {"authenticationMode": "API"}, "certificateAuthority": {"data": "LS0t"},
        "tags": {"team": "shop", "db-password": "Tr0ub4dor&3"},
    });
    let group = json!({
        "nodegroupName": "web", "nodegroupArn": arn("nodegroup/shop/web/1"), "clusterName": "shop", "status": "ACTIVE", "version": "1.33",
        "releaseVersion": "1.33.5-20260601", "amiType": "AL2023_x86_64_STANDARD", "scalingConfig": {"desiredSize": 2}, "taints": [],
    });
    let addon = json!({
        "addonName": "vpc-cni", "addonArn": arn("addon/shop/vpc-cni/1"), "clusterName": "shop", "status": "ACTIVE",
        "addonVersion": "v1.19.0-eksbuild.1", "configurationValues": "{\"enableNetworkPolicy\": \"true\", \"env\": {\"TOKEN\": \"s3cret\"}}",
    });
    let policy = json!({"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", "accessScope": {"type": "cluster", "namespaces": []}});
    let version = |name: &str, default: bool| json!({"addonVersion": name, "compatibilities": [{"clusterVersion": "1.33", "defaultVersion": default}]});
    Replay::new()
        .on("GET /clusters", |request| match request.get("nextToken") {
            None => Answer::Json(json!({"clusters": [], "nextToken": "2"})),
            Some(_) => Answer::Json(json!({"clusters": ["shop"]})),
        })
        .json("GET /clusters/shop", json!({"cluster": cluster}))
        .json("GET /clusters/shop/node-groups", json!({"nodegroups": ["web"]}))
        .json("GET /clusters/shop/node-groups/web", json!({"nodegroup": group}))
        .json("GET /clusters/shop/fargate-profiles", json!({"fargateProfileNames": ["jobs"]}))
        .json(
            "GET /clusters/shop/fargate-profiles/jobs",
            json!({"fargateProfile": {"fargateProfileName": "jobs", "fargateProfileArn": arn("fargateprofile/shop/jobs/1"), "clusterName": "shop",
                "status": "ACTIVE", "selectors": [{"namespace": "jobs", "labels": {"tier": "low"}}]}}),
        )
        .json("GET /clusters/shop/addons", json!({"addons": ["vpc-cni"]}))
        .json("GET /clusters/shop/addons/vpc-cni", json!({"addon": addon}))
        .json("GET /clusters/shop/access-entries", json!({"accessEntries": [ADMIN]}))
        .json(
            ENTRY,
            json!({"accessEntry": {"accessEntryArn": arn("access-entry/shop/role/111111111111/admin/1"), "principalArn": ADMIN,
                "clusterName": "shop", "type": "STANDARD", "kubernetesGroups": ["viewers"]}}),
        )
        .json(&format!("{ENTRY}/access-policies"), json!({"associatedAccessPolicies": [policy]}))
        .json("GET /clusters/shop/pod-identity-associations", json!({"associations": [{"associationId": "a-1", "namespace": "default"}]}))
        .json(
            "GET /clusters/shop/pod-identity-associations/a-1",
            json!({"association": {"associationArn": arn("podidentityassociation/shop/a-1"), "associationId": "a-1", "clusterName": "shop",
                "namespace": "default", "serviceAccount": "web", "roleArn": ADMIN}}),
        )
        .json("GET /clusters/shop/identity-provider-configs", json!({"identityProviderConfigs": [{"type": "oidc", "name": "okta"}]}))
        .on("POST /clusters/shop/identity-provider-configs/describe", |request| {
            assert_eq!(request, &json!({"identityProviderConfig": {"type": "oidc", "name": "okta"}}));
            Answer::Json(json!({"identityProviderConfig": {"oidc": {"identityProviderConfigName": "okta",
                "identityProviderConfigArn": arn("identityproviderconfig/shop/oidc/okta/1"), "clusterName": "shop", "issuerUrl": "https://o"}}}))
        })
        .json(
            "POST /clusters/shop/insights",
            json!({"insights": [{"id": "i-1", "name": "Deprecated APIs", "category": "UPGRADE_READINESS", "insightStatus": {"status": "ERROR"}}]}),
        )
        .json(
            "GET /cluster-versions",
            json!({"clusterVersions": [
                {"clusterVersion": "1.33", "versionStatus": "STANDARD_SUPPORT", "endOfStandardSupportDate": 1.78e9},
                {"clusterVersion": "1.34", "versionStatus": "STANDARD_SUPPORT"},
            ]}),
        )
        .json(
            "GET /addons/supported-versions",
            json!({"addons": [{"addonName": "vpc-cni", "type": "networking",
                "addonVersions": [version("v1.20.4-eksbuild.2", false), version("v1.19.5-eksbuild.1", true)]}]}),
        )
}

async fn run(replay: &Replay) -> (Inventory, bool, Vec<(String, Option<String>)>) {
    let api = Api::in_test();
    let (found, any) = collect(&api, &replay.wire(&SERVICE)).await;
    let gaps = api.take_gaps().into_iter().map(|gap| (gap.operation, gap.resource)).collect();
    (found, any, gaps)
}

#[tokio::test]
async fn a_cluster_is_read_with_all_that_belongs_to_it() {
    let replay = answering();
    let (found, any, gaps) = run(&replay).await;
    assert!(any);
    assert_eq!(gaps, []);
    let cluster = &found.eks_clusters[0].data;
    assert_eq!(cluster.created_at.unwrap().to_string(), "2023-11-14T22:13:20Z");
    assert_eq!(cluster.tags["db-password"], "[secret: named-secret]");
    assert_eq!(found.nodegroups[0].data.scaling_config.as_ref().unwrap().desired_size, Some(2));
    assert_eq!(found.fargate_profiles[0].data.selectors[0].labels["tier"], "low");
    assert_eq!(found.addons[0].data.configuration_values.as_ref().unwrap().enable_network_policy.as_deref(), Some("true"));
    let entry = &found.access_entries[0].data;
    assert_eq!((entry.principal_arn.as_str(), entry.kubernetes_groups[0].as_str()), (ADMIN, "viewers"));
    assert_eq!(entry.associated_access_policies.known().unwrap()[0].access_scope.as_ref().unwrap().kind.as_deref(), Some("cluster"));
    assert_eq!(found.pod_identity_associations[0].data.role_arn, ADMIN);
    assert_eq!(found.identity_provider_configs[0].data.issuer_url.as_deref(), Some("https://o"));
    assert_eq!((found.insights[0].data.name.as_str(), found.insights[0].data.cluster_name.as_str()), ("Deprecated APIs", "shop"));
    assert_eq!(found.cluster_versions.len(), 1);
    assert_eq!(found.cluster_versions[0].data.version_status.as_deref(), Some("STANDARD_SUPPORT"));
    let defaults = &found.addon_versions[0].data;
    assert_eq!((defaults.id.as_str(), defaults.addon_versions.len()), ("vpc-cni/1.33", 1));
    assert_eq!(defaults.addon_versions[0].addon_version, "v1.19.5-eksbuild.1");
    let mut lines = Vec::new();
    plimsoll_model::write(&found, &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert!(!lines.contains("s3cret") && !lines.contains("Tr0ub4dor"), "{lines}");
}

#[tokio::test]
async fn each_request_asks_for_the_largest_page_and_each_thing_once() {
    let replay = answering();
    run(&replay).await;
    let asked = |name: &str| replay.requests().into_iter().filter(|(asked, _)| asked == name).map(|(_, body)| body).collect::<Vec<Value>>();
    assert_eq!(replay.requests().len(), 19);
    assert_eq!(asked("GET /clusters/shop/node-groups"), [json!({"maxResults": "100"})]);
    assert_eq!(
        asked("POST /clusters/shop/insights"),
        [json!({"filter": {"categories": ["UPGRADE_READINESS"], "statuses": ["ERROR"]}, "maxResults": 100})]
    );
    assert_eq!(
        asked("GET /addons/supported-versions"),
        [json!({"addonName": "vpc-cni", "kubernetesVersion": "1.33", "maxResults": "100"})]
    );
}

#[tokio::test]
async fn a_region_without_clusters_costs_one_request() {
    let replay = Replay::new().json("GET /clusters", json!({"clusters": []}));
    let (found, any, gaps) = run(&replay).await;
    assert!(found.is_empty() && !any && gaps.is_empty());
    assert_eq!(replay.requests().len(), 1);
}

#[tokio::test]
async fn access_entries_are_not_asked_of_a_cluster_that_knows_only_its_config_map() {
    let cluster = json!({"name": "shop", "arn": arn("cluster/shop"), "accessConfig": {"authenticationMode": "CONFIG_MAP"}});
    let replay = answering().json("GET /clusters/shop", json!({"cluster": cluster}));
    let (found, _, gaps) = run(&replay).await;
    assert_eq!((found.access_entries.len(), replay.count("GET /clusters/shop/access-entries")), (0, 0));
    assert_eq!(gaps, []);
}

#[tokio::test]
async fn each_refused_operation_is_a_gap_that_names_its_cluster_and_the_rest_is_read() {
    let whole = run(&answering()).await.0.len();
    for (path, operation, resource, lost) in [
        ("GET /clusters/shop", "DescribeCluster", arn("cluster/shop"), 3),
        ("GET /clusters/shop/node-groups", "ListNodegroups", arn("cluster/shop"), 1),
        ("GET /clusters/shop/node-groups/web", "DescribeNodegroup", arn("nodegroup/shop/web"), 1),
        ("GET /clusters/shop/addons/vpc-cni", "DescribeAddon", arn("addon/shop/vpc-cni"), 2),
        (ENTRY, "DescribeAccessEntry", arn(&format!("access-entry/shop/{ADMIN}")), 1),
        ("GET /addons/supported-versions", "DescribeAddonVersions", "vpc-cni/1.33".to_owned(), 1),
    ] {
        let (found, any, gaps) = run(&answering().error(path, "AccessDeniedException")).await;
        assert_eq!(gaps, [(format!("eks:{operation}"), Some(resource))]);
        assert_eq!((found.len(), any), (whole - lost, true), "{path}");
    }
    let policies = format!("{ENTRY}/access-policies");
    let (found, _, gaps) = run(&answering().error(&policies, "AccessDeniedException")).await;
    assert_eq!(found.access_entries[0].data.associated_access_policies.known().unwrap_err().code, "AccessDeniedException");
    assert_eq!(gaps.len(), 1);
    let (found, any, gaps) = run(&answering().error("GET /clusters", "AccessDeniedException")).await;
    assert!(found.is_empty() && !any);
    assert_eq!(gaps, [("eks:ListClusters".to_owned(), None)]);
}

#[tokio::test]
async fn what_is_deleted_while_it_is_read_is_no_gap() {
    let gone = "ResourceNotFoundException";
    let replay = answering().error("GET /clusters/shop/node-groups/web", gone).error("GET /clusters/shop/addons", gone);
    let (found, _, gaps) = run(&replay).await;
    assert_eq!((found.nodegroups.len(), found.addons.len()), (0, 0));
    assert_eq!(gaps, []);
}
