//! Who acts in a search: each principal of the landscape, and principals as a method changes them. A node answers one
//! question, whether it can do something, after cheaper ones have said that it might.

use std::sync::{Arc, LazyLock};

use compact_str::{CompactString, format_compact};
use rustc_hash::FxHashMap;
use serde_json::json;

use super::landscape::{Landscape, Principal};
use super::method::On;
use super::path::{Certainty, Edge, Permission};
use super::rows::{ROWS, Row};
use crate::context::{Context, KeyState};
use crate::decision::{Decision, Verdict};
use crate::document::{Action, Asked, DocumentKind, Effect, ResourcePattern, Statement};
use crate::evaluate::evaluate_stack;
use crate::policies::{Attached, Layer, Malformed, Policies, Request, Stack};
use crate::principal::Caller;
use crate::tri::Tri;

/// The actions of all rows; a bit of a mask for each.
static ACTIONS: LazyLock<Vec<(&'static str, Action)>> = LazyLock::new(|| {
    let mut names: Vec<&'static str> = ROWS.iter().flat_map(|row| row.needs).map(|(action, _)| *action).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| Some((name, Action::parse(name)?))).collect()
});

/// The bit of an action; none for one that no row asks for.
pub(crate) fn bit(action: &str) -> u128 {
    ACTIONS.binary_search_by(|(name, _)| (*name).cmp(action)).map_or(0, |at| 1 << at)
}

/// The bits of a row's actions, of those that the identity side must grant.
pub(crate) fn mask(row: &Row) -> u128 {
    row.needs.iter().filter(|need| **need != ("sts:AssumeRole", On::Target)).fold(0, |mask, (action, _)| mask | bit(action))
}

/// `Allow` of everything, to see what the other layers leave of it.
static EVERYTHING: LazyLock<Attached> = LazyLock::new(|| {
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    Attached::parse("any", DocumentKind::Identity, &document)
});

/// A trust policy that admits everybody: what one becomes that the caller may rewrite.
static OPEN_TRUST: LazyLock<Attached> = LazyLock::new(|| {
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:*"}});
    Attached::parse("new trust policy", DocumentKind::Trust, &document)
});

/// The trust policy that a caller writes for itself.
pub(crate) fn open_trust() -> &'static Attached {
    &OPEN_TRUST
}

/// Somebody who acts.
pub(crate) struct Node {
    /// The position of the principal in the landscape.
    pub(crate) principal: usize,
    pub(crate) caller: Caller,
    pub(crate) policies: Policies,
    pub(crate) context: Context,
    /// What its policies may allow on some resource.
    pub(crate) mask: u128,
    /// How it came about, for a principal that was changed, and from which node.
    pub(crate) change: Option<(usize, Edge)>,
}

/// That a node can do something.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) permission: Permission,
    pub(crate) depends_on: Vec<CompactString>,
}

impl Grant {
    pub(crate) fn certainty(&self) -> Certainty {
        if self.depends_on.is_empty() { Certainty::Certain } else { Certainty::Conditional }
    }
}

/// What a document may allow and certainly denies, on some resource.
#[derive(Clone, Copy, Default)]
struct Bits {
    allow: u128,
    deny: u128,
}

/// What documents say, once each.
#[derive(Default)]
pub(crate) struct MaskCache(FxHashMap<usize, Bits>);

impl MaskCache {
    fn bits(&mut self, attached: &Attached) -> Bits {
        let Ok(document) = &attached.document else { return Bits::default() };
        *self.0.entry(Arc::as_ptr(document).addr()).or_insert_with(|| {
            document.statements.iter().fold(Bits::default(), |mut bits, statement| {
                let matching = ACTIONS
                    .iter()
                    .enumerate()
                    .fold(0_u128, |word, (at, (_, action))| word | u128::from(statement.actions.match_action(action)) << at);
                match statement.effect {
                    Effect::Allow => bits.allow |= matching,
                    Effect::Deny if statement.is_plain() => bits.deny |= matching,
                    Effect::Deny => {}
                }
                bits
            })
        })
    }

    /// What policies may allow on some resource.
    pub(crate) fn mask(&mut self, policies: &Policies) -> u128 {
        let mut denied = 0;
        let mut layer = |policies: &mut dyn Iterator<Item = &Attached>| {
            policies.fold(0, |allowed, policy| {
                let bits = self.bits(policy);
                denied |= bits.deny;
                allowed | bits.allow
            })
        };
        let mut mask = layer(&mut policies.identity.iter());
        if policies.unread.contains(&Layer::Identity) {
            mask = u128::MAX;
        }
        if let Some(boundary) = &policies.boundary {
            mask &= layer(&mut std::iter::once(boundary));
        }
        if !policies.caller_manages {
            for level in &policies.scps {
                mask &= layer(&mut level.iter());
            }
        }
        mask & !denied
    }
}

