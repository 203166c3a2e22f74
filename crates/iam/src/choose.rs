//! Keys that the sender of a request decides on: one value a key for the whole request, the one that lets most happen.

use compact_str::CompactString;

use crate::atom::Source;
use crate::condition::Condition;
use crate::context::{Context, ContextValue, KeyState};
use crate::decision::{Decision, Verdict};
use crate::document::Action;
use crate::evaluate::{Matches, decide};
use crate::operator::Base;
use crate::policies::{Request, Stack};

/// The most combinations of values that are all tried; beyond, keys are settled one after the other.
const MAX_COMBINATIONS: usize = 2048;
/// Text that no policy names.
const UNNAMED: &str = "plimsoll-unnamed";

/// A key and the values worth trying for it.
struct Lever {
    key: CompactString,
    candidates: Vec<KeyState>,
}

/// The best that choosing values leads to; `open` is the answer with all of them left open.
pub(crate) fn best_choice(request: &Request, stack: &Stack<'_>, open: Decision) -> Decision {
    let Some(action) = Action::parse(&request.action) else { return open };
    let matches = Matches::collect(request, &request.context, &action, stack);
    let levers = levers(&matches, &request.context);
    if levers.is_empty() {
        return open;
    }
    let combinations = levers.iter().try_fold(1_usize, |product, lever| product.checked_mul(lever.candidates.len())).unwrap_or(usize::MAX);
    if combinations <= MAX_COMBINATIONS { every(request, stack, &levers, combinations) } else { one_by_one(request, stack, &levers) }
}

/// More is better: the verdict, then fewer open conditions.
fn rank(decision: &Decision) -> (Verdict, std::cmp::Reverse<usize>) {
    (decision.verdict, std::cmp::Reverse(decision.residual.len()))
}

fn every(request: &Request, stack: &Stack<'_>, levers: &[Lever], combinations: usize) -> Decision {
    let mut best: Option<Decision> = None;
    for number in 0..combinations {
        let mut rest = number;
        let picked: Vec<(&Lever, &KeyState)> = levers
            .iter()
            .filter_map(|lever| {
                let at = rest % lever.candidates.len().max(1);
                rest /= lever.candidates.len().max(1);
                Some((lever, lever.candidates.get(at)?))
            })
            .collect();
        let decision = with(request, stack, &picked);
        if best.as_ref().is_none_or(|best| rank(&decision) > rank(best)) {
            let done = decision.verdict == Verdict::Allowed;
            best = Some(decision);
            if done {
                break;
            }
        }
    }
    best.unwrap_or_else(|| with(request, stack, &[]))
}

fn one_by_one(request: &Request, stack: &Stack<'_>, levers: &[Lever]) -> Decision {
    let mut picked: Vec<(&Lever, &KeyState)> = Vec::new();
    for lever in levers {
        let mut best: Option<(&KeyState, Decision)> = None;
        for candidate in &lever.candidates {
            let mut trial = picked.clone();
            trial.push((lever, candidate));
            let decision = with(request, stack, &trial);
            if best.as_ref().is_none_or(|(_, best)| rank(&decision) > rank(best)) {
                best = Some((candidate, decision));
            }
        }
        picked.extend(best.map(|(candidate, _)| (lever, candidate)));
    }
    with(request, stack, &picked)
}

fn with(request: &Request, stack: &Stack<'_>, picked: &[(&Lever, &KeyState)]) -> Decision {
    let mut context = request.context.clone();
    for (lever, state) in picked {
        context.set(&lever.key, (*state).clone());
    }
    let mut decision = decide(request, &context, stack);
    if !decision.verdict.is_possible() {
        return decision;
    }
    decision.chosen = picked
        .iter()
        .filter_map(|(lever, state)| match state {
            KeyState::Known(ContextValue::One(value)) => Some((lever.key.clone(), vec![value.clone()])),
            KeyState::Known(ContextValue::Many(values)) => Some((lever.key.clone(), values.clone())),
            KeyState::Absent => Some((lever.key.clone(), Vec::new())),
            KeyState::Chosen | KeyState::Unknown => None,
        })
        .collect();
    decision
}

