//! Calls sts:GetCallerIdentity, before all else in an account. Yields the account and the caller's ARN, or why nothing can
//! be scanned.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use plimsoll_model::AccountId;

use crate::Interrupt;
use crate::api::Operation;
use crate::error::CollectError;
use crate::failure::{self, Failure};
use crate::session::Session;

const GET_CALLER_IDENTITY: Operation = Operation {
    service: "sts",
    name: "GetCallerIdentity",
    permission: "sts:GetCallerIdentity",
    why: "which account this is, and who asks",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[GET_CALLER_IDENTITY];

/// Who collects, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: AccountId,
    pub(crate) arn: String,
}

/// Finds out who we are. This is the first request, and so the one that tells what is wrong with the set-up.
pub(crate) async fn caller(session: &Session, region: &str, interrupt: &Interrupt) -> Result<Caller, CollectError> {
    let endpoint = Endpoint::default();
    let client = session.impatient().sts(region);
    let request = client.get_caller_identity().customize().interceptor(endpoint.clone()).send();
    let answer = tokio::select! {
        biased;
        () = interrupt.triggered() => return Err(CollectError::Interrupted),
        answer = request => answer,
    };
    let identity = answer.map_err(|error| {
        if let (Some(role), Some(source)) = (session.role(), not_assumed(&error)) {
            return CollectError::AssumeRole { role: role.to_owned(), source };
        }
        let credentials = failure::cause::<CredentialsError>(&error).map(Credentials::from);
        to_error(session, endpoint.take(), credentials, Failure::from_sdk(error))
    })?;
    match (identity.account, identity.arn) {
        (Some(account), Some(arn)) if !account.is_empty() => Ok(Caller { account: AccountId::new(&account), arn }),
        _ => {
            let source = Failure::new(Failure::MALFORMED_RESPONSE, "GetCallerIdentity names no account");
            Err(CollectError::NotAws { endpoint: endpoint.take(), source })
        }
    }
}

/// How credentials failed, before the error is turned into text.
enum Credentials {
    None,
    Misconfigured,
    Failed,
}

impl From<&CredentialsError> for Credentials {
    fn from(error: &CredentialsError) -> Self {
        match error {
            CredentialsError::CredentialsNotLoaded(_) => Self::None,
            CredentialsError::InvalidConfiguration(_) => Self::Misconfigured,
            // Instance metadata is the last place that is looked at: everywhere else there was nothing.
            _ if failure::chain(error).contains("IMDS") => Self::None,
            _ => Self::Failed,
        }
    }
}

/// What STS said to `AssumeRole`, inside the error of the request that needed the role.
fn not_assumed(error: &(dyn Error + 'static)) -> Option<Failure> {
    let refusal = failure::cause::<AssumeRoleError>(error)?;
    Some(Failure::new(refusal.code()?, refusal.message().unwrap_or("AWS gave no message")))
}

fn to_error(session: &Session, endpoint: String, credentials: Option<Credentials>, source: Failure) -> CollectError {
    if let Some(credentials) = credentials {
        return match (credentials, session.profile(), session.role()) {
            (_, _, Some(role)) => CollectError::AssumeRole { role: role.to_owned(), source },
            (Credentials::None, None, _) => CollectError::NoCredentials { source },
            (Credentials::None | Credentials::Misconfigured, Some(profile), _) => {
                CollectError::Profile { profile: profile.to_owned(), source }
            }
            (_, Some(profile), None) if source.message.to_lowercase().contains("sso") => {
                CollectError::Profile { profile: profile.to_owned(), source }
            }
            _ => CollectError::Credentials { source },
        };
    }
    let says = |words: &[&str]| words.iter().any(|word| source.message.contains(word));
    match source.code.as_str() {
        "ExpiredToken" | "ExpiredTokenException" => CollectError::Expired { source },
        "RequestTimeTooSkewed" | "RequestExpired" => CollectError::ClockSkew { source },
        "SignatureDoesNotMatch" | "InvalidSignatureException" if says(&["expired", "not yet current"]) => {
            CollectError::ClockSkew { source }
        }
        Failure::CONNECT_ERROR | Failure::TIMEOUT => CollectError::Unreachable { endpoint, source },
        Failure::MALFORMED_RESPONSE => CollectError::NotAws { endpoint, source },
        code if code.starts_with(Failure::HTTP) => CollectError::NotAws { endpoint, source },
        _ => CollectError::Refused { source },
    }
}

/// Remembers where the request went.
#[derive(Clone, Debug, Default)]
struct Endpoint(Arc<Mutex<String>>);

impl Endpoint {
    fn take(&self) -> String {
        let endpoint = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if endpoint.is_empty() { "AWS STS".to_owned() } else { endpoint }
    }
}

impl Intercept for Endpoint {
    fn name(&self) -> &'static str {
        "Endpoint"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request().uri().trim_end_matches('/').clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}
