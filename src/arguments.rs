//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use plimsoll_collect::Share;
use plimsoll_model::{Severity, TagPattern};
use plimsoll_report::{ExternalId, Principal, RoleName};

/// Shows how safely containers run on AWS: a live, read-only posture scanner.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, max_term_width = 120, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say more: all findings in the table with their evidence, and on stderr what is called (-vv: every call)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// No colours (also with the environment variable NO_COLOR)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Read this configuration file instead of plimsoll.toml in the working directory
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read no configuration file
    #[arg(long, global = true, conflicts_with = "config")]
    pub(crate) no_config: bool,
}

impl Arguments {
    /// -1 for quiet, 0, 1, 2…
    pub(crate) fn verbosity(&self) -> i8 {
        if self.quiet { -1 } else { i8::try_from(self.verbose).unwrap_or(i8::MAX) }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read the account, judge it and report
    Scan(ScanOptions),
    /// Read the account and write a snapshot, to judge later
    Collect(CollectOptions),
    /// Judge a snapshot, offline
    Check(CheckOptions),
    /// List the checks, or explain one
    Checks(CatalogueOptions),
    /// Who is responsible for what in each workload, and whether it is done
    Responsibility(ResponsibilityOptions),
    /// Network: what reaches each workload from the internet, and where it can go
    Exposure(ResponsibilityOptions),
    /// Network: can A reach B, and why
    Reach(ReachOptions),
    /// IAM: may a principal do something, and why
    Can(CanOptions),
    /// IAM: who may do something
    WhoCan(WhoCanOptions),
    /// IAM: who can become administrator, and how
    Escalate(EscalateOptions),
    /// IAM: answer self-contained requests, one a line
    Simulate(SimulateOptions),
    /// Print what the scanner needs: an IAM policy, or a role with it as Terraform or CloudFormation
    Permissions(PermissionsOptions),
    /// What this identity can read here, what would stay unknown, and the policy that would mend it
    Doctor(DoctorOptions),
    /// Show a scan of a sample account; needs no AWS account and no network
    Demo(DemoOptions),
    /// Show the configuration, or its JSON Schema
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a JSON Schema
    Schema {
        /// Of what
        #[arg(default_value = "result")]
        which: SchemaKind,
    },
    /// Print a shell completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ScanOptions {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) judging: Judging,
    #[command(flatten)]
    pub(crate) report: Report,
    /// Also write the snapshot to this file (.zst: compressed)
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CollectOptions {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The snapshot to write (.zst: compressed)
    #[arg(short, long, value_name = "FILE", default_value = "plimsoll.ndjson.zst")]
    pub(crate) output: PathBuf,
    /// Fail with exit code 3 when anything could not be read
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) require_complete: Option<bool>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How to show it
    #[arg(long, value_enum, default_value_t = MatrixFormat::Table)]
    pub(crate) format: MatrixFormat,
    /// Fail with exit code 3 when anything cannot be read
    #[arg(long)]
    pub(crate) require_complete: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// The snapshot to judge
    pub(crate) snapshot: PathBuf,
    #[command(flatten)]
    pub(crate) judging: Judging,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    #[command(flatten)]
    pub(crate) judging: Judging,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Args)]
pub(crate) struct ResponsibilityOptions {
    /// The snapshot to read
    pub(crate) snapshot: PathBuf,
    /// How to show it
    #[arg(long, value_enum, default_value_t = MatrixFormat::Table)]
    pub(crate) format: MatrixFormat,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReachOptions {
    /// The snapshot to read, or a JSON object of lists as `aws ec2 describe-…` prints them
    pub(crate) snapshot: PathBuf,
    /// Who sends: internet, internet:ADDRESS, a CIDR, eni-…, i-…, service:CLUSTER/NAME, dns:NAME for the services that
    /// clients find under a name, or an ARN of a task, service, instance, load balancer, node group or EKS cluster
    #[arg(long, value_name = "WHO")]
    pub(crate) from: Option<String>,
    /// Who receives: the same forms
    #[arg(long, value_name = "WHO")]
    pub(crate) to: Option<String>,
    /// tcp, udp, icmp, icmpv6, a number, or all [default: all, or tcp with --port]
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// Destination port; the listener's with --via lb; for ICMP the type [default: all]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// 4 or 6 [default: both]
    #[arg(long, value_name = "4|6", value_parser = ["4", "6"])]
    pub(crate) family: Option<String>,
    /// Count only paths with, or without, a load balancer
    #[arg(long, value_enum)]
    pub(crate) via: Option<WayOption>,
    /// Tell every hop with the rule that decides, the way back, what blocks, and what would close it
    #[arg(long)]
    pub(crate) explain: bool,
    /// Answer many questions, one JSON object a line (id, from, to, protocol, port, code, family, via); - for stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "protocol", "port", "family", "via", "explain"])]
    pub(crate) questions: Option<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = MatrixFormat::Table)]
    pub(crate) format: MatrixFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WayOption {
    /// Without a load balancer
    Direct,
    /// Through one
    Lb,
}

