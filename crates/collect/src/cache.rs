//! What AWS told once and never changes flows in as the model's type, secrets already replaced by verdicts; a later scan
//! gets it from the disk instead of asking again.
//!
//! An entry is one file. Its name is a hash of all that decides what it holds: the kind, the thing's own name, this
//! build's sources, the key of the fingerprints and the endpoint. So an entry is right or absent, never outdated by
//! another plimsoll, and scans may share a directory at the same time. Whatever is wrong with a file or with the
//! directory, the scan goes on as if there were none.

mod directory;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::directory::Directory;

/// The sources of this build that decide what an entry holds and means, see `build.rs`.
const SOURCES: &str = env!("PLIMSOLL_SOURCES");
/// Largest content of an entry: far more than any answer of AWS that is kept.
const LARGEST: u64 = 16 << 20;

/// A directory with what earlier scans learned, shared by any number of scans.
#[derive(Clone, Debug)]
pub struct Cache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    size: u64,
    chosen: bool,
    directory: OnceLock<Option<Directory>>,
    trouble: Mutex<Option<CacheError>>,
}

/// Why a cache is not used, or not any more. The scan goes on without it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made, read or written.
    #[error("the cache {path} cannot be used: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Somebody else could put in what they want to have believed.
    #[error("the cache {path} is not used: {owner} could change what is in it")]
    Untrusted {
        /// The directory.
        path: PathBuf,
        /// Who could.
        owner: &'static str,
    },
}

impl CacheError {
    /// What the reader of the message can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "the scan asks for everything; name another directory with --cache-dir, or pass --no-cache",
            Self::Untrusted { .. } => {
                "the scan asks for everything; name a directory that only you can write to with --cache-dir, or pass --no-cache"
            }
        }
    }
}

impl Cache {
    /// A cache in a directory, which is made when a scan first needs it, and its size in bytes, kept at the end of scans.
    pub fn new(directory: PathBuf, size: u64) -> Self {
        let (store, trouble) = Default::default();
        Self { shared: Arc::new(Shared { path: directory, size, chosen: false, directory: store, trouble }) }
    }

    /// A cache that was asked for by name: it is used even where the endpoint is not AWS's own. An emulator that is filled
    /// anew has other things under the same ARNs, so that a cache nobody asked for would tell of those before.
    pub fn chosen(directory: PathBuf, size: u64) -> Self {
        let (store, trouble) = Default::default();
        Self { shared: Arc::new(Shared { path: directory, size, chosen: true, directory: store, trouble }) }
    }

    /// What went wrong first, if anything did.
    pub fn trouble(&self) -> Option<CacheError> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, error: CacheError) {
        tracing::warn!(%error, "no cache");
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn fail_io(&self, source: io::Error) {
        self.fail(CacheError::Io { path: self.shared.path.clone(), source: Arc::new(source) });
    }

    /// The directory, made and looked at on first use.
    fn directory(&self) -> Option<&Directory> {
        let open = || Directory::open(&self.shared.path).map_err(|error| self.fail(error)).ok();
        self.shared.directory.get_or_init(open).as_ref()
    }
}

/// Answers that are kept: those of one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// The operation that need not be called then: `ecs:DescribeTaskDefinition`.
    pub(crate) operation: &'static str,
    /// For what is not quite immutable: how long an entry is believed at most. Each has its own time, from half of this on,
    /// so that what was stored together is not asked for again together.
    pub(crate) lifetime: Option<Duration>,
}

/// The entries of one scan: of one endpoint and one key of fingerprints. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    cache: Option<Cache>,
    /// What the entries depend on beside their names.
    context: Arc<str>,
    taken: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

#[derive(Serialize)]
struct Stored<'a, T> {
    address: &'a str,
    at: Timestamp,
    data: &'a T,
}

#[derive(Deserialize)]
struct Loaded<T> {
    address: String,
    at: Timestamp,
    data: T,
}

