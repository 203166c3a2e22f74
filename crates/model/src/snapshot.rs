//! The snapshot file: newline-delimited JSON, zstd-compressed when the name ends in `.zst`.
//!
//! One header line, one line a resource, then gap lines, in one deterministic order. Concatenating the bodies
//! of two snapshots merges them.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{AccountId, Gap, Header, Inventory, Region};

/// Version of the snapshot format that this plimsoll reads and writes.
pub const SCHEMA: u32 = 1;

const GAP_KIND: &str = "plimsoll:Gap";

/// Why a snapshot cannot be read or written.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The file could not be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{path} is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The first line is no snapshot header.
    #[error("{path} is not a plimsoll snapshot: {source}")]
    NotASnapshot {
        /// The file.
        path: PathBuf,
        /// What was wrong with its first line.
        source: serde_json::Error,
    },
    /// A newer plimsoll wrote it.
    #[error("{path} has snapshot schema {found}; this plimsoll reads schema {SCHEMA}")]
    FutureSchema {
        /// The file.
        path: PathBuf,
        /// The schema it has.
        found: u32,
    },
    /// A line is broken.
    #[error("{path}, line {line}: {source}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What was wrong with it.
        source: serde_json::Error,
    },
    /// The file ends before its header says it should.
    #[error("{path} is cut off after line {line}{}", expected.map_or(String::new(), |n| format!(" of {n}")))]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The last whole line, from 1.
        line: u64,
        /// How many lines there should be, where the header says so.
        expected: Option<u64>,
    },
}

impl SnapshotError {
    /// What the reader of the message can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check the path, its permissions and the free space",
            Self::Empty { .. } | Self::Truncated { .. } => {
                "the file was not written to its end: collect again with `plimsoll collect -o FILE`"
            }
            Self::NotASnapshot { .. } => "write one with `plimsoll collect -o FILE`; a name ending in .zst means zstd-compressed",
            Self::FutureSchema { .. } => "use the plimsoll that wrote it, or a newer one",
            Self::Corrupt { .. } => "the file was changed or damaged: collect again with `plimsoll collect -o FILE`",
        }
    }
}

/// Something in a snapshot that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotWarning {
    /// The kind that this version does not know.
    pub unknown_kind: String,
}

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    plimsoll: Header,
}

#[derive(Deserialize)]
struct SchemaLine {
    plimsoll: SchemaOnly,
}

#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

#[derive(Deserialize)]
struct BodyLine<'a> {
    kind: std::borrow::Cow<'a, str>,
    #[serde(default)]
    account: AccountId,
    #[serde(default)]
    region: Region,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Serialize)]
struct GapLine<'a> {
    kind: &'static str,
    account: &'a AccountId,
    region: &'a Region,
    data: &'a Gap,
}

/// Writes a snapshot; the inventory must have been sorted.
pub fn write(inventory: &Inventory, out: &mut impl Write) -> io::Result<()> {
    let mut header = inventory.header.clone();
    header.schema = SCHEMA;
    header.lines = (inventory.len() + inventory.gaps.len()) as u64;
    json_line(out, &HeaderLine { plimsoll: header })?;
    inventory.visit_lines(|line| json_line(out, &line))?;
    for gap in &inventory.gaps {
        json_line(out, &GapLine { kind: GAP_KIND, account: &gap.account, region: &gap.region, data: gap })?;
    }
    Ok(())
}

fn json_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Opens a file for writing that only its owner may read.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600);
        let file = options.open(path)?;
        // A file that was there before keeps its own mode otherwise. Devices such as /dev/full have no mode of ours.
        if file.metadata()?.is_file() {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// Writes a snapshot file with mode 0600, compressed when its name ends in `.zst`. An older file of that name is
/// replaced only once the new one is whole.
pub fn write_file(inventory: &Inventory, path: &Path) -> Result<(), SnapshotError> {
    let failed = |source: io::Error| SnapshotError::Io { path: path.to_owned(), source };
    // A device or a pipe has no place beside it for a temporary file.
    let in_place = path.metadata().is_ok_and(|meta| !meta.is_file());
    let target = if in_place {
        path.to_owned()
    } else {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        path.with_file_name(name)
    };
    let written = create_private(&target).and_then(|file| write_to(inventory, path, file));
    match written {
        Ok(()) if in_place => Ok(()),
        Ok(()) => std::fs::rename(&target, path).map_err(failed),
        Err(source) => {
            if !in_place {
                // The half-written file is of no use; that it may not exist does not matter.
                drop(std::fs::remove_file(&target));
            }
            Err(failed(source))
        }
    }
}

fn write_to(inventory: &Inventory, path: &Path, file: File) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    if is_compressed(path) {
        let mut encoder = zstd::Encoder::new(&mut out, 3)?;
        encoder.include_checksum(true)?;
        write(inventory, &mut encoder)?;
        encoder.finish()?;
    } else {
        write(inventory, &mut out)?;
    }
    out.flush()
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "zst")
}