#[derive(Debug, Args)]
pub(crate) struct CanOptions {
    /// The snapshot to read
    pub(crate) snapshot: PathBuf,
    /// Who: ARN or name of a role or user, service:CLUSTER/NAME or a task's ARN for the role of its tasks
    pub(crate) principal: String,
    /// What, such as s3:GetObject [default: everything that its policies leave it, by service]
    pub(crate) action: Option<String>,
    /// On what: an ARN [default: *, and where that is denied the resources that it is granted on]
    pub(crate) resource: Option<String>,
    #[command(flatten)]
    pub(crate) how: Asking,
}

#[derive(Debug, Args)]
pub(crate) struct WhoCanOptions {
    /// The snapshot to read
    pub(crate) snapshot: PathBuf,
    /// What, such as secretsmanager:GetSecretValue
    pub(crate) action: String,
    /// On what: an ARN
    #[arg(default_value = "*")]
    pub(crate) resource: String,
    #[command(flatten)]
    pub(crate) how: Asking,
}

#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// A condition key of the request and its value; the same key again adds a value; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
    /// Tell the statements that decide and what would change the answer
    #[arg(long)]
    pub(crate) explain: bool,
    /// How to show it
    #[arg(long, value_enum, default_value_t = MatrixFormat::Table)]
    pub(crate) format: MatrixFormat,
}

#[derive(Debug, Args)]
pub(crate) struct EscalateOptions {
    /// The snapshot to read
    pub(crate) snapshot: PathBuf,
    /// Of whom: ARN or name of a role or user, service:CLUSTER/NAME, a task's ARN [default: everybody]
    pub(crate) principal: Option<String>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = MatrixFormat::Table)]
    pub(crate) format: MatrixFormat,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateOptions {
    /// The requests, one JSON object a line; - for stdin
    pub(crate) requests: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CatalogueOptions {
    #[command(subcommand)]
    pub(crate) command: Option<CatalogueCommand>,
    /// How to show the list
    #[arg(long, value_enum, default_value_t = MatrixFormat::Table)]
    pub(crate) format: MatrixFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogueCommand {
    /// Explain one check
    Show {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PermissionsOptions {
    /// In what form
    #[arg(long, value_enum, default_value_t = PermissionsFormat::Json)]
    pub(crate) format: PermissionsFormat,
    /// Write files into this folder instead of stdout: one for each policy document, or one template
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
    /// Partition of the ARNs in JSON, and of an account in --trusted-principal
    #[arg(long, value_enum, default_value_t = Partition::Aws)]
    pub(crate) partition: Partition,
    /// Include what reads the configurations of images in use (ecr:GetDownloadUrlForLayer)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) image_configs: bool,
    #[command(flatten)]
    pub(crate) role: RoleOptions,
}

/// The role that a template makes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Role (terraform, cloudformation, stackset)")]
pub(crate) struct RoleOptions {
    /// Who may assume the role: ARN of a role, a user or an account's root, or an account id; left open by default
    #[arg(long, value_name = "ARN|ACCOUNT")]
    pub(crate) trusted_principal: Option<Principal>,
    /// What the scanner has to name as its --external-id; left open by default
    #[arg(long, value_name = "ID")]
    pub(crate) external_id: Option<ExternalId>,
    /// Name of the role [default: PlimsollReadOnly]
    #[arg(long, value_name = "NAME")]
    pub(crate) role_name: Option<RoleName>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration that is in force, with every default
    Show,
    /// Print the JSON Schema of the file
    Schema,
}

/// What to read, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to read")]
pub(crate) struct Target {
    /// Regions, separated by commas or repeated; `all` is every enabled Region [default: all]
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    pub(crate) region: Vec<String>,
    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Role to assume for reading; repeated, one for each account
    #[arg(long, value_name = "ARN")]
    pub(crate) role_arn: Vec<String>,
    /// Accounts to read, separated by commas or repeated, each by its role of --role-name
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) accounts: Vec<String>,
    /// Read every account of the organization, the others than this one by their role of --role-name
    #[arg(long)]
    pub(crate) org: bool,
    /// Name of the role to assume in each account, with its path if it has one
    #[arg(long, value_name = "NAME")]
    pub(crate) role_name: Option<String>,
    /// External id for assuming the roles
    #[arg(long, value_name = "ID")]
    pub(crate) external_id: Option<String>,
    /// With --org: read these accounts, and what else is included
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) include_account: Vec<String>,
    /// With --org: do not read these accounts
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) exclude_account: Vec<String>,
    /// With --org: read the accounts of this organizational unit and those below it, and what else is included
    #[arg(long, value_name = "OU", value_delimiter = ',')]
    pub(crate) include_ou: Vec<String>,
    /// With --org: do not read the accounts of this organizational unit and those below it
    #[arg(long, value_name = "OU", value_delimiter = ',')]
    pub(crate) exclude_ou: Vec<String>,
    /// With --org: read accounts with this tag, and what else is included; * matches any text; can be repeated
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub(crate) include_tag: Vec<TagPattern>,
    /// With --org: do not read accounts with this tag; * matches any text; can be repeated
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub(crate) exclude_tag: Vec<TagPattern>,
    /// Accounts to read at a time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) accounts_at_once: u16,
    /// Read every ACTIVE revision of task definitions, not just those in use and the latest
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) all_revisions: Option<bool>,
    /// Read the configurations of images in use (ecr:GetDownloadUrlForLayer): user, and verdicts on secrets; without them
    /// these are unknown [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) image_configs: Option<bool>,
    /// Requests in flight for each account and Region [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) concurrency: Option<u16>,
    /// Share of AWS's request quotas to spend at most: above 0, up to 1 [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub(crate) api_budget: Option<Share>,
    /// Seconds to wait for one answer before trying again [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) timeout: Option<u64>,
    /// Key for hashes of detected secrets, to recognise the same secret in two places; without it there are none
    #[arg(long, value_name = "KEY", env = "PLIMSOLL_FINGERPRINT_KEY", hide_env_values = true)]
    pub(crate) fingerprint_key: Option<String>,
    /// Where to keep what cannot change between scans [default: $PLIMSOLL_CACHE_DIR, else plimsoll in $XDG_CACHE_HOME or
    /// ~/.cache]; with an endpoint that is not AWS's own there is a cache only when this is given
    #[arg(long, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Megabytes that the cache may take [default: 256]
    #[arg(long, value_name = "MB")]
    pub(crate) cache_size: Option<u32>,
    /// Ask for everything anew, and keep nothing
    #[arg(long, conflicts_with_all = ["cache_dir", "cache_size"])]
    pub(crate) no_cache: bool,
}

