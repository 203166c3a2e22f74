//! Who asks, and whom a policy names. ARNs and the `Principal` element flow in; how the one matches the other flows out.

use compact_str::CompactString;

use crate::arn;
use crate::tri::Tri;

/// The principal of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As it was given.
    pub text: CompactString,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// A role as such: an unnamed session of it.
    Role(Named),
    /// A session of a role; its ARN carries no path.
    Session(Named),
    User(Named),
    FederatedUser(Named),
    Root {
        account: CompactString,
    },
    /// An AWS service, or an identity provider by its host name.
    Service,
    /// An OIDC or SAML provider, by its ARN.
    Provider {
        account: CompactString,
    },
    /// Without credentials.
    Anonymous,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    partition: CompactString,
    account: CompactString,
    /// Without the path.
    name: CompactString,
    service_linked: bool,
}

impl Caller {
    /// Reads a principal: the ARN of a role, session, user, federated user, account root or identity provider, an
    /// account number (its root), a service's host name, or `*` for a caller without credentials.
    pub fn parse(text: &str) -> Option<Self> {
        let kind = if text == "*" {
            Kind::Anonymous
        } else if is_account(text) {
            Kind::Root { account: text.into() }
        } else if text.starts_with("arn:") {
            let [_, partition, service, _, account, resource] = arn::split(text)?;
            let named = |name: &str| {
                (!name.is_empty()).then(|| Named {
                    partition: partition.into(),
                    account: account.into(),
                    name: name.into(),
                    service_linked: resource.starts_with("role/aws-service-role/"),
                })
            };
            let (of, rest) = resource.split_once('/').unwrap_or((resource, ""));
            let last = rest.rsplit('/').next().unwrap_or(rest);
            match (service, of) {
                ("iam", "root") => Kind::Root { account: account.into() },
                ("iam", "role") => Kind::Role(named(last)?),
                ("iam", "user") => Kind::User(named(last)?),
                ("sts", "assumed-role") => Kind::Session(named(rest.split('/').next().unwrap_or(rest))?),
                ("sts", "federated-user") => Kind::FederatedUser(named(rest)?),
                ("iam", "oidc-provider" | "saml-provider") => Kind::Provider { account: account.into() },
                _ => return None,
            }
        } else if text.contains('.') && !text.contains([':', '/', ' ']) {
            Kind::Service
        } else {
            return None;
        };
        Some(Self { text: text.into(), kind })
    }

    /// The account it belongs to; `None` for services and callers without credentials.
    pub fn account(&self) -> Option<&str> {
        match &self.kind {
            Kind::Role(named) | Kind::Session(named) | Kind::User(named) | Kind::FederatedUser(named) => Some(&named.account),
            Kind::Root { account } => Some(account),
            Kind::Provider { .. } | Kind::Service | Kind::Anonymous => None,
        }
    }

    /// Whether it is an AWS service or an identity provider, which has no policies of its own.
    pub fn is_service(&self) -> bool {
        matches!(self.kind, Kind::Service | Kind::Provider { .. })
    }

    /// Whether it is the root user of its account.
    pub fn is_root(&self) -> bool {
        matches!(self.kind, Kind::Root { .. })
    }

    /// Whether it is a session of a federated user.
    pub fn is_federated_user(&self) -> bool {
        matches!(self.kind, Kind::FederatedUser(_))
    }

    /// Whether it has no credentials.
    pub fn is_anonymous(&self) -> bool {
        self.kind == Kind::Anonymous
    }

    /// Whether it is a service-linked role, as far as its ARN shows: that of a session shows no path.
    pub fn is_service_linked(&self) -> bool {
        match &self.kind {
            Kind::Role(named) => named.service_linked,
            Kind::Session(named) => named.name.starts_with("AWSServiceRoleFor"),
            _ => false,
        }
    }
}

/// By what a policy names the caller. The kind decides what an Allow is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamedBy {
    /// Its account: a delegation to that account's policies.
    Account,
    /// The user of a federated-user session.
    User,
    /// The role of a session.
    Role,
    /// Everybody.
    Everyone,
    /// Its own ARN, or a service's or provider's name.
    Exact,
}

/// One principal in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Everyone,
    Account(CompactString),
    Role {
        arn: CompactString,
        partition: CompactString,
        account: CompactString,
        name: CompactString,
    },
    User {
        arn: CompactString,
        partition: CompactString,
        account: CompactString,
        name: CompactString,
    },
    /// A session, a federated user, a service, a provider: equal text.
    Exact(CompactString),
    /// The id that IAM leaves behind when a principal is deleted.
    Deleted(CompactString),
    /// Names nobody.
    Nobody(CompactString),
}

impl Entry {
    /// Reads a value under the key `AWS`.
    pub(crate) fn aws(text: &str) -> Self {
        if text == "*" {
            return Self::Everyone;
        }
        if is_account(text) {
            return Self::Account(text.into());
        }
        if is_unique_id(text) {
            return Self::Deleted(text.into());
        }
        let Some(["arn", partition, service, _, account, resource]) = arn::split(text) else { return Self::Nobody(text.into()) };
        let name = resource.rsplit('/').next().unwrap_or(resource);
        let of = resource.split('/').next().unwrap_or(resource);
        match (service, of) {
            _ if text.contains(['*', '?']) => Self::Nobody(text.into()),
            ("iam", "root") if resource == "root" => Self::Account(account.into()),
            ("iam", "role") => Self::Role { arn: text.into(), partition: partition.into(), account: account.into(), name: name.into() },
            ("iam", "user") => Self::User { arn: text.into(), partition: partition.into(), account: account.into(), name: name.into() },
            _ => Self::Exact(text.into()),
        }
    }

