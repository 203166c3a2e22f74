//! The request context: what is known of each condition key, under its name in any case.

use compact_str::{CompactString, ToCompactString};
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

use crate::case::fold_case;

/// The value of a key in a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContextValue {
    /// A single-valued key.
    One(CompactString),
    /// A multi-valued key; the order says nothing.
    Many(Vec<CompactString>),
}

impl From<&str> for ContextValue {
    fn from(text: &str) -> Self {
        Self::One(text.into())
    }
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// The request carries this value.
    Known(ContextValue),
    /// The request certainly does not carry the key.
    Absent,
    /// Whoever sends the request decides: request parameters, tags it sets, its user agent.
    Chosen,
    /// Nobody here knows.
    Unknown,
}

impl KeyState {
    /// A known single value.
    pub fn known(text: &str) -> Self {
        Self::Known(text.into())
    }
}

/// What to think of a key that was not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// It is absent: the context is complete.
    #[default]
    Absent,
    /// By its name: chosen if the sender decides on it, else unknown.
    ByName,
}

/// The condition keys of a request.
#[derive(Clone, Debug, Default)]
pub struct Context {
    keys: FxHashMap<CompactString, KeyState>,
    /// Keys by the start of their name, for tags.
    families: Vec<(CompactString, KeyState)>,
    others: Others,
}

impl Context {
    /// A context in which a key that is not set is absent.
    pub fn complete() -> Self {
        Self::default()
    }

    /// A context in which a key that is not set is chosen or unknown, by its name.
    pub fn open() -> Self {
        Self { others: Others::ByName, ..Self::default() }
    }

    /// Sets what is known of a key; its name is taken in any case.
    pub fn set(&mut self, key: &str, state: KeyState) {
        self.keys.insert(lowered(key), state);
    }

    /// Sets what is known of all keys whose name starts so and that are not set by themselves: of tags that were read
    /// the others are absent.
    pub fn set_family(&mut self, start: &str, state: KeyState) {
        let start = lowered(start);
        self.families.retain(|(known, _)| *known != start);
        self.families.push((start, state));
    }

    /// The same context with what is known of a key.
    pub fn with(mut self, key: &str, state: KeyState) -> Self {
        self.set(key, state);
        self
    }

    /// What is known of a key.
    pub fn get(&self, key: &str) -> KeyState {
        self.lookup(&lowered(key)).clone()
    }

    /// What is known of a key whose name is in lower case.
    pub(crate) fn lookup(&self, lowered: &str) -> &KeyState {
        let set = self.keys.get(lowered).or_else(|| {
            let family = self.families.iter().find(|(start, _)| lowered.starts_with(start.as_str()));
            family.map(|(_, state)| state)
        });
        match (set, self.others) {
            (Some(state), _) => state,
            (None, Others::Absent) => &KeyState::Absent,
            (None, Others::ByName) if is_chosen(lowered) => &KeyState::Chosen,
            (None, Others::ByName) => &KeyState::Unknown,
        }
    }

    /// Reads a complete context from a JSON object: an array is a multi-valued key, anything else a single value.
    ///
    /// # Errors
    ///
    /// The name of the key whose value is neither text, number, boolean nor an array of them.
    pub fn from_json(members: &serde_json::Map<String, Json>) -> Result<Self, String> {
        let mut context = Self::complete();
        for (key, value) in members {
            let value = match value {
                Json::Array(items) => items.iter().map(scalar).collect::<Option<_>>().map(ContextValue::Many),
                value => scalar(value).map(ContextValue::One),
            };
            context.set(key, KeyState::Known(value.ok_or_else(|| key.clone())?));
        }
        Ok(context)
    }
}

/// The text of a scalar.
pub(crate) fn scalar(value: &Json) -> Option<CompactString> {
    match value {
        Json::String(text) => Some(text.into()),
        Json::Bool(truth) => Some(truth.to_compact_string()),
        Json::Number(number) => Some(number.to_compact_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A key name as it is looked up.
pub(crate) fn lowered(key: &str) -> CompactString {
    if !key.is_ascii() {
        return fold_case(key).into();
    }
    let mut name = CompactString::new(key);
    name.make_ascii_lowercase();
    name
}

/// Keys whose value the sender of a request decides. Request parameters of the services that matter for escalation, and
/// what any client may put into a request.
const CHOSEN: [&str; 49] = [
    "aws:referer",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:tagkeys",
    "aws:useragent",
    "ec2:imageid",
    "ec2:instancetype",
    "ec2:osuser",
    "ecs:auto-assign-public-ip",
    "ecs:capacity-provider",
    "ecs:cluster",
    "ecs:compute-compatibility",
    "ecs:container-name",
    "ecs:enable-ebs-volumes",
    "ecs:enable-ecs-managed-tags",
    "ecs:enable-execute-command",
    "ecs:enable-service-connect",
    "ecs:namespace",
    "ecs:privileged",
    "ecs:propagate-tags",
    "ecs:subnet",
    "ecs:task-cpu",
    "ecs:task-definition",
    "ecs:task-memory",
    "eks:accessentrytype",
    "eks:accessscope",
    "eks:authenticationmode",
    "eks:kubernetesgroups",
    "eks:namespaces",
    "eks:policyarn",
    "eks:principalarn",
    "eks:username",
    "iam:associatedresourcearn",
    "iam:awsservicename",
    "iam:passedtoservice",
    "iam:permissionsboundary",
    "iam:policyarn",
    "kms:granteeprincipal",
    "kms:grantisforawsresource",
    "kms:grantoperations",
    "lambda:layer",
    "s3:delimiter",
    "s3:max-keys",
    "s3:prefix",
    "ssm:sessiondocumentaccesscheck",
    "sts:rolesessionname",
    "sts:sourceidentity",
    "sts:taskpolicyarn",
    "sts:transitivetagkeys",
];

/// Whether the sender of a request decides on the value of this key, whose name is in lower case.
pub(crate) fn is_chosen(lowered: &str) -> bool {
    lowered.starts_with("aws:requesttag/") || CHOSEN.binary_search(&lowered).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_to_the_tail() {
        let context = Context::complete().with("aws:PrincipalTag/Team", KeyState::known("blue"));
        assert_eq!(context.get("AWS:principaltag/team"), KeyState::known("blue"));
        assert_eq!(context.get("aws:PrincipalTag/other"), KeyState::Absent);
        let greek = Context::complete().with("aws:PrincipalTag/ΛΌΓΟΣ", KeyState::known("x"));
        assert_eq!(greek.get("aws:PrincipalTag/λόγοσ"), KeyState::known("x"));
    }

    #[test]
    fn what_is_not_set_in_an_open_context_is_chosen_or_unknown() {
        let context = Context::open();
        assert_eq!(context.get("iam:PassedToService"), KeyState::Chosen);
        assert_eq!(context.get("aws:RequestTag/env"), KeyState::Chosen);
        assert_eq!(context.get("sts:ExternalId"), KeyState::Unknown);
    }

    #[test]
    fn the_list_of_chosen_keys_is_sorted() {
        assert!(CHOSEN.is_sorted());
    }
}
