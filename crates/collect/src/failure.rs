//! The SDK's errors flow in; a code and a harmless message flow out.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use plimsoll_model::Gap;

use crate::budget::OutOfPatience;
use crate::guard::{NoBody, Refusal};

/// Characters of a message that are kept.
const MAX_MESSAGE: usize = 300;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Failure {
    /// The code that AWS gave, or one of plimsoll's own.
    pub code: String,
    /// One short line, harmless on a terminal.
    pub message: String,
}

impl Failure {
    /// No connection: refused, reset, no such host, TLS.
    pub(crate) const CONNECT_ERROR: &'static str = "ConnectError";
    /// No answer in time.
    pub(crate) const TIMEOUT: &'static str = "Timeout";
    /// An answer that is not of the protocol.
    pub(crate) const MALFORMED_RESPONSE: &'static str = "MalformedResponse";
    /// No credentials to sign with.
    pub(crate) const CREDENTIALS_ERROR: &'static str = "CredentialsError";
    /// Before the HTTP status of an error that has no code.
    pub(crate) const HTTP: &'static str = "Http";
    /// Not sent: the operation is not declared.
    pub(crate) const REFUSED: &'static str = "RefusedByGuard";
    /// Not sent: the request could not be built.
    pub(crate) const INVALID_REQUEST: &'static str = "InvalidRequest";
    /// Not waited for: the collection was told to stop.
    pub(crate) const INTERRUPTED: &'static str = "Interrupted";

    pub(crate) fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: harmless(message) }
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Self::INTERRUPTED, "the collection was interrupted")
    }

    /// Whether nobody answered at all, so that the next request would meet the same.
    pub(crate) fn is_silence(&self) -> bool {
        self.code == Self::CONNECT_ERROR || self.code == Self::TIMEOUT
    }

    /// Whether a closed Region refuses like this: one that is not enabled in the account, or that a policy of the
    /// organization closes. Other things are refused so too: only when all of them are is the Region closed.
    pub(crate) fn closes_region(&self) -> bool {
        let not_enabled = matches!(
            self.code.as_str(),
            "OptInRequired" | "UnrecognizedClientException" | "InvalidClientTokenId" | "AuthFailure" | "SubscriptionRequiredException"
        );
        let gap = Gap { code: self.code.clone(), ..Gap::default() };
        not_enabled || (gap.is_denied() && self.message.contains("service control policy"))
    }

    #[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
    pub(crate) fn from_sdk<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(code) = error.code() {
            return Self::new(code, error.message().unwrap_or("AWS gave no message"));
        }
        if let Some(refusal) = cause::<Refusal>(&error) {
            return Self::new(Self::REFUSED, &refusal.to_string());
        }
        if let Some(credentials) = cause::<CredentialsError>(&error) {
            return Self::new(Self::CREDENTIALS_ERROR, &chain(credentials));
        }
        let code = match &error {
            SdkError::ConstructionFailure(_) => Self::INVALID_REQUEST,
            SdkError::TimeoutError(_) => Self::TIMEOUT,
            SdkError::DispatchFailure(failure) if failure.is_timeout() || cause::<OutOfPatience>(&error).is_some() => Self::TIMEOUT,
            SdkError::DispatchFailure(_) => Self::CONNECT_ERROR,
            SdkError::ServiceError(context) if !context.raw().status().is_success() => {
                // Something between us and AWS, such as a proxy, says this: AWS always gives a code.
                let status = context.raw().status().as_u16();
                return Self::new(&format!("{}{status}", Self::HTTP), &format!("HTTP status {status} without an error code"));
            }
            _ => Self::MALFORMED_RESPONSE,
        };
        let said = match cause::<NoBody>(&error) {
            Some(no_body) => no_body.to_string(),
            // The SDK's own name for the phase, such as "dispatch failure", tells nobody anything.
            None => chain(error.source().unwrap_or(&error)),
        };
        Self::new(code, said.trim_start_matches("unhandled error: "))
    }
}

/// Finds the cause of a certain type.
pub(crate) fn cause<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The error and its causes, without what a cause repeats.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let said = cause.to_string();
        if text.contains(&said) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&said);
    }
    text
}

/// One line without anything a terminal acts upon, shortened.
fn harmless(message: &str) -> String {
    let mut text = String::new();
    for word in message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(word.chars().filter(|c| !turns_text(*c)));
    }
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE) {
        let cut = text.char_indices().nth(MAX_MESSAGE - 1).map_or(end, |(at, _)| at);
        text.truncate(cut);
        text.push('…');
    }
    text
}

/// Marks that change the direction of the text that follows.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{Failure, chain};
    use std::error::Error;

    #[test]
    fn messages_are_one_short_harmless_line() {
        let failure = Failure::new("X", "a\u{1b}[31mred\r\n\u{202e}b\u{9b}c  d");
        assert_eq!(failure.message, "a [31mred b c d");
        assert_eq!(Failure::new("X", &"é".repeat(5000)).message.chars().count(), 300);
        assert_eq!(Failure::new("X", &"é".repeat(300)).message.chars().count(), 300);
    }

    #[test]
    fn a_chain_names_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("dispatch failure")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("connection refused"));
        assert!(error.source().is_some());
        assert_eq!(chain(&error), "dispatch failure: connection refused");
    }
}
