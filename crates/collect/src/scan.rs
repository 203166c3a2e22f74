//! A session flows in; the inventory of the accounts that it leads to flows out: accounts side by side, in each of them
//! Regions side by side, IAM beside them, then what needs both.

use std::sync::Arc;

use futures::{StreamExt, join, stream};
use jiff::Timestamp;
use plimsoll_model::{AccountId, Gap, Header, Inventory, Region, SCHEMA, Scope};
use plimsoll_secrets::Detector;
use tokio::sync::Semaphore;

use crate::accounts::{self, Chosen, Entry};
use crate::api::{Api, Operation};
use crate::cache::Entries;
use crate::doctor::{self, Examination};
use crate::ecs::Containers;
use crate::error::CollectError;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::session::Session;
use crate::sts::Caller;
use crate::{AccountChoice, Interrupt, Settings, cloudtrail, ec2, ecs, eks, iam, kms, organizations, regions, sts, surroundings};

/// Regions of one account that are read at a time; most have nothing to read.
const REGIONS_AT_ONCE: usize = 16;
/// Regions of all accounts that are read at a time.
const ALL_REGIONS_AT_ONCE: usize = 48;
/// Requests in flight over all accounts and Regions.
const REQUESTS_AT_ONCE: usize = 256;
/// What was said of an account whose credentials turn out to be another's.
const ACCOUNT_MISMATCH: &str = "AccountMismatch";

/// What the scans of all accounts share.
struct Scan<'a> {
    session: &'a Session,
    settings: &'a Settings,
    interrupt: &'a Interrupt,
    detector: Arc<Detector>,
    cache: Entries,
    progress: Progress,
    /// The Region in which requests that belong to none are sent.
    home: String,
    /// Whether there is more than one account.
    many: bool,
    requests: Arc<Semaphore>,
    regions: Semaphore,
}

/// The scan of one account, by those who may enter it.
struct Account<'a> {
    scan: &'a Scan<'a>,
    id: AccountId,
    session: Session,
}

/// What came of an account.
enum Outcome {
    /// It was read, in these Regions.
    Read(AccountId, Box<Inventory>, Vec<String>),
    /// Nobody could enter it; the gap says why.
    Closed(Gap),
}

pub(crate) async fn scan(session: &Session, settings: &Settings, interrupt: &Interrupt) -> Result<Inventory, CollectError> {
    let started_at = Timestamp::now();
    let home = regions::first(&settings.regions, session.region());
    let caller = sts::caller(session, &home, interrupt).await.map_err(|error| match error {
        // A name that is no Region has no endpoint: say that rather than "no such host".
        CollectError::Unreachable { .. } if !session.has_endpoint() => regions::perhaps_mistyped(&home).unwrap_or(error),
        _ => error,
    })?;
    let mut scan = Scan {
        session,
        settings,
        interrupt,
        detector: Arc::new(Detector::new(settings.fingerprint_key.as_deref())),
        cache: Entries::open(settings.cache.as_ref(), session.endpoint().as_deref(), settings.fingerprint_key.as_deref()),
        progress: Progress::new(settings.progress),
        home,
        many: false,
        requests: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
        regions: Semaphore::new(ALL_REGIONS_AT_ONCE),
    };
    let choosing = scan.api(caller.account.clone(), Region::global());
    let wire = session.wire(&organizations::SERVICE, &scan.home);
    let chosen = accounts::to_scan(&choosing, &wire, &settings.accounts, &caller).await;
    choosing.finish();
    let Chosen { entries, inactive } = chosen.inspect_err(|_| scan.progress.clear())?;
    scan.many = entries.len() > 1;
    tracing::info!(accounts = entries.len(), caller = caller.arn, "collecting");
    let whole = matches!(settings.accounts, AccountChoice::Organization { .. });
    let mut collected = scan.accounts(&entries, &choosing.take_gaps()).await;
    if let Ok((inventory, scope)) = &mut collected
        && inventory.has_containers()
        // Another account's organization may be another one.
        && (whole || scope.accounts.contains(&caller.account))
    {
        let policies = organizations::policies::collect(&choosing, &wire, &scope.accounts, whole).await;
        inventory.absorb(policies);
        inventory.gaps.extend(choosing.take_gaps());
    }
    scan.progress.clear();
    let taken = scan.cache.finish().await;
    let (mut inventory, mut scope) = collected?;
    scope.inactive_accounts = inactive;
    inventory.header = Header {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        finished_at: Timestamp::now(),
        complete: !interrupt.is_triggered(),
        caller: caller.arn,
        scope,
        operations: crate::operations().into_iter().map(Operation::id).collect(),
        calls: session.statistics().calls(),
        lines: 0,
    };
    for (operation, answers) in taken {
        tracing::info!(operation, answers, "taken from the cache");
        inventory.header.calls.entry(operation.to_owned()).or_default().cached = answers;
    }
    inventory.sort();
    Ok(inventory)
}

