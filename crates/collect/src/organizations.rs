//! AWS Organizations, as the caller's account sees it.
//!
//! Calls organizations:ListAccounts; for units that choose accounts, organizations:ListAccountsForParent and
//! organizations:ListOrganizationalUnitsForParent once for each unit below them; for tags that choose accounts,
//! organizations:ListTagsForResource once for each account that nothing else decides. Yields the accounts to scan.
//!
//! Where there are containers, calls organizations:DescribeOrganization; and as the management account, or where the whole
//! organization is scanned, organizations:ListParents and organizations:ListPoliciesForTarget once for each account and
//! unit on the way to the root, and organizations:DescribePolicy once for each policy. Yields accounts and policies.

pub(crate) mod policies;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use plimsoll_model::{AccountId, Gap, TagPattern};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::accounts::{AccountFilter, AccountMatch};
use crate::api::{Api, Operation, Outcome};
use crate::error::CollectError;
use crate::failure::Failure;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "organizations",
    id: "Organizations",
    host: "organizations",
    fips_host: "organizations-fips",
    signing_name: "organizations",
    protocol: Protocol::Json("1.1", "AWSOrganizationsV20161128"),
    reach: Reach::Partition,
};

pub(crate) const LIST_ACCOUNTS: Operation = Operation {
    service: "organizations",
    name: "ListAccounts",
    permission: "organizations:ListAccounts",
    why: "the accounts of an organization that is scanned whole",
};

const LIST_ACCOUNTS_FOR_PARENT: Operation = Operation {
    service: "organizations",
    name: "ListAccountsForParent",
    permission: "organizations:ListAccountsForParent",
    why: "the accounts of a unit that includes or excludes them",
};

const LIST_ORGANIZATIONAL_UNITS_FOR_PARENT: Operation = Operation {
    service: "organizations",
    name: "ListOrganizationalUnitsForParent",
    permission: "organizations:ListOrganizationalUnitsForParent",
    why: "the units below it",
};

const LIST_TAGS_FOR_RESOURCE: Operation = Operation {
    service: "organizations",
    name: "ListTagsForResource",
    permission: "organizations:ListTagsForResource",
    why: "the tags of accounts, where tags include or exclude them",
};

const DESCRIBE_ORGANIZATION: Operation = Operation {
    service: "organizations",
    name: "DescribeOrganization",
    permission: "organizations:DescribeOrganization",
    why: "the organization that an account is in",
};

const LIST_PARENTS: Operation =
    Operation { service: "organizations", name: "ListParents", permission: "organizations:ListParents", why: "the units above an account" };

const LIST_POLICIES_FOR_TARGET: Operation = Operation {
    service: "organizations",
    name: "ListPoliciesForTarget",
    permission: "organizations:ListPoliciesForTarget",
    why: "the policies over an account",
};

