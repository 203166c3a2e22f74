//! [`Settings`] flow in; the [`Inventory`] of one or more accounts, sorted and with its gaps, flows out.
//!
//! The only crate that knows the AWS SDK. One file is one service: it lists the [`Operation`]s that it calls, pages
//! through them and converts what they answer, nothing more. A guard on every client refuses operations that no file
//! declares.

mod accounts;
mod acm_pca;
mod api;
mod autoscaling;
mod budget;
mod cache;
mod clock;
mod cloudtrail;
mod cloudwatch;
mod doctor;
mod ec2;
mod ecr;
mod ecs;
mod eks;
mod elasticfilesystem;
mod elasticloadbalancing;
mod error;
mod events;
mod failure;
mod guard;
mod guardduty;
mod iam;
mod inspector2;
mod interrupt;
mod kms;
mod logs;
mod network_firewall;
mod organizations;
mod progress;
mod rds;
mod regions;
#[cfg(test)]
mod replay;
mod route53resolver;
mod s3;
mod scan;
mod scheduler;
mod scope;
mod screen;
mod secretsmanager;
mod servicediscovery;
mod session;
mod shield;
mod signer;
mod ssm;
mod statistics;
mod sts;
mod surroundings;
#[cfg(test)]
mod tests;
mod timestamp;
mod wafv2;
mod wire;

use std::time::Duration;

use plimsoll_model::Inventory;

pub use accounts::{AccountChoice, AccountChoiceError, AccountFilter, AccountMatch, AccountRole};
pub use api::Operation;
pub use budget::{NoShare, Quota, Share, quotas, services_without_quotas};
pub use cache::{Cache, CacheError};
pub use doctor::{Answer, Examination, Probe};
pub use error::CollectError;
pub use failure::Failure;
pub use interrupt::Interrupt;
pub use scope::resource_scope;

/// What to collect, as whom, and how hard to try.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The profile of the AWS configuration files; else what the environment says.
    pub profile: Option<String>,
    /// Where to look.
    pub regions: RegionChoice,
    /// Whose resources.
    pub accounts: AccountChoice,
    /// Accounts that are read at a time.
    pub accounts_at_once: usize,
    /// Requests in flight in one Region.
    pub concurrency: usize,
    /// How much of AWS's request quotas to spend at most.
    pub api_budget: Share,
    /// How long one attempt of a request may take; with retries it may be four times as long.
    pub timeout: Duration,
    /// Whether to read every active revision of task definitions, not only those that matter.
    pub all_revisions: bool,
    /// Whether to read the configurations of images (`ecr:GetDownloadUrlForLayer`): they are image content, which not every
    /// auditor may fetch. Without them what images run as and hold is unknown.
    pub image_configs: bool,
    /// Key of the fingerprints by which equal secrets are recognised; none, no fingerprints.
    pub fingerprint_key: Option<Vec<u8>>,
    /// What earlier scans learned and what cannot have changed; none, everything is asked for.
    pub cache: Option<Cache>,
    /// Whether to show progress on standard error.
    pub progress: bool,
}

/// The Regions to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionChoice {
    /// Every Region that is enabled in the account.
    All,
    /// These.
    Named(Vec<String>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: None,
            regions: RegionChoice::All,
            accounts: AccountChoice::Caller,
            accounts_at_once: 8,
            concurrency: 16,
            api_budget: Share::default(),
            timeout: Duration::from_secs(30),
            all_revisions: false,
            image_configs: true,
            fingerprint_key: None,
            cache: None,
            progress: false,
        }
    }
}

impl Settings {
    /// Whether an operation is among those that are called.
    pub fn reads(&self, operation: &Operation) -> bool {
        self.image_configs || *operation != ecr::GET_DOWNLOAD_URL_FOR_LAYER
    }
}

/// Reads the accounts. What cannot be read becomes a gap; an error means that nothing could be.
pub async fn collect(settings: &Settings, interrupt: Interrupt) -> Result<Inventory, CollectError> {
    let _attention = interrupt.attention();
    let session = session(settings, &interrupt).await?;
    scan::scan(&session, settings, &interrupt).await
}

/// Finds out what an identity may read, with one small request for each operation.
pub async fn examine(settings: &Settings, interrupt: Interrupt) -> Result<Examination, CollectError> {
    let _attention = interrupt.attention();
    let session = session(settings, &interrupt).await?;
    scan::examine(&session, settings, &interrupt).await
}

/// Refuses settings that cannot be meant, then resolves the others.
async fn session(settings: &Settings, interrupt: &Interrupt) -> Result<session::Session, CollectError> {
    regions::check_names(&settings.regions)?;
    settings.accounts.check()?;
    tokio::select! {
        biased;
        () = interrupt.triggered() => Err(CollectError::Interrupted),
        session = session::Session::load(settings) => Ok(session),
    }
}

/// Every operation that plimsoll may call. The guard refuses all others.
pub fn operations() -> Vec<&'static Operation> {
    let services = [
        sts::OPERATIONS,
        regions::OPERATIONS,
        ecs::OPERATIONS,
        ec2::OPERATIONS,
        ecr::OPERATIONS,
        iam::OPERATIONS,
        kms::OPERATIONS,
        acm_pca::OPERATIONS,
        autoscaling::OPERATIONS,
        cloudtrail::OPERATIONS,
        cloudwatch::OPERATIONS,
        eks::OPERATIONS,
        elasticfilesystem::OPERATIONS,
        elasticloadbalancing::OPERATIONS,
        events::OPERATIONS,
        guardduty::OPERATIONS,
        inspector2::OPERATIONS,
        logs::OPERATIONS,
        network_firewall::OPERATIONS,
        organizations::OPERATIONS,
        rds::OPERATIONS,
        route53resolver::OPERATIONS,
        s3::OPERATIONS,
        scheduler::OPERATIONS,
        secretsmanager::OPERATIONS,
        servicediscovery::OPERATIONS,
        shield::OPERATIONS,
        ssm::OPERATIONS,
        signer::OPERATIONS,
        wafv2::OPERATIONS,
    ];
    services.into_iter().flatten().collect()
}

/// IAM actions that AWS asks for beside those of [`operations`], each with the operation that needs it.
pub fn further_permissions() -> &'static [(Operation, &'static str)] {
    wafv2::FURTHER_PERMISSIONS
}