impl Scan<'_> {
    /// Reads accounts side by side. Those that cannot be entered are told by a gap each, unless that is all of them.
    async fn accounts(&self, entries: &[Entry], not_there: &[Gap]) -> Result<(Inventory, Scope), CollectError> {
        let mut inventory = Inventory::default();
        let mut scope = Scope::default();
        let (mut read, mut first_failure) = (0, None);
        for gap in not_there {
            scope.add(gap.account.clone(), [].into());
            inventory.gaps.push(gap.clone());
        }
        let mut outcomes = stream::iter(entries).map(|entry| self.account(entry)).buffer_unordered(self.settings.accounts_at_once.max(1));
        while let Some(outcome) = outcomes.next().await {
            match outcome? {
                Outcome::Read(account, part, regions) => {
                    read += 1;
                    tracing::info!(%account, resources = part.len(), gaps = part.gaps.len(), "account read");
                    scope.add(account, regions.iter().map(|name| Region::new(name)).collect());
                    inventory.absorb(*part);
                }
                Outcome::Closed(gap) => {
                    tracing::warn!(account = %gap.account, operation = gap.operation, code = gap.code, message = gap.message, "account not read");
                    scope.add(gap.account.clone(), [].into());
                    inventory.gaps.push(gap.clone());
                    if first_failure.as_ref().is_none_or(|first: &Gap| gap.account < first.account) {
                        first_failure = Some(gap);
                    }
                }
            }
        }
        match first_failure {
            Some(gap) if read == 0 => Err(nobody_entered(entries.len(), gap)),
            _ => Ok((inventory, scope)),
        }
    }

    async fn account(&self, entry: &Entry) -> Result<Outcome, CollectError> {
        let id = entry.account.clone();
        let session = match &entry.role {
            None => self.session.clone(),
            Some(role) => {
                let session = self.session.assume(role, self.settings.accounts.external_id(), &self.home).await;
                match sts::caller(&session, &self.home, self.interrupt).await {
                    Ok(Caller { account, .. }) if account == id => session,
                    Ok(Caller { account, .. }) => {
                        let said = Failure::new(ACCOUNT_MISMATCH, &format!("the role's credentials are of account {account}"));
                        return Ok(Outcome::Closed(closed(id, role, "sts:GetCallerIdentity", said)));
                    }
                    Err(CollectError::AssumeRole { source, .. }) => return Ok(Outcome::Closed(closed(id, role, "sts:AssumeRole", source))),
                    Err(error) => {
                        let said = failure_of(error);
                        let operation = if said.code == Failure::INTERRUPTED { "sts:AssumeRole" } else { "sts:GetCallerIdentity" };
                        return Ok(Outcome::Closed(closed(id, role, operation, said)));
                    }
                }
            }
        };
        let account = Account { scan: self, id: id.clone(), session };
        let (inventory, regions) = account.read().await?;
        Ok(Outcome::Read(id, Box::new(inventory), regions))
    }

    fn api(&self, account: AccountId, region: Region) -> Api {
        let name = if self.many { format!("{account} {region}") } else { region.to_string() };
        let line = self.progress.line(&name);
        let (overall, detector) = (Arc::clone(&self.requests), Arc::clone(&self.detector));
        let api =
            Api::new(account, region, self.settings.concurrency, overall, self.interrupt.clone(), detector, line, self.session.budget());
        api.with_cache(self.cache.clone()).with_image_configs(self.settings.image_configs)
    }
}

