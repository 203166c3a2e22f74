//! What can be meant by a choice of accounts, and whole scans of several accounts, some of which cannot be entered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plimsoll_model::{AccountId, Gap, Inventory, Region};
use serde_json::{Value, json};

use super::{AccountChoice, AccountChoiceError, AccountFilter, AccountMatch, AccountRole};
use crate::replay::{Answer, Replay, Signed, config};
use crate::scan::scan;
use crate::session::Session;
use crate::{CollectError, Interrupt, Settings};

const CALLER: &str = "111111111111";
const SHOP: &str = "222222222222";
const DENIED: &str = "333333333333";
const BANK: &str = "444444444444";
const REGIONS: [&str; 2] = ["eu-west-3", "us-east-1"];

/// The account that a request is signed for: assumed credentials carry its number, the caller's own do not.
fn account_of(signed: &Signed) -> &str {
    signed.key.strip_prefix("ASIA").unwrap_or(CALLER)
}

fn denied(message: &str) -> Answer {
    let body = format!("<ErrorResponse><Error><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>");
    Answer::Raw(403, body)
}

fn region_items<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("<item><regionName>{name}</regionName></item>")).collect::<Vec<_>>().concat()
}

/// Accounts with one cluster in each of two Regions, and one, [`DENIED`], whose role nobody may assume.
fn accounts() -> Replay {
    let regions = region_items(REGIONS);
    Replay::new()
        .on("AssumeRole", |request| {
            let role = request["RoleArn"].as_str().unwrap();
            let account = role.split(':').nth(4).unwrap();
            if account == DENIED {
                return denied(&format!("User: arn:aws:iam::{CALLER}:user/audit is not authorized to perform: sts:AssumeRole on resource: {role}"));
            }
            Answer::Xml(format!(
                "<Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>x</SecretAccessKey>\
                 <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
            ))
        })
        .on_signed("GetCallerIdentity", |_, signed| {
            let account = account_of(signed);
            let arn = if account == CALLER { format!("arn:aws:iam::{CALLER}:user/audit") } else { format!("arn:aws:sts::{account}:assumed-role/audit/plimsoll") };
            Answer::Xml(format!("<Account>{account}</Account><Arn>{arn}</Arn>"))
        })
        .xml("DescribeRegions", &format!("<regionInfo>{regions}</regionInfo>"))
        .xml("GetAccountAuthorizationDetails", "")
        .json("ListAliases", json!({"Aliases": []}))
        .json("ListKeys", json!({"Keys": []}))
        .on_signed("ListClusters", |_, signed| {
            Answer::Json(json!({"clusterArns": [format!("arn:aws:ecs:{}:{}:cluster/shop", signed.region, account_of(signed))]}))
        })
        .on("DescribeClusters", |request| {
            let clusters = request["clusters"].as_array().unwrap().iter();
            Answer::Json(json!({"clusters": clusters.map(|arn| json!({"clusterArn": arn, "clusterName": "shop", "status": "ACTIVE"})).collect::<Vec<_>>()}))
        })
        .json("ListServices", json!({"serviceArns": []}))
        .json("ListTasks", json!({"taskArns": []}))
        .json("ListTaskDefinitionFamilies", json!({"families": []}))
        .json("ListAccountSettings", json!({"settings": []}))
}

fn roles(accounts: &[&str]) -> AccountChoice {
    let arns = accounts.iter().map(|account| format!("arn:aws:iam::{account}:role/security/audit")).collect();
    AccountChoice::Roles { arns, external_id: Some("shared-secret".to_owned()) }
}

fn role() -> AccountRole {
    AccountRole { name: "security/audit".to_owned(), external_id: None }
}

async fn scanned(replay: &Replay, accounts: AccountChoice) -> Result<Inventory, CollectError> {
    let session = Session::new(config(Duration::from_secs(2)).into_builder().http_client(replay.clone()).build());
    scan(&session, &Settings { accounts, ..Settings::default() }, &Interrupt::never()).await
}

