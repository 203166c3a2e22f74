//! Requests flow in; what AWS answered, or the gap that says why it did not, flows out.
//!
//! One [`Api`] serves one account in one Region. It alone bounds concurrency, opens spans, listens for the interrupt and
//! turns errors into gaps. Requests pay from the account's budget. Retries are the SDK's, set in `session`.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::future::BoxFuture;
use plimsoll_model::{AccountId, Gap, Holds, Inventory, Region, Seen};
use plimsoll_secrets::Detector;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::budget::{Allowance, Budget};
use crate::cache::Entries;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Line;

/// The stream of pages that `.into_paginator()….send()` gives.
pub(crate) type Pages<O, E> = aws_smithy_async::future::pagination_stream::PaginationStream<Result<O, SdkError<E, HttpResponse>>>;

/// An AWS operation that plimsoll calls: reading only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The service prefix, as in IAM actions: `ecs`.
    pub service: &'static str,
    /// The operation as the SDK names it: `ListTasks`.
    pub name: &'static str,
    /// The IAM action that allows it; mostly `service:name`, but not always.
    pub permission: &'static str,
    /// What it is for, in a few words.
    pub why: &'static str,
}

impl Operation {
    /// `service:Operation`, as gaps and statistics name it.
    pub fn id(&self) -> String {
        format!("{}:{}", self.service, self.name)
    }
}

/// What collectors talk to: one account in one Region. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    place: Arc<Place>,
    cache: Entries,
    image_configs: bool,
}

struct Place {
    account: AccountId,
    region: Region,
    permits: Semaphore,
    /// Shared by all places, so that many accounts do not open thousands of connections.
    overall: Arc<Semaphore>,
    allowance: Allowance,
    interrupt: Interrupt,
    detector: Arc<Detector>,
    line: Line,
    gaps: Mutex<Vec<Gap>>,
    /// Services that did not answer here at all, and how: asking again would only take as long again.
    dead: Mutex<BTreeMap<&'static str, Failure>>,
    door: Mutex<Door>,
}

/// Whether anything was let in here so far.
#[derive(Debug, Default)]
struct Door {
    /// Something answered otherwise than by closing.
    open: bool,
    /// The operations that were refused as if the whole Region were closed, by service.
    refused: BTreeMap<&'static str, BTreeMap<&'static str, Failure>>,
}

impl Api {
    #[expect(clippy::too_many_arguments, reason = "made in one place, of what the scan shares")]
    pub(crate) fn new(
        account: AccountId,
        region: Region,
        concurrency: usize,
        overall: Arc<Semaphore>,
        interrupt: Interrupt,
        detector: Arc<Detector>,
        line: Line,
        budget: &Budget,
    ) -> Self {
        let permits = Semaphore::new(concurrency.max(1));
        let allowance = budget.for_place(&account, &region);
        let (gaps, dead, door) = Default::default();
        let place = Place { account, region, permits, overall, allowance, interrupt, detector, line, gaps, dead, door };
        Self { place: Arc::new(place), cache: Entries::default(), image_configs: true }
    }

    /// Lets collectors take what is immutable from the disk.
    pub(crate) fn with_cache(self, cache: Entries) -> Self {
        Self { cache, ..self }
    }

    /// Lets collectors read the configurations of images, or not.
    pub(crate) fn with_image_configs(self, image_configs: bool) -> Self {
        Self { image_configs, ..self }
    }

    /// Whether the configurations of images may be read.
    pub(crate) fn image_configs(&self) -> bool {
        self.image_configs
    }

    /// What earlier scans kept. Empty and deaf when there is no cache.
    pub(crate) fn cache(&self) -> &Entries {
        &self.cache
    }

    /// The account that is asked.
    pub(crate) fn account(&self) -> &AccountId {
        &self.place.account
    }

    /// The Region that is asked; `global` for IAM.
    pub(crate) fn region(&self) -> &Region {
        &self.place.region
    }

    /// Finds secrets in what is collected, before it is kept.
    pub(crate) fn detector(&self) -> &Detector {
        &self.place.detector
    }

