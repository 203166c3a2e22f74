//! Collections of a large account against servers that throttle: exactly as published, or everything for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use plimsoll_model::{AccountId, CallStatistics, Inventory, Region};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Budget, Share, quotas::quota};
use crate::clock::{self, Sleep, run};
use crate::replay::{Answer, Replay, config};
use crate::scan::scan;
use crate::session::Session;
use crate::statistics::Statistics;
use crate::{Interrupt, Settings};

const SERVICES: usize = 12;
const PREFIX: &str = "arn:aws:ecs:eu-west-3:111111111111";

/// How many clusters with 12 services and a task each, task definitions and keys an account has.
#[derive(Clone, Copy)]
struct Size {
    clusters: usize,
    families: usize,
    keys: usize,
}

const LARGE: Size = Size { clusters: 250, families: 900, keys: 400 };
const MEDIUM: Size = Size { clusters: 100, families: 500, keys: 40 };
const SMALL: Size = Size { clusters: 10, families: 120, keys: 10 };

fn account(size: Size) -> Replay {
    let clusters: Vec<String> = (0..size.clusters).map(|n| format!("{PREFIX}:cluster/c{n}")).collect();
    let families: Vec<String> = (0..size.families).map(|n| format!("f{n}")).collect();
    let keys: Vec<Value> = (0..size.keys).map(|n| json!({"KeyId": key(n), "KeyArn": key_arn(n)})).collect();
    let names = |request: &Value, field: &str| -> Vec<String> {
        request[field].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().to_owned()).collect()
    };
    let last = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    Replay::new()
        .xml("GetCallerIdentity", "<Account>111111111111</Account><Arn>arn:aws:iam::111111111111:user/audit</Arn>")
        .xml("DescribeRegions", "<regionInfo><item><regionName>eu-west-3</regionName></item></regionInfo>")
        .json("ListClusters", json!({"clusterArns": clusters}))
        .on("DescribeClusters", move |request| {
            let described = names(request, "clusters").into_iter().enumerate().map(|(n, arn)| {
                let key = key_arn(n);
                json!({"clusterArn": arn, "clusterName": last(&arn), "status": "ACTIVE", "registeredContainerInstancesCount": 0,
                    "configuration": {"executeCommandConfiguration": {"kmsKeyId": key}}})
            });
            Answer::Json(json!({"clusters": described.collect::<Vec<_>>()}))
        })
        .on("ListServices", move |request| {
            let cluster = last(request["cluster"].as_str().unwrap());
            let arns = (0..SERVICES).map(|n| format!("{PREFIX}:service/{cluster}/s{n}"));
            Answer::Json(json!({"serviceArns": arns.collect::<Vec<_>>()}))
        })
        .on("DescribeServices", move |request| {
            let services = names(request, "services").into_iter().map(|arn| {
                json!({"serviceArn": arn, "serviceName": last(&arn), "clusterArn": request["cluster"], "status": "ACTIVE",
                    "taskDefinition": format!("{PREFIX}:task-definition/f0:1")})
            });
            Answer::Json(json!({"services": services.collect::<Vec<_>>()}))
        })
        .on("ListTasks", move |request| {
            let cluster = last(request["cluster"].as_str().unwrap());
            Answer::Json(json!({"taskArns": [format!("{PREFIX}:task/{cluster}/t")]}))
        })
        .on("DescribeTasks", move |request| {
            let tasks = names(request, "tasks").into_iter().map(|arn| {
                json!({"taskArn": arn, "clusterArn": request["cluster"], "lastStatus": "RUNNING",
                    "taskDefinitionArn": format!("{PREFIX}:task-definition/f0:1")})
            });
            Answer::Json(json!({"tasks": tasks.collect::<Vec<_>>()}))
        })
        .json("ListTaskDefinitionFamilies", json!({"families": families}))
        .on("DescribeTaskDefinition", |request| {
            let family = request["taskDefinition"].as_str().unwrap().rsplit('/').next().unwrap().trim_end_matches(":1").to_owned();
            Answer::Json(json!({"taskDefinition": {"taskDefinitionArn": format!("{PREFIX}:task-definition/{family}:1"),
                "family": family, "revision": 1, "status": "ACTIVE", "containerDefinitions": [{"name": "app"}]}}))
        })
        .json("ListAccountSettings", json!({"settings": []}))
        .json("ListAliases", json!({"Aliases": []}))
        .json("ListKeys", json!({"Keys": keys}))
        .on("DescribeKey", |request| {
            let id = request["KeyId"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let arn = format!("arn:aws:kms:eu-west-3:111111111111:key/{id}");
            Answer::Json(json!({"KeyMetadata": {"KeyId": id, "Arn": arn, "KeyManager": "CUSTOMER"}}))
        })
        .json("GetKeyPolicy", json!({"Policy": "{}"}))
        .json("GetKeyRotationStatus", json!({"KeyRotationEnabled": true}))
}

