//! Scans of one account one after the other, with a cache between them: what is asked again, and what is believed.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Listing, PATIENCE, REVISION};
use crate::api::Api;
use crate::cache::{Cache, Entries};
use crate::ecs::tests::{Account, Collected, arn, revisions, run_with};
use crate::replay::{Answer, Replay};

/// A folder for the caches of a test.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Scans as a process of its own would, which knows nothing but what is on the disk.
    async fn scan(&self, replay: &Replay, all_revisions: bool) -> Collected {
        let cache = Cache::new(self.path().join("cache"), 1 << 30);
        let entries = Entries::open(Some(&cache), None, None);
        let collected = run_with(&Api::in_test().with_cache(entries.clone()), replay, all_revisions).await;
        assert!(cache.trouble().is_none());
        entries.finish().await;
        collected
    }

    /// Scans, and answers what was asked about task definitions.
    async fn calls(&self, account: &Account, all_revisions: bool) -> (Collected, [usize; 3]) {
        let replay = account.clone().replay();
        let collected = self.scan(&replay, all_revisions).await;
        assert_eq!(collected.gaps, []);
        let counts = ["ListTaskDefinitionFamilies", "ListTaskDefinitions", "DescribeTaskDefinition"].map(|name| replay.count(name));
        (collected, counts)
    }
}

async fn without_cache(account: &Account, all_revisions: bool) -> Collected {
    run_with(&Api::in_test(), &account.clone().replay(), all_revisions).await
}

/// Families with this many ACTIVE revisions each.
fn families(count: usize, each: usize) -> Account {
    let mut account = Account::default().cluster("shop");
    for family in 0..count {
        for revision in 1..=each {
            account = account.definition(&format!("f{family:03}"), revision, "ACTIVE");
        }
    }
    account
}

#[tokio::test]
async fn a_second_scan_of_an_unchanged_account_describes_no_task_definition() {
    // One in use that is not the latest, and one that was deregistered.
    let account = Account::small().task("shop", "2", "batch:1").definition("batch", 2, "ACTIVE");
    for all_revisions in [false, true] {
        let disk = Disk::new();
        let plain = without_cache(&account, all_revisions).await;
        let (first, calls) = disk.calls(&account, all_revisions).await;
        assert_eq!(calls, [0, 1, 4], "{all_revisions}");
        let (second, calls) = disk.calls(&account, all_revisions).await;
        // The second listing says that what is INACTIVE and in use is not being deleted.
        assert_eq!(calls, [0, 2, 0], "{all_revisions}");
        assert_eq!(revisions(&second.inventory), ["batch:1", "batch:2", "web:1", "web:2"]);
        assert_eq!(first.inventory, plain.inventory);
        assert_eq!(second.inventory, plain.inventory);
    }
}

#[tokio::test]
async fn where_nothing_inactive_is_in_use_one_listing_is_all() {
    let (account, disk) = (families(100, 3), Disk::new());
    assert_eq!(disk.calls(&account, false).await.1, [0, 3, 100]);
    assert_eq!(disk.calls(&account, false).await.1, [0, 3, 0]);
}

#[tokio::test]
async fn without_a_cache_nothing_is_listed_but_families() {
    let replay = Account::small().replay();
    run_with(&Api::in_test(), &replay, false).await;
    assert_eq!((replay.count("ListTaskDefinitionFamilies"), replay.count("ListTaskDefinitions")), (1, 0));
}

#[tokio::test]
async fn a_new_revision_is_read_and_takes_the_place_of_the_latest() {
    let (account, disk) = (Account::small(), Disk::new());
    disk.calls(&account, false).await;
    let account = account.definition("batch", 10, "ACTIVE");
    let (collected, calls) = disk.calls(&account, false).await;
    assert_eq!(calls, [0, 2, 1]);
    assert_eq!(revisions(&collected.inventory), ["batch:10", "web:1", "web:2"]);
}

#[tokio::test]
async fn a_revision_that_was_deregistered_since_is_asked_for_again() {
    let (mut account, disk) = (Account::small(), Disk::new());
    disk.calls(&account, false).await;
    account.definitions[1]["status"] = json!("INACTIVE");
    let (collected, calls) = disk.calls(&account, false).await;
    assert_eq!(calls, [0, 2, 1]);
    assert_eq!(collected.inventory, without_cache(&account, false).await.inventory);
    let web = collected.inventory.task_definitions.iter().find(|one| one.data.task_definition_arn.ends_with("web:2")).unwrap();
    assert_eq!(web.data.status, "INACTIVE");
    assert_eq!(disk.calls(&account, false).await.1, [0, 2, 0]);
}

