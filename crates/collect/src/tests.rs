//! Whole collections against a canned account, on good and on bad days.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use plimsoll_model::{Inventory, open, write, write_file};
use plimsoll_secrets::AccessKeyId;
use serde_json::{Value, json};

use crate::replay::{Answer, Replay, config};
use crate::scan::scan;
use crate::session::Session;
use crate::{AccountChoice, Cache, CollectError, Interrupt, RegionChoice, Settings, collect};

const KEY: &str = "11111111-0000-0000-0000-000000000001";
const CLUSTER: &str = "arn:aws:ecs:eu-west-3:111111111111:cluster/shop";
const DEFINITION: &str = "arn:aws:ecs:eu-west-3:111111111111:task-definition/web:1";
// Put together here so that no scanner takes this file for a leak.
const ACCESS_KEY_ID: &str = concat!("AKIAJ", "7Q2N5XW4ZL3KBVD");

/// One Region with a cluster, a key that it refers to, and a task definition with an access key of the account's user.
fn account() -> Replay {
    let user = "<UserDetailList><member><Arn>arn:aws:iam::111111111111:user/ada</Arn><UserName>ada</UserName></member></UserDetailList>";
    let key = format!("<AccessKeyMetadata><member><AccessKeyId>{ACCESS_KEY_ID}</AccessKeyId></member></AccessKeyMetadata>");
    Replay::new()
        .xml("GetCallerIdentity", "<Account>111111111111</Account><Arn>arn:aws:iam::111111111111:user/audit</Arn>")
        .xml("DescribeRegions", "<regionInfo><item><regionName>eu-west-3</regionName></item></regionInfo>")
        .xml("GetAccountAuthorizationDetails", user)
        .xml("ListAccessKeys", &key)
        .xml("GetAccessKeyLastUsed", "<UserName>ada</UserName>")
        .json("ListAliases", json!({"Aliases": []}))
        .json("ListKeys", json!({"Keys": [{"KeyId": KEY, "KeyArn": format!("arn:aws:kms:eu-west-3:111111111111:key/{KEY}")}]}))
        .json("DescribeKey", json!({"KeyMetadata": {"KeyId": KEY, "KeyManager": "CUSTOMER"}}))
        .json("GetKeyPolicy", json!({"Policy": "{}"}))
        .json("GetKeyRotationStatus", json!({"KeyRotationEnabled": true}))
        .json("ListClusters", json!({"clusterArns": [CLUSTER]}))
        .json(
            "DescribeClusters",
            json!({"clusters": [{"clusterArn": CLUSTER, "clusterName": "shop", "status": "ACTIVE",
                "configuration": {"executeCommandConfiguration": {"kmsKeyId": KEY}}}]}),
        )
        .json("ListServices", json!({"serviceArns": []}))
        .json("ListTasks", json!({"taskArns": []}))
        .json("ListContainerInstances", json!({"containerInstanceArns": []}))
        .json("ListTaskDefinitionFamilies", json!({"families": ["web"]}))
        .json(
            "DescribeTaskDefinition",
            json!({"taskDefinition": {"taskDefinitionArn": DEFINITION, "family": "web", "revision": 1, "status": "ACTIVE",
                "containerDefinitions": [{"name": "web", "environment": [{"name": "AWS_ACCESS_KEY_ID", "value": ACCESS_KEY_ID}]}]}}),
        )
        .json("ListAccountSettings", json!({"settings": []}))
        .json("DescribeRepositories", json!({"repositories": []}))
        .json("GET /clusters", json!({"clusters": []}))
}

fn session(replay: &Replay) -> Session {
    Session::new(config(Duration::from_secs(2)).into_builder().http_client(replay.clone()).build())
}

async fn collected(replay: &Replay) -> Inventory {
    scan(&session(replay), &Settings::default(), &Interrupt::never()).await.unwrap()
}

