//! Against canned answers of the KMS API: which keys are asked about, how often, and what is kept.

use plimsoll_model::aws::kms::Key;
use plimsoll_model::aws::{ec2, ecs};
use plimsoll_model::{Gap, Inventory};
use serde_json::{Value, json};

use super::{OPERATIONS, collect, list};
use crate::api::Api;
use crate::replay::{Answer, Replay};

const CUSTOMERS: &str = "11111111-0000-0000-0000-000000000001";
const UNUSED: &str = "11111111-0000-0000-0000-000000000002";
const AWS_EBS: &str = "22222222-0000-0000-0000-000000000001";
const AWS_SSM: &str = "22222222-0000-0000-0000-000000000002";
const FOREIGN: &str = "arn:aws:kms:eu-west-3:999999999999:key/33333333-0000-0000-0000-000000000001";

fn arn(id: &str) -> String {
    format!("arn:aws:kms:eu-west-3:111111111111:key/{id}")
}

/// Two keys of the customer, two of AWS, one of another account.
fn account() -> Replay {
    let alias = |name: &str, id: &str| json!({"AliasName": name, "TargetKeyId": id});
    Replay::new()
        .on("ListAliases", move |request| {
            assert_eq!(request["Limit"], 100);
            let first = json!({"Aliases": [alias("alias/shop", CUSTOMERS), alias("alias/aws/ebs", AWS_EBS)],
                "Truncated": true, "NextMarker": "2"});
            let second = json!({"Aliases": [alias("alias/aws/ssm", AWS_SSM), alias("alias/web", CUSTOMERS),
                {"AliasName": "alias/aws/lambda"}], "Truncated": false});
            Answer::Json(if request["Marker"] == "2" { second } else { first })
        })
        .on("ListKeys", |request| {
            assert_eq!(request["Limit"], 1000);
            let keys: Vec<Value> = [CUSTOMERS, UNUSED, AWS_EBS, AWS_SSM].iter().map(|id| json!({"KeyId": id, "KeyArn": arn(id)})).collect();
            Answer::Json(json!({"Keys": keys, "Truncated": false}))
        })
        .on("DescribeKey", |request| {
            let asked = request["KeyId"].as_str().unwrap();
            let asked = if asked.contains("alias/") { CUSTOMERS } else { asked };
            let id = asked.rsplit('/').next().unwrap();
            let (account, arn) = if asked == FOREIGN { ("999999999999", FOREIGN.to_owned()) } else { ("111111111111", arn(id)) };
            if !asked.starts_with("arn:") && !id.ends_with("-000000000001") && !id.ends_with("-000000000002") {
                return Answer::Error("NotFoundException");
            }
            let manager = if id.starts_with("2222") { "AWS" } else { "CUSTOMER" };
            Answer::Json(json!({"KeyMetadata": {"AWSAccountId": account, "KeyId": id, "Arn": arn, "Enabled": true,
                "KeyState": "Enabled", "KeyManager": manager, "KeySpec": "SYMMETRIC_DEFAULT", "CreationDate": 1_700_000_000.5}}))
        })
        .json("GetKeyPolicy", json!({"PolicyName": "default", "Policy": r#"{"Statement":[]}"#}))
        .json("GetKeyRotationStatus", json!({"KeyRotationEnabled": true, "RotationPeriodInDays": 365}))
        .on("ListGrants", |request| {
            assert_eq!(request["Limit"], 100);
            let grant = |id: &str, to: &str| {
                json!({"KeyId": arn(CUSTOMERS), "GrantId": id, "Name": "", "GranteePrincipal": to,
                "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"b": "2", "a": "1"}}})
            };
            let machine = grant("g0", "arn:aws:sts::111111111111:assumed-role/aws:ec2-infrastructure/i-1");
            let first =
                json!({"Grants": [machine, grant("g1", "arn:aws:iam::111111111111:role/web")], "Truncated": true, "NextMarker": "2"});
            let second = json!({"Grants": [grant("g2", "fargate.eu-west-3.amazonaws.com")], "Truncated": false});
            Answer::Json(if request["Marker"] == "2" { second } else { first })
        })
}

/// A Region whose clusters, services, tasks and volumes refer to keys in every way.
fn referring(references: &[&str]) -> Inventory {
    let mut inventory = Inventory::default();
    let (account, region) = ("111111111111".into(), "eu-west-3".into());
    for (number, reference) in references.iter().enumerate() {
        let key = Some((*reference).to_owned());
        let storage = Some(ecs::EphemeralStorage { kms_key_id: key.clone(), ..Default::default() });
        let deployment = |storage, volume| ecs::Deployment {
            fargate_ephemeral_storage: storage,
            volume_configurations: vec![ecs::ServiceVolumeConfiguration {
                managed_ebs_volume: Some(ecs::ServiceManagedEbsVolumeConfiguration { kms_key_id: volume, ..Default::default() }),
                ..Default::default()
            }],
            ..Default::default()
        };
        let cluster = |managed, fargate, exec| ecs::Cluster {
            configuration: Some(ecs::ClusterConfiguration {
                execute_command_configuration: Some(ecs::ExecuteCommandConfiguration { kms_key_id: exec, ..Default::default() }),
                managed_storage_configuration: Some(ecs::ManagedStorageConfiguration {
                    kms_key_id: managed,
                    fargate_ephemeral_storage_kms_key_id: fargate,
                }),
            }),
            ..Default::default()
        };
        let service = |deployment| ecs::Service { deployments: vec![deployment], ..Default::default() };
        match number % 8 {
            0 => inventory.push(&account, &region, cluster(key, None, None)),
            1 => inventory.push(&account, &region, cluster(None, key, None)),
            2 => inventory.push(&account, &region, cluster(None, None, key)),
            3 => inventory.push(&account, &region, service(deployment(storage, None))),
            4 => inventory.push(&account, &region, service(deployment(None, key))),
            5 => inventory.push(&account, &region, ecs::Task { fargate_ephemeral_storage: storage, ..Default::default() }),
            6 => inventory.push(&account, &region, ecs::TaskSet { fargate_ephemeral_storage: storage, ..Default::default() }),
            _ => inventory.push(&account, &region, ec2::Volume { kms_key_id: key, ..Default::default() }),
        }
    }
    inventory
}

async fn collected(replay: &Replay, references: &[&str]) -> (Vec<Key>, Vec<Gap>) {
    let api = Api::in_test();
    let client = replay.kms();
    let listing = list(&api, &client).await;
    let mut inventory = collect(&api, &client, &listing, &referring(references)).await;
    inventory.sort();
    (inventory.keys.into_iter().map(|key| key.data).collect(), api.take_gaps())
}

fn find<'k>(keys: &'k [Key], id: &str) -> &'k Key {
    keys.iter().find(|key| key.key_id == id).unwrap()
}

#[tokio::test]
async fn only_the_customers_keys_are_read_where_nothing_refers_to_any() {
    let replay = account();
    let (keys, gaps) = collected(&replay, &[]).await;
    assert_eq!(keys.iter().map(|key| key.key_id.clone()).collect::<Vec<_>>(), [arn(CUSTOMERS), arn(UNUSED)]);
    assert_eq!(gaps, []);
    let counts = ["ListAliases", "ListKeys", "DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus"].map(|name| replay.count(name));
    assert_eq!(counts, [2, 1, 2, 2, 0]);
    let key = find(&keys, &arn(CUSTOMERS));
    assert_eq!(key.aliases, ["alias/shop", "alias/web"]);
    assert_eq!(key.policy.known().unwrap().as_ref().unwrap().0, json!({"Statement": []}));
    let metadata = key.key_metadata.known().unwrap().as_ref().unwrap();
    assert_eq!(metadata.creation_date.unwrap().to_string(), "2023-11-14T22:13:20.5Z");
    let gap = key.rotation.known().unwrap_err();
    assert_eq!((gap.code.as_str(), gap.message.as_str()), ("NotCollected", "nothing collected uses the key"));
}

#[tokio::test]
async fn eight_ways_to_refer_to_a_key_cost_one_description() {
    let replay = account();
    let alias_arn = "arn:aws:kms:eu-west-3:111111111111:alias/shop";
    let references = [&arn(CUSTOMERS), CUSTOMERS, "alias/shop", alias_arn, &arn(CUSTOMERS), "alias/web", CUSTOMERS, "alias/shop"];
    let (keys, gaps) = collected(&replay, &references).await;
    assert_eq!((keys.len(), gaps.len()), (2, 0));
    let key = find(&keys, &arn(CUSTOMERS));
    assert_eq!(key.referred_to_as, [CUSTOMERS, "alias/shop", "alias/web", alias_arn, &arn(CUSTOMERS)]);
    assert!(key.rotation.known().unwrap().as_ref().unwrap().key_rotation_enabled);
    let counts = ["DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListGrants"].map(|name| replay.count(name));
    assert_eq!(counts, [2, 2, 1, 2]);
}

#[tokio::test]
async fn grants_of_keys_in_use_are_kept_but_those_to_machines_of_aws() {
    let replay = account();
    let (keys, _) = collected(&replay, &["alias/shop"]).await;
    let grants = find(&keys, &arn(CUSTOMERS)).grants.known().unwrap();
    assert_eq!(grants.iter().map(|grant| grant.grant_id.as_str()).collect::<Vec<_>>(), ["g1", "g2"]);
    assert_eq!((grants[0].operations.as_slice(), grants[0].name.as_ref()), (&["Decrypt".to_owned()][..], None));
    let context = &grants[0].constraints.as_ref().unwrap().encryption_context_subset;
    assert_eq!(context.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert!(replay.requests().iter().filter(|(name, _)| name == "ListGrants").all(|(_, body)| body["KeyId"] == arn(CUSTOMERS)));
    assert_eq!(find(&keys, &arn(UNUSED)).grants.known().unwrap_err().message, "nothing collected uses the key");
}

#[tokio::test]
async fn keys_of_aws_and_of_others_are_told_without_asking_what_cannot_be_answered() {
    let replay = account();
    let elsewhere = "arn:aws:kms:us-east-1:111111111111:key/44444444-0000-0000-0000-000000000001";
    let (keys, gaps) = collected(&replay, &["alias/aws/ebs", FOREIGN, elsewhere]).await;
    assert_eq!(gaps, []);
    assert_eq!(keys.len(), 4, "{keys:?}");
    let aws = find(&keys, &arn(AWS_EBS));
    assert_eq!(aws.key_metadata.known().unwrap().as_ref().unwrap().key_manager.as_deref(), Some("AWS"));
    assert_eq!(aws.policy.known().unwrap_err().message, "AWS manages the key");
    let foreign = find(&keys, FOREIGN);
    assert!(foreign.policy.known().is_err() && foreign.rotation.known().is_ok());
    assert_eq!(replay.count("GetKeyPolicy"), 2);
    assert!(!replay.requests().iter().any(|(_, body)| body["KeyId"] == elsewhere));
}

#[tokio::test]
async fn a_key_that_is_gone_is_known_not_to_be() {
    let replay = account();
    let (keys, gaps) = collected(&replay, &["alias/nobody", "55555555-0000-0000-0000-000000000009"]).await;
    assert_eq!(gaps, []);
    let by_alias = find(&keys, "alias/nobody");
    assert_eq!(by_alias.key_metadata.known(), Ok(&None));
    let by_id = find(&keys, &arn("55555555-0000-0000-0000-000000000009"));
    assert_eq!((by_id.key_metadata.known(), by_id.policy.known()), (Ok(&None), Ok(&None)));
    // Aliases were listed to their end, so this one needs no question.
    assert_eq!(replay.count("DescribeKey"), 3);
}

#[tokio::test]
async fn a_reserved_alias_is_never_described_lest_aws_create_its_key() {
    let replay = account();
    let (keys, _) = collected(&replay, &["alias/aws/lambda"]).await;
    assert_eq!(find(&keys, "alias/aws/lambda").key_metadata.known(), Ok(&None));
    let replay = account().error("ListAliases", "AccessDeniedException");
    let (keys, _) = collected(&replay, &["alias/aws/lambda"]).await;
    assert_eq!(find(&keys, "alias/aws/lambda").key_metadata.known().unwrap_err().code, "NotCollected");
    assert!(!replay.requests().iter().any(|(_, body)| body["KeyId"] == "alias/aws/lambda"));
}

#[tokio::test]
async fn without_aliases_keys_are_told_apart_by_description() {
    let replay = account().error("ListAliases", "AccessDeniedException");
    let (keys, gaps) = collected(&replay, &["alias/shop", &arn(CUSTOMERS)]).await;
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].operation, "kms:ListAliases");
    assert_eq!(keys.len(), 2, "AWS's own are dropped, the alias is the listed key: {keys:?}");
    assert_eq!(find(&keys, &arn(CUSTOMERS)).referred_to_as, ["alias/shop".to_owned(), arn(CUSTOMERS)]);
}

#[tokio::test]
async fn an_asymmetric_key_has_no_rotation() {
    let metadata = json!({"KeyId": CUSTOMERS, "Arn": arn(CUSTOMERS), "KeyManager": "CUSTOMER", "KeySpec": "RSA_2048"});
    let replay = account().json("DescribeKey", json!({"KeyMetadata": metadata}));
    let (keys, _) = collected(&replay, &[CUSTOMERS]).await;
    assert_eq!(find(&keys, &arn(CUSTOMERS)).rotation.known(), Ok(&None));
    assert_eq!(replay.count("GetKeyRotationStatus"), 0);
    let replay = account().error("GetKeyRotationStatus", "UnsupportedOperationException");
    let (keys, _) = collected(&replay, &[CUSTOMERS]).await;
    assert_eq!(find(&keys, &arn(CUSTOMERS)).rotation.known(), Ok(&None));
}

#[tokio::test]
async fn each_denial_becomes_a_gap_that_names_it() {
    for operation in OPERATIONS {
        let replay = account().error(operation.name, "AccessDeniedException");
        let (keys, mut gaps) = collected(&replay, &[CUSTOMERS]).await;
        for key in &keys {
            gaps.extend(key.key_metadata.known().err().cloned());
            gaps.extend(key.policy.known().err().cloned());
            gaps.extend(key.rotation.known().err().cloned());
            gaps.extend(key.grants.known().err().cloned());
        }
        let named = |gap: &Gap| gap.operation == operation.id() && gap.is_denied();
        assert!(gaps.iter().any(named), "{}: {gaps:?}", operation.name);
        // What was not denied is read all the same.
        assert!(!keys.is_empty(), "{}", operation.name);
    }
}

#[tokio::test]
async fn a_policy_that_is_no_json_stays_text() {
    let replay = account().json("GetKeyPolicy", json!({"Policy": "not { json"}));
    let (keys, _) = collected(&replay, &[]).await;
    assert_eq!(keys[0].policy.known().unwrap().as_ref().unwrap().0, json!("not { json"));
}