impl Entries {
    /// Opens a cache for a scan; `endpoint` is where requests go if not to AWS's own endpoints.
    pub(crate) fn open(cache: Option<&Cache>, endpoint: Option<&str>, fingerprint_key: Option<&[u8]>) -> Self {
        let Some(cache) = cache.filter(|cache| endpoint.is_none() || cache.shared.chosen) else {
            return Self::default();
        };
        if cache.directory().is_none() {
            return Self::default();
        }
        // Verdicts carry fingerprints; the key itself goes nowhere.
        let fingerprints =
            fingerprint_key.map(|key| hex(&Sha256::new().chain_update("plimsoll fingerprints\0").chain_update(key).finalize()));
        let parts = [SOURCES, env!("CARGO_PKG_VERSION"), endpoint.unwrap_or_default(), fingerprints.as_deref().unwrap_or_default()];
        Self { cache: Some(cache.clone()), context: parts.join("\0").into(), ..Self::default() }
    }

    /// Whether anything is kept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.cache.is_some()
    }

    /// What is stored under a key, instead of asking AWS.
    pub(crate) async fn get<T: DeserializeOwned + Send + 'static>(&self, kind: &Kind, key: &str) -> Option<T> {
        let found = self.peek(kind, key).await;
        if found.is_some() {
            self.took(kind);
        }
        found
    }

    /// What is stored under a key, for a caller that decides later whether that will do.
    pub(crate) async fn peek<T: DeserializeOwned + Send + 'static>(&self, kind: &Kind, key: &str) -> Option<T> {
        let cache = self.cache.clone()?;
        let (address, kind) = (self.address(kind, key), *kind);
        // Disks may be slow, and the threads that ask AWS are few.
        let read = move || {
            let bytes = cache.directory()?.read(&address)?;
            load(&bytes, &address, &kind, Timestamp::now())
        };
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }

    /// Counts an answer that was taken from here.
    pub(crate) fn took(&self, kind: &Kind) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner).entry(kind.operation).or_default() += 1;
    }

    /// Keeps a value that cannot change, or hardly. It must hold no gap and no secret: what a snapshot may hold is right.
    pub(crate) async fn put<T: Serialize>(&self, kind: &Kind, key: &str, value: &T) {
        let Some(cache) = self.cache.clone() else { return };
        // After one failure the others would fail as well.
        if cache.trouble().is_some() {
            return;
        }
        let address = self.address(kind, key);
        // A value that cannot be written as JSON is simply not kept.
        let Ok(text) = serde_json::to_vec(&Stored { address: &address, at: Timestamp::now(), data: value }) else { return };
        let write = move || {
            let Some(directory) = cache.directory() else { return };
            if let Err(error) = seal(&text).and_then(|bytes| directory.write(&address, &bytes)) {
                cache.fail_io(error);
            }
        };
        tokio::task::spawn_blocking(write).await.ok();
    }

    /// Answers taken from here by operation, and the cache brought back to its size. For the end of a scan.
    pub(crate) async fn finish(&self) -> BTreeMap<&'static str, u64> {
        if let Some(cache) = self.cache.clone() {
            tokio::task::spawn_blocking(move || cache.directory().map(|directory| directory.tidy(cache.shared.size))).await.ok();
        }
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn address(&self, kind: &Kind, key: &str) -> String {
        let mut hasher = Sha256::new();
        for part in [&*self.context, kind.operation, key] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hex(&hasher.finalize())
    }
}

fn seal(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3)?;
    encoder.include_checksum(true)?;
    io::Write::write_all(&mut encoder, text)?;
    encoder.finish()
}

/// What an entry holds; `None` when it is damaged, another's, or too old.
fn load<T: DeserializeOwned>(bytes: &[u8], address: &str, kind: &Kind, now: Timestamp) -> Option<T> {
    let mut text = Vec::new();
    zstd::Decoder::with_buffer(bytes).ok()?.take(LARGEST).read_to_end(&mut text).ok()?;
    let loaded: Loaded<T> = serde_json::from_slice(&text).ok()?;
    let fresh = kind.lifetime.is_none_or(|lifetime| {
        let age = now.duration_since(loaded.at);
        // An entry from the future says that a clock was wrong.
        !age.is_negative() && age <= lifetime_of(address, lifetime)
    });
    (fresh && loaded.address == address).then_some(loaded.data)
}

/// From half of the lifetime to all of it, by the entry's address.
fn lifetime_of(address: &str, lifetime: Duration) -> SignedDuration {
    let share = address.get(..2).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
    SignedDuration::try_from(lifetime / 2 + lifetime / 2 * share / 255).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// Whether a file name is one that an entry could have: `ab/` and 62 more digits.
fn is_digits(name: &Path, count: usize) -> bool {
    name.to_str().is_some_and(|name| name.len() == count && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}