fn key(n: usize) -> String {
    format!("11111111-0000-0000-0000-{n:012}")
}

fn key_arn(n: usize) -> String {
    format!("arn:aws:kms:eu-west-3:111111111111:key/{}", key(n))
}

/// The published buckets as AWS describes them: filled once a second, at a moment that nobody knows.
#[derive(Default)]
struct Server {
    buckets: BTreeMap<(&'static str, String), (f64, f64)>,
}

impl Server {
    fn throttles(&mut self, since: Instant, operation: &str) -> bool {
        // The REST protocols name no operation.
        let Some(operation) = crate::operations().into_iter().find(|known| known.name == operation) else { return false };
        let quota = quota(operation.service, operation.name);
        let class = if quota.each { operation.name.to_owned() } else { quota.class };
        let second = ((clock::now() - since) + Duration::from_millis(370)).as_secs_f64().floor();
        let (tokens, filled) = self.buckets.entry((operation.service, class)).or_insert((quota.capacity, second));
        *tokens = (*tokens + quota.rate * (second - *filled)).min(quota.capacity);
        *filled = second;
        let throttles = *tokens < 1.0;
        *tokens -= if throttles { 0.0 } else { 1.0 };
        throttles
    }
}

async fn collected(replay: &Replay, share: f64) -> (Inventory, CallStatistics) {
    let sdk = config(Duration::from_secs(30)).into_builder().http_client(replay.clone()).sleep_impl(SharedAsyncSleep::new(Sleep)).build();
    let session = Session::new(sdk).spending(Share::new(share).unwrap());
    let inventory = scan(&session, &Settings::default(), &Interrupt::never()).await.unwrap();
    let totals = inventory.call_totals();
    assert_eq!(totals.calls, replay.requests().len() as u64, "every attempt is counted");
    (inventory, totals)
}

/// All that the account holds was read.
fn assert_whole(inventory: &Inventory, size: Size) {
    let codes: BTreeSet<&str> = inventory.gaps.iter().map(|gap| gap.code.as_str()).collect();
    assert!(codes.iter().all(|code| *code == "NoAnswerInTest"), "{:?}", inventory.gaps);
    let read = (inventory.clusters.len(), inventory.services.len(), inventory.tasks.len(), inventory.task_definitions.len());
    assert_eq!(read, (size.clusters, size.clusters * SERVICES, size.clusters, size.families));
}

#[test]
fn a_server_with_the_published_buckets_throttles_less_than_one_request_in_a_hundred() {
    run(async {
        for (share, size, calls, seconds) in [(0.5, LARGE, 3_000, 87), (1.0, MEDIUM, 1_000, 23)] {
            let (server, since) = (Mutex::new(Server::default()), clock::now());
            let replay = account(size).throttling(move |operation| server.lock().unwrap().throttles(since, operation));
            let (inventory, totals) = collected(&replay, share).await;
            assert_whole(&inventory, size);
            assert!(totals.calls > calls, "{totals:?}");
            assert!(totals.throttled * 100 < totals.calls, "share {share}: {totals:?}");
            assert!((clock::now() - since) >= Duration::from_secs(seconds), "share {share}: {:?}", (clock::now() - since));
            let by_operation = &inventory.header.calls;
            let held_back = Duration::from_millis(by_operation["ecs:DescribeTaskDefinition"].waited_ms);
            assert!(held_back > (clock::now() - since) / 2 && held_back < clock::now() - since, "{held_back:?}");
            assert_eq!(by_operation["sts:GetCallerIdentity"].waited_ms, 0);
        }
    });
}

#[test]
fn a_server_that_throttles_everything_meets_no_storm_and_is_read_once_it_recovers() {
    run(async {
        let outage = Duration::from_secs(5)..Duration::from_secs(65);
        let since = clock::now();
        let refused: Arc<Mutex<BTreeMap<u64, usize>>> = Arc::default();
        let replay = account(MEDIUM).throttling({
            let (outage, refused) = (outage.clone(), Arc::clone(&refused));
            move |_| {
                let throttles = outage.contains(&(clock::now() - since));
                if throttles {
                    *refused.lock().unwrap().entry((clock::now() - since).as_secs()).or_default() += 1;
                }
                throttles
            }
        });
        let (inventory, totals) = collected(&replay, 0.5).await;
        assert_whole(&inventory, MEDIUM);
        let refused = refused.lock().unwrap().clone();
        let late: usize = refused.range(20..).map(|(_, requests)| requests).sum();
        assert_eq!(totals.throttled, refused.values().sum::<usize>() as u64);
        // Four classes are busy then: at most what was on its way, a few while each slows down, one in twenty seconds.
        assert!((1..=100).contains(&totals.throttled), "{refused:?}");
        assert!(late <= 16, "{refused:?}");
    });
}

#[test]
fn accounts_and_regions_have_buckets_of_their_own_and_sessions_share_them() {
    run(async {
        let budget = Budget::new(Share::default(), Statistics::default());
        let operation = crate::operations().into_iter().find(|operation| operation.name == "ListClusters").unwrap();
        let (account, region) = (AccountId::new("111111111111"), Region::new("eu-west-3"));
        let permits = Semaphore::new(1);
        let begun = clock::now();
        for _ in 0..25 {
            drop(budget.clone().for_place(&account, &region).admit(operation, &permits).await.unwrap());
        }
        for (account, region) in [("222222222222", "eu-west-3"), ("111111111111", "us-east-1")] {
            drop(budget.for_place(&account.into(), &region.into()).admit(operation, &permits).await.unwrap());
        }
        assert_eq!(clock::now() - begun, Duration::ZERO);
        drop(budget.for_place(&account, &region).admit(operation, &permits).await.unwrap());
        assert_eq!(clock::now() - begun, Duration::from_millis(100));
        assert_eq!(budget.statistics.calls()["ecs:ListClusters"].waited_ms, 100);
    });
}

#[test]
fn who_waits_for_a_token_holds_no_permit() {
    run(async {
        let budget = Budget::new(Share::default(), Statistics::default());
        let allowance = budget.for_place(&"111111111111".into(), &"eu-west-3".into());
        let find = |name: &str| crate::operations().into_iter().find(|operation| operation.name == name).unwrap();
        let (slow, other) = (find("ListClusters"), find("ListKeys"));
        let permits = Semaphore::new(1);
        for _ in 0..25 {
            drop(allowance.admit(slow, &permits).await.unwrap());
        }
        let begun = clock::now();
        let waiting = async {
            drop(allowance.admit(slow, &permits).await.unwrap());
            clock::now() - begun
        };
        let going_on = async {
            tokio::task::yield_now().await;
            drop(allowance.admit(other, &permits).await.unwrap());
            clock::now() - begun
        };
        assert_eq!(tokio::join!(waiting, going_on), (Duration::from_millis(100), Duration::ZERO));
    });
}

#[test]
fn an_interrupt_ends_the_wait_for_a_token_at_once() {
    run(async {
        let interrupt = Interrupt::never();
        let replay = account(SMALL).on("DescribeTaskDefinition", {
            let (interrupt, asked) = (interrupt.clone(), Mutex::new(0));
            move |_| {
                let mut asked = asked.lock().unwrap();
                *asked += 1;
                if *asked == 60 {
                    interrupt.trigger();
                }
                Answer::Error("ClientException")
            }
        });
        let sdk =
            config(Duration::from_secs(30)).into_builder().http_client(replay.clone()).sleep_impl(SharedAsyncSleep::new(Sleep)).build();
        let inventory = scan(&Session::new(sdk), &Settings::default(), &interrupt).await.unwrap();
        assert!(!inventory.header.complete);
        assert_eq!(replay.count("DescribeTaskDefinition"), 60);
    });
}

#[test]
fn the_wait_for_a_token_is_no_timeout() {
    run(async {
        let replay = account(SMALL);
        let sdk =
            config(Duration::from_millis(1)).into_builder().http_client(replay.clone()).sleep_impl(SharedAsyncSleep::new(Sleep)).build();
        let inventory = scan(&Session::new(sdk), &Settings::default(), &Interrupt::never()).await.unwrap();
        assert_whole(&inventory, SMALL);
        assert!(inventory.call_totals().waited_ms > 5_000);
    });
}

#[test]
fn a_share_is_above_nothing_and_at_most_all() {
    for good in ["0.5", "1", "1.0", "0.001", " 0.25 "] {
        assert!(good.parse::<Share>().is_ok(), "{good}");
    }
    for bad in ["0", "-0.1", "1.01", "50", "50%", "NaN", "inf", "", "half"] {
        let told = bad.parse::<Share>().unwrap_err().to_string();
        assert!(told.contains("above 0 and at most 1"), "{bad}");
    }
    assert_eq!(Share::default().to_string(), "0.5");
}
