//! Against canned answers of the ECS API: paging, batches, the number of calls, failures and denials, and what is kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plimsoll_model::{Gap, Inventory};
use serde_json::{Value, json};

use super::{Containers, OPERATIONS, collect};
use crate::Interrupt;
use crate::api::Api;
use crate::replay::{Answer, Replay};

const PREFIX: &str = "arn:aws:ecs:eu-west-3:111111111111";
// Put together here so that no scanner takes this file for a leak.
const KEY_ID: &str = concat!("AKIA", "QNZGKIQY56JQ7WML");
const SECRET_KEY: &str = concat!("wJ4rXUtnFEMI/K7MDENG+b", "PxRfiCYzR8qLmT2vN3");
const PASSWORD: &str = concat!("Tr0ub4dor", "&3");

pub(super) fn arn(resource: &str) -> String {
    format!("{PREFIX}:{resource}")
}

/// What an account holds. It pages and batches as ECS does, and refuses what ECS refuses.
#[derive(Clone, Default)]
pub(super) struct Account {
    clusters: Vec<Value>,
    services: Vec<Value>,
    tasks: Vec<Value>,
    hosts: Vec<Value>,
    pub(super) definitions: Vec<Value>,
    providers: Vec<Value>,
    /// Size of the pages, when it is not the one that was asked for.
    pub(super) short_pages: Option<usize>,
}

