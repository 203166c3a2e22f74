//! The cache alone: what is believed, what is not, and what happens when the disk is against it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Cache, CacheError, Entries, Kind, hex, lifetime_of, load, seal};

const KIND: Kind = Kind { operation: "ecr:BatchGetImage", lifetime: None };
const DAY: Duration = Duration::from_hours(24);

fn at(path: &Path) -> (Cache, Entries) {
    let cache = Cache::new(path.to_owned(), 1 << 20);
    let entries = Entries::open(Some(&cache), None, None);
    (cache, entries)
}

fn fresh() -> (TempDir, PathBuf, Entries) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/cache");
    let (cache, entries) = at(&path);
    assert!(entries.is_on() && cache.trouble().is_none());
    (folder, path, entries)
}

async fn found(entries: &Entries, key: &str) -> Option<Value> {
    entries.get(&KIND, key).await
}

/// The files of entries and what is half-written.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for file in fs::read_dir(path).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

#[tokio::test]
async fn what_was_put_comes_back_also_to_others() {
    let (_folder, path, entries) = fresh();
    entries.put(&KIND, "sha256:1", &json!({"layers": [1, 2]})).await;
    let (_, others) = at(&path);
    assert_eq!(found(&others, "sha256:1").await, Some(json!({"layers": [1, 2]})));
    assert_eq!(found(&others, "sha256:2").await, None);
    assert_eq!(others.get::<Value>(&Kind { operation: "ecr:DescribeImages", ..KIND }, "sha256:1").await, None);
    assert_eq!(others.finish().await.into_iter().collect::<Vec<_>>(), [("ecr:BatchGetImage", 1)]);
}

#[tokio::test]
async fn only_the_owner_can_read() {
    let (_folder, path, entries) = fresh();
    entries.put(&KIND, "key", &1).await;
    let files = files(&path);
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].metadata().unwrap().mode() & 0o777, 0o600);
    for folder in files[0].ancestors().skip(1).take(3) {
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700, "{}", folder.display());
    }
}

#[tokio::test]
async fn another_key_of_fingerprints_or_another_endpoint_has_entries_of_its_own() {
    let (_folder, path, entries) = fresh();
    entries.put(&KIND, "key", &json!(1)).await;
    let cache = Cache::chosen(path, 1 << 20);
    for (endpoint, fingerprints) in [(Some("http://127.0.0.1:4566"), None), (None, Some(b"k".as_slice())), (None, Some(b"l"))] {
        let others = Entries::open(Some(&cache), endpoint, fingerprints);
        assert_eq!(found(&others, "key").await, None);
        others.put(&KIND, "key", &json!(2)).await;
        assert_eq!(found(&others, "key").await, Some(json!(2)));
    }
    assert_eq!(found(&entries, "key").await, Some(json!(1)));
}

#[test]
fn a_cache_that_nobody_chose_is_not_used_with_an_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache");
    let cache = Cache::new(path.clone(), 1 << 20);
    assert!(!Entries::open(Some(&cache), Some("http://127.0.0.1:4566"), None).is_on());
    assert!(!path.exists() && cache.trouble().is_none());
    assert!(Entries::open(Some(&Cache::chosen(path, 1 << 20)), Some("http://127.0.0.1:4566"), None).is_on());
    assert!(!Entries::open(None, None, None).is_on());
}

#[tokio::test]
async fn damaged_and_foreign_entries_are_passed_over_and_written_anew() {
    let (_folder, path, entries) = fresh();
    entries.put(&KIND, "key", &json!("right")).await;
    let file = files(&path).remove(0);
    let whole = fs::read(&file).unwrap();
    let mut damaged = vec![Vec::new(), b"foreign".to_vec(), whole[..whole.len() - 1].to_vec(), whole[..9].to_vec()];
    for position in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[position] ^= 0x10;
        damaged.push(flipped);
    }
    // Another entry under this one's name, and one whose content is of another type.
    entries.put(&KIND, "other", &json!("wrong")).await;
    damaged.push(fs::read(files(&path).into_iter().find(|other| *other != file).unwrap()).unwrap());
    for bytes in damaged {
        fs::write(&file, &bytes).unwrap();
        let found = found(&entries, "key").await;
        // A bit that means nothing may be flipped.
        assert!(found.is_none() || found == Some(json!("right")), "{found:?}");
    }
    fs::write(&file, b"foreign").unwrap();
    entries.put(&KIND, "key", &json!("right")).await;
    assert_eq!(found(&entries, "key").await, Some(json!("right")));
    assert_eq!(entries.get::<Vec<u8>>(&KIND, "key").await, None);
}

