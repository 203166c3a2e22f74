//! The policies that apply to a request, layer by layer, and the request itself.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;

use crate::actions::{AccessLevel, find};
use crate::context::Context;
use crate::document::{Action, Document, DocumentKind};
use crate::error::PolicyError;
use crate::principal::Caller;

/// A question: may this principal do this to that?
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// What is asked for, such as `s3:GetObject`, in any case.
    pub action: CompactString,
    /// The ARN that it is asked on; `*` for an action without resources.
    pub resource: CompactString,
    /// The account that owns the resource, which S3 ARNs do not show; `None` for the caller's.
    pub resource_account: Option<CompactString>,
    /// The condition keys.
    pub context: Context,
}

impl Request {
    /// A request in the caller's account with a complete, empty context.
    pub fn new(caller: Caller, action: &str, resource: &str) -> Self {
        Self { caller, action: action.into(), resource: resource.into(), resource_account: None, context: Context::complete() }
    }

    /// Whether the caller belongs to the account that owns the resource.
    pub fn is_same_account(&self) -> bool {
        match (self.caller.account(), &self.resource_account) {
            (Some(own), Some(other)) => own == other,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Whether no policy can allow it: AWS keeps it to itself.
    pub(crate) fn is_reserved_to_aws(&self) -> bool {
        Action::parse(&self.action).is_some_and(|action| is_reserved_to_aws(&action.service, &action.name, &self.resource))
    }
}

/// A policy under its name. A document that could not be read stays in its place: nobody with such a policy is assessed.
#[derive(Clone, Debug)]
pub struct Attached {
    /// What to call it in an explanation: the policy's name or ARN.
    pub name: CompactString,
    /// The compiled document, shared between all that it is attached to.
    pub document: Result<Arc<Document>, Arc<PolicyError>>,
}

impl Attached {
    /// Names a document.
    pub fn new(name: &str, document: Result<Document, PolicyError>) -> Self {
        Self { name: name.into(), document: document.map(Arc::new).map_err(Arc::new) }
    }

    /// Names a document that is shared.
    pub fn shared(name: &str, document: Arc<Document>) -> Self {
        Self { name: name.into(), document: Ok(document) }
    }

    /// Reads a document and names it.
    pub fn parse(name: &str, kind: DocumentKind, value: &serde_json::Value) -> Self {
        Self::new(name, Document::from_json(kind, value))
    }
}

/// Where a policy stands in the evaluation. Levels count from zero, the organisation's root first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// Policies of the caller, its groups included.
    Identity,
    /// The caller's permission boundary.
    Boundary,
    /// The policy of the caller's session.
    Session,
    /// A level of service control policies over the caller's account.
    ServiceControl(usize),
    /// A level of resource control policies over the resource's account.
    ResourceControl(usize),
    /// The resource's own policy: for a role its trust policy, for a key its key policy.
    Resource,
    /// The policy of the VPC endpoint that the request goes through.
    Endpoint,
    /// The grants of a KMS key. Those that are known are statements of [`Policies::resource`]; the layer is there to name
    /// what was not read.
    Grants,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("identity policy"),
            Self::Boundary => f.write_str("permission boundary"),
            Self::Session => f.write_str("session policy"),
            Self::ServiceControl(level) => write!(f, "SCP level {level}"),
            Self::ResourceControl(level) => write!(f, "RCP level {level}"),
            Self::Resource => f.write_str("resource policy"),
            Self::Endpoint => f.write_str("endpoint policy"),
            Self::Grants => f.write_str("grants of the key"),
        }
    }
}

/// All that has a say in a request.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Inline and managed policies of the caller and of its groups.
    pub identity: Vec<Attached>,
    /// The permission boundary, if there is one.
    pub boundary: Option<Attached>,
    /// The session policies; none means that the session was made without.
    pub session: Vec<Attached>,
    /// SCPs of the caller's account, level by level from the root; no levels mean that none apply.
    pub scps: Vec<Vec<Attached>>,
    /// RCPs of the resource's account, level by level; `RCPFullAWSAccess` goes without saying.
    pub rcps: Vec<Vec<Attached>>,
    /// The resource's policy; the trust policy where the resource is a role.
    pub resource: Option<Attached>,
    /// The policy of the VPC endpoint, for calls through one.
    pub endpoint: Option<Attached>,
    /// Layers that could not be read: answered as if they allowed, and named in the answer.
    pub unread: Vec<Layer>,
    /// The caller belongs to the organisation's management account, which no SCP binds.
    pub caller_manages: bool,
    /// The resource belongs to the management account, which no RCP binds.
    pub resource_manages: bool,
}

/// A layer's policies as the evaluation sees them.
pub(crate) struct Stack<'p> {
    pub(crate) identity: &'p [Attached],
    pub(crate) boundary: Option<&'p Attached>,
    pub(crate) session: &'p [Attached],
    pub(crate) scps: &'p [Vec<Attached>],
    pub(crate) rcps: &'p [Vec<Attached>],
    pub(crate) resource: Option<&'p Attached>,
    pub(crate) endpoint: Option<&'p Attached>,
    pub(crate) unread: &'p [Layer],
    pub(crate) caller_manages: bool,
    pub(crate) resource_manages: bool,
}

impl Policies {
    /// The policies that cannot be read: a principal with one of them is not assessed.
    pub fn malformed(&self) -> impl Iterator<Item = Malformed> {
        Stack::from(self).malformed()
    }
}

