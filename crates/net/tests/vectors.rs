//! Worlds with questions and expected answers, given by an oracle that shares no code with this crate.
#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::collections::BTreeMap;

use plimsoll_net::{Network, Question, Via, WorldFile};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Vector {
    id: String,
    world: Value,
    questions: Vec<Value>,
}

#[derive(Deserialize)]
struct Expected {
    reachable: Option<bool>,
    blocked_by: Option<String>,
    #[serde(default)]
    one_way: bool,
    unknown: Option<String>,
}

fn vectors(compressed: &[u8]) -> Vec<Vector> {
    let text = String::from_utf8(zstd::decode_all(compressed).unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the oracle does not follow and calls unknown: a network load balancer in front of an application load balancer.
/// This crate composes the two, so its answer must be one of the certain ones.
const BEYOND_THE_ORACLE: &str = "nlb-to-alb";

fn code(word: &str) -> &str {
    word.split(':').next().unwrap_or(word)
}

/// Checks every question; the whole of an expected answer for direct paths, the verdict for those through load balancers.
fn check(compressed: &[u8]) -> usize {
    let mut asked = 0;
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for vector in vectors(compressed) {
        let file = WorldFile::from_value(vector.world).unwrap();
        let network = Network::compile(&file.world());
        for mut question in vector.questions {
            asked += 1;
            let expected: Expected = serde_json::from_value(question.as_object_mut().unwrap().remove("expected").unwrap()).unwrap();
            let text = question.to_string();
            let question: Question = serde_json::from_value(question).unwrap();
            let answer = network.reach(&question);
            let mut differences = Vec::new();
            if expected.unknown.as_deref().map(code) == Some(BEYOND_THE_ORACLE) {
                assert!(answer.reachable.is_some(), "{}: {answer:?}", vector.id);
                continue;
            }
            if answer.reachable != expected.reachable {
                differences.push(format!("reachable {:?} not {:?}", answer.reachable, expected.reachable));
            }
            if question.via == Some(Via::Direct) {
                let (got, wanted) = (answer.blocked_by.as_deref().map(code), expected.blocked_by.as_deref().map(code));
                if got != wanted {
                    differences.push(format!("blocked by {got:?} not {wanted:?}"));
                }
                if answer.one_way != expected.one_way {
                    differences.push(format!("one way {} not {}", answer.one_way, expected.one_way));
                }
            }
            if answer.unknown != expected.unknown {
                differences.push(format!("unknown {:?} not {:?}", answer.unknown, expected.unknown));
            }
            if !differences.is_empty() {
                let detail = format!("{} {text}: {:?} expected {:?}", vector.id, answer.blocked_by, expected.blocked_by);
                wrong.entry(differences.join(", ")).or_default().push(detail);
            }
        }
    }
    let report: Vec<String> = wrong
        .iter()
        .map(|(what, cases)| {
            format!("{what}: {} times, e.g.\n  {}", cases.len(), cases.iter().take(3).cloned().collect::<Vec<_>>().join("\n  "))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {asked} answers differ\n{}", wrong.values().map(Vec::len).sum::<usize>(), report.join("\n"));
    asked
}

#[test]
fn worlds_made_by_hand_are_answered_as_the_oracle_does() {
    assert_eq!(check(include_bytes!("net-hand.jsonl.zst")), 233);
}

#[test]
fn random_worlds_are_answered_as_the_oracle_does() {
    assert_eq!(check(include_bytes!("net-dev.jsonl.zst")), 4800);
}
