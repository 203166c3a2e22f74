//! Every answer flows through; one that is longer than it may be is cut off, before it costs memory or time.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeDeserializationInterceptorContextMut, InterceptorContext};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body::{Body, Frame, SizeHint};

/// An answer that is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is longer than {0} bytes")]
pub(crate) struct TooLong(u64);

/// Refuses answers that announce too many bytes, and cuts those that send too many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    limit: u64,
}

impl Bound {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit }
    }
}

impl Intercept for Bound {
    fn name(&self) -> &'static str {
        "AnswerBound"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let limit = self.limit;
        let response = context.response_mut();
        let announced = response.headers().get("content-length").and_then(|length| length.parse::<u64>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(TooLong(limit).into());
        }
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        *response.body_mut() = SdkBody::from_body_1_x(BoundBody { body, limit, left: limit });
        Ok(())
    }
}

/// A body that fails once it has sent too much.
struct BoundBody {
    body: SdkBody,
    limit: u64,
    left: u64,
}

impl Body for BoundBody {
    type Data = <SdkBody as Body>::Data;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let Poll::Ready(Some(Ok(frame))) = &polled else { return polled };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                polled
            }
            None => Poll::Ready(Some(Err(TooLong(self.limit).into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}

/// An answer that was too long once will be again.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoRetryOfTooLong;

impl ClassifyRetry for NoRetryOfTooLong {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let mut cause = match context.output_or_error() {
            Some(Err(error)) => Some(error as &dyn Error),
            _ => None,
        };
        while let Some(error) = cause {
            if error.is::<TooLong>() {
                return RetryAction::RetryForbidden;
            }
            cause = error.source();
        }
        RetryAction::NoActionIndicated
    }

    fn name(&self) -> &'static str {
        "TooLong"
    }

    fn priority(&self) -> RetryClassifierPriority {
        // The last word.
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