impl<'p> From<&'p Policies> for Stack<'p> {
    fn from(policies: &'p Policies) -> Self {
        Self {
            identity: &policies.identity,
            boundary: policies.boundary.as_ref(),
            session: &policies.session,
            scps: &policies.scps,
            rcps: &policies.rcps,
            resource: policies.resource.as_ref(),
            endpoint: policies.endpoint.as_ref(),
            unread: &policies.unread,
            caller_manages: policies.caller_manages,
            resource_manages: policies.resource_manages,
        }
    }
}

impl<'p> Stack<'p> {
    /// The policies that cannot be read.
    pub(crate) fn malformed(&self) -> impl Iterator<Item = Malformed> + use<'p> {
        self.all().filter_map(|(layer, attached)| {
            let error = Arc::clone(attached.document.as_ref().err()?);
            Some(Malformed { layer, policy: attached.name.clone(), error })
        })
    }

    /// Every policy with its layer, in the order of explanation.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Layer, &'p Attached)> + use<'p> {
        let levels = |levels: &'p [Vec<Attached>], layer: fn(usize) -> Layer| {
            levels.iter().enumerate().flat_map(move |(level, policies)| policies.iter().map(move |policy| (layer(level), policy)))
        };
        let identity = self.identity.iter().map(|policy| (Layer::Identity, policy));
        let boundary = self.boundary.into_iter().map(|policy| (Layer::Boundary, policy));
        let session = self.session.iter().map(|policy| (Layer::Session, policy));
        let resource = self.resource.into_iter().map(|policy| (Layer::Resource, policy));
        let endpoint = self.endpoint.into_iter().map(|policy| (Layer::Endpoint, policy));
        identity
            .chain(boundary)
            .chain(session)
            .chain(levels(self.scps, Layer::ServiceControl))
            .chain(levels(self.rcps, Layer::ResourceControl))
            .chain(resource)
            .chain(endpoint)
    }
}

/// A policy in the way of an answer: the principal is not assessed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{layer} {policy} is malformed: {error}")]
pub struct Malformed {
    /// Where the policy stands.
    pub layer: Layer,
    /// Its name.
    pub policy: CompactString,
    /// What is wrong with it.
    pub error: Arc<PolicyError>,
}

/// What of the answer a missing Allow at each layer decides: `sts:AssumeRole*` on a role, a KMS action on a key.
pub(crate) fn needs_resource_policy(service: &str, name: &str, resource: &str) -> bool {
    let Some([_, _, of, _, _, id]) = crate::arn::split(resource) else { return false };
    match service {
        "kms" => of == "kms" && id.starts_with("key/"),
        // Tags and the source identity are set while a role is assumed: its trust policy admits them too.
        "sts" => {
            of == "iam"
                && id.starts_with("role/")
                && (name.starts_with("assumerole") || matches!(name, "tagsession" | "setsourceidentity" | "setcontext"))
        }
        _ => false,
    }
}

/// Whether AWS alone may do this to the resource, whatever the policies grant: change its managed policies, change or pass
/// the roles that it keeps under `/aws-reserved/`, name aliases `aws/…`.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html>
/// <https://docs.aws.amazon.com/kms/latest/developerguide/alias-about.html>
pub(crate) fn is_reserved_to_aws(service: &str, name: &str, resource: &str) -> bool {
    if !matches!(service, "iam" | "kms") {
        return false;
    }
    let Some([_, _, of, _, account, id]) = crate::arn::split(resource) else { return false };
    match of {
        "iam" if account == "aws" && id.starts_with("policy/") || id.starts_with("role/aws-reserved/") => {
            find(service, name).is_some_and(|action| !matches!(action.level, AccessLevel::List | AccessLevel::Read))
        }
        "kms" => id.starts_with("alias/aws/") && matches!(name, "createalias" | "deletealias" | "updatealias"),
        _ => false,
    }
}

/// Whether RCPs bind this action on the resources of its service. Who may retire a grant is the grant's business alone.
pub(crate) fn is_bound_by_rcps(service: &str, name: &str) -> bool {
    RCP_SERVICES.binary_search(&service).is_ok() && (service, name) != ("kms", "retiregrant")
}

/// Services whose resources RCPs bind, by the prefix of their actions, sorted; as of September 2026.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services>
pub const RCP_SERVICES: [&str; 62] = [
    "aoss",
    "appconfig",
    "appstream",
    "autoscaling",
    "autoscaling-plans",
    "budgets",
    "clouddirectory",
    "cloudfront",
    "cloudsearch",
    "cloudtrail-data",
    "codeartifact",
    "codebuild",
    "codecommit",
    "codepipeline",
    "cognito-identity",
    "cognito-idp",
    "comprehend",
    "comprehendmedical",
    "compute-optimizer",
    "cost-optimization-hub",
    "dax",
    "dsql",
    "dynamodb",
    "ecr",
    "ecr-public",
    "events",
    "firehose",
    "fis",
    "fms",
    "gamelift",
    "health",
    "inspector-scan",
    "kendra",
    "kinesisvideo",
    "kms",
    "logs",
    "memorydb",
    "networkmonitor",
    "notifications",
    "opensearch",
    "pca-connector-ad",
    "personalize",
    "polly",
    "pricing",
    "resource-groups",
    "rolesanywhere",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "signin",
    "sqs",
    "sts",
    "support",
    "swf",
    "textract",
    "timestream-influxdb",
    "transcribe",
    "transfer",
    "translate",
    "wafv2",
    "workspaces",
    "xray",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_that_rcps_bind_are_sorted() {
        assert!(RCP_SERVICES.is_sorted());
    }
}
