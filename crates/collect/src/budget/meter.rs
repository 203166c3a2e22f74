//! Every attempt of every request flows through, on its way to the wire: it flows out when there is a token for it, and
//! its answer flows back, whole, within its time.
//!
//! The SDK's timeouts would run while an attempt waits for its token, so they are kept here, where they begin with the
//! sending. It is the only place that sees each attempt and may wait: the SDK's interceptors may not.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;

use super::Ticket;
use crate::{clock, statistics};

tokio::task_local! {
    /// What the request that is being sent pays with. Requests without one, such as those for credentials, cost nothing.
    pub(super) static TICKET: Option<Arc<Ticket>>;
}

/// How long sending and receiving may take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    /// One attempt.
    pub(crate) attempt: Option<Duration>,
    /// All attempts of one request together.
    pub(crate) request: Option<Duration>,
}

/// An attempt that took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {}", seconds(.0))]
pub(crate) struct NoAnswer(Duration);

/// All attempts together took too long: there is no use in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {}, in several attempts", seconds(.0))]
pub(crate) struct OutOfPatience(Duration);

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// An HTTP client that makes each attempt pay.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    inner: SharedHttpClient,
    patience: Patience,
}

impl Meter {
    /// Sends with another client.
    pub(crate) fn new(inner: SharedHttpClient, patience: Patience) -> Self {
        Self { inner, patience }
    }
}

impl HttpClient for Meter {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Metered { inner, patience: self.patience })
    }

    fn validate_base_client_config(&self, components: &RuntimeComponentsBuilder, config: &ConfigBag) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Clone, Debug)]
struct Metered {
    inner: SharedHttpConnector,
    patience: Patience,
}

impl HttpConnector for Metered {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { inner, patience } = self.clone();
        HttpConnectorFuture::new(async move {
            let ticket = TICKET.try_with(Clone::clone).unwrap_or_default();
            let Some(ticket) = ticket else { return within(patience.attempt, &inner, request).await };
            let left = patience.request.map(|all| all.saturating_sub(ticket.sending()));
            if let (Some(Duration::ZERO), Some(all)) = (left, patience.request) {
                return Err(ConnectorError::other(OutOfPatience(all).into(), None));
            }
            ticket.pay().await;
            let sent = clock::now();
            // A meter behind this one must not take a second token.
            let limit = [patience.attempt, left].into_iter().flatten().min();
            let answer = TICKET.scope(None, within(limit, &inner, request)).await;
            ticket.sent(sent, answer.as_ref().ok().map(statistics::is_throttled));
            answer
        })
    }
}

async fn within(limit: Option<Duration>, inner: &SharedHttpConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let answer = whole(inner, request);
    let Some(limit) = limit else { return answer.await };
    tokio::select! {
        biased;
        answer = answer => answer,
        () = clock::sleep(limit) => Err(ConnectorError::timeout(NoAnswer(limit).into())),
    }
}

/// Sends a request and reads the answer to its end: an answer that stops half-way is late as well.
async fn whole(inner: &SharedHttpConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let mut answer = inner.call(request).await?;
    if answer.body().bytes().is_none() {
        let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
        let body = ByteStream::new(body).collect().await.map_err(|error| ConnectorError::io(error.into()))?;
        *answer.body_mut() = SdkBody::from(body.into_bytes());
    }
    Ok(answer)
}