fn clusters(inventory: &Inventory) -> Vec<String> {
    inventory.clusters.iter().map(|cluster| format!("{} {}", cluster.account, cluster.region)).collect()
}

fn closing(inventory: &Inventory) -> Vec<&Gap> {
    inventory.gaps.iter().filter(|gap| gap.closes_account()).collect()
}

#[tokio::test]
async fn an_account_that_cannot_be_entered_is_a_gap_and_the_rest_is_read() {
    let replay = accounts();
    let inventory = scanned(&replay, roles(&[SHOP, DENIED, BANK])).await.unwrap();
    let expected: Vec<String> = [SHOP, BANK].iter().flat_map(|account| REGIONS.map(|region| format!("{account} {region}"))).collect();
    assert_eq!(clusters(&inventory), expected);
    let [gap] = closing(&inventory)[..] else { panic!("{:?}", inventory.gaps) };
    assert_eq!((gap.account.as_str(), gap.operation.as_str(), gap.code.as_str()), (DENIED, "sts:AssumeRole", "AccessDenied"));
    assert_eq!(gap.resource.as_deref(), Some("arn:aws:iam::333333333333:role/security/audit"));
    assert!(gap.region.is_global() && gap.message.contains("not authorized to perform: sts:AssumeRole"), "{gap:?}");
    assert_eq!(inventory.gaps.iter().filter(|gap| gap.account.as_str() == DENIED).count(), 1);

    let header = &inventory.header;
    assert!(header.complete);
    assert_eq!(header.caller, "arn:aws:iam::111111111111:user/audit");
    assert_eq!(header.scope.accounts.iter().map(AccountId::as_str).collect::<Vec<_>>(), [SHOP, DENIED, BANK]);
    for account in [SHOP, BANK] {
        assert!(REGIONS.iter().all(|region| header.scope.covers(&AccountId::new(account), &Region::new(region))));
    }
    assert!(!header.scope.covers(&AccountId::new(DENIED), &Region::new("eu-west-3")));
}

#[tokio::test]
async fn a_role_is_assumed_once_with_its_external_id_and_every_request_is_signed_with_it() {
    let replay = accounts();
    let inventory = scanned(&replay, roles(&[SHOP, BANK])).await.unwrap();
    let assumed: Vec<Value> = replay.requests().into_iter().filter(|(name, _)| name == "AssumeRole").map(|(_, body)| body).collect();
    assert_eq!(assumed.len(), 2);
    for request in assumed {
        assert_eq!((request["ExternalId"].as_str(), request["RoleSessionName"].as_str()), (Some("shared-secret"), Some("plimsoll")));
    }
    let mut by_caller: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (operation, signed) in replay.signed() {
        by_caller.entry(account_of(&signed).to_owned()).or_default().insert(operation);
    }
    let own: Vec<&str> = by_caller[CALLER].iter().map(String::as_str).collect();
    assert_eq!(own, ["AssumeRole", "GetCallerIdentity"], "the caller's own account is not read");
    // Getting credentials is counted by whoever gets them, not here.
    assert_eq!(inventory.call_totals().calls, (replay.requests().len() - replay.count("AssumeRole")) as u64);
}

#[tokio::test]
async fn accounts_are_entered_by_a_role_of_one_name() {
    let replay = accounts();
    let choice = AccountChoice::Named { accounts: vec![BANK.to_owned(), DENIED.to_owned()], role: role() };
    let inventory = scanned(&replay, choice).await.unwrap();
    assert_eq!(clusters(&inventory), REGIONS.map(|region| format!("{BANK} {region}")));
    assert_eq!(closing(&inventory).len(), 1);
}

#[tokio::test]
async fn the_partition_of_a_role_is_the_callers() {
    let replay =
        accounts().xml("GetCallerIdentity", "<Account>111111111111</Account><Arn>arn:aws-us-gov:iam::111111111111:user/audit</Arn>");
    let choice =
        AccountChoice::Named { accounts: vec![BANK.to_owned()], role: AccountRole { name: "/audit".to_owned(), external_id: None } };
    // Every caller is the same here, so that the account is another than was asked for.
    let error = scanned(&replay, choice).await.unwrap_err();
    assert!(matches!(&error, CollectError::NoAccount { source, .. } if source.code == "AccountMismatch"), "{error:?}");
    let assumed = replay.requests().into_iter().find(|(name, _)| name == "AssumeRole").unwrap().1;
    assert_eq!(assumed["RoleArn"], "arn:aws-us-gov:iam::444444444444:role/audit");
}

