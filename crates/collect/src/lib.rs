//! [`Settings`] flow in; the [`Inventory`] of an account, sorted and with its gaps, flows out.
//!
//! The only crate that knows the AWS SDK. One file is one service: it lists the [`Operation`]s that it calls, pages
//! through them and converts what they answer, nothing more. A guard on every client refuses operations that no file
//! declares.

mod api;
mod autoscaling;
mod cloudtrail;
mod cloudwatch;
mod ec2;
mod ecs;
mod elasticfilesystem;
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
mod progress;
mod rds;
mod regions;
#[cfg(test)]
mod replay;
mod route53resolver;
mod s3;
mod scan;
mod scheduler;
mod screen;
mod secretsmanager;
mod session;
mod ssm;
mod statistics;
mod sts;
mod surroundings;
#[cfg(test)]
mod tests;
mod timestamp;
mod wire;

use std::time::Duration;

use plimsoll_model::Inventory;

pub use api::Operation;
pub use error::CollectError;
pub use failure::Failure;
pub use interrupt::Interrupt;

/// What to collect, as whom, and how hard to try.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The profile of the AWS configuration files; else what the environment says.
    pub profile: Option<String>,
    /// Where to look.
    pub regions: RegionChoice,
    /// A role to assume first.
    pub role_arn: Option<String>,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Requests in flight in one Region.
    pub concurrency: usize,
    /// How long one attempt of a request may take; with retries it may be four times as long.
    pub timeout: Duration,
    /// Whether to read every active revision of task definitions, not only those that matter.
    pub all_revisions: bool,
    /// Key of the fingerprints by which equal secrets are recognised; none, no fingerprints.
    pub fingerprint_key: Option<Vec<u8>>,
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
            role_arn: None,
            external_id: None,
            concurrency: 16,
            timeout: Duration::from_secs(30),
            all_revisions: false,
            fingerprint_key: None,
            progress: false,
        }
    }
}

/// Reads an account. What cannot be read becomes a gap; an error means that nothing could be.
pub async fn collect(settings: &Settings, interrupt: Interrupt) -> Result<Inventory, CollectError> {
    regions::check_names(&settings.regions)?;
    let _attention = interrupt.attention();
    let session = tokio::select! {
        biased;
        () = interrupt.triggered() => return Err(CollectError::Interrupted),
        session = session::Session::load(settings) => session,
    };
    scan::scan(&session, settings, &interrupt).await
}

/// Every operation that plimsoll may call. The guard refuses all others.
pub fn operations() -> Vec<&'static Operation> {
    let services = [
        sts::OPERATIONS,
        regions::OPERATIONS,
        ecs::OPERATIONS,
        ec2::OPERATIONS,
        iam::OPERATIONS,
        kms::OPERATIONS,
        autoscaling::OPERATIONS,
        cloudtrail::OPERATIONS,
        cloudwatch::OPERATIONS,
        elasticfilesystem::OPERATIONS,
        events::OPERATIONS,
        guardduty::OPERATIONS,
        inspector2::OPERATIONS,
        logs::OPERATIONS,
        network_firewall::OPERATIONS,
        rds::OPERATIONS,
        route53resolver::OPERATIONS,
        s3::OPERATIONS,
        scheduler::OPERATIONS,
        secretsmanager::OPERATIONS,
        ssm::OPERATIONS,
    ];
    services.into_iter().flatten().collect()
}