#[tokio::test]
async fn a_revision_that_is_being_deleted_is_noticed() {
    let (mut account, disk) = (Account::small(), Disk::new());
    disk.calls(&account, false).await;
    account.definitions[0]["status"] = json!("DELETE_IN_PROGRESS");
    let (collected, calls) = disk.calls(&account, false).await;
    assert_eq!(calls, [0, 2, 1]);
    assert_eq!(collected.inventory, without_cache(&account, false).await.inventory);
    assert_eq!(collected.inventory.task_definitions[1].data.status, "DELETE_IN_PROGRESS");
    assert_eq!(disk.calls(&account, false).await.1, [0, 2, 0]);
}

#[tokio::test]
async fn what_is_stored_as_inactive_and_listed_as_active_is_asked_for_again() {
    let (mut account, disk) = (Account::small(), Disk::new());
    disk.calls(&account, false).await;
    account.definitions[0]["status"] = json!("ACTIVE");
    account.definitions[2]["status"] = json!("INACTIVE");
    let (collected, calls) = disk.calls(&account, false).await;
    assert_eq!(calls, [0, 1, 1]);
    assert_eq!(collected.inventory, without_cache(&account, false).await.inventory);
}

#[tokio::test]
async fn long_histories_cost_a_call_for_each_family_and_no_more() {
    // 4,800 revisions are 48 pages: to ask for each family is cheaper.
    let account = families(12, 400).task("shop", "1", "f007:350");
    let disk = Disk::new();
    let (first, calls) = disk.calls(&account, false).await;
    // Seven pages are of two families, the last; the other ten are asked for, and then the one in use.
    assert_eq!(calls, [1, PATIENCE + 2, 2 + 10 + 1]);
    let (second, calls) = disk.calls(&account, false).await;
    assert_eq!(calls, [1, PATIENCE + 2 + 10, 0]);
    assert_eq!(first.inventory, without_cache(&account, false).await.inventory);
    assert_eq!(second.inventory, first.inventory);

    let account = account.definition("f003", 401, "ACTIVE");
    let (third, calls) = disk.calls(&account, false).await;
    assert_eq!(calls, [1, PATIENCE + 2 + 10, 1]);
    assert!(revisions(&third.inventory).contains(&"f003:401"));
}

#[tokio::test]
async fn a_revision_far_behind_in_a_long_history_is_asked_for() {
    // Beyond the page of its family, no listing tells whether it is still ACTIVE.
    let (account, disk) = (families(12, 400).task("shop", "1", "f007:50"), Disk::new());
    disk.calls(&account, false).await;
    assert_eq!(disk.calls(&account, false).await.1, [1, PATIENCE + 2 + 10, 1]);
}

#[test]
fn a_listing_out_of_order_proves_nothing_by_what_it_leaves_out() {
    let mut listing = Listing::default();
    let arns = |names: &[&str]| names.iter().map(|name| arn(&format!("task-definition/{name}"))).collect::<Vec<_>>();
    let mut last = None;
    assert!(listing.add(&arns(&["web:3", "web:2", "app:9"]), &mut last));
    assert!(!listing.add(&arns(&["app:10"]), &mut last));
    assert!(!Listing::default().add(&arns(&["b:1", "a:1", "b:2"]), &mut None));
    assert_eq!(listing.latest(), Vec::<String>::new());
    assert_eq!(listing.is_active(&arn("task-definition/web:3")), Some(true));
    assert_eq!(listing.is_active(&arn("task-definition/web:4")), None);
    assert_eq!(listing.is_active(&arn("task-definition/other:1")), None);
    listing.complete(Some(&("app".to_owned(), 9)));
    assert_eq!(listing.latest(), arns(&["app:10", "web:3"]));
    assert_eq!(listing.is_active(&arn("task-definition/web:1")), Some(false));
    assert_eq!(listing.is_active(&arn("task-definition/app:11")), Some(false));
    assert_eq!(listing.is_active(&arn("task-definition/app:8")), None);
}

#[tokio::test]
async fn without_the_permission_to_list_revisions_families_are_asked_for_and_nothing_is_lost() {
    let (account, disk) = (Account::small(), Disk::new());
    let denied = || account.clone().replay().error("ListTaskDefinitions", "AccessDeniedException");
    for _ in 0..2 {
        let replay = denied();
        let collected = disk.scan(&replay, false).await;
        assert_eq!(collected.gaps, []);
        assert_eq!(collected.inventory, without_cache(&account, false).await.inventory);
        // No listing vouches for what is stored.
        assert_eq!((replay.count("ListTaskDefinitionFamilies"), replay.count("DescribeTaskDefinition")), (1, 3));
    }
}

#[tokio::test]
async fn where_neither_can_be_listed_the_gap_is_that_of_a_scan_without_a_cache() {
    let denied = || {
        let replay = Account::small().replay();
        replay.error("ListTaskDefinitions", "AccessDeniedException").error("ListTaskDefinitionFamilies", "AccessDeniedException")
    };
    let disk = Disk::new();
    let (cached, plain) = (disk.scan(&denied(), false).await, run_with(&Api::in_test(), &denied(), false).await);
    assert_eq!(cached.gaps, plain.gaps);
    assert_eq!(cached.inventory, plain.inventory);
}

