//! The tables of the file, with what holds where the file says nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::civil::Date;
use plimsoll_model::{AccountId, Severity, TagPattern, Thresholds};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::Accounts;

/// The configuration of plimsoll: the whole of `plimsoll.toml`. Options of the command line win over it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Config {
    /// Profile of the AWS configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Regions to read; `all` is every enabled one.
    pub regions: Vec<String>,
    /// Which accounts to read, and as whom.
    #[serde(skip_serializing_if = "Accounts::is_empty")]
    pub accounts: Accounts,
    /// What to report, where, and when to fail.
    pub output: Output,
    /// How to read.
    pub collect: Collect,
    /// Which checks to run.
    pub checks: Checks,
    /// Severities that replace those of checks, by id.
    pub severity: BTreeMap<String, Severity>,
    /// Limits and lists that checks compare with.
    pub thresholds: Thresholds,
    /// Findings that are accepted for a time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

impl Config {
    /// The whole of it as TOML, defaults included.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: None,
            regions: vec!["all".to_owned()],
            accounts: Accounts::default(),
            output: Output::default(),
            collect: Collect::default(),
            checks: Checks::default(),
            severity: BTreeMap::new(),
            thresholds: Thresholds::default(),
            exceptions: Vec::new(),
        }
    }
}

/// What to report, where, and when to fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Output {
    /// How to show the result.
    pub format: String,
    /// Files to write instead of stdout: `FILE` in the format above, or `FORMAT=FILE`.
    pub outputs: Vec<String>,
    /// Exit with 1 when a finding has at least this severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<Severity>,
    /// Report passed verdicts too.
    pub include_passed: bool,
    /// Report suppressed findings too.
    pub include_suppressed: bool,
    /// Exit with 3 when anything could not be read.
    pub require_complete: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            format: "table".to_owned(),
            outputs: Vec::new(),
            fail_on: None,
            include_passed: false,
            include_suppressed: false,
            require_complete: false,
        }
    }
}

/// How to read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Collect {
    /// Requests in flight for each account and Region.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u16,
    /// Seconds to wait for one answer before trying again.
    #[schemars(range(min = 1, max = 600))]
    pub timeout: u64,
    /// The share of each published request quota of AWS that a scan may use.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub api_budget: f64,
    /// Read every ACTIVE revision of task definitions, not just those in use and the latest.
    pub all_revisions: bool,
    /// Read the configurations of images in use (`ecr:GetDownloadUrlForLayer`): user, and verdicts on secrets.
    pub image_configs: bool,
    /// What never changes is kept between scans.
    pub cache: Cache,
}

impl Default for Collect {
    fn default() -> Self {
        Self { concurrency: 16, timeout: 30, api_budget: 0.5, all_revisions: false, image_configs: true, cache: Cache::default() }
    }
}

/// What never changes, such as revisions of task definitions, is kept between scans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Cache {
    /// Whether to keep it.
    pub enabled: bool,
    /// Where; none, in the cache folder of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// How much at most, in MiB.
    #[schemars(range(min = 1))]
    pub max_mib: u32,
}

impl Default for Cache {
    fn default() -> Self {
        Self { enabled: true, directory: None, max_mib: 256 }
    }
}

/// Which checks to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Checks {
    /// These only; `*` matches any text.
    pub only: Vec<String>,
    /// Not these; `*` matches any text.
    pub skip: Vec<String>,
}

/// Findings that somebody accepts for a time. In patterns `*` matches any text and `?` any character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exception {
    /// Id of the check, or a pattern of ids.
    pub check: String,
    /// Pattern of the ARNs of resources; this or `tag` is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// A tag that the resource must carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagPattern>,
    /// Id of the account of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Why the finding is accepted.
    #[schemars(length(min = 1))]
    pub reason: String,
    /// The last day on which it is accepted, in UTC.
    pub expires: Day,
}

impl From<&Exception> for plimsoll_model::Exception {
    fn from(from: &Exception) -> Self {
        Self {
            check: from.check.clone(),
            resource: from.resource.clone(),
            tag: from.tag.clone(),
            account: from.account.as_deref().map(AccountId::new),
            reason: from.reason.trim().into(),
            expires: from.expires.0,
        }
    }
}

/// A day, written as text or as a date of TOML: `"2026-12-31"` or `2026-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Day(pub Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DayVisitor)
    }
}

struct DayVisitor;

impl<'de> de::Visitor<'de> for DayVisitor {
    type Value = Day;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day such as \"2026-12-31\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Day, E> {
        // jiff would take a whole instant too, and drop its time.
        let is_day = text.len() == "2026-12-31".len();
        let day = is_day.then(|| text.parse().ok()).flatten();
        day.map(Day).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Day, A::Error> {
        let native = toml::value::Datetime::deserialize(de::value::MapAccessDeserializer::new(map))?;
        self.visit_str(&native.to_string())
    }
}
