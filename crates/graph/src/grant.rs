//! Grants of KMS keys as statements of the key's policy: who may use a key by a grant asks the policy engine like everybody
//! else. A Deny, and the organization's policies, stand over grants as over the policy (KMS developer guide, "Grants").

use std::borrow::Cow;

use plimsoll_iam::{Attached, DocumentKind};
use plimsoll_model::aws::kms::{GrantListEntry, Key};
use plimsoll_model::policy::PolicyDocument;
use serde_json::{Map, Value, json};

use crate::permission::parsed;
use crate::{Node, Unknown};

/// What grants can allow (`GrantOperation` of the KMS API).
const GRANTABLE: [&str; 17] = [
    "CreateGrant",
    "Decrypt",
    "DeriveSharedSecret",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetPublicKey",
    "ReEncryptFrom",
    "ReEncryptTo",
    "RetireGrant",
    "Sign",
    "Verify",
    "VerifyMac",
];

/// Whether a grant can allow an action.
pub(crate) fn is_grantable(action: &str) -> bool {
    let named = action.split_once(':').filter(|(service, _)| service.eq_ignore_ascii_case("kms"));
    named.is_some_and(|(_, name)| GRANTABLE.iter().any(|operation| operation.eq_ignore_ascii_case(name)))
}

impl<'e> Node<'e, Key> {
    /// Its policy, with a statement `grant ID` for each of its grants that were read; `None` for a key that does not exist.
    ///
    /// # Errors
    ///
    /// Its policy was not read.
    pub fn policy_with_grants(self) -> Result<Option<Cow<'e, PolicyDocument>>, Unknown> {
        let Some(policy) = self.data().policy.known()?.as_ref() else { return Ok(None) };
        let grants = self.data().grants.known().map(Vec::as_slice).unwrap_or_default();
        let granted: Vec<Value> = grants.iter().filter_map(statement).collect();
        let Value::Object(document) = &policy.0 else { return Ok(Some(Cow::Borrowed(policy))) };
        if granted.is_empty() {
            return Ok(Some(Cow::Borrowed(policy)));
        }
        let own = match document.get("Statement") {
            Some(Value::Array(own)) => own.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let mut document = document.clone();
        document.insert("Statement".to_owned(), Value::Array([own, granted].concat()));
        Ok(Some(Cow::Owned(PolicyDocument(Value::Object(document)))))
    }

    /// The same, parsed; once, for every principal may be asked about.
    pub(crate) fn attached_policy(self) -> Result<Option<Attached>, Unknown> {
        self.data().policy.known()?;
        let parse = || {
            let policy = self.policy_with_grants().ok().flatten()?;
            Some(parsed(&self.data().key_id, DocumentKind::Resource, Some(&policy)))
        };
        Ok(self.estate.key_policies.get(self.index as usize).and_then(|cell| cell.get_or_init(parse).clone()))
    }

    /// Why its grants are not known.
    pub fn unread_grants(self) -> Option<Unknown> {
        self.data().grants.known().err().map(Unknown::from)
    }
}

