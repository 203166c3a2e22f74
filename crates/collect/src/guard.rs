//! Every request flows through; those that are not declared read-only operations are stopped before anything is sent.
//! So does every answer; a success that says nothing is stopped, lest it pass for an empty list.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// What the guard answers in place of AWS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plimsoll refuses to call {operation}: it is not among its declared read-only operations")]
pub(crate) struct Refusal {
    operation: String,
}

/// What the guard makes of a success without a body. The SDK takes it for an answer in which every list is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has no body")]
pub(crate) struct NoBody;

/// Refuses every operation that is not declared. Registered on every client.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    declared: Arc<BTreeSet<(&'static str, &'static str)>>,
}

impl Guard {
    /// Lets through what `operations()` declares.
    pub(crate) fn new() -> Self {
        static DECLARED: LazyLock<Arc<BTreeSet<(&'static str, &'static str)>>> =
            LazyLock::new(|| Arc::new(crate::operations().iter().map(|o| (o.service, o.name)).collect()));
        Self { declared: Arc::clone(&DECLARED) }
    }

    fn check(&self, service: &str, operation: &str) -> Result<(), Refusal> {
        let prefix = prefix(service);
        if self.declared.contains(&(prefix.as_str(), operation)) {
            Ok(())
        } else {
            Err(Refusal { operation: format!("{prefix}:{operation}") })
        }
    }
}

/// The prefix of a service's IAM actions, from the name that the SDK has for it.
pub(crate) fn prefix(service: &str) -> String {
    service.to_lowercase().replace(' ', "-")
}

impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "ReadOnlyGuard"
    }

    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = config.load::<Metadata>().map_or(("", ""), |m| (m.service(), m.name()));
        Ok(self.check(service, operation)?)
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let is_empty = response.status().is_success() && response.body().bytes().is_some_and(<[u8]>::is_empty);
        if is_empty { Err(NoBody.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Guard;
    use crate::replay::Replay;
    use aws_smithy_types::error::display::DisplayErrorContext;

    #[test]
    fn every_declared_operation_only_reads() {
        for operation in crate::operations() {
            let reads = ["Describe", "List", "Get", "Lookup", "BatchGet"].iter().any(|verb| operation.name.starts_with(verb));
            assert!(reads, "{} does not read", operation.id());
            assert!(operation.permission.contains(':') && !operation.why.is_empty(), "{}", operation.id());
        }
    }

    #[test]
    fn operations_are_declared_once() {
        let mut ids: Vec<String> = crate::operations().iter().map(|operation| operation.id()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[tokio::test]
    async fn what_writes_is_refused_before_anything_is_sent() {
        let replay = Replay::new();
        let refused = replay.ecs().delete_cluster().cluster("shop").send().await.unwrap_err();
        let text = DisplayErrorContext(refused).to_string();
        assert!(text.contains("plimsoll refuses to call ecs:DeleteCluster: it is not among its declared read-only operations"), "{text}");
        let refused = replay.iam().delete_user().user_name("root").send().await.unwrap_err();
        assert!(DisplayErrorContext(refused).to_string().contains("plimsoll refuses to call iam:DeleteUser"));
        assert_eq!(replay.requests(), []);
    }

    #[test]
    fn a_service_without_declarations_is_refused() {
        let refused = Guard::new().check("Secrets Manager", "GetSecretValue").unwrap_err();
        assert!(refused.to_string().contains("secrets-manager:GetSecretValue"));
    }
}