#[tokio::test]
async fn when_no_account_can_be_entered_nothing_is_scanned() {
    let error = scanned(&accounts(), roles(&[DENIED])).await.unwrap_err();
    assert!(
        matches!(&error, CollectError::AssumeRole { role, source } if role.contains(DENIED) && source.code == "AccessDenied"),
        "{error:?}"
    );
    let nobody = accounts().on("AssumeRole", |_| denied("no"));
    let error = scanned(&nobody, roles(&[SHOP, BANK])).await.unwrap_err();
    assert_eq!(error.to_string(), format!("none of 2 accounts can be entered; the first is arn:aws:iam::{SHOP}:role/security/audit"));
    assert!(error.hint().contains("--external-id") && !error.is_usage());
}

#[tokio::test]
async fn an_account_that_does_not_answer_stops_no_other() {
    let replay = accounts().on_signed("GetCallerIdentity", |_, signed| match account_of(signed) {
        BANK => Answer::Error("ExpiredToken"),
        account => Answer::Xml(format!("<Account>{account}</Account><Arn>arn:aws:iam::{account}:user/audit</Arn>")),
    });
    let inventory = scanned(&replay, roles(&[SHOP, BANK])).await.unwrap();
    assert_eq!(clusters(&inventory), REGIONS.map(|region| format!("{SHOP} {region}")));
    let [gap] = closing(&inventory)[..] else { panic!("{:?}", inventory.gaps) };
    assert_eq!((gap.operation.as_str(), gap.code.as_str()), ("sts:GetCallerIdentity", "ExpiredToken"));
}

#[tokio::test]
async fn an_interrupt_leaves_the_accounts_that_were_not_begun_as_gaps() {
    let interrupt = Interrupt::never();
    let replay = accounts().on_signed("DescribeClusters", {
        let interrupt = interrupt.clone();
        move |_, _| {
            interrupt.trigger();
            Answer::Silence
        }
    });
    let session = Session::new(config(Duration::from_secs(2)).into_builder().http_client(replay.clone()).build());
    let settings = Settings { accounts: roles(&[SHOP, BANK]), accounts_at_once: 1, ..Settings::default() };
    let inventory = scan(&session, &settings, &interrupt).await.unwrap();
    assert!(!inventory.header.complete);
    let [gap] = closing(&inventory)[..] else { panic!("{:?}", inventory.gaps) };
    assert_eq!((gap.account.as_str(), gap.code.as_str()), (BANK, "Interrupted"));
}

#[tokio::test]
async fn requests_of_all_accounts_stay_within_a_bound() {
    let accounts: Vec<String> = (0..40).map(|number| format!("5000000000{number:02}")).collect();
    let inventory = scanned(&self::accounts(), AccountChoice::Named { accounts, role: role() }).await.unwrap();
    assert_eq!((inventory.clusters.len(), inventory.header.scope.accounts.len()), (80, 40));
}