impl Account {
    pub(super) fn cluster(mut self, name: &str) -> Self {
        self.clusters.push(json!({
            "clusterArn": arn(&format!("cluster/{name}")), "clusterName": name, "status": "ACTIVE",
            "registeredContainerInstancesCount": 0, "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        }));
        self
    }

    pub(super) fn service(mut self, cluster: &str, name: &str, revision: &str) -> Self {
        self.services.push(json!({
            "serviceArn": arn(&format!("service/{cluster}/{name}")), "serviceName": name, "status": "ACTIVE",
            "clusterArn": arn(&format!("cluster/{cluster}")), "taskDefinition": arn(&format!("task-definition/{revision}")),
            "deployments": [
                {"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": arn(&format!("task-definition/{revision}"))},
            ],
        }));
        self
    }

    pub(super) fn task(mut self, cluster: &str, name: &str, revision: &str) -> Self {
        self.tasks.push(json!({
            "taskArn": arn(&format!("task/{cluster}/{name}")), "clusterArn": arn(&format!("cluster/{cluster}")),
            "taskDefinitionArn": arn(&format!("task-definition/{revision}")), "lastStatus": "RUNNING", "desiredStatus": "RUNNING",
        }));
        self
    }

    fn host(mut self, cluster: &str, name: &str) -> Self {
        for one in &mut self.clusters {
            if one["clusterName"] == cluster {
                one["registeredContainerInstancesCount"] = json!(1);
            }
        }
        self.hosts.push(json!({
            "containerInstanceArn": arn(&format!("container-instance/{cluster}/{name}")), "ec2InstanceId": format!("i-{name}"),
            "status": "ACTIVE", "agentConnected": true, "capacityProviderName": "hosts",
        }));
        self
    }

    pub(super) fn definition(mut self, family: &str, revision: usize, status: &str) -> Self {
        self.definitions.push(json!({
            "taskDefinitionArn": arn(&format!("task-definition/{family}:{revision}")), "family": family, "revision": revision,
            "status": status, "containerDefinitions": [{"name": "app", "image": "app:1"}],
        }));
        self
    }

    /// A small account in which every operation has something to answer.
    pub(super) fn small() -> Self {
        let mut account = Self::default()
            .cluster("shop")
            .service("shop", "web", "web:2")
            .task("shop", "1", "web:1")
            .host("shop", "host")
            .definition("web", 1, "INACTIVE")
            .definition("web", 2, "ACTIVE")
            .definition("batch", 1, "ACTIVE");
        account.providers.push(json!({
            "capacityProviderArn": arn("capacity-provider/hosts"), "name": "hosts", "status": "ACTIVE",
        }));
        account
    }

    pub(super) fn replay(self) -> Replay {
        let account = Arc::new(self);
        let on = |replay: Replay, operation: &str, answer: fn(&Self, &Value) -> Answer| {
            let account = Arc::clone(&account);
            replay.on(operation, move |request| answer(&account, request))
        };
        let mut replay = Replay::new();
        replay = on(replay, "ListClusters", |account, request| {
            account.page(request, "clusterArns", 100, &strings(&account.clusters, "clusterArn"))
        });
        replay = on(replay, "DescribeClusters", |account, request| describe(request, "clusters", 100, &account.clusters, "clusterArn"));
        replay = on(replay, "ListServices", |account, request| {
            account.page(request, "serviceArns", 100, &of_cluster(request, strings(&account.services, "serviceArn")))
        });
        replay = on(replay, "DescribeServices", |account, request| describe(request, "services", 10, &account.services, "serviceArn"));
        replay = on(replay, "ListTasks", |account, request| {
            assert_eq!(request["desiredStatus"], "RUNNING");
            account.page(request, "taskArns", 100, &of_cluster(request, strings(&account.tasks, "taskArn")))
        });
        replay = on(replay, "DescribeTasks", |account, request| describe(request, "tasks", 100, &account.tasks, "taskArn"));
        replay = on(replay, "ListContainerInstances", |account, request| {
            account.page(request, "containerInstanceArns", 100, &of_cluster(request, strings(&account.hosts, "containerInstanceArn")))
        });
        replay = on(replay, "DescribeContainerInstances", |account, request| {
            describe(request, "containerInstances", 100, &account.hosts, "containerInstanceArn")
        });
        replay = on(replay, "ListTaskDefinitionFamilies", |account, request| {
            assert_eq!(request["status"], "ACTIVE");
            let families: BTreeSet<String> = strings(&account.active(), "family").into_iter().collect();
            account.page(request, "families", 100, &families.into_iter().collect::<Vec<_>>())
        });
        replay = on(replay, "ListTaskDefinitions", |account, request| {
            let mut listed: Vec<&Value> = account.definitions.iter().filter(|one| one["status"] == request["status"]).collect();
            listed.retain(|one| request["familyPrefix"].is_null() || one["family"] == request["familyPrefix"]);
            listed.sort_by_key(|one| (one["family"].as_str(), one["revision"].as_u64()));
            if request["sort"] == "DESC" {
                listed.reverse();
            }
            let listed: Vec<Value> = listed.into_iter().cloned().collect();
            account.page(request, "taskDefinitionArns", 100, &strings(&listed, "taskDefinitionArn"))
        });
        replay = on(replay, "DescribeTaskDefinition", |account, request| {
            assert_eq!(request["include"], json!(["TAGS"]));
            let name = &request["taskDefinition"];
            let named = account.definitions.iter().find(|definition| definition["taskDefinitionArn"] == *name);
            let latest = || account.active().into_iter().rfind(|definition| definition["family"] == *name);
            match named.cloned().or_else(latest) {
                Some(definition) => Answer::Json(json!({"taskDefinition": definition, "tags": [{"key": "team", "value": "x"}]})),
                None => {
                    Answer::Raw(400, json!({"__type": "ClientException", "message": "Unable to describe task definition."}).to_string())
                }
            }
        });
        replay = on(replay, "DescribeCapacityProviders", |account, request| {
            let of: Vec<Value> = account.providers.iter().filter(|provider| provider["cluster"] == request["cluster"]).cloned().collect();
            describe(request, "capacityProviders", 100, &of, "name")
        });
        on(replay, "ListAccountSettings", |_, request| {
            assert_eq!(request["effectiveSettings"], true);
            Answer::Json(json!({"settings": [
                {"name": "tagResourceAuthorization", "value": "on", "principalArn": "arn:aws:iam::111111111111:root", "type": "user"},
            ]}))
        })
    }

    fn active(&self) -> Vec<Value> {
        self.definitions.iter().filter(|definition| definition["status"] == "ACTIVE").cloned().collect()
    }

    fn page(&self, request: &Value, field: &str, largest: usize, items: &[String]) -> Answer {
        let size = usize::try_from(request["maxResults"].as_u64().unwrap()).unwrap();
        if size > largest {
            return Answer::Error("InvalidParameterException");
        }
        let size = self.short_pages.unwrap_or(size);
        let start: usize = request["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let page: Vec<String> = items.iter().skip(start).take(size).cloned().collect();
        let mut answer = json!({field: page});
        if start + size < items.len() {
            answer["nextToken"] = json!((start + size).to_string());
        }
        Answer::Json(answer)
    }
}

fn strings(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

fn of_cluster(request: &Value, arns: Vec<String>) -> Vec<String> {
    let cluster = request["cluster"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    arns.into_iter().filter(|arn| arn.split('/').nth(1) == Some(&cluster)).collect()
}

fn describe(request: &Value, field: &str, largest: usize, items: &[Value], id: &str) -> Answer {
    let asked = request[field].as_array().unwrap();
    if asked.is_empty() || asked.len() > largest {
        return Answer::Error("InvalidParameterException");
    }
    assert!(request["include"].as_array().unwrap().contains(&json!("TAGS")));
    let found: Vec<&Value> = items.iter().filter(|item| asked.contains(&item[id])).collect();
    let missing = asked.iter().filter(|arn| !found.iter().any(|item| item[id] == **arn));
    let failures: Vec<Value> = missing.map(|arn| json!({"arn": arn, "reason": "MISSING"})).collect();
    Answer::Json(json!({field: found, "failures": failures}))
}

pub(super) struct Collected {
    pub(super) inventory: Inventory,
    live: bool,
    pub(super) gaps: Vec<Gap>,
}

async fn run(replay: &Replay, all_revisions: bool) -> Collected {
    run_with(&Api::in_test(), replay, all_revisions).await
}

pub(super) async fn run_with(api: &Api, replay: &Replay, all_revisions: bool) -> Collected {
    let Containers { mut inventory, any: live, .. } = collect(api, &replay.ecs(), all_revisions).await;
    inventory.sort();
    Collected { inventory, live, gaps: api.take_gaps() }
}

pub(super) fn revisions(inventory: &Inventory) -> Vec<&str> {
    inventory.task_definitions.iter().map(|one| one.data.task_definition_arn.rsplit('/').next().unwrap()).collect()
}

/// What is there, by kind and id.
fn ids(inventory: &Inventory) -> BTreeSet<String> {
    let mut text = Vec::new();
    plimsoll_model::write(inventory, &mut text).unwrap();
    let lines = std::str::from_utf8(&text).unwrap().lines().skip(1);
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let id = |data: &Value| {
        let fields = ["taskArn", "taskSetArn", "serviceArn", "containerInstanceArn", "clusterArn", "taskDefinitionArn", "name"];
        fields.iter().find_map(|field| data[field].as_str().map(str::to_owned)).unwrap()
    };
    lines.map(|line| format!("{} {}", line["kind"].as_str().unwrap(), id(&line["data"]))).collect()
}

#[tokio::test]
async fn listings_are_read_to_their_end_with_full_pages_and_batches() {
    let account = (0..250).fold(Account::default(), |account, index| account.cluster(&format!("c{index:03}")));
    let replay = account.replay();
    let collected = run(&replay, false).await;
    assert_eq!(collected.gaps, []);
    assert!(collected.live);
    assert_eq!(collected.inventory.clusters.len(), 250);
    assert_eq!(replay.count("ListClusters"), 3);
    let batches = replay.requests().into_iter().filter(|(name, _)| name == "DescribeClusters");
    let mut sizes: Vec<usize> = batches.map(|(_, request)| request["clusters"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100]);
    assert_eq!((replay.count("ListServices"), replay.count("ListTasks"), replay.count("ListContainerInstances")), (250, 250, 0));
}

/// 251 services, 250 tasks and 103 revisions in scope: 101 families and two older revisions that run.
fn large() -> Account {
    let mut account =
        (0..100).fold(Account::default().cluster("shop"), |account, index| account.definition(&format!("f{index:03}"), 7, "ACTIVE"));
    for index in 0..251 {
        account = account.service("shop", &format!("s{index:03}"), &format!("f{:03}:7", index % 100));
    }
    for index in 0..250 {
        account = account.task("shop", &format!("t{index:03}"), &format!("f{:03}:{}", index % 2, 6 + index % 2));
    }
    account
        .definition("f000", 6, "INACTIVE")
        .definition("other", 1, "INACTIVE")
        .definition("other", 2, "ACTIVE")
        .task("shop", "x", "other:1")
}

#[tokio::test]
async fn a_cluster_costs_its_pages_its_batches_and_one_call_a_revision() {
    let replay = large().replay();
    let collected = run(&replay, false).await;
    assert_eq!(collected.gaps, []);
    let inventory = &collected.inventory;
    assert_eq!((inventory.services.len(), inventory.tasks.len(), inventory.task_definitions.len()), (251, 251, 103));
    let counts: Vec<(&str, usize)> = OPERATIONS.iter().map(|operation| (operation.name, replay.count(operation.name))).collect();
    assert_eq!(
        counts,
        [
            ("ListClusters", 1),
            ("DescribeClusters", 1),
            ("ListServices", 3),
            ("DescribeServices", 26),
            ("ListTasks", 3),
            ("DescribeTasks", 3),
            ("ListContainerInstances", 0),
            ("DescribeContainerInstances", 0),
            ("ListTaskDefinitionFamilies", 2),
            ("ListTaskDefinitions", 0),
            ("DescribeTaskDefinition", 103),
            ("DescribeCapacityProviders", 0),
            ("ListAccountSettings", 1),
        ]
    );
    assert_eq!(replay.requests().len(), 143);
}

#[tokio::test]
async fn batches_are_full_when_pages_are_short() {
    let replay = Account { short_pages: Some(7), ..large() }.replay();
    let collected = run(&replay, false).await;
    assert_eq!(collected.inventory.services.len(), 251);
    assert_eq!((replay.count("ListServices"), replay.count("DescribeServices"), replay.count("DescribeTasks")), (36, 26, 3));
}

#[tokio::test]
async fn two_runs_give_the_same_inventory() {
    let (first, second) = (run(&large().replay(), false).await, run(&large().replay(), false).await);
    assert_eq!(first.inventory, second.inventory);
}

#[tokio::test]
async fn a_region_without_clusters_and_definitions_costs_two_calls() {
    let replay = Account::default().replay();
    let collected = run(&replay, false).await;
    assert!(!collected.live && collected.inventory.is_empty());
    assert_eq!(replay.requests().len(), 2);
}

#[tokio::test]
async fn inactive_clusters_are_not_looked_into() {
    let mut account = Account::default().cluster("old").service("old", "web", "web:1");
    account.clusters[0]["status"] = json!("INACTIVE");
    let replay = account.replay();
    let collected = run(&replay, false).await;
    assert!(!collected.live);
    assert_eq!(collected.inventory.clusters.len(), 1);
    assert_eq!(replay.count("ListServices"), 0);
}

#[tokio::test]
async fn what_is_gone_between_listing_and_reading_is_no_gap() {
    let replay = Account::small()
        .replay()
        .on("ListTasks", |_| Answer::Json(json!({"taskArns": [arn("task/shop/1"), arn("task/shop/gone")]})))
        .on("ListTaskDefinitionFamilies", |_| Answer::Json(json!({"families": ["web", "gone"]})));
    let collected = run(&replay, false).await;
    assert_eq!(collected.gaps, []);
    assert_eq!(collected.inventory.tasks.len(), 1);
    assert_eq!(revisions(&collected.inventory), ["web:1", "web:2"]);
}

#[tokio::test]
async fn a_cluster_that_goes_meanwhile_is_no_gap() {
    let replay = Account::small().replay().error("ListServices", "ClusterNotFoundException").error("ListTasks", "ClusterNotFoundException");
    assert_eq!(run(&replay, false).await.gaps, []);
}

#[tokio::test]
async fn other_failures_of_a_batch_are_gaps_that_name_the_resource() {
    let broken = json!({"services": [], "failures": [
        {"arn": arn("service/shop/web"), "reason": "ACCESS_DENIED", "detail": "not yours"},
        {"arn": arn("service/shop/gone"), "reason": "MISSING"},
    ]});
    let collected = run(&Account::small().replay().json("DescribeServices", broken), false).await;
    let expected = Gap {
        account: "111111111111".into(),
        region: "eu-west-3".into(),
        operation: "ecs:DescribeServices".to_owned(),
        code: "ACCESS_DENIED".to_owned(),
        message: "not yours".to_owned(),
        resource: Some(arn("service/shop/web")),
    };
    assert_eq!(collected.gaps, [expected]);
}

#[tokio::test]
async fn a_revision_in_use_that_cannot_be_read_is_a_gap() {
    let account = Account::default().cluster("shop").task("shop", "1", "gone:3");
    let collected = run(&account.replay(), false).await;
    assert_eq!(collected.gaps.len(), 1);
    assert_eq!(collected.gaps[0].operation, "ecs:DescribeTaskDefinition");
    assert_eq!(collected.gaps[0].resource, Some(arn("task-definition/gone:3")));
}

#[tokio::test]
async fn each_denial_is_a_gap_and_costs_nothing_else() {
    let api = Api::in_test();
    for all_revisions in [false, true] {
        let whole = run(&Account::small().replay(), all_revisions).await;
        assert_eq!(whole.gaps, []);
        let whole = ids(&whole.inventory);
        for operation in OPERATIONS {
            let unused = if all_revisions { "ListTaskDefinitionFamilies" } else { "ListTaskDefinitions" };
            if operation.name == unused {
                continue;
            }
            let replay = Account::small().replay().error(operation.name, "AccessDeniedException");
            let denied = run_with(&api, &replay, all_revisions).await;
            assert!(denied.live, "{}", operation.name);
            assert!(!denied.gaps.is_empty(), "{}", operation.name);
            for gap in &denied.gaps {
                assert_eq!((gap.operation.as_str(), gap.code.as_str()), (operation.id().as_str(), "AccessDeniedException"));
            }
            let lost: &[&str] = match operation.name {
                "ListClusters" => &["ecs:Cluster", "ecs:Service", "ecs:Task arn", "ecs:ContainerInstance", "ecs:CapacityProvider", "web:1"],
                "DescribeClusters" => &["ecs:Cluster"],
                "ListServices" | "DescribeServices" => &["ecs:Service"],
                "ListTasks" | "DescribeTasks" => &["ecs:Task arn", "web:1"],
                // The provider is named by the hosts alone.
                "ListContainerInstances" | "DescribeContainerInstances" => &["ecs:ContainerInstance", "ecs:CapacityProvider"],
                // What is in use is read all the same.
                "ListTaskDefinitionFamilies" | "ListTaskDefinitions" => &["batch:1"],
                "DescribeTaskDefinition" => &["ecs:TaskDefinition"],
                "DescribeCapacityProviders" => &["ecs:CapacityProvider"],
                "ListAccountSettings" => &["ecs:AccountSetting"],
                other => panic!("{other}"),
            };
            let expected: BTreeSet<String> =
                whole.iter().filter(|id| !lost.iter().any(|lost| id.starts_with(lost) || id.ends_with(lost))).cloned().collect();
            assert_eq!(ids(&denied.inventory), expected, "{}", operation.name);
        }
    }
}

#[tokio::test]
async fn the_denied_revision_is_named() {
    let collected = run(&Account::small().replay().error("DescribeTaskDefinition", "AccessDeniedException"), false).await;
    let mut resources: Vec<String> = collected.gaps.into_iter().filter_map(|gap| gap.resource).collect();
    resources.sort();
    // Families by their ARN without a revision, then what is in use.
    let expected = ["batch", "web", "web:1", "web:2"].map(|name| arn(&format!("task-definition/{name}")));
    assert_eq!(resources, expected);
}

#[tokio::test]
async fn pages_before_a_failure_are_kept() {
    let account = (0..150).fold(Account::default().cluster("shop"), |account, index| account.task("shop", &format!("{index:03}"), "web:1"));
    let account = Arc::new(account.definition("web", 1, "ACTIVE"));
    let listing = Arc::clone(&account);
    let replay = Account::clone(&account).replay().on("ListTasks", move |request| {
        if request["nextToken"].is_null() {
            listing.page(request, "taskArns", 100, &strings(&listing.tasks, "taskArn"))
        } else {
            Answer::Error("AccessDeniedException")
        }
    });
    let collected = run(&replay, false).await;
    assert_eq!(collected.inventory.tasks.len(), 100);
    assert_eq!(collected.gaps.len(), 1);
}

#[tokio::test]
async fn an_interrupt_keeps_what_was_read() {
    let interrupt = Interrupt::never();
    let trigger = interrupt.clone();
    let replay = Account::small().replay().on("DescribeServices", move |_| {
        trigger.trigger();
        Answer::Silence
    });
    let api = Api::interruptible_in_test(interrupt);
    let collected = run_with(&api, &replay, false).await;
    assert!(collected.live);
    assert_eq!(collected.inventory.clusters.len(), 1);
    assert!(collected.gaps.iter().any(|gap| gap.operation == "ecs:DescribeServices"));
    assert!(collected.gaps.iter().all(|gap| gap.code == "Interrupted"));
}

#[tokio::test]
async fn a_token_that_comes_back_ends_the_paging() {
    let same = json!({"capacityProviders": [{"capacityProviderArn": arn("capacity-provider/hosts"), "name": "hosts"}], "nextToken": "x"});
    let replay = Account::small().replay().json("DescribeCapacityProviders", same);
    assert_eq!(run(&replay, false).await.inventory.capacity_providers.len(), 1);
    assert_eq!(replay.count("DescribeCapacityProviders"), 2);
}

#[tokio::test]
async fn throttled_requests_are_sent_again() {
    let asked = AtomicUsize::new(0);
    let arns = json!({"taskArns": [arn("task/shop/1")]});
    let replay = Account::small().replay().on("ListTasks", move |_| {
        if asked.fetch_add(1, Ordering::Relaxed) < 3 { Answer::Error("ThrottlingException") } else { Answer::Json(arns.clone()) }
    });
    let collected = run(&replay, false).await;
    assert_eq!(collected.gaps, []);
    assert_eq!(collected.inventory.tasks.len(), 1);
    assert_eq!(replay.count("ListTasks"), 4);
}

#[tokio::test]
async fn revisions_in_scope_are_those_in_use_and_the_latest() {
    let mut account = Account::default()
        .cluster("shop")
        .service("shop", "web", "web:4")
        .service("shop", "leaving", "leaving:1")
        .service("shop", "sets", "sets:1")
        .task("shop", "new", "tool:1")
        .task("shop", "old", "tool:2")
        .task("shop", "draining", "leaving:1");
    for revision in 1..=5 {
        account = account.definition("web", revision, if revision == 1 { "INACTIVE" } else { "ACTIVE" });
    }
    account = account.definition("leaving", 1, "INACTIVE").definition("tool", 1, "INACTIVE").definition("tool", 2, "INACTIVE");
    account = account.definition("sets", 1, "INACTIVE").definition("sets", 2, "INACTIVE");
    // A rollout: the primary deployment, the one before, and one that is over.
    account.services[0]["deployments"] = json!([
        {"id": "a", "status": "PRIMARY", "taskDefinition": arn("task-definition/web:4")},
        {"id": "b", "status": "ACTIVE", "taskDefinition": arn("task-definition/web:1")},
        {"id": "c", "status": "INACTIVE", "taskDefinition": arn("task-definition/web:2")},
    ]);
    // A service that is being deleted is in scope only through what it still runs.
    account.services[1]["status"] = json!("DRAINING");
    account.services[1]["deployments"][0]["taskDefinition"] = json!(arn("task-definition/leaving:9"));
    account.services[2]["taskSets"] = json!([
        {"id": "ecs-svc/1", "taskSetArn": arn("task-set/shop/sets/ecs-svc/1"), "status": "PRIMARY", "taskDefinition": arn("task-definition/sets:2")},
        {"id": "ecs-svc/2", "taskSetArn": arn("task-set/shop/sets/ecs-svc/2"), "status": "DRAINING", "taskDefinition": arn("task-definition/sets:3")},
    ]);
    account.tasks[0]["lastStatus"] = json!("PROVISIONING");
    account.tasks[1]["lastStatus"] = json!("STOPPED");
    let replay = account.clone().replay();
    let collected = run(&replay, false).await;
    assert_eq!(collected.gaps, []);
    assert_eq!(revisions(&collected.inventory), ["leaving:1", "sets:1", "sets:2", "tool:1", "web:1", "web:4", "web:5"]);
    assert_eq!(replay.count("DescribeTaskDefinition"), 7);
    assert_eq!(collected.inventory.task_sets.len(), 2);
    assert_eq!(collected.inventory.task_sets[0].data.service_arn, arn("service/shop/sets"));

    let all = run(&account.replay(), true).await;
    let expected = ["leaving:1", "sets:1", "sets:2", "tool:1", "web:1", "web:2", "web:3", "web:4", "web:5"];
    assert_eq!(revisions(&all.inventory), expected);
}

#[tokio::test]
async fn names_of_services_are_kept_wherever_they_are_configured() {
    let registry = |id: &str| json!([{"registryArn": id, "containerName": "app", "containerPort": 8080}]);
    let mut account = Account::small();
    account.clusters[0]["serviceConnectDefaults"] = json!({"namespace": "shop.local"});
    account.services[0]["serviceRegistries"] = registry("of-service");
    account.services[0]["taskSets"] = json!([{"taskSetArn": arn("task-set/x"), "serviceRegistries": registry("of-set")}]);
    let inventory = run(&account.replay(), false).await.inventory;
    let defaults = inventory.clusters[0].data.service_connect_defaults.as_ref();
    assert_eq!(defaults.and_then(|defaults| defaults.namespace.as_deref()), Some("shop.local"));
    let registries = [&inventory.services[0].data.service_registries, &inventory.task_sets[0].data.service_registries];
    assert_eq!(registries.map(|list| list[0].registry_arn.as_deref()), [Some("of-service"), Some("of-set")]);
}

#[tokio::test]
async fn every_provider_that_something_names_is_read_once() {
    let strategy = |name: &str| json!([{"capacityProvider": name}]);
    let mut account = Account::small();
    account.clusters[0]["capacityProviders"] = json!(["a", "FARGATE", "hosts"]);
    account.clusters[0]["defaultCapacityProviderStrategy"] = strategy("b");
    account.services[0]["capacityProviderStrategy"] = strategy("c");
    account.services[0]["deployments"][0]["capacityProviderStrategy"] = strategy("d");
    account.services[0]["taskSets"] = json!([{"taskSetArn": arn("task-set/x"), "capacityProviderStrategy": strategy("e")}]);
    account.tasks[0]["capacityProviderName"] = json!("f");
    let replay = account.replay();
    run(&replay, false).await;
    let requests = replay.requests();
    let asked = requests.iter().find(|(name, _)| name == "DescribeCapacityProviders").unwrap();
    assert_eq!(asked.1["capacityProviders"], json!(["a", "b", "c", "d", "e", "f", "hosts"]));
}

#[tokio::test]
async fn providers_of_one_cluster_are_asked_for_when_it_names_them() {
    let mut account = Account::small().cluster("managed");
    account.clusters[1]["capacityProviders"] = json!(["own", "gone", "FARGATE_SPOT"]);
    // AWS may tell of these only when asked about their cluster.
    account.providers.push(json!({
        "capacityProviderArn": arn("capacity-provider/own"), "name": "own", "cluster": arn("cluster/managed"), "status": "ACTIVE",
        "managedInstancesProvider": {"infrastructureRoleArn": "arn:aws:iam::111111111111:role/ecs"},
    }));
    let replay = account.replay();
    let collected = run(&replay, false).await;
    assert_eq!(collected.gaps, []);
    let names: Vec<&str> = collected.inventory.capacity_providers.iter().map(|one| one.data.name.as_str()).collect();
    assert_eq!(names, ["hosts", "own"]);
    assert_eq!(replay.count("DescribeCapacityProviders"), 2);
}

#[tokio::test]
async fn providers_are_paged() {
    let replay = Account::small().replay().on("DescribeCapacityProviders", |request| {
        let (name, next) = if request["nextToken"] == "2" { ("b", Value::Null) } else { ("a", json!("2")) };
        Answer::Json(json!({"capacityProviders": [{"capacityProviderArn": arn(name), "name": name}], "nextToken": next}))
    });
    assert_eq!(run(&replay, false).await.inventory.capacity_providers.len(), 2);
}

#[tokio::test]
async fn secrets_become_verdicts() {
    let mut account = Account::small();
    account.definitions[1]["containerDefinitions"] = json!([{
        "name": "app", "image": "app:1",
        "entryPoint": ["/usr/bin/tini", "--", format!("--token={PASSWORD}")],
        "command": ["sh", "-c", format!("exec supervisord --password {PASSWORD}"), format!("DB_PASSWORD={PASSWORD}")],
        "environment": [
            {"name": "AWS_ACCESS_KEY_ID", "value": KEY_ID}, {"name": "AWS_SECRET_ACCESS_KEY", "value": SECRET_KEY},
            {"name": "DATABASE_URL", "value": format!("postgres://app:{PASSWORD}@db/x")}, {"name": "STAGE", "value": "stage-of-the-app"},
        ],
        "dockerLabels": {"team": "payments-team", "password": PASSWORD},
        "healthCheck": {"command": ["CMD-SHELL", format!("curl -u admin:{PASSWORD} --header 'X: {KEY_ID}' http://localhost")]},
        "extraHosts": [{"hostname": format!("{KEY_ID}.example.org"), "ipAddress": "10.0.0.1"}],
        "systemControls": [{"namespace": "net.password", "value": PASSWORD}],
        "logConfiguration": {"logDriver": "splunk", "options": {
            "splunk-token": PASSWORD, "splunk-url": "https://splunk.internal.example", "mode": "blocking", "tag": SECRET_KEY_PAIR,
        }},
        "firelensConfiguration": {"type": "fluentbit", "options": {"api_password": PASSWORD}},
    }]);
    account.definitions[1]["volumes"] = json!([{"name": "data", "dockerVolumeConfiguration": {
        "driver": "cifs", "driverOpts": {"o": format!("username=app,password={PASSWORD}")}, "labels": {"password": PASSWORD},
    }}]);
    account.definitions[1]["proxyConfiguration"] = json!({
        "type": "APPMESH", "containerName": "envoy", "properties": [{"name": "PASSWORD", "value": PASSWORD}],
    });
    account.tasks[0]["overrides"] = json!({"containerOverrides": [{
        "name": "app", "command": ["migrate", format!("--password={PASSWORD}")], "environment": [{"name": "TOKEN", "value": PASSWORD}],
    }]});
    account.tasks[0]["tags"] = json!([{"key": "password", "value": PASSWORD}, {"key": "team", "value": "payments"}]);
    account.clusters[0]["tags"] = json!([{"key": "note", "value": KEY_ID}]);
    let collected = run(&account.replay(), false).await;

    let mut text = Vec::new();
    plimsoll_model::write(&collected.inventory, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap() + &format!("{:?}{:?}", collected.inventory, collected.gaps);
    for leaked in [PASSWORD, SECRET_KEY, KEY_ID, "stage-of-the-app", "payments-team", "splunk.internal", "Tr0ub4dor"] {
        assert!(!text.contains(leaked), "{leaked}");
    }

    let definition = &collected.inventory.task_definitions.iter().find(|one| one.data.revision == 2).unwrap().data;
    let container = &definition.container_definitions[0];
    let environment: Vec<Option<&str>> = container.environment.iter().map(|one| one.looks_like.as_deref()).collect();
    assert_eq!(environment, [Some("aws-access-key-id"), Some("aws-secret-access-key"), Some("password-in-url"), None]);
    assert_eq!(container.environment[0].access_keys[0].last_four, "7WML");
    let places: BTreeSet<&str> = container.secrets_in_text.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        places,
        BTreeSet::from([
            "command[2]",
            "command[3]",
            "dockerLabels.password",
            "entryPoint[2]",
            "extraHosts[0]",
            "firelensConfiguration.options.api_password",
            "healthCheck.command[1]",
            "logConfiguration.options.splunk-token",
            "logConfiguration.options.tag",
            "systemControls[0]",
        ])
    );
    let kept: Vec<(&str, &str)> =
        container.log_configuration.as_ref().unwrap().options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(kept, [("mode", "blocking")]);
    assert_eq!(container.command.as_ref().unwrap().program.as_deref(), Some("supervisord"));
    assert_eq!(container.entry_point.as_ref().unwrap().program.as_deref(), Some("tini"));
    let places: BTreeSet<&str> = definition.secrets_in_text.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        places,
        BTreeSet::from([
            "proxyConfiguration.properties.PASSWORD",
            "volumes[0].dockerVolumeConfiguration.driverOpts.o",
            "volumes[0].dockerVolumeConfiguration.labels.password",
        ])
    );
    let task = &collected.inventory.tasks[0].data;
    let container = &task.overrides.as_ref().unwrap().container_overrides[0];
    assert!(container.environment[0].looks_like.is_some());
    assert_eq!(container.secrets_in_text[0].name, "command[1]");
    assert_eq!(container.command.as_ref().unwrap().program.as_deref(), Some("migrate"));
    assert_eq!((task.tags[0].value.as_str(), task.tags[1].value.as_str()), ("[secret: named-secret]", "payments"));
}

const SECRET_KEY_PAIR: &str = concat!("AKIA", "QNZGKIQY56JQ7WML", ":wJ4rXUtnFEMI/K7MDENG+b", "PxRfiCYzR8qLmT2vN3");

/// What the model says must be what AWS said, field by field: the names are the same.
#[tokio::test]
async fn every_field_is_carried() {
    let sample: Value = serde_json::from_str(include_str!("testdata/sample.json")).unwrap();
    let one = |kind: &str| sample[kind].clone();
    let mut service = one("ecs:Service");
    service["taskSets"] = json!([one("ecs:TaskSet")]);
    // Of these the model keeps verdicts and shapes.
    let mut definition = one("ecs:TaskDefinition");
    definition["containerDefinitions"][0]["environment"] = json!([{"name": "STAGE", "value": "prod"}]);
    definition["containerDefinitions"][0]["command"] = json!(["/bin/app", "-x"]);
    definition["containerDefinitions"][0]["entryPoint"] = json!(["tini"]);
    let account = Account {
        clusters: vec![one("ecs:Cluster")],
        services: vec![service],
        tasks: vec![one("ecs:Task")],
        hosts: vec![one("ecs:ContainerInstance")],
        definitions: vec![definition],
        providers: vec![one("ecs:CapacityProvider")],
        short_pages: None,
    };
    let collected = run(&account.replay().json("ListAccountSettings", json!({"settings": [one("ecs:AccountSetting")]})), false).await;
    assert_eq!(collected.gaps, []);
    let mut text = Vec::new();
    plimsoll_model::write(&collected.inventory, &mut text).unwrap();
    let lines = std::str::from_utf8(&text).unwrap().lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found: Value = lines.map(|mut line| (line["kind"].as_str().unwrap().to_owned(), line["data"].take())).collect();
    assert_eq!(found, in_snapshot(sample));
}

/// Instants are numbers in the API and text in the snapshot; the names of both are the same.
fn in_snapshot(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let seconds = field.as_f64().filter(|_| name.ends_with("At"));
                *field = match seconds {
                    #[expect(clippy::cast_possible_truncation, reason = "an instant of our time")]
                    Some(seconds) => json!(jiff::Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap()),
                    None => in_snapshot(field.take()),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = in_snapshot(item.take())),
        _ => {}
    }
    value
}