#[tokio::test]
async fn a_file_that_unpacks_without_end_is_not_an_entry() {
    let (_folder, path, entries) = fresh();
    entries.put(&KIND, "key", &json!("right")).await;
    let file = files(&path).remove(0);
    fs::write(&file, seal(&vec![b' '; 64 << 20]).unwrap()).unwrap();
    assert_eq!(found(&entries, "key").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_at_the_same_time_see_whole_entries_or_none() {
    let (_folder, path, _) = fresh();
    let scans = (0..8).map(|scan| {
        let path = path.clone();
        tokio::spawn(async move {
            let (cache, entries) = at(&path);
            for round in 0..50 {
                let key = format!("key-{}", round % 5);
                if let Some(value) = found(&entries, &key).await {
                    assert_eq!(value["key"], key);
                    assert_eq!(value["filler"].as_array().unwrap().len(), 1000);
                }
                let filler: Vec<u64> = (0..1000).map(|index| index * scan).collect();
                entries.put(&KIND, &key, &json!({"key": key, "filler": filler})).await;
            }
            entries.finish().await;
            assert!(cache.trouble().is_none(), "{:?}", cache.trouble());
        })
    });
    for scan in scans.collect::<Vec<_>>() {
        scan.await.unwrap();
    }
    assert_eq!(files(&path).len(), 5);
}

#[tokio::test]
async fn the_least_recently_used_goes_when_it_grows_too_large() {
    let folder = tempfile::tempdir().unwrap();
    // Ten blocks.
    let cache = Cache::new(folder.path().to_owned(), 40_960);
    let entries = Entries::open(Some(&cache), None, None);
    for index in 0..10 {
        entries.put(&KIND, &index.to_string(), &json!(index)).await;
        let file = fs::File::open(
            folder.path().join(&entries.address(&KIND, &index.to_string())[..2]).join(&entries.address(&KIND, &index.to_string())[2..]),
        )
        .unwrap();
        file.set_modified(SystemTime::now() - DAY * (20 - index)).unwrap();
    }
    entries.finish().await;
    assert_eq!(files(folder.path()).len(), 10);
    // A use makes the oldest the newest; an eleventh entry is one too many, and one more goes to make room.
    assert!(found(&entries, "0").await.is_some());
    entries.put(&KIND, "10", &json!(10)).await;
    entries.finish().await;
    let mut left = Vec::new();
    for index in 0..=10 {
        if found(&entries, &index.to_string()).await.is_some() {
            left.push(index);
        }
    }
    assert_eq!(left, [0, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn files_that_are_not_the_caches_own_stay() {
    let (_folder, path, entries) = fresh();
    fs::create_dir_all(path.join("ab")).unwrap();
    for name in ["notes.txt", "ab/notes.txt", ".unfinished-new"] {
        fs::write(path.join(name), "mine").unwrap();
    }
    let abandoned = path.join(".unfinished-old");
    fs::write(&abandoned, "x").unwrap();
    fs::File::open(&abandoned).unwrap().set_modified(SystemTime::now() - 2 * DAY).unwrap();
    entries.put(&KIND, "key", &json!(1)).await;
    let cache = Cache::new(path.clone(), 0);
    Entries::open(Some(&cache), None, None).finish().await;
    let left: Vec<PathBuf> = files(&path);
    assert_eq!(left, [path.join(".unfinished-new"), path.join("ab/notes.txt"), path.join("notes.txt")]);
}

fn trouble(path: &Path) -> CacheError {
    let (cache, entries) = at(path);
    assert!(!entries.is_on());
    cache.trouble().unwrap()
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o777, 0o770, 0o702] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        let error = trouble(folder.path());
        assert!(matches!(error, CacheError::Untrusted { .. }), "{error}");
        assert!(error.hint().contains("--cache-dir"));
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(at(folder.path()).1.is_on());
}

#[test]
fn a_link_is_judged_by_what_it_leads_to_and_what_is_above() {
    let folder = tempfile::tempdir().unwrap();
    let (open, below, link) = (folder.path().join("open"), folder.path().join("open/cache"), folder.path().join("link"));
    fs::create_dir_all(&below).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    symlink(&open, &link).unwrap();
    assert!(matches!(trouble(&link), CacheError::Untrusted { .. }));
    // Who may write above may put another directory in its place, unless the sticky bit is set.
    assert!(matches!(trouble(&below), CacheError::Untrusted { .. }));
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(at(&below).1.is_on());
}

#[test]
fn a_directory_of_another_user_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    // Only root may give files away.
    if std::os::unix::fs::chown(&theirs, Some(65_534), None).is_err() {
        return;
    }
    assert!(matches!(trouble(&theirs), CacheError::Untrusted { .. }));
    let below = theirs.join("cache");
    fs::create_dir(&below).unwrap();
    assert!(matches!(trouble(&below), CacheError::Untrusted { .. }));
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_or_written_is_told_once_and_the_scan_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(trouble(&file.join("cache")), CacheError::Io { .. }));
    assert!(matches!(trouble(&file), CacheError::Io { .. }));

    let (_folder, path, entries) = fresh();
    // What is in the way of an entry's folder.
    let address = entries.address(&KIND, "key");
    fs::write(path.join(&address[..2]), "").unwrap();
    entries.put(&KIND, "key", &json!(1)).await;
    assert!(matches!(entries.cache.as_ref().unwrap().trouble(), Some(CacheError::Io { .. })));
    assert_eq!(found(&entries, "key").await, None);
    assert_eq!(files(&path).len(), 1);
}

#[test]
fn entries_of_limited_life_end_at_different_times_and_never_late() {
    let limit = DAY * 7;
    let lives: Vec<i64> = (0..=255).map(|byte| lifetime_of(&hex(&[byte]), limit).as_secs()).collect();
    assert!(lives.iter().all(|life| (302_400..=604_800).contains(life)));
    assert!(lives.windows(2).all(|pair| pair[0] < pair[1]));
    let now: Timestamp = "2025-06-15T12:00:00Z".parse().unwrap();
    let kind = Kind { lifetime: Some(limit), ..KIND };
    let life = lifetime_of("80", limit);
    let stored = |at: Timestamp| seal(json!({"address": "80", "at": at, "data": 7}).to_string().as_bytes()).unwrap();
    let read = |at: Timestamp, kind: &Kind| load::<u8>(&stored(at), "80", kind, now);
    assert_eq!(read(now - life, &kind), Some(7));
    assert_eq!(read(now - life - Duration::from_secs(1), &kind), None);
    // A clock was wrong.
    assert_eq!(read(now + Duration::from_secs(1), &kind), None);
    assert_eq!(read(now - life * 100, &KIND), Some(7));
}
