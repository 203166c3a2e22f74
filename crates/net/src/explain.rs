//! Why a question has the answer that it has: every hop with the rule that decides there, what is left after it, the way
//! back, all blocks, and what would close an exposure.

use rustc_hash::FxHashSet;
use serde::Serialize;

use crate::address::Family;
use crate::arena::Ix;
use crate::describe::{block_word, object};
use crate::groups::Group;
use crate::network::{Eni, Network};
use crate::protocol::Protocol;
use crate::question::{Answer, Balanced, Flow, Question};
use crate::reach::{Ends, Outcome, flows};
use crate::rule_words::{deciding, title};
use crate::set::{CidrSet, PortSet};
use crate::walk::Step;

/// What a hop did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    /// It let something pass.
    Passes,
    /// It let nothing pass.
    Blocks,
    /// What passes it is not certain from here on.
    Unknown,
}

/// One hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedStep {
    /// Whether it is on the way back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reply: bool,
    /// What kind of hop it is: `security groups, inbound`.
    pub hop: String,
    /// The object that decides, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The rule, route or address that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What it did.
    pub outcome: StepOutcome,
    /// Where it blocks: the code, as in [`Answer::blocked_by`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,
    /// Whether it is the first that blocks on its path.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub first: bool,
    /// What is left after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Flow>,
    /// On the way back: source ports of the client with which replies still come through, where not all do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_ports: Option<PortSet>,
    /// Why it is not certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedPath {
    /// `Some(true)`: open, `None`: not known, `Some(false)`: blocked.
    pub reachable: Option<bool>,
    /// The protocol.
    pub protocol: Protocol,
    /// The address family.
    pub family: Family,
    /// The load balancer that it leads through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced: Option<Balanced>,
    /// Its hops in packet order, the way back last.
    pub steps: Vec<ExplainedStep>,
}

/// A rule that lets an exposure in: without it, and the others of the same path, the exposure is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What to change, in one sentence.
    pub change: String,
    /// The security group.
    pub group: String,
    /// The place of the permission in the group's `IpPermissions`.
    pub permission: usize,
    /// Other interfaces that carry the group, and would lose the same traffic; the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// How many carry it beside this one.
    pub shared: usize,
}

/// An answer with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The question.
    pub question: Question,
    /// The answer, without its paths.
    pub answer: Answer,
    /// Every path, open ones first.
    pub paths: Vec<ExplainedPath>,
    /// Where the internet gets in: the rules to revoke. All of them together close it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<Fix>,
    /// What is missing to know more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// As many sharers are named.
const NAMED: usize = 10;

impl<'a> Network<'a> {
    /// Why A reaches B, or does not.
    pub fn explain(&self, question: &Question) -> Explanation {
        let mut answer = self.reach(question);
        answer.paths.clear();
        let mut out = Explanation { question: question.clone(), answer, paths: Vec::new(), fixes: Vec::new(), missing: Vec::new() };
        out.missing.extend(out.answer.unknown.clone());
        let Ok(ends) = self.ends(question) else { return out };
        let outcomes = self.outcomes(question, &ends, true);
        out.paths = outcomes.iter().map(|outcome| self.explained(outcome)).collect();
        out.paths.sort_by_key(|path| match path.reachable {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        });
        out.missing.extend(out.paths.iter().flat_map(|path| &path.steps).filter_map(|step| step.missing.clone()));
        out.missing.sort_unstable();
        out.missing.dedup();
        if let Ends::Inward(_, target, _) = ends {
            let mut known = FxHashSet::default();
            for outcome in outcomes.iter().filter(|outcome| outcome.walk.arrived().next().is_some()) {
                self.fixes(outcome, target, &mut known, &mut out.fixes);
            }
        }
        out
    }