    /// How this entry names the caller.
    pub(crate) fn names(&self, caller: &Caller) -> Option<NamedBy> {
        match self {
            Self::Everyone => Some(NamedBy::Everyone),
            Self::Account(own) => (caller.account() == Some(own)).then_some(NamedBy::Account),
            Self::Role { arn, partition, account, name } => match &caller.kind {
                Kind::Role(_) => (caller.text == *arn).then_some(NamedBy::Role),
                Kind::Session(session) => {
                    (session.partition == *partition && session.account == *account && session.name == *name).then_some(NamedBy::Role)
                }
                _ => None,
            },
            Self::User { arn, partition, account, name } => match &caller.kind {
                Kind::User(_) => (caller.text == *arn).then_some(NamedBy::Exact),
                Kind::FederatedUser(user) => {
                    (user.partition == *partition && user.account == *account && user.name == *name).then_some(NamedBy::User)
                }
                _ => None,
            },
            // A role's own ARN is no session: only roles and accounts name it.
            Self::Exact(text) => (caller.text == *text).then_some(NamedBy::Exact),
            Self::Deleted(_) | Self::Nobody(_) => None,
        }
    }
}

/// A `Principal` or `NotPrincipal` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principals {
    pub(crate) negated: bool,
    pub(crate) entries: Box<[Entry]>,
}

impl Principals {
    /// How an Allow or Deny with this element reaches the caller. `bounded`: the caller has a permission boundary.
    pub(crate) fn reach(&self, caller: &Caller, deny: bool, bounded: bool) -> Option<NamedBy> {
        if self.negated {
            let spared =
                if deny { !bounded && self.spares(caller) } else { self.entries.iter().any(|entry| entry.names(caller).is_some()) };
            return (!spared).then_some(NamedBy::Everyone);
        }
        self.entries.iter().filter_map(|entry| entry.names(caller)).max()
    }

    /// Whether `Deny` with `NotPrincipal` spares the caller: every principal that stands behind it must be listed.
    fn spares(&self, caller: &Caller) -> bool {
        let lists = |kind: NamedBy| self.entries.iter().any(|entry| entry.names(caller) == Some(kind));
        if lists(NamedBy::Everyone) {
            return true;
        }
        match &caller.kind {
            Kind::Role(_) => lists(NamedBy::Role) && lists(NamedBy::Account),
            Kind::Session(_) => lists(NamedBy::Exact) && lists(NamedBy::Role) && lists(NamedBy::Account),
            Kind::User(_) | Kind::FederatedUser(_) => lists(NamedBy::Exact) && lists(NamedBy::Account),
            Kind::Root { .. } => lists(NamedBy::Account),
            Kind::Service | Kind::Provider { .. } => lists(NamedBy::Exact),
            Kind::Anonymous => false,
        }
    }

    /// Whether it certainly names nobody at all.
    pub(crate) fn is_empty(&self) -> bool {
        !self.negated && self.entries.iter().all(|entry| matches!(entry, Entry::Deleted(_) | Entry::Nobody(_)))
    }
}

/// Whether this is a 12-digit account number.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this is the unique id of a role or user, which IAM puts in the place of a deleted one.
fn is_unique_id(text: &str) -> bool {
    (text.starts_with("AROA") || text.starts_with("AIDA"))
        && text.len() >= 16
        && text.split(':').next().is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
}

impl From<Option<NamedBy>> for Tri {
    fn from(named: Option<NamedBy>) -> Self {
        named.is_some().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(entry: &str, caller: &str) -> Option<NamedBy> {
        Entry::aws(entry).names(&Caller::parse(caller).unwrap())
    }

    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/i-1";

    #[test]
    fn a_session_is_named_by_its_arn_its_role_or_its_account() {
        assert_eq!(names(SESSION, SESSION), Some(NamedBy::Exact));
        assert_eq!(names("arn:aws:iam::111122223333:role/team/blue/app", SESSION), Some(NamedBy::Role));
        assert_eq!(names("111122223333", SESSION), Some(NamedBy::Account));
        assert_eq!(names("arn:aws:iam::111122223333:root", SESSION), Some(NamedBy::Account));
        assert_eq!(names("*", SESSION), Some(NamedBy::Everyone));
        assert_eq!(names("arn:aws:iam::111122223333:role/app-*", SESSION), None);
        assert_eq!(names("arn:aws:iam::444455556666:role/app", SESSION), None);
    }

    #[test]
    fn a_role_as_such_is_no_session_of_its_own_name() {
        let role = "arn:aws:iam::111122223333:role/app";
        assert_eq!(names(role, role), Some(NamedBy::Role));
        assert_eq!(names(SESSION, role), None);
    }

    #[test]
    fn a_deleted_principal_is_nobody() {
        assert_eq!(Entry::aws("AROAEXAMPLEID1234567"), Entry::Deleted("AROAEXAMPLEID1234567".into()));
    }

    #[test]
    fn not_principal_spares_only_whom_it_lists_completely() {
        let list = |entries: &[&str]| Principals { negated: true, entries: entries.iter().map(|text| Entry::aws(text)).collect() };
        let caller = Caller::parse(SESSION).unwrap();
        let role = "arn:aws:iam::111122223333:role/app";
        assert!(list(&[role]).reach(&caller, true, false).is_some());
        assert!(list(&[role, SESSION]).reach(&caller, true, false).is_some());
        assert!(list(&[role, SESSION, "111122223333"]).reach(&caller, true, false).is_none());
        assert!(list(&[role, SESSION, "111122223333"]).reach(&caller, true, true).is_some());
    }

    #[test]
    fn what_is_no_principal_is_refused() {
        for text in ["", "alice", "arn:aws:s3:::bucket", "arn:aws:iam::1:role/", "arn:aws:iam"] {
            assert_eq!(Caller::parse(text), None, "{text}");
        }
    }
}