impl Account<'_> {
    async fn read(&self) -> Result<(Inventory, Vec<String>), CollectError> {
        let Scan { home, settings, many, .. } = self.scan;
        let api = self.api(Region::new(home));
        let client = self.session.ec2(home);
        // One account's refusal to list its Regions does not stop the scan of others.
        let configured = self.session.region().or(many.then_some(home));
        let regions = regions::to_scan(&api, &client, &settings.regions, configured).await;
        api.finish();
        let regions = regions?;
        let mut inventory = Inventory { gaps: api.take_gaps(), ..Inventory::default() };

        let global = self.api(Region::global());
        let iam = self.session.iam(home);
        let (principals, mut regional) = join!(self.principals(&global, &iam), async {
            let regions = stream::iter(&regions).map(|region| self.region(region));
            regions.buffer_unordered(REGIONS_AT_ONCE).collect::<Inventory>().await
        });
        regional.absorb(principals);
        iam::access_keys(&global, &iam, &mut regional).await;
        if cloudtrail::wants_stores(&regional) {
            // A closed Region is told once, and not asked again.
            let is_closed = |name: &str| regional.gaps.iter().any(|gap| gap.closes_region() && gap.region.as_str() == name);
            let open: Vec<String> = regions.iter().filter(|name| !is_closed(name)).cloned().collect();
            regional.absorb(self.stores(&open).await);
        }
        let once = surroundings::global(&self.session, &global, home, &regional).await;
        regional.absorb(once);
        inventory.absorb(regional);
        inventory.gaps.extend(global.take_gaps());
        Ok((inventory, regions))
    }

    async fn principals(&self, api: &Api, client: &aws_sdk_iam::Client) -> Inventory {
        let principals = iam::collect(api, client).await;
        api.finish();
        principals
    }

    /// The stores of CloudTrail Lake, of which each records perhaps all Regions and is listed in one.
    async fn stores(&self, regions: &[String]) -> Inventory {
        let read = stream::iter(regions).map(|name| async move {
            let api = self.api(Region::new(name));
            let mut stores = cloudtrail::stores(&api, &self.session.wire(&cloudtrail::SERVICE, name)).await;
            stores.gaps.extend(api.take_gaps());
            api.finish();
            stores
        });
        read.buffer_unordered(REGIONS_AT_ONCE).collect().await
    }

    /// Reads a Region: first the listings that tell whether there is anything, the rest where there is.
    async fn region(&self, name: &str) -> Inventory {
        let _turn = self.scan.regions.acquire().await;
        let api = self.api(Region::new(name));
        let (ecs, ec2, kms) = (self.session.ecs(name), self.session.ec2(name), self.session.kms(name));
        // Every listing that an empty Region costs is here, and so a closed Region is known once they were refused.
        let kubernetes = self.session.wire(&eks::SERVICE, name);
        let (mut containers, (kubernetes, any_kubernetes), keys) =
            join!(ecs::collect(&api, &ecs, self.scan.settings.all_revisions), eks::collect(&api, &kubernetes), kms::list(&api, &kms));
        if let Some(gap) = api.closed(&ecs::LIST_CLUSTERS) {
            api.finish();
            tracing::warn!(account = %self.id, region = name, message = gap.message, "region closed");
            return Inventory { gaps: vec![gap], ..Inventory::default() };
        }
        containers.inventory.absorb(kubernetes);
        if containers.any {
            let triggers = surroundings::triggers(&self.session, &api, &containers.inventory).await;
            containers.inventory.absorb(triggers);
            ecs::started(&api, &ecs, &mut containers).await;
        } else if any_kubernetes {
            let settings = ecs::settings(&api, &ecs, &containers.inventory).await;
            containers.inventory.absorb(settings);
        }
        let Containers { mut inventory, any, .. } = containers;
        // A Region without clusters costs no request to EC2.
        if any || any_kubernetes {
            let (network, hosts, defaults, around) = join!(
                ec2::network(&api, &ec2),
                ec2::hosts(&api, &ec2, &inventory),
                ec2::defaults(&api, &ec2, &inventory),
                surroundings::collect(&self.session, &api, &inventory),
            );
            for part in [network, hosts, defaults, around] {
                inventory.absorb(part);
            }
            let behind = surroundings::behind(&self.session, &api, &inventory).await;
            inventory.absorb(behind);
        } else {
            let named = surroundings::of_definitions(&self.session, &api, &inventory).await;
            inventory.absorb(named);
        }
        let keys = kms::collect(&api, &kms, &keys, &inventory).await;
        inventory.absorb(keys);
        inventory.gaps.extend(api.take_gaps());
        api.finish();
        tracing::info!(account = %self.id, region = name, resources = inventory.len(), gaps = inventory.gaps.len(), "region read");
        inventory
    }

    fn api(&self, region: Region) -> Api {
        self.scan.api(self.id.clone(), region)
    }
}

