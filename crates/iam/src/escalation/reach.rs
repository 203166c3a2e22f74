//! Whom a caller's grants name: for actions on principals, the callers that may reach each target, so that a search does
//! not ask everybody about everybody.

use std::rc::Rc;

use compact_str::CompactString;
use rustc_hash::FxHashMap;

use super::landscape::Landscape;
use super::node::{Node, bit};
use crate::context::Context;
use crate::document::{Action, Asked, ResourcePattern, Statement};
use crate::policies::Layer;
use crate::tri::Tri;

/// Statements that name more principals than this are taken to name all.
const MANY: usize = 256;

/// The actions on principals that the search goes backwards along.
pub(crate) const TARGETED: [&str; 12] = [
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "iam:UpdateSAMLProvider",
    "sts:AssumeRole",
];

/// Whether an action is asked on principals. Policies and providers are none: who may change them is asked about all that
/// they belong to.
pub(crate) fn names_principals(action: &str) -> bool {
    !matches!(action, "iam:CreatePolicyVersion" | "iam:UpdateSAMLProvider")
}

/// The callers of one action, by the principal that it is asked on.
#[derive(Default)]
pub(crate) struct Reach {
    /// Callers whose grants may cover any principal.
    anywhere: Vec<usize>,
    by_target: FxHashMap<usize, Vec<usize>>,
}

impl Reach {
    /// The nodes that may reach a target, in order.
    pub(crate) fn callers(&self, target: usize) -> impl Iterator<Item = usize> {
        let named = self.by_target.get(&target).map_or(&[][..], Vec::as_slice);
        self.anywhere.iter().chain(named).copied()
    }
}

/// Whom each statement names, once; `None` for all.
pub(crate) struct Names<'l> {
    landscape: &'l Landscape,
    by_arn: FxHashMap<CompactString, usize>,
    known: FxHashMap<usize, Option<Rc<[usize]>>>,
}

impl<'l> Names<'l> {
    pub(crate) fn new(landscape: &'l Landscape) -> Self {
        let by_arn = landscape.principals.iter().enumerate().map(|(at, principal)| (principal.facts.arn.clone(), at)).collect();
        Self { landscape, by_arn, known: FxHashMap::default() }
    }

    /// The principal with this ARN.
    pub(crate) fn find(&self, arn: &str) -> Option<usize> {
        self.by_arn.get(arn).copied()
    }

    fn of_statement(&mut self, statement: &Statement) -> Option<Rc<[usize]>> {
        let key = std::ptr::from_ref(statement).addr();
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let named = self.named(statement);
        self.known.insert(key, named.clone());
        named
    }

    fn named(&self, statement: &Statement) -> Option<Rc<[usize]>> {
        let resources = statement.resources.as_ref().filter(|resources| !resources.negated)?;
        let mut named = Vec::new();
        for (pattern, written) in resources.patterns.iter().zip(&resources.written) {
            let ResourcePattern::Arn(pattern) = pattern else { return None };
            if written.contains("${") {
                return None;
            }
            if !written.contains(['*', '?']) {
                named.extend(self.find(written));
                continue;
            }
            let empty = Context::complete();
            for (at, principal) in self.landscape.principals.iter().enumerate() {
                let asked = Asked::new(principal.arn());
                if asked.parts.is_some_and(|parts| pattern.matches_loosely(&parts, asked.text, &empty).holds != Tri::False) {
                    named.push(at);
                }
                if named.len() > MANY {
                    return None;
                }
            }
        }
        named.sort_unstable();
        named.dedup();
        Some(named.into())
    }

    /// Who may reach whom by an action.
    pub(crate) fn reach(&mut self, action: &str, nodes: &[Option<Node>]) -> Reach {
        let mut reach = Reach::default();
        let Some(parsed) = Action::parse(action) else { return reach };
        let of_principals = names_principals(action);
        for (at, node) in nodes.iter().enumerate() {
            let Some(node) = node.as_ref().filter(|node| node.mask & bit(action) != 0) else { continue };
            let mut named: Vec<usize> = Vec::new();
            let mut anywhere = !of_principals || node.policies.unread.contains(&Layer::Identity);
            for statement in node.allows(&parsed) {
                match self.of_statement(statement) {
                    Some(some) if !anywhere => named.extend(some.iter()),
                    Some(_) => {}
                    None => anywhere = true,
                }
            }
            if anywhere {
                reach.anywhere.push(at);
                continue;
            }
            named.sort_unstable();
            named.dedup();
            for target in named {
                reach.by_target.entry(target).or_default().push(at);
            }
        }
        reach
    }
}