#[tokio::test]
async fn what_could_not_be_read_is_not_kept() {
    let (account, disk) = (Account::small(), Disk::new());
    let collected = disk.scan(&account.clone().replay().error("DescribeTaskDefinition", "AccessDeniedException"), false).await;
    assert!(!collected.gaps.is_empty() && collected.inventory.task_definitions.is_empty());
    let (collected, calls) = disk.calls(&account, false).await;
    assert_eq!((calls, collected.inventory.task_definitions.len()), ([0, 1, 3], 3));
}

#[tokio::test]
async fn a_token_that_comes_back_ends_the_listing_and_proves_nothing() {
    let (account, disk) = (Account::small(), Disk::new());
    let replay = account.clone().replay().on("ListTaskDefinitions", |request| {
        if request["status"] == "DELETE_IN_PROGRESS" {
            return Answer::Json(json!({"taskDefinitionArns": []}));
        }
        Answer::Json(json!({"taskDefinitionArns": [arn("task-definition/web:2")], "nextToken": "again"}))
    });
    let collected = disk.scan(&replay, false).await;
    assert_eq!(collected.gaps, []);
    assert_eq!(collected.inventory, without_cache(&account, false).await.inventory);
}

#[tokio::test]
async fn no_secret_is_in_any_file_of_the_cache() {
    let password = concat!("Tr0ub4dor", "&3");
    let pair = [concat!("AKIA", "QNZGKIQY56JQ7WML"), concat!("wJ4rXUtnFEMI/K7MDENG+b", "PxRfiCYzR8qLmT2vN3")];
    let mut account = Account::small();
    account.definitions[1]["containerDefinitions"] = json!([{
        "name": "app", "image": "app:1", "command": ["app", format!("--password={password}")],
        "environment": [
            {"name": "DB_PASSWORD", "value": password}, {"name": "AWS_ACCESS_KEY_ID", "value": pair[0]},
            {"name": "AWS_SECRET_ACCESS_KEY", "value": pair[1]}, {"name": "STAGE", "value": "stage-of-the-app"},
        ],
        "dockerLabels": {"password": password},
    }]);
    let disk = Disk::new();
    let cache = Cache::new(disk.path().join("cache"), 1 << 30);
    let entries = Entries::open(Some(&cache), None, Some(b"fingerprint-key"));
    run_with(&Api::in_test().with_cache(entries), &account.replay(), false).await;
    let texts = contents(&disk.path().join("cache"));
    assert_eq!(texts.len(), 3);
    let all: String = texts.into_iter().flat_map(|(name, text)| [name, text]).collect();
    assert!(all.contains("DB_PASSWORD") && all.contains("aws-secret-access-key"));
    for secret in [password, "Tr0ub4dor", pair[0], pair[1], "stage-of-the-app", "fingerprint-key"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

/// Every file below a folder, by name, decompressed.
fn contents(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let text = zstd::decode_all(std::fs::File::open(&path).unwrap()).unwrap();
            found.push((path.display().to_string(), String::from_utf8(text).unwrap()));
        }
    }
    found
}

#[tokio::test]
async fn tags_are_asked_for_again_within_a_week() {
    let lifetime = REVISION.lifetime.unwrap();
    assert_eq!(lifetime.as_secs(), 604_800);
    let (account, disk) = (Account::small(), Disk::new());
    disk.calls(&account, false).await;
    let tagged = account.clone().replay().on("DescribeTaskDefinition", |request| {
        let name = request["taskDefinition"].as_str().unwrap();
        Answer::Json(json!({"taskDefinition": {"taskDefinitionArn": name, "status": "ACTIVE"}, "tags": [{"key": "new", "value": "x"}]}))
    });
    age(&disk.path().join("cache"), lifetime.as_secs() + 1);
    let collected = disk.scan(&tagged, false).await;
    assert_eq!(tagged.count("DescribeTaskDefinition"), 3);
    assert!(collected.inventory.task_definitions.iter().all(|one| one.data.tags[0].key == "new"));
}

/// Makes every entry older.
fn age(folder: &Path, seconds: u64) {
    for (name, text) in contents(folder) {
        let mut entry: Value = serde_json::from_str(&text).unwrap();
        let at: jiff::Timestamp = entry["at"].as_str().unwrap().parse().unwrap();
        entry["at"] = json!(at - std::time::Duration::from_secs(seconds));
        let bytes = zstd::encode_all(entry.to_string().as_bytes(), 1).unwrap();
        std::fs::write(name, bytes).unwrap();
    }
}