fn closed(account: AccountId, role: &str, operation: &str, Failure { code, message }: Failure) -> Gap {
    Gap { account, region: Region::global(), operation: operation.to_owned(), code, message, resource: Some(role.to_owned()) }
}

/// What AWS said, of an error that tells why an account cannot be entered.
fn failure_of(error: CollectError) -> Failure {
    match error {
        CollectError::Interrupted => Failure::interrupted(),
        CollectError::NoCredentials { source }
        | CollectError::Profile { source, .. }
        | CollectError::Credentials { source }
        | CollectError::AssumeRole { source, .. }
        | CollectError::Expired { source }
        | CollectError::Refused { source }
        | CollectError::ClockSkew { source }
        | CollectError::Unreachable { source, .. }
        | CollectError::NotAws { source, .. } => source,
        other => Failure::new(Failure::INVALID_REQUEST, &other.to_string()),
    }
}

/// The error when no account could be entered: that of the only one, or one that names the first of them.
fn nobody_entered(accounts: usize, gap: Gap) -> CollectError {
    let source = Failure { code: gap.code, message: gap.message };
    let first = gap.resource.unwrap_or_else(|| gap.account.to_string());
    match accounts {
        _ if source.code == Failure::INTERRUPTED => CollectError::Interrupted,
        1 if gap.operation == "sts:AssumeRole" => CollectError::AssumeRole { role: first, source },
        _ => CollectError::NoAccount { accounts, first, source },
    }
}

/// Asks what the session's identity, or the one role that the settings name, may read: everything in the first Region,
/// one listing of each service in the others.
pub(crate) async fn examine(session: &Session, settings: &Settings, interrupt: &Interrupt) -> Result<Examination, CollectError> {
    let home = regions::first(&settings.regions, session.region());
    let session = match settings.accounts.only_role()? {
        Some(role) => session.assume(role, settings.accounts.external_id(), &home).await,
        None => session.clone(),
    };
    let Caller { account, arn } = sts::caller(&session, &home, interrupt).await?;
    let detector = Arc::new(Detector::new(None));
    let progress = Progress::new(settings.progress);
    let overall = Arc::new(Semaphore::new(REQUESTS_AT_ONCE));
    let api = |region: &str| {
        let (line, overall, detector) = (progress.line(region), Arc::clone(&overall), Arc::clone(&detector));
        let concurrency = settings.concurrency;
        Api::new(account.clone(), region.into(), concurrency, overall, interrupt.clone(), detector, line, session.budget())
            .with_image_configs(settings.image_configs)
    };
    let first = api(&home);
    let listed = regions::to_scan(&first, &session.ec2(&home), &settings.regions, session.region()).await;
    let regions = listed.unwrap_or_default();
    let others = regions.iter().filter(|region| **region != home).map(|region| api(region));
    let apis: Vec<Api> = std::iter::once(first).chain(others).collect();
    let examination = doctor::examine(&session, account.clone(), arn, &apis).await;
    progress.clear();
    Ok(examination)
}