impl Node {
    /// # Errors
    ///
    /// A policy of the principal that is malformed.
    pub(crate) fn new(index: usize, principal: &Principal, policies: Policies, masks: &mut MaskCache) -> Result<Option<Self>, Malformed> {
        let Some(caller) = Caller::parse(principal.arn()) else { return Ok(None) };
        if let Some(malformed) = policies.malformed().next() {
            return Err(malformed);
        }
        let mask = masks.mask(&policies);
        let context = Context::of_principal(&principal.facts);
        Ok(Some(Self { principal: index, caller, policies, context, mask, change: None }))
    }

    pub(crate) fn account(&self) -> &str {
        self.caller.account().unwrap_or_default()
    }

    /// The partition that it lives in.
    pub(crate) fn partition(&self) -> &str {
        crate::arn::split(&self.caller.text).map_or("aws", |[_, partition, ..]| partition)
    }

    /// The statements of its own that allow an action on some resource.
    pub(crate) fn allows<'n>(&'n self, action: &'n Action) -> impl Iterator<Item = &'n Statement> {
        let documents = self.policies.identity.iter().filter_map(|policy| policy.document.as_ref().ok());
        let statements = documents.flat_map(|document| &document.statements);
        statements.filter(|statement| statement.effect == Effect::Allow && statement.actions.match_action(action))
    }

    /// Whether any of its own statements covers the resource, whatever the conditions.
    fn covers(&self, action: &Action, resource: &str) -> bool {
        let asked = Asked::new(resource);
        self.allows(action).any(|statement| statement.match_resource(&asked, &self.context).0 != Tri::False)
    }

    /// Whether its own policies grant this on that, on whatever conditions: cheap, and false for most.
    pub(crate) fn may(&self, action: &str, resource: &str) -> bool {
        let known = bit(action);
        if known != 0 && self.mask & known == 0 {
            return false;
        }
        let parsed = Action::parse(action);
        self.policies.unread.contains(&Layer::Identity) || parsed.is_some_and(|parsed| self.covers(&parsed, resource))
    }

    /// Whether it can do this on that.
    pub(crate) fn can(&self, action: &str, resource: &str, extra: &[(&str, KeyState)]) -> Option<Grant> {
        if !self.may(action, resource) {
            return None;
        }
        self.decide(action, resource, extra, None, &[])
    }

    /// Whether it can do this on that, where the resource has a policy.
    pub(crate) fn decide(
        &self,
        action: &str,
        resource: &str,
        extra: &[(&str, KeyState)],
        resource_policy: Option<&Attached>,
        rcps: &[Vec<Attached>],
    ) -> Option<Grant> {
        let (request, decision) = self.evaluate(action, resource, extra, resource_policy, rcps)?;
        if !decision.verdict.is_possible() {
            return None;
        }
        let mut depends_on: Vec<CompactString> = decision
            .residual
            .iter()
            .map(|atom| if atom.key.is_empty() { format_compact!("the resource of {}", atom.policy) } else { atom.key.clone() })
            .chain(decision.unread.iter().map(|layer| format_compact!("the {layer} that was not read")))
            .collect();
        depends_on.sort_unstable();
        depends_on.dedup();
        let granted_by = decision.statements.iter().find(|cited| Some(cited.layer) == decision.layer && cited.effect == Effect::Allow);
        let granted_by = granted_by.or_else(|| decision.statements.iter().find(|cited| cited.effect == Effect::Allow)).cloned();
        Some(Grant { permission: Permission { action: request.action, resource: request.resource, granted_by }, depends_on })
    }

    fn evaluate(
        &self,
        action: &str,
        resource: &str,
        extra: &[(&str, KeyState)],
        resource_policy: Option<&Attached>,
        rcps: &[Vec<Attached>],
    ) -> Option<(Request, Decision)> {
        let mut context = self.context.clone();
        let account = crate::arn::split(resource).map(|[_, _, _, _, account, _]| account).filter(|account| !account.is_empty());
        let account = account.unwrap_or(self.account());
        context.set("aws:ResourceAccount", KeyState::known(account));
        for (key, state) in extra {
            context.set(key, state.clone());
        }
        let request = Request {
            caller: self.caller.clone(),
            action: action.into(),
            resource: resource.into(),
            resource_account: Some(account.into()),
            context,
        };
        let stack = Stack { resource: resource_policy, rcps, ..Stack::from(&self.policies) };
        let decision = evaluate_stack(&request, &stack).ok()?;
        Some((request, decision))
    }

    /// The verdict on a request without a resource policy.
    pub(crate) fn verdict(&self, action: &str, resource: &str) -> Verdict {
        self.evaluate(action, resource, &[], None, &[]).map_or(Verdict::ImplicitlyDenied, |(_, decision)| decision.verdict)
    }

