//! The choice of accounts flows in; the accounts to scan, each with the role by which it is entered, flow out.
//!
//! The caller's own account, a role in each of several accounts, or the accounts of the caller's organization, which
//! `organizations` lists.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use plimsoll_model::{AccountId, Arn, Gap, Region, TagPattern};

use crate::api::Api;
use crate::error::CollectError;
use crate::organizations;
use crate::sts::Caller;
use crate::wire::Wire;

/// The accounts to look into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccountChoice {
    /// The one that the credentials belong to.
    #[default]
    Caller,
    /// The accounts of these roles.
    Roles {
        /// ARNs of the roles to assume.
        arns: Vec<String>,
        /// What their trust policies ask for.
        external_id: Option<String>,
    },
    /// These accounts, each by a role of one name.
    Named {
        /// Account numbers.
        accounts: Vec<String>,
        /// How the accounts are entered.
        role: AccountRole,
    },
    /// The accounts of the organization that the credentials belong to: the caller's own as it is, the others by a role.
    Organization {
        /// How the other accounts are entered.
        role: AccountRole,
        /// Which of the accounts.
        filter: AccountFilter,
    },
}

/// A role that every account has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRole {
    /// Its name, which may begin with its path: `audit` or `security/audit`.
    pub name: String,
    /// What its trust policies ask for.
    pub external_id: Option<String>,
}

/// Which accounts of an organization: those that something includes, or all of them, without those that something excludes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// What includes an account; empty, all are.
    pub include: AccountMatch,
    /// What excludes one.
    pub exclude: AccountMatch,
}

/// Accounts by number, place or tag; any of them matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountMatch {
    /// Account numbers.
    pub accounts: Vec<String>,
    /// Organizational units or roots, with everything below them.
    pub units: Vec<String>,
    /// Tags of the account.
    pub tags: Vec<TagPattern>,
}

impl AccountMatch {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.units.is_empty() && self.tags.is_empty()
    }
}

/// What cannot be meant by a choice of accounts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountChoiceError {
    /// Not the ARN of a role.
    #[error("{0} is not the ARN of a role")]
    RoleArn(String),
    /// Not the name of a role.
    #[error("{0} is not the name of a role")]
    RoleName(String),
    /// Not an account number.
    #[error("{0} is not an account number")]
    AccountId(String),
    /// Not an external id; it is a secret to some, so that it is not repeated.
    #[error("the external id is not one")]
    ExternalId,
    /// Not an organizational unit.
    #[error("{0} is not an organizational unit")]
    Unit(String),
    /// An account that is named twice.
    #[error("account {0} is named twice")]
    Twice(String),
    /// More than one account, where only one can be asked.
    #[error("one account can be examined at a time")]
    Several,
    /// There is nothing to do.
    #[error("no account is left to read")]
    Nobody,
}

impl AccountChoiceError {
    /// What the reader of the message can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::RoleArn(_) => "it looks like arn:aws:iam::123456789012:role/audit; the ARN of a session (assumed-role) is none",
            Self::RoleName(_) => "give its name, with its path if it has one: audit or security/audit; --role-arn takes ARNs",
            Self::AccountId(_) => "an account number has 12 digits, leading zeros included",
            Self::ExternalId => "it has 2 to 1224 letters, digits and characters of +=,.@:/-_",
            Self::Unit(_) => "its id looks like ou-ab12-cd34ef56, that of a root like r-ab12",
            Self::Twice(_) => "name each account once, with one role",
            Self::Several => "pass the --role-arn of one account, or none",
            Self::Nobody => "name an account, or widen what includes and excludes accounts",
        }
    }
}

/// An account to scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) account: AccountId,
    /// The ARN of the role to assume; none where the caller is at home.
    pub(crate) role: Option<String>,
}

impl AccountChoice {
    /// Refuses what cannot be meant, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), AccountChoiceError> {
        match self {
            Self::Caller => Ok(()),
            Self::Roles { arns, external_id } => {
                let accounts: Vec<&str> = arns.iter().map(|arn| account_of_role(arn)).collect::<Result<_, _>>()?;
                check_external_id(external_id.as_deref())?;
                check_distinct(&accounts)
            }
            Self::Named { accounts, role } => {
                role.check()?;
                check_accounts(accounts)?;
                check_distinct(&accounts.iter().map(String::as_str).collect::<Vec<_>>())
            }
            Self::Organization { role, filter } => {
                role.check()?;
                for one in [&filter.include, &filter.exclude] {
                    check_accounts(&one.accounts)?;
                    if let Some(wrong) = one.units.iter().find(|unit| !is_unit(unit)) {
                        return Err(AccountChoiceError::Unit(wrong.clone()));
                    }
                }
                Ok(())
            }
        }
    }

    /// The role to assume, where that is one or none.
    pub(crate) fn only_role(&self) -> Result<Option<&str>, AccountChoiceError> {
        match self {
            Self::Caller => Ok(None),
            Self::Roles { arns, .. } => match arns.as_slice() {
                [role] => Ok(Some(role)),
                _ => Err(AccountChoiceError::Several),
            },
            Self::Named { .. } | Self::Organization { .. } => Err(AccountChoiceError::Several),
        }
    }

    /// What the trust policies ask for.
    pub(crate) fn external_id(&self) -> Option<&str> {
        match self {
            Self::Caller => None,
            Self::Roles { external_id, .. } => external_id.as_deref(),
            Self::Named { role, .. } | Self::Organization { role, .. } => role.external_id.as_deref(),
        }
    }
}