/// A grant as a statement; `None` for one to nobody who could be named.
fn statement(grant: &GrantListEntry) -> Option<Value> {
    let to = grant.grantee_principal.as_deref()?;
    let principal = match to {
        service if grant.is_to_service() => json!({"Service": service}),
        principal if principal.starts_with("arn:") => json!({"AWS": principal}),
        _ => return None,
    };
    let actions: Vec<String> = grant.operations.iter().map(|operation| format!("kms:{operation}")).collect();
    if actions.is_empty() {
        return None;
    }
    let mut granted = Map::new();
    granted.insert("Sid".to_owned(), json!(grant.statement_name()));
    granted.insert("Effect".to_owned(), json!("Allow"));
    granted.insert("Principal".to_owned(), principal);
    granted.insert("Action".to_owned(), json!(actions));
    granted.insert("Resource".to_owned(), json!("*"));
    if let Some(constraints) = &grant.constraints {
        let pairs = constraints.encryption_context_subset.iter().chain(&constraints.encryption_context_equals);
        let equal: Map<String, Value> = pairs.map(|(key, value)| (format!("kms:EncryptionContext:{key}"), json!(value))).collect();
        let mut condition = Map::new();
        if !equal.is_empty() {
            condition.insert("StringEquals".to_owned(), Value::Object(equal));
        }
        if !constraints.encryption_context_equals.is_empty() {
            let keys: Vec<&String> = constraints.encryption_context_equals.keys().collect();
            condition.insert("ForAllValues:StringEquals".to_owned(), json!({"kms:EncryptionContextKeys": keys}));
        }
        granted.insert("Condition".to_owned(), Value::Object(condition));
    }
    Some(Value::Object(granted))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plimsoll_fixture::{Fixture, fixture, key_arn, policy, role_arn};
    use plimsoll_iam::{KeyState, Layer, Verdict};
    use plimsoll_model::aws::iam::Role;
    use plimsoll_model::aws::kms::{GrantConstraints, GrantListEntry};
    use plimsoll_model::{Gap, Seen};
    use serde_json::json;

    use crate::{Estate, Principal, Unknown};

    fn grant(to: &str, constraints: Option<GrantConstraints>) -> GrantListEntry {
        let operations = vec!["Decrypt".to_owned(), "DescribeKey".to_owned()];
        GrantListEntry { grant_id: "g1".to_owned(), grantee_principal: Some(to.to_owned()), operations, constraints, ..Default::default() }
    }

    /// Key `k1`, whose policy leaves nothing to IAM, with these grants, and a role without policies.
    fn account(grants: Seen<Vec<GrantListEntry>>) -> Fixture {
        let keeper = json!({"Effect": "Allow", "Principal": {"AWS": role_arn("keeper")}, "Action": "kms:*", "Resource": "*"});
        let document = policy(json!({"Version": "2012-10-17", "Statement": keeper}));
        let account = fixture().role("web", |_| {}).key("k1", |key| {
            key.policy = Seen::Known(Some(document));
            key.grants = grants;
        });
        account.global_resource(plimsoll_model::aws::organizations::Account {
            id: plimsoll_fixture::ACCOUNT.to_owned(),
            organization: Seen::Known(None),
            ..Default::default()
        })
    }

    fn ask(account: Fixture, action: &str, context: &[(&str, KeyState)]) -> Result<(Verdict, Vec<Layer>), Unknown> {
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        let role = estate.all::<Role>().find(|role| role.role_name == "web").unwrap();
        let (_, decision) = Principal::Role(role).decide(action, &key_arn("k1"), context)?;
        Ok((decision.verdict, decision.unread))
    }

    fn decide(account: Fixture, action: &str, context: &[(&str, KeyState)]) -> (Verdict, Vec<Layer>) {
        ask(account, action, context).unwrap()
    }

    #[test]
    fn a_grant_lets_its_principal_do_what_it_names() {
        let granted = |to: &str| account(Seen::Known(vec![grant(to, None)]));
        assert_eq!(decide(granted(&role_arn("web")), "kms:Decrypt", &[]), (Verdict::Allowed, vec![]));
        assert_eq!(decide(granted(&role_arn("web")), "kms:Encrypt", &[]).0, Verdict::ImplicitlyDenied);
        assert_eq!(decide(granted(&role_arn("other")), "kms:Decrypt", &[]).0, Verdict::ImplicitlyDenied);
        assert_eq!(decide(granted("fargate.us-east-1.amazonaws.com"), "kms:Decrypt", &[]).0, Verdict::ImplicitlyDenied);
        assert_eq!(decide(account(Seen::Known(Vec::new())), "kms:Decrypt", &[]), (Verdict::ImplicitlyDenied, vec![]));
    }

    #[test]
    fn the_constraints_of_a_grant_are_conditions() {
        let context = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        let constraints = GrantConstraints { encryption_context_subset: context, ..Default::default() };
        let with = |value: &str| {
            let account = account(Seen::Known(vec![grant(&role_arn("web"), Some(constraints.clone()))]));
            decide(account, "kms:Decrypt", &[("kms:EncryptionContext:app", KeyState::known(value))]).0
        };
        assert_eq!((with("web"), with("else")), (Verdict::Allowed, Verdict::ImplicitlyDenied));
    }

    #[test]
    fn without_the_grants_what_they_could_allow_is_unknown() {
        let unread = || account(Gap::not_collected("kms:ListGrants").into());
        assert_eq!(ask(unread(), "kms:Decrypt", &[]).unwrap_err().gap.operation, "kms:ListGrants");
        assert_eq!(decide(unread(), "kms:PutKeyPolicy", &[]).1, vec![], "no grant allows that");
    }
}