    /// Whether it can do everything: it is granted every action, and the other layers leave an action that no policy
    /// names, on a resource that no policy names, and what of IAM makes any other permission.
    pub(crate) fn administers(&self) -> Option<Certainty> {
        let documents = self.policies.identity.iter().filter_map(|policy| policy.document.as_ref().ok());
        let mut statements = documents.flat_map(|document| &document.statements);
        if !statements.any(|statement| statement.effect == Effect::Allow && statement.actions.is_every()) {
            return None;
        }
        let account = self.account();
        let partition = self.partition();
        let role = format!("arn:{partition}:iam::{account}:role/plimsoll-unnamed");
        let probes = [
            ("plimsoll-unnamed:Unnamed", format!("arn:{partition}:plimsoll-unnamed:us-east-1:{account}:unnamed")),
            ("iam:PlimsollUnnamed", role.clone()),
            ("iam:AttachRolePolicy", role.clone()),
            ("iam:PassRole", role),
        ];
        probes.iter().try_fold(Certainty::Certain, |certainty, (action, resource)| match self.verdict(action, resource) {
            Verdict::Allowed => Some(certainty),
            Verdict::Conditional => Some(Certainty::Conditional),
            Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => None,
        })
    }

    /// The same principal with `Allow` of everything beside what it has.
    pub(crate) fn with_everything(&self) -> Self {
        let mut policies = self.policies.clone();
        policies.identity.push(EVERYTHING.clone());
        Self {
            principal: self.principal,
            caller: self.caller.clone(),
            policies,
            context: self.context.clone(),
            mask: u128::MAX,
            change: None,
        }
    }

    /// Resources to try an action on that any resource will do for: `*`, and one of each kind that its grants name.
    pub(crate) fn examples(&self, action: &str) -> Vec<CompactString> {
        /// More than that many grants of one action are variations of one another.
        const TRIED: usize = 24;
        let Some(parsed) = Action::parse(action) else { return Vec::new() };
        let mut examples: Vec<CompactString> = Vec::new();
        if self
            .allows(&parsed)
            .any(|statement| statement.resources.as_ref().is_none_or(|resources| resources.negated || resources.is_every()))
        {
            let account = self.account();
            examples.push("*".into());
            let partition = self.partition();
            examples.push(format_compact!("arn:{partition}:{}:us-east-1:{account}:plimsoll-unnamed", parsed.service));
        }
        for statement in self.allows(&parsed) {
            for resources in statement.resources.iter().filter(|resources| !resources.negated) {
                for (pattern, written) in resources.patterns.iter().zip(&resources.written) {
                    if let ResourcePattern::Arn(_) = pattern
                        && let Some(example) = example(written, self.account())
                        && examples.len() < TRIED
                    {
                        examples.push(example);
                    }
                }
            }
        }
        examples.dedup();
        examples
    }
}

/// An ARN that a pattern matches; none for patterns with variables.
pub(crate) fn example(pattern: &str, account: &str) -> Option<CompactString> {
    if pattern.contains("${") {
        return None;
    }
    let filled: Vec<CompactString> = crate::arn::split(pattern)?
        .iter()
        .enumerate()
        .map(|(at, part)| match (at, *part) {
            (1, "*") => "aws".into(),
            (3, "*") => "us-east-1".into(),
            (4, "*") => account.into(),
            (_, part) => part.replace(['*', '?'], "x").into(),
        })
        .collect();
    Some(filled.join(":").into())
}

/// The nodes of the principals, and those that cannot be assessed.
pub(crate) fn nodes(landscape: &Landscape, masks: &mut MaskCache) -> (Vec<Option<Node>>, Vec<(usize, Malformed)>) {
    let mut unassessed = Vec::new();
    let nodes = landscape
        .principals
        .iter()
        .enumerate()
        .map(|(index, principal)| match Node::new(index, principal, principal.policies(&landscape.groups), masks) {
            Ok(node) => node,
            Err(malformed) => {
                unassessed.push((index, malformed));
                None
            }
        })
        .collect();
    (nodes, unassessed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_actions_of_all_rows_fit_a_mask() {
        assert!(ACTIONS.len() <= 128);
        assert!(bit("iam:PassRole").is_power_of_two());
        assert_eq!(bit("s3:GetObject"), 0);
    }

    #[test]
    fn an_example_is_an_arn_of_the_pattern() {
        assert_eq!(example("arn:aws:lambda:*:*:function:web-*", "1").unwrap(), "arn:aws:lambda:us-east-1:1:function:web-x");
        assert_eq!(example("arn:aws:s3:::${aws:username}", "1"), None);
    }
}