/// One Region with a cluster, sixteen with nothing, two that are closed.
fn many_regions(closed: Answer) -> Replay {
    let names: Vec<String> = (1..=16).map(|number| format!("eu-empty-{number}")).collect();
    let all = names.iter().map(String::as_str).chain(["eu-west-3", "xx-closed-1", "xx-closed-2"]);
    let regions = region_items(all);
    let by_region = move |empty: Value, full: fn(&Signed) -> Value| {
        let closed = closed.clone();
        move |_: &Value, signed: &Signed| match signed.region.as_str() {
            region if region.starts_with("xx-") => closed.clone(),
            "eu-west-3" => Answer::Json(full(signed)),
            _ => Answer::Json(empty.clone()),
        }
    };
    accounts()
        .xml("DescribeRegions", &format!("<regionInfo>{regions}</regionInfo>"))
        .on_signed(
            "ListClusters",
            by_region(json!({"clusterArns": []}), |_| json!({"clusterArns": ["arn:aws:ecs:eu-west-3:111111111111:cluster/shop"]})),
        )
        .on_signed("ListTaskDefinitionFamilies", by_region(json!({"families": []}), |_| json!({"families": []})))
        .on_signed("ListAccountSettings", by_region(json!({"settings": []}), |_| json!({"settings": []})))
        .on_signed("ListAliases", by_region(json!({"Aliases": []}), |_| json!({"Aliases": []})))
        .on_signed("ListKeys", by_region(json!({"Keys": []}), |_| json!({"Keys": []})))
        .on_signed("GET /clusters", by_region(json!({"clusters": []}), |_| json!({"clusters": []})))
}

fn by_policy() -> Answer {
    let message =
        "User: arn:aws:iam::111111111111:user/audit is not authorized to perform this with an explicit deny in a service control policy";
    Answer::Raw(400, json!({"__type": "AccessDeniedException", "message": message}).to_string())
}

fn asked_in(replay: &Replay, region: &str) -> Vec<String> {
    let mut asked: Vec<String> = replay.signed().into_iter().filter(|(_, signed)| signed.region == region).map(|(name, _)| name).collect();
    asked.sort();
    asked
}

#[tokio::test]
async fn an_empty_region_costs_five_listings() {
    let replay = many_regions(by_policy());
    let inventory = scanned(&replay, AccountChoice::Caller).await.unwrap();
    assert_eq!(inventory.clusters.len(), 1);
    for number in 1..=16 {
        let region = format!("eu-empty-{number}");
        assert_eq!(asked_in(&replay, &region), ["GET /clusters", "ListAliases", "ListClusters", "ListKeys", "ListTaskDefinitionFamilies"]);
        assert!(inventory.gaps.iter().all(|gap| gap.region.as_str() != region));
    }
}

#[tokio::test]
async fn a_closed_region_is_one_gap_and_is_left_alone() {
    let codes = ["OptInRequired", "UnrecognizedClientException", "InvalidClientTokenId"];
    let refusals = codes.map(Answer::Error).into_iter().chain([by_policy()]);
    for refusal in refusals {
        let replay = many_regions(refusal.clone());
        let inventory = scanned(&replay, AccountChoice::Caller).await.unwrap();
        for region in ["xx-closed-1", "xx-closed-2"] {
            let gaps: Vec<&Gap> = inventory.gaps.iter().filter(|gap| gap.region.as_str() == region).collect();
            let [gap] = gaps[..] else { panic!("{refusal:?}: {gaps:?}") };
            assert_eq!((gap.operation.as_str(), gap.code.as_str()), ("ecs:ListClusters", Gap::REGION_CLOSED));
            assert!(asked_in(&replay, region).len() <= 6, "{:?}", asked_in(&replay, region));
            assert!(inventory.header.scope.covers(&AccountId::new(CALLER), &Region::new(region)), "it was asked");
        }
    }
}

#[tokio::test]
async fn a_region_where_a_policy_closes_one_service_only_is_read() {
    let replay = many_regions(by_policy()).json("ListAliases", json!({"Aliases": []}));
    let inventory = scanned(&replay, AccountChoice::Caller).await.unwrap();
    let gaps: BTreeSet<(&str, &str)> = inventory
        .gaps
        .iter()
        .filter(|gap| gap.region.as_str() == "xx-closed-1")
        .map(|gap| (gap.operation.as_str(), gap.code.as_str()))
        .collect();
    assert!(gaps.contains(&("ecs:ListClusters", "AccessDeniedException")) && gaps.len() > 2, "{gaps:?}");
    assert!(gaps.iter().all(|(_, code)| *code != Gap::REGION_CLOSED));
}

