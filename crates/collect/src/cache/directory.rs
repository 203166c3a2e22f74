//! Names and bytes flow in and out of a directory that nobody else can write to; what was used least recently goes when it
//! grows too large.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::{CacheError, LARGEST, is_digits};

/// A use is noted when the last note is older than this: one write a day for an entry that every scan reads.
const NOTE_AFTER: Duration = Duration::from_hours(24);
/// Files that a scan left half-written go after this.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);
/// What a file takes on most disks, however small it is.
const BLOCK: u64 = 4096;
/// How the names of files that are being written begin.
const UNFINISHED: &str = ".unfinished-";

/// A directory that can be trusted.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Distinguishes this process from others, also on other machines that share the directory.
    process: u64,
    written: AtomicU64,
}

struct Entry {
    used: SystemTime,
    size: u64,
    path: PathBuf,
}

impl Directory {
    /// Makes the directory if need be and refuses it when others could change what is in it.
    pub(super) fn open(path: &Path) -> Result<Self, CacheError> {
        let failed = |source: io::Error| CacheError::Io { path: path.to_owned(), source: Arc::new(source) };
        private_directory().recursive(true).create(path).map_err(failed)?;
        // Links are followed here and once, so that what is judged is what is used.
        let real = path.canonicalize().map_err(failed)?;
        let directory = Self { path: real, process: RandomState::new().hash_one(0), written: AtomicU64::new(0) };
        directory.judge(path)?;
        Ok(directory)
    }

    #[cfg(unix)]
    fn judge(&self, named: &Path) -> Result<(), CacheError> {
        use std::os::unix::fs::MetadataExt;
        let failed = |source: io::Error| CacheError::Io { path: named.to_owned(), source: Arc::new(source) };
        let untrusted = |owner: &'static str| Err(CacheError::Untrusted { path: named.to_owned(), owner });
        let own = self.path.metadata().map_err(failed)?;
        if own.mode() & 0o022 != 0 {
            return untrusted("another user");
        }
        // Who this process is, the system tells by the owner of a file that it makes. That it can be made is worth knowing too.
        let (probe, path) = self.unfinished().map_err(failed)?;
        let me = probe.metadata().map(|meta| meta.uid());
        fs::remove_file(path).map_err(failed)?;
        let me = me.map_err(failed)?;
        if own.uid() != me {
            return untrusted("its owner, who is somebody else,");
        }
        for above in self.path.ancestors().skip(1) {
            let meta = above.metadata().map_err(failed)?;
            // Where anyone may write, the sticky bit keeps them from putting another directory in its place.
            let replaceable = meta.mode() & 0o002 != 0 && meta.mode() & 0o1000 == 0;
            if replaceable || !(meta.uid() == me || meta.uid() == 0) {
                return untrusted("another user, who owns or may write to a directory above it,");
            }
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn judge(&self, named: &Path) -> Result<(), CacheError> {
        let failed = |source: io::Error| CacheError::Io { path: named.to_owned(), source: Arc::new(source) };
        let (_, path) = self.unfinished().map_err(failed)?;
        fs::remove_file(path).map_err(failed)
    }

    /// The bytes of an entry. That it was used is noted in its time of modification.
    pub(super) fn read(&self, address: &str) -> Option<Vec<u8>> {
        let mut file = File::open(self.place(address)).ok()?;
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.len() > LARGEST {
            return None;
        }
        let now = SystemTime::now();
        if meta.modified().ok().and_then(|then| now.duration_since(then).ok()).is_none_or(|age| age > NOTE_AFTER) {
            // If the note cannot be made, the entry goes sooner than it should.
            file.set_modified(now).ok();
        }
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
        file.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Puts an entry in its place, whole or not at all, whoever else does the same.
    pub(super) fn write(&self, address: &str, bytes: &[u8]) -> io::Result<()> {
        let (mut file, unfinished) = self.unfinished()?;
        let place = self.place(address);
        let placed = file.write_all(bytes).and_then(|()| match fs::rename(&unfinished, &place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = place.parent().unwrap_or(&self.path);
                private_directory().recursive(true).create(folder)?;
                fs::rename(&unfinished, &place)
            }
            renamed => renamed,
        });
        if placed.is_err() {
            // What is half-written is of no use, and the first error is the one to tell.
            fs::remove_file(&unfinished).ok();
        }
        placed
    }

    /// Removes what was used least recently until the rest fits, with some room for the next scan. What others remove
    /// meanwhile is gone just the same.
    pub(super) fn tidy(&self, size: u64) {
        let (mut entries, now) = (Vec::new(), SystemTime::now());
        for folder in files(&self.path) {
            let Some(name) = folder.file_name().map(Path::new) else { continue };
            if is_digits(name, 2) {
                entries.extend(
                    files(&folder).filter(|path| path.file_name().is_some_and(|name| is_digits(Path::new(name), 62))).filter_map(entry),
                );
            } else if name.to_str().is_some_and(|name| name.starts_with(UNFINISHED))
                && entry(folder.clone()).is_some_and(|file| now.duration_since(file.used).is_ok_and(|age| age > ABANDONED_AFTER))
            {
                fs::remove_file(&folder).ok();
            }
        }
        let mut total: u64 = entries.iter().map(|entry| entry.size).sum();
        tracing::debug!(entries = entries.len(), bytes = total, "cache");
        if total <= size {
            return;
        }
        entries.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        for entry in entries {
            if total <= size / 10 * 9 {
                break;
            }
            fs::remove_file(&entry.path).ok();
            total -= entry.size;
        }
    }

    /// A new file that is nobody's entry yet.
    fn unfinished(&self) -> io::Result<(File, PathBuf)> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{UNFINISHED}{:016x}-{number}", self.process));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok((options.open(&path)?, path))
    }

    fn place(&self, address: &str) -> PathBuf {
        let (folder, name) = address.split_at_checked(2).unwrap_or(("", address));
        self.path.join(folder).join(name)
    }
}

fn private_directory() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// What is in a directory; nothing when it cannot be read.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|file| file.path())
}

fn entry(path: PathBuf) -> Option<Entry> {
    let meta = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    Some(Entry { used: meta.modified().ok()?, size: meta.len().next_multiple_of(BLOCK), path })
}