/// Reads a snapshot file.
pub fn open(path: &Path) -> Result<(Inventory, Vec<SnapshotWarning>), SnapshotError> {
    let failed = |source: io::Error| SnapshotError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let file = BufReader::with_capacity(1 << 16, file);
    if is_compressed(path) {
        let decoder = zstd::Decoder::with_buffer(file).map_err(failed)?;
        read(BufReader::with_capacity(1 << 17, decoder), path)
    } else {
        read(file, path)
    }
}

/// Reads a zstd-compressed snapshot from memory; `path` names it in messages.
pub fn read_compressed(bytes: &[u8], path: &Path) -> Result<(Inventory, Vec<SnapshotWarning>), SnapshotError> {
    let decoder = zstd::Decoder::with_buffer(bytes).map_err(|source| SnapshotError::Io { path: path.to_owned(), source })?;
    read(BufReader::with_capacity(1 << 17, decoder), path)
}

/// Reads a snapshot from an open stream; `path` names it in messages.
pub fn read(mut input: impl BufRead, path: &Path) -> Result<(Inventory, Vec<SnapshotWarning>), SnapshotError> {
    let mut inventory = Inventory::default();
    let mut unknown = BTreeSet::new();
    let mut buffer = Vec::new();
    let mut number = 0;
    while next_line(&mut input, &mut buffer, path, number)? {
        number += 1;
        let whole = buffer.last() == Some(&b'\n');
        let text = buffer.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if number == 1 || text.starts_with(br#"{"plimsoll""#) {
            take_header(&mut inventory, text, path, number)?;
            continue;
        }
        match take_line(&mut inventory, text, &mut unknown) {
            Ok(()) => {}
            Err(_) if !whole => {
                return Err(SnapshotError::Truncated {
                    path: path.to_owned(),
                    line: number - 1,
                    expected: Some(inventory.header.lines + 1),
                });
            }
            Err(source) => return Err(SnapshotError::Corrupt { path: path.to_owned(), line: number, source }),
        }
    }
    if number == 0 {
        return Err(SnapshotError::Empty { path: path.to_owned() });
    }
    if number < inventory.header.lines + 1 {
        return Err(SnapshotError::Truncated { path: path.to_owned(), line: number, expected: Some(inventory.header.lines + 1) });
    }
    inventory.sort();
    Ok((inventory, unknown.into_iter().map(|unknown_kind| SnapshotWarning { unknown_kind }).collect()))
}

fn next_line(input: &mut impl BufRead, buffer: &mut Vec<u8>, path: &Path, number: u64) -> Result<bool, SnapshotError> {
    buffer.clear();
    match input.read_until(b'\n', buffer) {
        Ok(read) => Ok(read > 0),
        // zstd reports a frame that ends too early like this.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(SnapshotError::Truncated { path: path.to_owned(), line: number, expected: None })
        }
        Err(source) => Err(SnapshotError::Io { path: path.to_owned(), source }),
    }
}

fn take_header(inventory: &mut Inventory, text: &[u8], path: &Path, number: u64) -> Result<(), SnapshotError> {
    let wrong = |source| {
        if number == 1 {
            SnapshotError::NotASnapshot { path: path.to_owned(), source }
        } else {
            SnapshotError::Corrupt { path: path.to_owned(), line: number, source }
        }
    };
    // The schema first: the rest of a future header may look otherwise.
    let SchemaLine { plimsoll: SchemaOnly { schema } } = serde_json::from_slice(text).map_err(wrong)?;
    if schema > SCHEMA {
        return Err(SnapshotError::FutureSchema { path: path.to_owned(), found: schema });
    }
    let HeaderLine { plimsoll: header } = serde_json::from_slice(text).map_err(wrong)?;
    if number == 1 {
        inventory.header = header;
    } else {
        inventory.header.join(header);
    }
    Ok(())
}

impl Header {
    /// Joins the header of a second snapshot of which the lines follow: scopes add up, knowledge does not.
    fn join(&mut self, other: Self) {
        self.started_at = self.started_at.min(other.started_at);
        self.finished_at = self.finished_at.max(other.finished_at);
        self.complete &= other.complete;
        self.scope.join(other.scope);
        self.operations.retain(|operation| other.operations.contains(operation));
        for (operation, statistics) in other.calls {
            let sum = self.calls.entry(operation).or_default();
            sum.calls += statistics.calls;
            sum.throttled += statistics.throttled;
        }
        self.lines += other.lines + 1;
    }
}

fn take_line(inventory: &mut Inventory, text: &[u8], unknown: &mut BTreeSet<String>) -> Result<(), serde_json::Error> {
    let BodyLine { kind, account, region, data } = serde_json::from_slice(text)?;
    if kind == GAP_KIND {
        inventory.gaps.push(serde_json::from_str(data.get())?);
    } else if !inventory.push_line(&kind, account, region, data.get())? {
        unknown.insert(kind.into_owned());
    }
    Ok(())
}