#[tokio::test]
async fn a_denial_that_is_no_policys_of_the_organization_closes_no_region() {
    let inventory = scanned(&many_regions(Answer::Error("AccessDeniedException")), AccountChoice::Caller).await.unwrap();
    assert!(inventory.gaps.iter().any(|gap| gap.region.as_str() == "xx-closed-1" && gap.code == "AccessDeniedException"));
    assert!(inventory.gaps.iter().all(|gap| !gap.closes_region()));
}

/// An account as [`accounts`] has them, with a thousand tasks of a hundred services, each task with its interface.
fn large_accounts() -> Replay {
    const TASKS: usize = 1000;
    const SERVICES: usize = 100;
    let arns = |signed: &Signed, kind: &str, range: std::ops::Range<usize>| -> Vec<String> {
        let (region, account) = (&signed.region, account_of(signed));
        range.map(|number| format!("arn:aws:ecs:{region}:{account}:{kind}{number:032}")).collect()
    };
    let page = |request: &Value| request["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
    let more = |next: usize, all: usize| if next < all { json!(next.to_string()) } else { Value::Null };
    let tags = || json!([{"key": "team", "value": "shop"}, {"key": "stage", "value": "production"}]);
    let interfaces: Vec<String> = (0..TASKS)
        .map(|number| {
            format!(
                "<item><networkInterfaceId>eni-{number:017}</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>\
                 <groupSet><item><groupId>sg-{:017}</groupId><groupName>service</groupName></item></groupSet>\
                 <privateIpAddress>10.0.0.1</privateIpAddress><status>in-use</status></item>",
                number % SERVICES
            )
        })
        .collect();
    accounts()
        .xml("DescribeRegions", "<regionInfo><item><regionName>eu-west-3</regionName></item></regionInfo>")
        .xml("DescribeNetworkInterfaces", &format!("<networkInterfaceSet>{}</networkInterfaceSet>", interfaces.concat()))
        .on_signed("ListServices", move |_, signed| Answer::Json(json!({"serviceArns": arns(signed, "service/shop/", 0..SERVICES)})))
        .on("DescribeServices", move |request| {
            let service = |arn: &Value| {
                json!({"serviceArn": arn, "serviceName": arn, "status": "ACTIVE", "launchType": "FARGATE", "tags": tags(), "networkConfiguration":
                    {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}}})
            };
            Answer::Json(json!({"services": request["services"].as_array().unwrap().iter().map(service).collect::<Vec<_>>()}))
        })
        .on_signed("ListTasks", move |request, signed| {
            let from = page(request);
            Answer::Json(json!({"taskArns": arns(signed, "task/shop/", from..from + 100), "nextToken": more(from + 100, TASKS)}))
        })
        .on("DescribeTasks", move |request| {
            let task = |arn: &Value| {
                let arn = arn.as_str().unwrap();
                let number: usize = arn.rsplit('/').next().unwrap().parse().unwrap();
                json!({"taskArn": arn, "clusterArn": "arn:aws:ecs:eu-west-3:111111111111:cluster/shop", "group": "service:web", "tags": tags(),
                    "taskDefinitionArn": format!("arn:aws:ecs:eu-west-3:111111111111:task-definition/family-{}:1", number % SERVICES),
                    "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "launchType": "FARGATE", "platformVersion": "1.4.0",
                    "attachments": [{"id": arn, "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": [
                        {"name": "subnetId", "value": "subnet-1"}, {"name": "networkInterfaceId", "value": format!("eni-{number:017}")}]}],
                    "containers": [{"name": "web", "image": "111111111111.dkr.ecr.eu-west-3.amazonaws.com/web:1", "lastStatus": "RUNNING"},
                        {"name": "agent", "image": "public.ecr.aws/x/agent:7", "lastStatus": "RUNNING"}]})
            };
            Answer::Json(json!({"tasks": request["tasks"].as_array().unwrap().iter().map(task).collect::<Vec<_>>()}))
        })
        .json("ListTaskDefinitionFamilies", json!({"families": (0..SERVICES).map(|number| format!("family-{number}")).collect::<Vec<_>>()}))
        .on_signed("DescribeTaskDefinition", move |request, signed| {
            let family = request["taskDefinition"].as_str().unwrap().rsplit('/').next().unwrap().trim_end_matches(":1");
            let arn = format!("arn:aws:ecs:eu-west-3:{}:task-definition/{family}:1", account_of(signed));
            let environment: Vec<Value> = (0..20).map(|number| json!({"name": format!("SETTING_{number}"), "value": "plain"})).collect();
            Answer::Json(json!({"taskDefinition": {"taskDefinitionArn": arn, "family": family, "revision": 1, "status": "ACTIVE",
                "containerDefinitions": [{"name": "web", "image": "web:1", "environment": environment}]}}))
        })
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute without optimisation; run it alone, for it measures the memory of its process"]
async fn a_hundred_accounts_with_a_thousand_tasks_each_fit_in_two_gigabytes() {
    let accounts: Vec<String> = (0..100).map(|number| format!("5000000000{number:02}")).collect();
    let inventory = scanned(&large_accounts(), AccountChoice::Named { accounts, role: role() }).await.unwrap();
    assert_eq!((inventory.tasks.len(), inventory.network_interfaces.len()), (100_000, 100_000));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak memory of collecting 100 accounts with 1,000 tasks each: {} MiB", kilobytes / 1024);
    assert!(kilobytes < 2 * 1024 * 1024, "{peak}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let arn = |arn: &str| AccountChoice::Roles { arns: vec![arn.to_owned()], external_id: None }.check();
    for good in [
        "arn:aws:iam::123456789012:role/audit",
        "arn:aws-cn:iam::123456789012:role/a/b/audit@x",
        "arn:aws-us-gov:iam::123456789012:role/A_b.c",
    ] {
        arn(good).unwrap();
    }
    for bad in [
        "audit",
        "arn:aws:sts::123456789012:assumed-role/audit/me",
        "arn:aws:iam::123456789012:user/audit",
        "arn:aws:iam::12345678901:role/audit",
        "arn:aws:iam:eu-west-3:123456789012:role/audit",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a b",
        "arn:aws:iam::123456789012:role/*",
    ] {
        assert_eq!(arn(bad), Err(AccountChoiceError::RoleArn(bad.to_owned())));
    }
    let named = |accounts: &[&str], name: &str, id: Option<&str>| {
        let accounts = accounts.iter().map(|account| (*account).to_owned()).collect();
        AccountChoice::Named { accounts, role: AccountRole { name: name.to_owned(), external_id: id.map(str::to_owned) } }.check()
    };
    named(&["123456789012", "012345678901"], "/security/audit", Some("a:b/c=d")).unwrap();
    assert!(matches!(named(&["12345"], "audit", None), Err(AccountChoiceError::AccountId(_))));
    assert!(matches!(named(&["123456789012", "123456789012"], "audit", None), Err(AccountChoiceError::Twice(_))));
    assert!(matches!(named(&[], "audit", None), Err(AccountChoiceError::Nobody)));
    for name in ["", "a b", "a//b", "arn:aws:iam::123456789012:role/audit", &"x".repeat(65)] {
        assert!(matches!(named(&["123456789012"], name, None), Err(AccountChoiceError::RoleName(_))), "{name}");
    }
    for id in ["x", "a b", "ü-ü-ü"] {
        assert_eq!(named(&["123456789012"], "audit", Some(id)), Err(AccountChoiceError::ExternalId));
    }
    let unit = |unit: &str| {
        let include = AccountMatch { units: vec![unit.to_owned()], ..AccountMatch::default() };
        AccountChoice::Organization { role: role(), filter: AccountFilter { include, ..AccountFilter::default() } }.check()
    };
    for good in ["ou-ab12-cd34ef56", "r-ab12"] {
        unit(good).unwrap();
    }
    for bad in ["production", "ou-ab12", "ou-AB12-cd34ef56", "r-a", "ou-ab12-cd34ef56-x"] {
        assert_eq!(unit(bad), Err(AccountChoiceError::Unit(bad.to_owned())));
    }
}