    /// Sends a request that is about no single resource, such as a listing or a batch.
    pub(crate) fn call<'a, O, E>(
        &'a self,
        operation: &'static Operation,
        request: impl Future<Output = Result<O, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> BoxFuture<'a, Result<O, Gap>>
    where
        O: Send + 'a,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        // The SDK's futures are kilobytes each, too much for every caller's stack.
        let request = Box::pin(request);
        Box::pin(async move { self.ask(operation, request).await.map_err(|failure| self.to_gap(operation, None, failure)) })
    }

    /// Sends a request about one resource, which the gap then names.
    pub(crate) fn call_on<'a, O, E>(
        &'a self,
        operation: &'static Operation,
        resource: &'a str,
        request: impl Future<Output = Result<O, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> BoxFuture<'a, Result<O, Gap>>
    where
        O: Send + 'a,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let answer = self.call(operation, request);
        Box::pin(async move { answer.await.about(resource) })
    }

    /// Reads a listing to its end. Pages that came before a failure have been handed to `each`; the caller records the
    /// gap.
    pub(crate) async fn pages<O, E>(
        &self,
        operation: &'static Operation,
        mut pages: Pages<O, E>,
        mut each: impl FnMut(O),
    ) -> Result<(), Gap>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        loop {
            // Each page takes a permit of its own, so that long listings do not starve the rest.
            let page = self.ask(operation, async { pages.next().await.transpose() }).await;
            match page.map_err(|failure| self.to_gap(operation, None, failure))? {
                Some(page) => each(page),
                None => return Ok(()),
            }
        }
    }

    /// Records that something is not known.
    pub(crate) fn gap(&self, gap: Gap) {
        tracing::warn!(
            account = %gap.account,
            region = %gap.region,
            operation = gap.operation,
            code = gap.code,
            message = gap.message,
            "not read"
        );
        self.place.gaps.lock().unwrap_or_else(PoisonError::into_inner).push(gap);
    }

    /// Keeps a value, or records why there is none.
    pub(crate) fn or_gap<T>(&self, result: Result<T, Gap>) -> Option<T> {
        result.map_err(|gap| self.gap(gap)).ok()
    }

    /// The outcome as the value of a field. A gap is recorded too, so that the scan's end names it; but what was not asked
    /// on purpose is no hole in the scan.
    pub(crate) fn noted<T>(&self, result: Result<T, Gap>) -> Seen<T> {
        if let Err(gap) = &result
            && gap.code != Gap::NOT_COLLECTED
        {
            self.gap(gap.clone());
        }
        result.seen()
    }

    /// Resources of this place.
    pub(crate) fn found<T>(&self, resources: impl IntoIterator<Item = T>) -> Inventory
    where
        Inventory: Holds<T>,
    {
        let mut found = Inventory::default();
        for resource in resources {
            found.push(self.account(), self.region(), resource);
        }
        found
    }

    /// A gap of this place for something that was deliberately not asked.
    pub(crate) fn not_asked(&self, operation: &'static Operation, resource: Option<&str>, why: &str) -> Gap {
        self.to_gap(operation, resource, Failure::new(Gap::NOT_COLLECTED, why))
    }

    /// A gap of this place for an answer that says why there is no value, or that cannot be true.
    pub(crate) fn failed(&self, operation: &Operation, resource: &str, code: &str, why: &str) -> Gap {
        self.to_gap(operation, Some(resource), Failure::new(code, why))
    }

    /// The gaps that were recorded since the last time.
    pub(crate) fn take_gaps(&self) -> Vec<Gap> {
        std::mem::take(&mut *self.place.gaps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The gap that stands for the whole Region, when all that was asked so far, of two services or more, was refused as
    /// a closed Region refuses, this operation among it.
    pub(crate) fn closed(&self, operation: &'static Operation) -> Option<Gap> {
        let door = self.place.door.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = door.refused.get(operation.service)?.get(operation.name)?;
        // One service alone may be what a policy closes.
        let closed = !door.open && door.refused.len() > 1;
        let message = format!("{} ({})", failure.message, failure.code);
        closed.then(|| self.to_gap(operation, None, Failure { code: Gap::REGION_CLOSED.to_owned(), message }))
    }

    /// Nothing more will be asked here.
    pub(crate) fn finish(&self) {
        self.place.line.done();
    }

    async fn ask<O, E>(
        &self,
        operation: &'static Operation,
        request: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<O, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let Place { account, region, permits, overall, allowance, interrupt, line, .. } = &*self.place;
        let Operation { service, name, .. } = operation;
        let span = tracing::debug_span!("call", %account, %region, service, operation = name);
        let answer = async {
            if let Some(failure) = self.known_dead(service) {
                return Err(failure);
            }
            let Some((_permit, ticket)) = allowance.admit(operation, permits).await else {
                return Err(Failure::interrupted());
            };
            let Ok(_overall) = overall.acquire().await else {
                return Err(Failure::interrupted());
            };
            // It may have been found dead in the meantime.
            if let Some(failure) = self.known_dead(service) {
                return Err(failure);
            }
            line.asks(operation);
            let answer = ticket.spend(request).await.map_err(Failure::from_sdk);
            line.answered();
            self.watch_door(operation, answer.as_ref().err());
            answer.inspect_err(|failure| {
                tracing::debug!(code = failure.code, message = failure.message, "failed");
                if failure.is_silence() {
                    self.dead_services().entry(service).or_insert_with(|| failure.clone());
                }
            })
        };
        tokio::select! {
            // An interrupt wins over an answer that is there as well: nothing new begins after it.
            biased;
            () = interrupt.triggered() => Err(Failure::interrupted()),
            answer = answer.instrument(span) => answer,
        }
    }

    fn watch_door(&self, operation: &'static Operation, failure: Option<&Failure>) {
        let mut door = self.place.door.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            _ if door.open => {}
            Some(failure) if failure.closes_region() => {
                door.refused.entry(operation.service).or_default().insert(operation.name, failure.clone());
            }
            _ => *door = Door { open: true, ..Door::default() },
        }
    }

    fn known_dead(&self, service: &str) -> Option<Failure> {
        self.dead_services().get(service).cloned()
    }

    fn dead_services(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Failure>> {
        self.place.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn to_gap(&self, operation: &Operation, resource: Option<&str>, failure: Failure) -> Gap {
        Gap {
            account: self.place.account.clone(),
            region: self.place.region.clone(),
            operation: operation.id(),
            code: failure.code,
            message: failure.message,
            resource: resource.map(ToOwned::to_owned),
        }
    }
}

/// What can be made of an outcome.
pub(crate) trait Outcome<T>: Sized {
    /// Takes an error code for the answer "there is none": that is knowledge, not a gap.
    fn absent_on(self, code: &str) -> Result<Option<T>, Gap>;

    /// Names the resource that was asked about, where the gap does not.
    fn about(self, resource: &str) -> Result<T, Gap>;

    /// The outcome as the value of a field.
    fn seen(self) -> Seen<T>;
}

impl<T> Outcome<T> for Result<T, Gap> {
    fn absent_on(self, code: &str) -> Result<Option<T>, Gap> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(gap) if gap.code == code => Ok(None),
            Err(gap) => Err(gap),
        }
    }

    fn about(self, resource: &str) -> Result<T, Gap> {
        self.map_err(|gap| Gap { resource: Some(resource.to_owned()), ..gap })
    }

    fn seen(self) -> Seen<T> {
        match self {
            Ok(value) => Seen::Known(value),
            Err(gap) => gap.into(),
        }
    }
}