    fn explained(&self, outcome: &Outcome<'_, 'a>) -> ExplainedPath {
        let walk = &outcome.walk;
        let mut certain = walk.arrived().map(|piece| piece.doubt.is_none()).collect::<Vec<_>>();
        certain.sort_unstable();
        let mut first = true;
        let mut known: Option<String> = None;
        let mut steps = Vec::with_capacity(walk.steps.len());
        for step in &walk.steps {
            let doubt = step.left.iter().map(|piece| piece.doubt.as_deref()).collect::<Vec<_>>();
            // A doubt that every piece shares and that was not there before arose here.
            let doubt = if doubt.iter().all(Option::is_some) { doubt.into_iter().flatten().next().map(str::to_owned) } else { None };
            let arose = doubt.clone().filter(|doubt| known.as_ref() != Some(doubt));
            known = doubt.or(known);
            steps.push(self.explained_step(outcome, step, arose, &mut first));
        }
        ExplainedPath {
            reachable: certain.last().map_or(Some(false), |certain| certain.then_some(true)),
            protocol: walk.protocol,
            family: walk.family,
            balanced: outcome.balanced.as_ref().map(|balanced| balanced.answer(self)),
            steps,
        }
    }

    fn explained_step(&self, outcome: &Outcome<'_, 'a>, step: &Step<'a>, missing: Option<String>, first: &mut bool) -> ExplainedStep {
        let walk = &outcome.walk;
        let pieces: Vec<_> = step.left.iter().collect();
        let narrow = step.left.first().map(|piece| &piece.client);
        let narrow = narrow.filter(|client| {
            step.reply && walk.protocol.has_ports() && client.ranges().first().is_some_and(|range| range.0 > 1024 || range.1 < u16::MAX)
        });
        ExplainedStep {
            reply: step.reply,
            hop: title(&step.hop).to_owned(),
            object: object(self, &step.hop),
            rule: deciding(self, walk.protocol, step),
            outcome: if step.blocked {
                StepOutcome::Blocks
            } else if missing.is_some() {
                StepOutcome::Unknown
            } else {
                StepOutcome::Passes
            },
            blocked_by: step.blocked.then(|| block_word(self, walk, step)),
            first: step.blocked && std::mem::take(first),
            left: flows(walk.protocol, &pieces),
            reply_ports: narrow.cloned(),
            missing,
        }
    }

    /// The inbound rules that let an open path in: at the interface itself, or at the load balancer's node.
    fn fixes(&self, outcome: &Outcome<'_, 'a>, target: Ix<Eni<'a>>, known: &mut FxHashSet<(Ix<Group<'a>>, usize)>, out: &mut Vec<Fix>) {
        let walk = &outcome.walk;
        let node = outcome.balanced.as_ref().map(|balanced| balanced.node);
        let entry = node.filter(|node| !self.group_sets.get(self.enis.get(*node).groups).groups.is_empty()).unwrap_or(target);
        // Behind a node without groups the target's own rules decide, and they see its port.
        let port = outcome.balanced.as_ref().filter(|_| Some(entry) != node).map(|balanced| balanced.target_port);
        let peers = CidrSet::union_of(walk.arrived().map(|piece| &piece.peers));
        let open = PortSet::union_of(walk.arrived().map(|piece| &piece.ports));
        let ports = port.map_or(open, PortSet::one);
        for &group in &self.group_sets.get(self.enis.get(entry).groups).groups {
            let data = self.groups.get(group);
            for rule in data.rules(false) {
                let Some((first, last)) = rule.slots(walk.protocol) else { continue };
                let by_list = rule.lists.iter().any(|list| self.lists.get(*list).addresses.overlaps(&peers));
                if !ports.overlaps(&PortSet::range(first, last)) || !(rule.peers.overlaps(&peers) || by_list) {
                    continue;
                }
                let permission = rule.index as usize;
                if !known.insert((group, permission)) {
                    continue;
                }
                out.push(self.fix(entry, group, data, permission, &crate::rule_words::permission(self, rule, false)));
            }
        }
    }

    fn fix(&self, entry: Ix<Eni<'a>>, ix: Ix<Group<'a>>, group: &Group<'a>, permission: usize, words: &str) -> Fix {
        let others = || self.members.get(&ix).into_iter().flatten().filter(move |member| **member != entry);
        Fix {
            change: format!("revoke \"{words}\" in {}", group.id),
            group: group.id.to_owned(),
            permission,
            shared_with: others().take(NAMED).map(|member| self.enis.get(*member).id.to_owned()).collect(),
            shared: others().count(),
        }
    }
}