/// Which checks to run and when to fail.
#[derive(Debug, Args)]
#[command(next_help_heading = "Checks")]
pub(crate) struct Judging {
    /// Run these checks only; * matches any text
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Do not run these checks; * matches any text
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
    /// Exit with 1 when a finding has at least this severity
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    pub(crate) fail_on: Option<Severity>,
    /// Exit with 3 when anything could not be read
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) require_complete: Option<bool>,
}

/// What to show, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct Report {
    /// How to show the result [default: table]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Write to a file instead of stdout: FILE in the format of --format, or FORMAT=FILE; can be repeated
    #[arg(short, long, value_name = "[FORMAT=]FILE")]
    pub(crate) output: Vec<String>,
    /// Report passed verdicts too
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) include_passed: Option<bool>,
    /// Report findings that an exception of the configuration suppresses too
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) include_suppressed: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON document, see `plimsoll schema result`
    Json,
    /// One JSON object a line
    Ndjson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MatrixFormat {
    /// For people
    Table,
    /// One JSON document
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PermissionsFormat {
    /// A managed policy; an object of several by name where one cannot hold it all
    Json,
    /// Policies and a role
    Terraform,
    /// Policies and a role, as a template for a stack in one account
    Cloudformation,
    /// Policies and a role, as a template for a stack set in many accounts
    Stackset,
    /// For people: what is called, what allows it and what it is for
    List,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Partition {
    /// The Regions open to all
    Aws,
    /// China
    AwsCn,
    /// GovCloud (US)
    AwsUsGov,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// The result of a scan (`--format json`)
    Result,
    /// A line of a snapshot
    Snapshot,
    /// The matrix (`plimsoll responsibility --format json`)
    Responsibility,
    /// What can be read (`plimsoll doctor --format json`)
    Doctor,
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::ALL
        .into_iter()
        .find(|severity| severity.as_str() == text.to_ascii_lowercase())
        .ok_or_else(|| "use one of critical, high, medium, low, informational".to_owned())
}