#[cfg(test)]
impl Api {
    /// Account 111111111111 in eu-west-3, 16 requests at a time.
    pub(crate) fn in_test() -> Self {
        Self::interruptible_in_test(Interrupt::never())
    }

    pub(crate) fn interruptible_in_test(interrupt: Interrupt) -> Self {
        // To build one takes a tenth of a second without optimisation.
        static DETECTOR: std::sync::LazyLock<Arc<Detector>> = std::sync::LazyLock::new(|| Arc::new(Detector::new(None)));
        let (overall, detector) = (Arc::new(Semaphore::new(256)), Arc::clone(&DETECTOR));
        let (line, budget) = (Line::hidden(), Budget::boundless());
        Self::new("111111111111".into(), "eu-west-3".into(), 16, overall, interrupt, detector, line, &budget)
    }
}

#[cfg(test)]
mod tests {
    use super::{Api, Outcome};
    use crate::interrupt::Interrupt;
    use crate::kms::LIST_ALIASES;
    use crate::replay::{Answer, Replay};
    use plimsoll_model::Seen;

    async fn aliases(api: &Api, replay: &Replay) -> Result<usize, (String, String)> {
        let answer = api.call(&LIST_ALIASES, replay.kms().list_aliases().send()).await;
        answer.map(|answer| answer.aliases.unwrap_or_default().len()).map_err(|gap| (gap.code, gap.message))
    }