/// Operation and code of every gap, also of those inside resources.
fn gaps(inventory: &Inventory) -> BTreeSet<(String, String)> {
    fn walk(value: &Value, found: &mut BTreeSet<(String, String)>) {
        if let (Some(operation), Some(code)) = (value["operation"].as_str(), value["code"].as_str()) {
            found.insert((operation.to_owned(), code.to_owned()));
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|value| walk(value, found)),
            Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for line in snapshot(inventory).lines() {
        walk(&serde_json::from_str(line).unwrap(), &mut found);
    }
    found
}

fn snapshot(inventory: &Inventory) -> String {
    let mut bytes = Vec::new();
    write(inventory, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn an_account_is_read_and_the_header_says_how() {
    let replay = account();
    let inventory = collected(&replay).await;
    let header = &inventory.header;
    assert!(header.complete && header.started_at <= header.finished_at);
    assert_eq!(header.caller, "arn:aws:iam::111111111111:user/audit");
    assert_eq!(Vec::from_iter(&header.scope.accounts), [&"111111111111".into()]);
    assert_eq!(Vec::from_iter(&header.scope.regions), [&"eu-west-3".into()]);
    assert_eq!(header.operations.len(), crate::operations().len());
    assert!(header.operations.contains("kms:DescribeKey"));
    assert_eq!(inventory.call_totals().calls, replay.requests().len() as u64);
    assert_eq!(inventory.clusters.len(), 1);
    let key = &inventory.keys[0].data;
    assert_eq!(key.referred_to_as, [KEY]);
    assert!(key.rotation.known().unwrap().as_ref().unwrap().key_rotation_enabled);
    let keys = inventory.users[0].data.access_keys.known().unwrap();
    assert_eq!(keys[0].digest, AccessKeyId::digest(ACCESS_KEY_ID));
    assert!(!snapshot(&inventory).contains(ACCESS_KEY_ID));
    // The REST protocols name no operation.
    for (operation, _) in replay.requests().into_iter().filter(|(operation, _)| !operation.contains('/')) {
        assert!(crate::operations().iter().any(|declared| declared.name == operation), "{operation} is not declared");
    }
}

#[tokio::test]
async fn a_region_without_clusters_costs_no_request_to_ec2() {
    let replay = account().json("ListClusters", json!({"clusterArns": []}));
    collected(&replay).await;
    let ec2: Vec<String> =
        replay.requests().into_iter().filter(|(_, body)| body["Version"] == "2016-11-15").map(|(name, _)| name).collect();
    assert_eq!(ec2, ["DescribeRegions"]);
}

#[tokio::test]
async fn a_region_with_kubernetes_alone_has_its_network_and_nodes_read() {
    let cluster = json!({"name": "k", "arn": "arn:aws:eks:eu-west-3:111111111111:cluster/k", "status": "ACTIVE"});
    let replay = account()
        .json("ListClusters", json!({"clusterArns": []}))
        .json("GET /clusters", json!({"clusters": ["k"]}))
        .json("GET /clusters/k", json!({"cluster": cluster}))
        .xml(
            "DescribeInstances",
            "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId></item></instancesSet></item></reservationSet>",
        );
    let inventory = collected(&replay).await;
    assert_eq!((inventory.eks_clusters.len(), inventory.instances.len()), (1, 1));
    assert_eq!((replay.count("DescribeVpcs"), replay.count("DescribeVolumes"), replay.count("ListRules")), (1, 1, 0));
}

#[tokio::test]
async fn each_denied_operation_is_named_and_the_rest_is_read() {
    let baseline = account();
    collected(&baseline).await;
    let asked: BTreeSet<String> = baseline.requests().into_iter().map(|(name, _)| name).collect();
    // EKS names its listing of clusters as ECS does, and asks by path.
    let named = |operation: &&crate::Operation| asked.contains(operation.name) && operation.service != "eks";
    for operation in crate::operations().into_iter().filter(named) {
        let replay = account().error(operation.name, "AccessDeniedException");
        let outcome = scan(&session(&replay), &Settings::default(), &Interrupt::never()).await;
        if operation.name == "GetCallerIdentity" {
            let error = outcome.unwrap_err();
            assert!(matches!(&error, CollectError::Refused { source } if source.code == "AccessDeniedException"), "{error:?}");
            continue;
        }
        let inventory = outcome.unwrap();
        assert!(inventory.header.complete);
        let named = (operation.id(), "AccessDeniedException".to_owned());
        assert!(gaps(&inventory).contains(&named), "{}: {:?}", operation.id(), inventory.gaps);
    }
}

#[tokio::test]
async fn each_malformed_answer_is_named_and_the_rest_is_read() {
    let baseline = account();
    collected(&baseline).await;
    let asked: BTreeSet<String> = baseline.requests().into_iter().map(|(name, _)| name).collect();
    // EKS names its listing of clusters as ECS does, and asks by path.
    let named = |operation: &&crate::Operation| asked.contains(operation.name) && operation.service != "eks";
    for operation in crate::operations().into_iter().filter(named) {
        let replay = account().on(operation.name, |_| Answer::Raw(200, "<html>{".to_owned()));
        let outcome = scan(&session(&replay), &Settings::default(), &Interrupt::never()).await;
        if operation.name == "GetCallerIdentity" {
            assert!(matches!(outcome, Err(CollectError::NotAws { .. })), "{outcome:?}");
        } else {
            let named = (operation.id(), "MalformedResponse".to_owned());
            assert!(gaps(&outcome.unwrap()).contains(&named), "{}", operation.id());
        }
    }
}

#[tokio::test]
async fn a_token_that_expires_half_way_leaves_what_was_read() {
    let total = {
        let replay = account();
        collected(&replay).await;
        replay.requests().len()
    };
    for requests in (1..total).step_by(4) {
        let inventory = collected(&account().failing_after(requests, "ExpiredTokenException")).await;
        assert!(inventory.header.complete);
        let expired = gaps(&inventory).into_iter().filter(|(_, code)| code == "ExpiredTokenException").count();
        assert!(expired > 0, "after {requests} of {total}");
    }
}

#[tokio::test]
async fn an_interrupt_keeps_what_was_collected() {
    let interrupt = Interrupt::never();
    let replay = account().on("DescribeKey", {
        let interrupt = interrupt.clone();
        move |_| {
            interrupt.trigger();
            Answer::Silence
        }
    });
    let inventory = scan(&session(&replay), &Settings::default(), &interrupt).await.unwrap();
    assert!(!inventory.header.complete);
    assert_eq!((inventory.clusters.len(), inventory.task_definitions.len(), inventory.keys.len()), (1, 1, 1));
    assert!(gaps(&inventory).contains(&("kms:DescribeKey".to_owned(), "Interrupted".to_owned())));
    let file = std::env::temp_dir().join(format!("plimsoll-collect-{}.ndjson", std::process::id()));
    write_file(&inventory, &file).unwrap();
    let (read, _) = open(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(read.len(), inventory.len());

    let before = Interrupt::never();
    before.trigger();
    let outcome = scan(&session(&account()), &Settings::default(), &before).await;
    assert!(matches!(outcome, Err(CollectError::Interrupted)));
}

#[tokio::test]
async fn a_service_that_keeps_silent_is_not_asked_again() {
    let replay = account().on("ListAliases", |_| Answer::Silence).on("ListKeys", |_| Answer::Silence);
    let session = Session::new(config(Duration::from_millis(200)).into_builder().http_client(replay.clone()).build());
    let inventory = scan(&session, &Settings::default(), &Interrupt::never()).await.unwrap();
    assert_eq!(inventory.clusters.len(), 1, "other services are read");
    assert_eq!(replay.count("DescribeKey"), 0);
    let timeouts: Vec<String> =
        gaps(&inventory).into_iter().filter(|(_, code)| code == "Timeout").map(|(operation, _)| operation).collect();
    assert_eq!(
        timeouts,
        ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListGrants", "kms:ListKeys"]
    );
}

#[tokio::test]
async fn a_scan_over_the_wire_reads_the_same() {
    let replay = account();
    let endpoint = replay.serve().await;
    let session = Session::new(config(Duration::from_secs(5)).into_builder().endpoint_url(endpoint).build());
    let inventory = scan(&session, &Settings::default(), &Interrupt::never()).await.unwrap();
    assert_eq!(inventory.gaps, collected(&account()).await.gaps);
    assert_eq!(inventory.call_totals().calls, replay.requests().len() as u64);
}

async fn collected_with(session: &Session, cache: &Cache) -> Inventory {
    let settings = Settings { cache: Some(cache.clone()), ..Settings::default() };
    scan(session, &settings, &Interrupt::never()).await.unwrap()
}

#[tokio::test]
async fn a_second_scan_takes_the_task_definition_from_the_cache_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let replay = account().json("ListTaskDefinitions", json!({"taskDefinitionArns": [DEFINITION]}));
    let cache = Cache::new(folder.path().join("cache"), 1 << 20);
    let mut first = collected_with(&session(&replay), &cache).await;
    assert_eq!(first.header.calls["ecs:DescribeTaskDefinition"].calls, 1);
    assert_eq!(first.call_totals().cached, 0);
    let mut second = collected_with(&session(&replay), &cache).await;
    assert_eq!(replay.count("DescribeTaskDefinition"), 1);
    let told = second.header.calls["ecs:DescribeTaskDefinition"];
    assert_eq!((told.calls, told.throttled, told.cached), (0, 0, 1));
    // The access key in it is looked up all the same.
    assert_eq!(second.users, first.users);
    first.header = second.header.clone();
    second.header.calls.clear();
    first.header.calls.clear();
    assert_eq!(first, second);
    assert!(cache.trouble().is_none());

    let plain = collected(&replay).await;
    assert_eq!((replay.count("DescribeTaskDefinition"), plain.call_totals().cached), (2, 0));
}

#[tokio::test]
async fn where_the_endpoint_is_not_that_of_aws_only_a_chosen_cache_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (default, chosen) = (folder.path().join("default"), folder.path().join("chosen"));
    let replay = account().json("ListTaskDefinitions", json!({"taskDefinitionArns": [DEFINITION]}));
    let sdk = config(Duration::from_secs(2)).into_builder().http_client(replay.clone());
    let session = Session::new(sdk.endpoint_url("http://127.0.0.1:4566").build());
    for asked in 1..=2 {
        collected_with(&session, &Cache::new(default.clone(), 1 << 20)).await;
        assert_eq!(replay.count("DescribeTaskDefinition"), asked);
    }
    assert!(!default.exists());
    for _ in 0..2 {
        collected_with(&session, &Cache::chosen(chosen.clone(), 1 << 20)).await;
        assert_eq!(replay.count("DescribeTaskDefinition"), 3);
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_used_costs_calls_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let cache = Cache::new(file, 1 << 20);
    let inventory = collected_with(&session(&account()), &cache).await;
    assert_eq!(inventory.task_definitions, collected(&account()).await.task_definitions);
    assert!(cache.trouble().is_some());
}

/// What the configuration says of one service.
#[derive(Debug)]
struct ServiceEndpoint(&'static str);

impl aws_types::service_config::LoadServiceConfig for ServiceEndpoint {
    fn load_config(&self, key: aws_types::service_config::ServiceConfigKey<'_>) -> Option<String> {
        assert_eq!((key.env(), key.profile()), ("AWS_ENDPOINT_URL", "endpoint_url"));
        (key.service_id() == self.0).then(|| "http://127.0.0.1:1".to_owned())
    }
}

#[test]
fn an_endpoint_of_ecs_alone_is_noticed() {
    let of =
        |service| Session::new(config(Duration::from_secs(1)).into_builder().service_config(ServiceEndpoint(service)).build()).endpoint();
    assert_eq!(of("ECS").as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!(of("KMS"), None);
    assert_eq!(Session::new(config(Duration::from_secs(1))).endpoint(), None);
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_named_within_seconds() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let begun = Instant::now();
    let session = Session::new(config(Duration::from_secs(5)).into_builder().endpoint_url(&endpoint).build());
    let error = scan(&session, &Settings::default(), &Interrupt::never()).await.unwrap_err();
    assert!(
        matches!(&error, CollectError::Unreachable { endpoint: named, source } if *named == endpoint && source.code == "ConnectError"),
        "{error:?}"
    );
    assert!(error.hint().contains("AWS_ENDPOINT_URL"));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_named_within_seconds() {
    let endpoint = Replay::new().on("GetCallerIdentity", |_| Answer::Silence).serve().await;
    let begun = Instant::now();
    let session = Session::new(config(Duration::from_secs(1)).into_builder().endpoint_url(&endpoint).build());
    let error = scan(&session, &Settings::default(), &Interrupt::never()).await.unwrap_err();
    assert!(matches!(&error, CollectError::Unreachable { source, .. } if source.code == "Timeout"), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_wrong_with_credentials_is_told_apart() {
    for (code, wanted) in [
        ("ExpiredToken", "the AWS credentials have expired"),
        ("InvalidClientTokenId", "AWS refuses the credentials"),
        ("RequestExpired", "AWS refuses the request's time: this machine's clock is wrong"),
        ("SignatureDoesNotMatch", "AWS refuses the credentials"),
    ] {
        let replay = Replay::new().error("GetCallerIdentity", code);
        let error = scan(&session(&replay), &Settings::default(), &Interrupt::never()).await.unwrap_err();
        assert_eq!(error.to_string(), wanted);
        assert!(!error.hint().is_empty() && !error.is_usage());
    }
    let skewed = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code>\
        <Message>Signature expired: 20200101T000000Z is now earlier than 20250101T000000Z</Message></Error></ErrorResponse>";
    let replay = Replay::new().on("GetCallerIdentity", |_| Answer::Raw(403, skewed.to_owned()));
    let error = scan(&session(&replay), &Settings::default(), &Interrupt::never()).await.unwrap_err();
    assert!(matches!(error, CollectError::ClockSkew { .. }), "{error:?}");
}

/// What the environment makes of `collect` can be told only in a process of its own: it prints what came of it.
#[test]
#[ignore = "started by the tests below, in an environment of their making"]
fn child() {
    let settings = Settings {
        profile: std::env::var("TEST_PROFILE").ok(),
        regions: RegionChoice::Named(vec!["eu-west-3".to_owned()]),
        accounts: std::env::var("TEST_ROLE")
            .map_or(AccountChoice::Caller, |role| AccountChoice::Roles { arns: vec![role], external_id: Some("id".to_owned()) }),
        ..Settings::default()
    };
    let interrupt = if std::env::var_os("TEST_CTRL_C").is_some() { Interrupt::on_ctrl_c() } else { Interrupt::never() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(collect(&settings, interrupt.clone())) {
        Ok(inventory) if interrupt.is_triggered() => {
            println!("complete: {}, clusters: {}", inventory.header.complete, inventory.clusters.len());
            std::thread::sleep(Duration::from_secs(20));
        }
        Ok(inventory) => println!("caller: {}", inventory.header.caller),
        Err(error) => println!("error: {error}\nhint: {}\ndebug: {error:?}", error.hint()),
    }
}

fn child_in(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::child", "--ignored", "--nocapture"]);
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent").envs(variables.iter().copied());
    command
}

async fn in_environment(variables: &[(&str, &str)]) -> String {
    let mut command = child_in(variables);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn no_credentials_are_told_with_the_way_to_some() {
    let told = in_environment(&[]).await;
    assert!(told.contains("error: no AWS credentials found\nhint: set AWS_PROFILE"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_profile_wins_over_keys_in_the_environment() {
    let folder = std::env::temp_dir().join(format!("plimsoll-collect-profile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, none) = (folder.join("config"), folder.join("none"));
    std::fs::write(&file, "[profile audit]\naws_access_key_id = AKIAFROMPROFILE00000\naws_secret_access_key = x\n[profile empty]\n")
        .unwrap();
    let replay = account();
    let endpoint = replay.serve().await;
    let variables = |profile: &'static str| {
        vec![
            ("AWS_CONFIG_FILE", file.to_str().unwrap()),
            ("AWS_SHARED_CREDENTIALS_FILE", none.to_str().unwrap()),
            ("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT0"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("TEST_PROFILE", profile),
        ]
    };
    let told = in_environment(&variables("audit")).await;
    assert!(told.contains("caller: arn:aws:iam::111111111111:user/audit"), "{told}");
    for profile in ["nobody", "empty"] {
        let told = in_environment(&variables(profile)).await;
        assert!(told.contains(&format!("error: profile {profile} cannot be used")), "{told}");
        assert!(told.contains("aws configure list-profiles"), "{told}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_assumed_first_and_told_when_it_cannot_be() {
    let credentials = "<Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>x</SecretAccessKey>\
        <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>";
    let replay = account().xml("AssumeRole", credentials);
    let endpoint = replay.serve().await;
    let role = "arn:aws:iam::111111111111:role/audit";
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT0"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("TEST_ROLE", role),
    ];
    let told = in_environment(&variables).await;
    assert!(told.contains("caller: arn:aws:iam::111111111111:user/audit"), "{told}");
    let assumed = replay.requests().into_iter().find(|(name, _)| name == "AssumeRole").unwrap().1;
    assert_eq!((assumed["RoleArn"].as_str(), assumed["ExternalId"].as_str()), (Some(role), Some("id")));

    let replay = account().error("AssumeRole", "AccessDenied");
    let endpoint = replay.serve().await;
    let told = in_environment(&[variables[0], variables[1], ("AWS_ENDPOINT_URL", &endpoint), variables[3]]).await;
    assert!(told.contains(&format!("error: cannot assume {role}\nhint: allow sts:AssumeRole")), "{told}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_collection_and_a_second_one_the_process() {
    let (asked, mut waits) = tokio::sync::mpsc::unbounded_channel();
    let replay = account().on("DescribeKey", move |_| {
        asked.send(()).unwrap();
        Answer::Silence
    });
    let endpoint = replay.serve().await;
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT0"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("TEST_CTRL_C", "1"),
    ];
    let mut child = child_in(&variables).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    let interrupt = || assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    waits.recv().await.unwrap();
    interrupt();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("complete: false, clusters: 1")));
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