const DESCRIBE_POLICY: Operation = Operation {
    service: "organizations",
    name: "DescribePolicy",
    permission: "organizations:DescribePolicy",
    why: "what service and resource control policies say",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[
    LIST_ACCOUNTS,
    LIST_ACCOUNTS_FOR_PARENT,
    LIST_ORGANIZATIONAL_UNITS_FOR_PARENT,
    LIST_TAGS_FOR_RESOURCE,
    DESCRIBE_ORGANIZATION,
    LIST_PARENTS,
    LIST_POLICIES_FOR_TARGET,
    DESCRIBE_POLICY,
];

/// The largest page of the listings.
const PAGE: usize = 20;
/// Accounts whose tags are asked for at a time.
const TAGS_AT_ONCE: usize = 8;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct AccountsPage {
    accounts: Vec<Account>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Account {
    id: String,
    /// `ACTIVE`, `SUSPENDED` or `PENDING_CLOSURE`; AWS is replacing it by the next.
    status: Option<String>,
    /// The same, and `PENDING_ACTIVATION` and `CLOSED`.
    state: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct UnitsPage {
    organizational_units: Vec<Unit>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Unit {
    id: String,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct TagsPage {
    tags: Vec<Tag>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Tag {
    key: String,
    value: String,
}

/// The accounts of the organization.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// All of them.
    pub(crate) listed: BTreeSet<AccountId>,
    /// Those that are suspended or closed, or not yet open. Nobody can enter them.
    pub(crate) inactive: BTreeSet<AccountId>,
    /// The active ones that the filter lets through.
    pub(crate) chosen: Vec<AccountId>,
}

/// Lists the accounts and chooses among them. A filter that cannot be decided is an error: to guess would scan what was
/// excluded, or leave out what was included.
pub(crate) async fn accounts(api: &Api, wire: &Wire, filter: &AccountFilter) -> Result<Accounts, CollectError> {
    let organization = Organization { api, wire };
    let mut accounts = Accounts::default();
    let mut active = Vec::new();
    for account in organization.list().await? {
        let id = AccountId::new(&account.id);
        accounts.listed.insert(id.clone());
        match account.state.or(account.status).as_deref() {
            // Whether it can be entered shows when it is tried.
            Some("ACTIVE") | None => active.push(id),
            Some(state) => {
                tracing::warn!(account = %id, state, "not active, and so not scanned");
                accounts.inactive.insert(id);
            }
        }
    }
    let include = organization.members(&filter.include).await?;
    let exclude = organization.members(&filter.exclude).await?;
    let chosen = stream::iter(active).map(|account| async {
        let chosen = organization.chooses(filter, &include, &exclude, &account).await?;
        Ok::<_, CollectError>(chosen.then_some(account))
    });
    let chosen: Vec<Option<AccountId>> = chosen.buffered(TAGS_AT_ONCE).try_collect().await?;
    accounts.chosen = chosen.into_iter().flatten().collect();
    tracing::info!(listed = accounts.listed.len(), chosen = accounts.chosen.len(), "accounts of the organization");
    Ok(accounts)
}

struct Organization<'a> {
    api: &'a Api,
    wire: &'a Wire,
}

impl Organization<'_> {
    async fn list(&self) -> Result<Vec<Account>, CollectError> {
        let mut accounts = Vec::new();
        let ask = Ask::members(json!({"MaxResults": PAGE}));
        let pages =
            self.wire.pages(self.api, &LIST_ACCOUNTS, Token::NEXT_CAPITAL, ask, |page: AccountsPage| accounts.extend(page.accounts));
        pages.await.map_err(unlisted)?;
        Ok(accounts)
    }

    /// The accounts that are matched by number or place.
    async fn members(&self, by: &AccountMatch) -> Result<BTreeSet<AccountId>, CollectError> {
        let mut members: BTreeSet<AccountId> = by.accounts.iter().map(|account| AccountId::new(account)).collect();
        let mut units = by.units.clone();
        let mut seen: BTreeSet<String> = units.iter().cloned().collect();
        while let Some(unit) = units.pop() {
            let ask = || Ask::members(json!({"ParentId": unit, "MaxResults": PAGE}));
            let accounts = self.wire.pages(self.api, &LIST_ACCOUNTS_FOR_PARENT, Token::NEXT_CAPITAL, ask(), |page: AccountsPage| {
                members.extend(page.accounts.into_iter().map(|account| AccountId::new(&account.id)));
            });
            accounts.await.about(&unit).map_err(unlisted)?;
            let below = self.wire.pages(self.api, &LIST_ORGANIZATIONAL_UNITS_FOR_PARENT, Token::NEXT_CAPITAL, ask(), |page: UnitsPage| {
                units.extend(page.organizational_units.into_iter().map(|unit| unit.id).filter(|id| seen.insert(id.clone())));
            });
            below.await.about(&unit).map_err(unlisted)?;
        }
        Ok(members)
    }

    async fn chooses(
        &self,
        filter: &AccountFilter,
        include: &BTreeSet<AccountId>,
        exclude: &BTreeSet<AccountId>,
        account: &AccountId,
    ) -> Result<bool, CollectError> {
        if exclude.contains(account) {
            return Ok(false);
        }
        let included = filter.include.is_empty() || include.contains(account);
        let decided = filter.exclude.tags.is_empty() && (included || filter.include.tags.is_empty());
        if decided {
            return Ok(included);
        }
        let tags = self.tags(account).await?;
        let has = |wanted: &[TagPattern]| {
            wanted.iter().any(|pattern| pattern.matches_any(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))))
        };
        Ok((included || has(&filter.include.tags)) && !has(&filter.exclude.tags))
    }

    async fn tags(&self, account: &AccountId) -> Result<Vec<Tag>, CollectError> {
        let mut tags = Vec::new();
        let ask = Ask::members(json!({"ResourceId": account}));
        let pages = self.wire.pages(self.api, &LIST_TAGS_FOR_RESOURCE, Token::NEXT_CAPITAL, ask, |page: TagsPage| tags.extend(page.tags));
        pages.await.about(account.as_str()).map_err(unlisted)?;
        Ok(tags)
    }
}

fn unlisted(gap: Gap) -> CollectError {
    if gap.code == Failure::INTERRUPTED {
        return CollectError::Interrupted;
    }
    let on = gap.resource.map(|resource| format!(" of {resource}")).unwrap_or_default();
    CollectError::Organization { operation: gap.operation, on, source: Failure { code: gap.code, message: gap.message } }
}
