//! The language against an independent simulator: 2,891 requests with its answers.

use std::collections::BTreeMap;

use plimsoll_iam::Simulation;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    id: String,
    category: String,
    input: Simulation,
    expected: String,
}

#[test]
fn every_vector_gets_the_simulators_answer() {
    let bytes = include_bytes!("vectors.jsonl.zst");
    let text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for line in text.lines() {
        let vector: Vector = serde_json::from_str(line).unwrap();
        let simulated = vector.input.run();
        count += 1;
        if simulated.outcome.as_str() != vector.expected {
            let said =
                format!("{}: {} instead of {} ({:?})", vector.id, simulated.outcome.as_str(), vector.expected, simulated.decision.err());
            wrong.entry(vector.category).or_default().push(said);
        }
    }
    assert_eq!(count, 2891);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