impl AccountRole {
    fn check(&self) -> Result<(), AccountChoiceError> {
        check_external_id(self.external_id.as_deref())?;
        if is_role(self.name.strip_prefix('/').unwrap_or(&self.name)) {
            Ok(())
        } else {
            Err(AccountChoiceError::RoleName(self.name.clone()))
        }
    }

    fn arn(&self, partition: &str, account: &AccountId) -> String {
        format!("arn:{partition}:iam::{account}:role/{}", self.name.trim_start_matches('/'))
    }
}

/// The accounts that a choice comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The accounts to scan, in order, each once.
    pub(crate) entries: Vec<Entry>,
    /// Accounts of the organization that nobody can enter.
    pub(crate) inactive: BTreeSet<AccountId>,
}

/// The accounts to scan. Those that were asked for and are not there become gaps.
pub(crate) async fn to_scan(api: &Api, wire: &Wire, choice: &AccountChoice, caller: &Caller) -> Result<Chosen, CollectError> {
    let mut inactive = BTreeSet::new();
    let partition = Arn::parse(&caller.arn).map_or("aws", |arn| arn.partition);
    let mut entries: Vec<Entry> = match choice {
        AccountChoice::Caller => vec![Entry { account: caller.account.clone(), role: None }],
        AccountChoice::Roles { arns, .. } => arns
            .iter()
            .filter_map(|arn| Some(Entry { account: AccountId::new(Arn::parse(arn)?.account), role: Some(arn.clone()) }))
            .collect(),
        AccountChoice::Named { accounts, role } => {
            let accounts = accounts.iter().map(|account| AccountId::new(account));
            accounts.map(|account| Entry { role: Some(role.arn(partition, &account)), account }).collect()
        }
        AccountChoice::Organization { role, filter } => {
            let accounts = organizations::accounts(api, wire, filter).await?;
            for account in filter.include.accounts.iter().map(|account| AccountId::new(account)) {
                if !accounts.listed.contains(&account) {
                    not_in_organization(api, account);
                }
            }
            inactive = accounts.inactive;
            let role_in = |account: &AccountId| (*account != caller.account).then(|| role.arn(partition, account));
            accounts.chosen.into_iter().map(|account| Entry { role: role_in(&account), account }).collect()
        }
    };
    entries.sort_by(|a, b| a.account.cmp(&b.account));
    if entries.is_empty() { Err(AccountChoiceError::Nobody.into()) } else { Ok(Chosen { entries, inactive }) }
}

fn not_in_organization(api: &Api, account: AccountId) {
    api.gap(Gap {
        account,
        region: Region::global(),
        operation: organizations::LIST_ACCOUNTS.id(),
        code: Gap::NOT_IN_ORGANIZATION.to_owned(),
        message: "the caller's organization has no such account".to_owned(),
        resource: None,
    });
}

/// The account that a role belongs to.
fn account_of_role(text: &str) -> Result<&str, AccountChoiceError> {
    let arn = Arn::parse(text).filter(|arn| arn.service == "iam" && arn.region.is_empty() && is_account(arn.account));
    let role = arn.filter(|arn| arn.partition.starts_with("aws") && arn.resource.strip_prefix("role/").is_some_and(is_role));
    role.map(|arn| arn.account).ok_or_else(|| AccountChoiceError::RoleArn(text.to_owned()))
}

fn check_accounts(accounts: &[String]) -> Result<(), AccountChoiceError> {
    match accounts.iter().find(|account| !is_account(account)) {
        Some(wrong) => Err(AccountChoiceError::AccountId(wrong.clone())),
        None => Ok(()),
    }
}

fn check_distinct(accounts: &[&str]) -> Result<(), AccountChoiceError> {
    let mut seen = BTreeSet::new();
    match accounts.iter().find(|account| !seen.insert(**account)) {
        Some(twice) => Err(AccountChoiceError::Twice((*twice).to_owned())),
        None if accounts.is_empty() => Err(AccountChoiceError::Nobody),
        None => Ok(()),
    }
}

fn check_external_id(id: Option<&str>) -> Result<(), AccountChoiceError> {
    let fits = |id: &str| (2..=1224).contains(&id.len()) && id.chars().all(|c| is_word(c) || matches!(c, ':' | '/'));
    if id.is_none_or(fits) { Ok(()) } else { Err(AccountChoiceError::ExternalId) }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// A role's name, behind its path if it has one.
fn is_role(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or_default();
    let parts = text.split('/').all(|part| !part.is_empty() && part.chars().all(is_word));
    parts && name.len() <= 64 && text.len() <= 64 + 512
}

/// A character of IAM's friendly names.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | ',' | '.' | '@' | '-' | '_')
}

fn is_unit(text: &str) -> bool {
    let lower = |part: &str, length: std::ops::RangeInclusive<usize>| {
        length.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    match text.split('-').collect::<Vec<_>>().as_slice() {
        ["r", root] => lower(root, 4..=32),
        ["ou", root, unit] => lower(root, 4..=32) && lower(unit, 8..=32),
        _ => false,
    }
}