    #[tokio::test]
    async fn a_refused_call_is_a_gap_with_place_operation_and_code() {
        let replay = Replay::new().error("ListAliases", "AccessDeniedException");
        let request = replay.kms().list_aliases().send();
        let gap = Api::in_test().call_on(&LIST_ALIASES, "shop", request).await.unwrap_err();
        assert_eq!((gap.account.as_str(), gap.region.as_str()), ("111111111111", "eu-west-3"));
        assert_eq!((gap.operation.as_str(), gap.code.as_str()), ("kms:ListAliases", "AccessDeniedException"));
        assert_eq!((gap.message.as_str(), gap.resource.as_deref()), ("AccessDeniedException in test", Some("shop")));
    }

    #[tokio::test]
    async fn an_answer_that_is_not_of_the_protocol_is_malformed() {
        for body in ["", "<html>sign in</html>", "{\"Aliases\": [{", "[]", "null", "{\"Aliases\": 7}"] {
            let replay = Replay::new().on("ListAliases", move |_| Answer::Raw(200, body.to_owned()));
            let answer = aliases(&Api::in_test(), &replay).await;
            assert!(matches!(&answer, Err((code, _)) if code == "MalformedResponse"), "{body:?}: {answer:?}");
        }
        let replay = Replay::new().on("ListAliases", |_| Answer::Raw(403, "<html>proxy</html>".to_owned()));
        assert_eq!(aliases(&Api::in_test(), &replay).await.unwrap_err().0, "Http403");
    }

    #[tokio::test]
    async fn nothing_is_sent_once_interrupted() {
        let interrupt = Interrupt::never();
        let (api, replay) = (Api::interruptible_in_test(interrupt.clone()), Replay::new());
        interrupt.trigger();
        assert_eq!(aliases(&api, &replay).await.unwrap_err().0, "Interrupted");
        assert_eq!(replay.requests(), []);
    }

    #[tokio::test]
    async fn an_interrupt_ends_the_wait_for_an_answer() {
        let interrupt = Interrupt::never();
        let replay = Replay::new().on("ListAliases", {
            let interrupt = interrupt.clone();
            move |_| {
                interrupt.trigger();
                Answer::Silence
            }
        });
        assert_eq!(aliases(&Api::interruptible_in_test(interrupt), &replay).await.unwrap_err().0, "Interrupted");
        assert_eq!(replay.requests().len(), 1);
    }

    #[tokio::test]
    async fn only_the_named_code_means_that_there_is_none() {
        for (code, absent) in [("NotFoundException", true), ("AccessDeniedException", false)] {
            let replay = Replay::new().error("ListAliases", code);
            let api = Api::in_test();
            let answer = api.call(&LIST_ALIASES, replay.kms().list_aliases().send()).await.absent_on("NotFoundException");
            assert_eq!(matches!(answer.map(|answer| answer.map(|_| ())).seen(), Seen::Known(None)), absent);
        }
    }
}
