//! Accounts flow in; their organization, the units above them and the policies that hold for them flow out.
//!
//! Who is neither the management account nor sees the organization on its behalf is told of the organization only: AWS
//! shows nobody else the policies, and a refusal that is sure is not asked for.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use plimsoll_model::aws::organizations::{Account, Attachment, Organization, Parent, Policy};
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{AccountId, Gap, Inventory, Seen};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{DESCRIBE_ORGANIZATION, DESCRIBE_POLICY, LIST_PARENTS, LIST_POLICIES_FOR_TARGET, PAGE};
use crate::api::{Api, Outcome};
use crate::wire::{Ask, Token, Wire};

/// The kinds of policies that cut what an account may do, and what may be done to it.
const KINDS: &[&str] = &["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"];
/// Requests of one kind that are prepared at a time: these quotas are small.
const AT_ONCE: usize = 4;
/// Units within units; AWS allows five.
const DEPTH: usize = 8;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Described {
    organization: Option<Organization>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Parents {
    parents: Vec<Parent>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Policies {
    policies: Vec<Policy>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct PolicyAnswer {
    policy: PolicyContent,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct PolicyContent {
    content: Option<String>,
}

/// What holds for these accounts. `whole`: the caller listed the organization, so that AWS shows it the policies too.
pub(crate) async fn collect(api: &Api, wire: &Wire, accounts: &BTreeSet<AccountId>, whole: bool) -> Inventory {
    let mut found = Inventory::default();
    let described: Result<Described, Gap> = wire.ask(api, &DESCRIBE_ORGANIZATION, Ask::members(json!({}))).await;
    let organization = described.absent_on("AWSOrganizationsNotInUseException").map(|answer| answer.and_then(|answer| answer.organization));
    let organization = api.noted(organization);
    let of_caller = organization.known().ok().and_then(Option::as_ref);
    let manages = of_caller.is_some_and(|organization| organization.master_account_id.as_deref() == Some(api.account().as_str()));
    if !manages && !whole {
        // The organization of the other accounts may be another one.
        let why = "AWS shows it to the management account and delegated administrators only";
        let account = Account {
            id: api.account().to_string(),
            organization,
            parents: api.not_asked(&LIST_PARENTS, None, why).into(),
            policies: api.not_asked(&LIST_POLICIES_FOR_TARGET, None, why).into(),
        };
        found.push(api.account(), api.region(), account);
        return found;
    }
    let mut tree = Tree { api, wire, parents: BTreeMap::new(), attached: BTreeMap::new(), policies: BTreeMap::new() };
    tree.climb(accounts).await;
    tree.read_attachments().await;
    tree.read_policies().await;
    for id in accounts {
        let account = tree.account(id, organization.clone());
        found.push(id, api.region(), account);
    }
    for policy in tree.policies.into_values() {
        found.push(api.account(), api.region(), policy);
    }
    found
}

/// What was read of the organization, each thing once.
struct Tree<'a> {
    api: &'a Api,
    wire: &'a Wire,
    /// The unit or root right above an account or unit.
    parents: BTreeMap<String, Result<Parent, Gap>>,
    /// Policies by what they are attached to.
    attached: BTreeMap<String, Result<Vec<Policy>, Gap>>,
    policies: BTreeMap<String, Policy>,
}

impl Tree<'_> {
    /// Finds the way from each account up to the root.
    async fn climb(&mut self, accounts: &BTreeSet<AccountId>) {
        let mut level: BTreeSet<String> = accounts.iter().map(ToString::to_string).collect();
        for _ in 0..DEPTH {
            level.retain(|child| !self.parents.contains_key(child) && !child.starts_with("r-"));
            let asked = stream::iter(level).map(|child| async {
                let parent = self.parent(&child).await;
                (child, parent)
            });
            let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
            level = answers.iter().filter_map(|(_, parent)| parent.as_ref().ok().map(|parent| parent.id.clone())).collect();
            self.parents.extend(answers);
            if level.is_empty() {
                break;
            }
        }
    }

    async fn parent(&self, child: &str) -> Result<Parent, Gap> {
        let ask = Ask::members(json!({"ChildId": child}));
        let answer: Parents = self.wire.ask_on(self.api, &LIST_PARENTS, child, ask).await.inspect_err(|gap| self.api.gap(gap.clone()))?;
        // AWS gives each account and unit exactly one.
        let none = || self.api.not_asked(&LIST_PARENTS, Some(child), "AWS names no parent");
        answer.parents.into_iter().next().ok_or_else(none)
    }

    /// Lists the policies of everything on the way.
    async fn read_attachments(&mut self) {
        let parents = self.parents.values().filter_map(|parent| parent.as_ref().ok()).map(|parent| &parent.id);
        let targets: BTreeSet<String> = self.parents.keys().chain(parents).cloned().collect();
        let asked = stream::iter(targets).map(|target| async {
            let attached = self.attachments(&target).await;
            (target, attached)
        });
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        self.attached.extend(answers);
    }

    async fn attachments(&self, target: &str) -> Result<Vec<Policy>, Gap> {
        let mut policies = Vec::new();
        for kind in KINDS {
            let ask = Ask::members(json!({"TargetId": target, "Filter": kind, "MaxResults": PAGE}));
            let each = |page: Policies| policies.extend(page.policies);
            let pages = self.wire.pages(self.api, &LIST_POLICIES_FOR_TARGET, Token::NEXT_CAPITAL, ask, each);
            pages.await.about(target).inspect_err(|gap| self.api.gap(gap.clone()))?;
        }
        Ok(policies)
    }

    async fn read_policies(&mut self) {
        let attached = self.attached.values().filter_map(|policies| policies.as_ref().ok()).flatten();
        let known: BTreeMap<String, Policy> = attached.map(|policy| (policy.id.clone(), policy.clone())).collect();
        let asked = stream::iter(known).map(|(id, policy)| self.policy(id, policy));
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        self.policies.extend(answers);
    }

    async fn policy(&self, id: String, policy: Policy) -> (String, Policy) {
        let ask = Ask::members(json!({"PolicyId": id}));
        let answer: Result<PolicyAnswer, Gap> = self.wire.ask_on(self.api, &DESCRIBE_POLICY, &id, ask).await;
        let content = answer.map(|answer| PolicyDocument::from_text(answer.policy.content.as_deref().unwrap_or_default()));
        (id, Policy { content: self.api.noted(content), ..policy })
    }

    fn account(&self, id: &AccountId, organization: Seen<Option<Organization>>) -> Account {
        let parents = self.way(id.as_str());
        let policies = parents.clone().and_then(|parents| {
            let mut attachments = Vec::new();
            for target in std::iter::once(id.as_str()).chain(parents.iter().map(|parent| parent.id.as_str())) {
                let attached = self
                    .attached
                    .get(target)
                    .cloned()
                    .unwrap_or_else(|| Err(self.api.not_asked(&LIST_POLICIES_FOR_TARGET, Some(target), "it was not reached")))?;
                attachments.extend(attached.into_iter().map(|policy| Attachment {
                    target_id: target.to_owned(),
                    policy_id: policy.id,
                    kind: policy.kind,
                }));
            }
            Ok(attachments)
        });
        Account { id: id.to_string(), organization, parents: parents.seen(), policies: policies.seen() }
    }

    /// The units above an account, and the root.
    fn way(&self, id: &str) -> Result<Vec<Parent>, Gap> {
        let mut way: Vec<Parent> = Vec::new();
        while let Some(parent) = self.parents.get(way.last().map_or(id, |last| last.id.as_str())) {
            if way.len() > DEPTH {
                break;
            }
            way.push(parent.clone()?);
        }
        Ok(way)
    }
}
