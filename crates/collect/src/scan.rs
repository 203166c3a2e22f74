//! A session flows in; the inventory of its account flows out: Regions side by side, IAM beside them, then what needs both.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, join, stream};
use jiff::Timestamp;
use plimsoll_model::{AccountId, Header, Inventory, Region, SCHEMA, Scope};
use plimsoll_secrets::Detector;

use crate::api::{Api, Operation};
use crate::cache::Entries;
use crate::doctor::{self, Examination};
use crate::ecs::Containers;
use crate::error::CollectError;
use crate::progress::Progress;
use crate::session::Session;
use crate::sts::Caller;
use crate::{Interrupt, Settings, cloudtrail, ec2, ecs, iam, kms, regions, sts, surroundings};

/// Regions that are read at a time; most have nothing to read.
const REGIONS_AT_ONCE: usize = 16;

/// Everything that the scan of one Region or of IAM needs.
struct Scan<'a> {
    session: &'a Session,
    settings: &'a Settings,
    interrupt: &'a Interrupt,
    account: AccountId,
    detector: Arc<Detector>,
    cache: Entries,
    progress: Progress,
}

pub(crate) async fn scan(session: &Session, settings: &Settings, interrupt: &Interrupt) -> Result<Inventory, CollectError> {
    let started_at = Timestamp::now();
    let home = regions::first(&settings.regions, session.region());
    let Caller { account, arn } = sts::caller(session, settings, &home, interrupt).await.map_err(|error| match error {
        // A name that is no Region has no endpoint: say that rather than "no such host".
        CollectError::Unreachable { .. } if !session.has_endpoint() => regions::perhaps_mistyped(&home).unwrap_or(error),
        _ => error,
    })?;
    tracing::info!(%account, caller = arn, "collecting");
    let scan = Scan {
        session,
        settings,
        interrupt,
        account,
        detector: Arc::new(Detector::new(settings.fingerprint_key.as_deref())),
        cache: Entries::open(settings.cache.as_ref(), session.endpoint().as_deref(), settings.fingerprint_key.as_deref()),
        progress: Progress::new(settings.progress),
    };
    let collected = scan.account(&home).await;
    scan.progress.clear();
    let taken = scan.cache.finish().await;
    let (mut inventory, regions) = collected?;
    inventory.header = Header {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        finished_at: Timestamp::now(),
        complete: !interrupt.is_triggered(),
        caller: arn,
        scope: Scope { accounts: BTreeSet::from([scan.account]), regions: regions.iter().map(|name| Region::new(name)).collect() },
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
    async fn account(&self, home: &str) -> Result<(Inventory, Vec<String>), CollectError> {
        let api = self.api(Region::new(home));
        let client = self.session.ec2(home);
        let regions = regions::to_scan(&api, &client, &self.settings.regions, self.session.region()).await;
        api.finish();
        let regions = regions?;
        let mut inventory = Inventory { gaps: api.take_gaps(), ..Inventory::default() };

        let global = self.api(Region::global());
        let iam = self.session.iam(home);
        let (principals, mut regional) = join!(self.principals(&global, &iam), async {
            let regions = stream::iter(&regions).map(|region| self.region(region));
            let done = regions.buffer_unordered(REGIONS_AT_ONCE);
            done.fold(Inventory::default(), |mut all, one| async {
                all.absorb(one);
                all
            })
            .await
        });
        regional.absorb(principals);
        iam::access_keys(&global, &iam, &mut regional).await;
        if cloudtrail::wants_stores(&regional) {
            regional.absorb(self.stores(&regions).await);
        }
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
        read.buffer_unordered(REGIONS_AT_ONCE)
            .fold(Inventory::default(), |mut all, one| async {
                all.absorb(one);
                all
            })
            .await
    }

    async fn region(&self, name: &str) -> Inventory {
        let api = self.api(Region::new(name));
        let (ecs, ec2, kms) = (self.session.ecs(name), self.session.ec2(name), self.session.kms(name));
        let containers = async {
            let mut containers = ecs::collect(&api, &ecs, self.settings.all_revisions).await;
            // A Region without clusters costs no request to EC2.
            if containers.any {
                let triggers = surroundings::triggers(self.session, &api, &containers.inventory).await;
                containers.inventory.absorb(triggers);
                ecs::started(&api, &ecs, &mut containers).await;
            }
            let Containers { mut inventory, any, .. } = containers;
            if any {
                let (network, hosts, defaults, around) = join!(
                    ec2::network(&api, &ec2),
                    ec2::hosts(&api, &ec2, &inventory),
                    ec2::defaults(&api, &ec2, &inventory),
                    surroundings::collect(self.session, &api, &inventory),
                );
                for part in [network, hosts, defaults, around] {
                    inventory.absorb(part);
                }
                let behind = surroundings::behind(self.session, &api, &inventory).await;
                inventory.absorb(behind);
            }
            inventory
        };
        let (mut inventory, listing) = join!(containers, kms::list(&api, &kms));
        let keys = kms::collect(&api, &kms, &listing, &inventory).await;
        inventory.absorb(keys);
        inventory.gaps.extend(api.take_gaps());
        api.finish();
        tracing::info!(region = name, resources = inventory.len(), gaps = inventory.gaps.len(), "region read");
        inventory
    }

    fn api(&self, region: Region) -> Api {
        let line = self.progress.line(region.as_str());
        let (account, detector) = (self.account.clone(), Arc::clone(&self.detector));
        Api::new(account, region, self.settings.concurrency, self.interrupt.clone(), detector, line).with_cache(self.cache.clone())
    }
}

/// Asks what the session's identity may read: everything in the first Region, one listing of each service in the others.
pub(crate) async fn examine(session: &Session, settings: &Settings, interrupt: &Interrupt) -> Result<Examination, CollectError> {
    let home = regions::first(&settings.regions, session.region());
    let Caller { account, arn } = sts::caller(session, settings, &home, interrupt).await?;
    let detector = Arc::new(Detector::new(None));
    let progress = Progress::new(settings.progress);
    let api = |region: &str| {
        let line = progress.line(region);
        Api::new(account.clone(), region.into(), settings.concurrency, interrupt.clone(), Arc::clone(&detector), line)
    };
    let first = api(&home);
    let listed = regions::to_scan(&first, &session.ec2(&home), &settings.regions, session.region()).await;
    let regions = listed.unwrap_or_default();
    let others = regions.iter().filter(|region| **region != home).map(|region| api(region));
    let apis: Vec<Api> = std::iter::once(first).chain(others).collect();
    let examination = doctor::examine(session, account.clone(), arn, &apis).await;
    progress.clear();
    Ok(examination)
}
