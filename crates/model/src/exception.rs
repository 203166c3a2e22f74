//! Exceptions: what the configuration accepts, and until when, flows in; whether it covers a finding flows out.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::wildcard_match;
use crate::{AccountId, Finding, Scope, TagPattern};

/// Findings that somebody accepts for a time. In patterns `*` matches any text and `?` any character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// Pattern of the ids of checks.
    pub check: String,
    /// Pattern of the ARNs of resources; none, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// A tag that the resource must carry; none, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagPattern>,
    /// The account of the resource; none, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Why the finding is accepted.
    pub reason: Arc<str>,
    /// The last day on which it is, in UTC.
    pub expires: Date,
}

impl Exception {
    /// Whether its time is over at an instant.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.to_zoned(TimeZone::UTC).date() > self.expires
    }

    /// Whether it is about a check.
    pub fn names_check(&self, id: &str) -> bool {
        wildcard_match(&self.check, id)
    }

    /// Whether it is about the resource of a finding; [`Exception::names_check`] says whether it is about its check.
    pub fn names_resource(&self, finding: &Finding) -> bool {
        let resource = &finding.resource;
        self.account.as_ref().is_none_or(|account| *account == resource.account)
            && self.resource.as_deref().is_none_or(|pattern| arn_matches(pattern, &resource.arn))
            && self.tag.as_ref().is_none_or(|tag| tag.matches_any(resource.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
    }

    /// Whether a scan of this scope could meet its resource at all.
    pub fn is_in_scope(&self, scope: &Scope) -> bool {
        let named = |position: usize| {
            let field = self.resource.as_deref().and_then(|pattern| pattern.split(':').nth(position));
            field.filter(|field| !field.is_empty() && !field.contains(['*', '?']))
        };
        let arn_has_fields = self.resource.as_deref().is_some_and(|pattern| pattern.starts_with("arn:"));
        let in_region = !arn_has_fields || named(3).is_none_or(|region| scope.regions.iter().any(|known| known.as_str() == region));
        let known = |account: &str| scope.accounts.iter().any(|known| known.as_str() == account);
        let of_account = !arn_has_fields || named(4).is_none_or(known);
        in_region && of_account && self.account.as_ref().is_none_or(|account| known(account.as_str()))
    }
}

/// Most patterns are a whole ARN or the beginning of one: both are told without the general match.
fn arn_matches(pattern: &str, arn: &str) -> bool {
    let Some(first) = pattern.find(['*', '?']) else { return pattern == arn };
    pattern.get(..first).is_some_and(|beginning| arn.starts_with(beginning)) && wildcard_match(pattern, arn)
}

/// Why a finding is accepted, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppression {
    /// The exception's reason.
    pub reason: Arc<str>,
    /// The last day on which it holds, in UTC.
    pub expires: Date,
}

/// What an exception did in a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExceptionState {
    /// It suppresses findings.
    Applied,
    /// Its time is over: findings that it names are reported again.
    Expired,
    /// It names no finding: it is misspelt, or no longer needed.
    Unused,
    /// Its check did not run, or its account or Region was not scanned.
    Skipped,
}

/// An exception of the configuration, with what it did in this scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExceptionUse {
    /// The exception.
    #[serde(flatten)]
    pub exception: Exception,
    /// What it did.
    pub state: ExceptionState,
    /// How many findings it names.
    pub findings: usize,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Exception, arn_matches};
    use crate::{AccountId, Region, Scope};

    fn exception() -> Exception {
        Exception {
            check: "ecs-*".to_owned(),
            resource: None,
            tag: None,
            account: None,
            reason: "accepted".into(),
            expires: "2026-06-15".parse().unwrap(),
        }
    }

    #[test]
    fn it_holds_through_its_last_day_in_utc() {
        assert!(!exception().is_expired("2026-06-15T23:59:59Z".parse().unwrap()));
        assert!(exception().is_expired("2026-06-16T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn patterns_of_arns_match_whole_beginning_and_middle() {
        let arn = "arn:aws:ecs:us-east-1:111111111111:service/shop/web";
        for pattern in [arn, "arn:aws:ecs:*", "*service/shop/*", "arn:aws:ecs:us-east-?:*:service/shop/web"] {
            assert!(arn_matches(pattern, arn), "{pattern}");
        }
        for pattern in ["arn:aws:ecs:us-east-1:111111111111:service/shop", "arn:aws:iam:*", "*service/store/*", ""] {
            assert!(!arn_matches(pattern, arn), "{pattern}");
        }
    }

    #[test]
    fn a_region_or_account_that_was_not_scanned_is_out_of_scope() {
        let scope = Scope {
            accounts: BTreeSet::from([AccountId::new("111111111111")]),
            regions: BTreeSet::from([Region::new("us-east-1")]),
            ..Scope::default()
        };
        let at = |resource: &str| Exception { resource: Some(resource.to_owned()), ..exception() };
        assert!(exception().is_in_scope(&scope));
        assert!(at("arn:aws:ecs:us-east-1:111111111111:service/*").is_in_scope(&scope));
        assert!(at("arn:aws:iam::*:role/*").is_in_scope(&scope));
        assert!(at("*:service/shop/web").is_in_scope(&scope));
        assert!(!at("arn:aws:ecs:eu-west-3:111111111111:service/*").is_in_scope(&scope));
        assert!(!at("arn:aws:ecs:us-east-1:222222222222:service/*").is_in_scope(&scope));
        assert!(!Exception { account: Some(AccountId::new("222222222222")), ..exception() }.is_in_scope(&scope));
    }
}