/// The chosen keys that the answer depends on.
fn levers(matches: &Matches<'_>, context: &Context) -> Vec<Lever> {
    let mut levers: Vec<Lever> = Vec::new();
    let chosen = |key: &str| *context.lookup(key) == KeyState::Chosen;
    let mut conditions: Vec<&Condition> = Vec::new();
    let mut loose: Vec<CompactString> = Vec::new();
    for source in matches.atoms.sources() {
        match source {
            Source::Condition(condition) => {
                conditions.push(condition);
                loose.extend(condition.variables().filter(|key| chosen(key)).map(CompactString::new));
            }
            Source::Resource(statement) => loose.extend(statement.keys().filter(|key| chosen(key)).map(CompactString::new)),
        }
    }
    for condition in conditions.iter().filter(|condition| chosen(&condition.lookup)) {
        if levers.iter().any(|lever| lever.key == condition.lookup) {
            continue;
        }
        let same: Vec<&Condition> = conditions.iter().copied().filter(|other| other.lookup == condition.lookup).collect();
        let mut candidates = candidates(&same);
        // A pattern has more members than the one tried, and a variable may need a value of its own.
        let patterns = same.iter().filter(|condition| !is_exact(condition)).count();
        if patterns > 1 || loose.contains(&condition.lookup) {
            candidates.push(KeyState::Chosen);
        }
        levers.push(Lever { key: condition.lookup.clone(), candidates });
    }
    levers
}

/// Whether the values named in a condition, and one that is not, stand for all values.
fn is_exact(condition: &Condition) -> bool {
    matches!(condition.operator.base, Base::StringEquals | Base::StringEqualsIgnoreCase | Base::Bool | Base::Null | Base::BinaryEquals)
        && condition.variables().next().is_none()
}

/// Values that tell the conditions on one key apart.
fn candidates(conditions: &[&Condition]) -> Vec<KeyState> {
    let many = conditions.iter().any(|condition| condition.operator.quantifier.is_some());
    let mut texts: Vec<CompactString> = conditions.iter().flat_map(|condition| members(condition)).collect();
    texts.push(UNNAMED.into());
    texts.sort_unstable();
    texts.dedup();
    let mut candidates: Vec<KeyState> = if many {
        let each = texts.iter().map(|text| vec![text.clone()]);
        let named: Vec<CompactString> = texts.iter().filter(|text| *text != UNNAMED).cloned().collect();
        each.chain([named, texts.clone()]).map(|values| KeyState::Known(ContextValue::Many(values))).collect()
    } else {
        texts.into_iter().map(|text| KeyState::Known(ContextValue::One(text))).collect()
    };
    candidates.push(KeyState::Absent);
    candidates.dedup();
    candidates
}

/// Texts that satisfy a condition's values, and for ordered ones their neighbours.
fn members(condition: &Condition) -> Vec<CompactString> {
    let mut members = Vec::new();
    for written in &condition.written {
        match condition.operator.base {
            Base::Null => {}
            Base::Bool => members.extend(["true".into(), "false".into()]),
            Base::StringLike | Base::ArnLike => {
                members.push(written.replace('*', "").replace('?', "x").into());
                members.push(written.replace(['*', '?'], "x").into());
            }
            Base::NumericEquals
            | Base::NumericLessThan
            | Base::NumericLessThanEquals
            | Base::NumericGreaterThan
            | Base::NumericGreaterThanEquals => {
                members.push(written.clone());
                if let Ok(number) = written.parse::<i64>() {
                    members.extend([-1, 1].map(|step| compact_str::format_compact!("{}", number.saturating_add(step))));
                }
                members.extend(["-999999999999".into(), "999999999999".into()]);
            }
            Base::DateEquals | Base::DateLessThan | Base::DateLessThanEquals | Base::DateGreaterThan | Base::DateGreaterThanEquals => {
                members.extend([written.clone(), "0".into(), "99999999999".into()]);
            }
            Base::IpAddress => members.push(written.split('/').next().unwrap_or(written).into()),
            Base::StringEquals | Base::StringEqualsIgnoreCase | Base::BinaryEquals => members.push(written.clone()),
        }
    }
    members
}
