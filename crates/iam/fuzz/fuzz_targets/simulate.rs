//! Any question: answering it ends, and a Deny of everything more is never an answer less.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_iam::{Outcome, Simulation};
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let Ok(mut simulation) = serde_json::from_slice::<Simulation>(data) else { return };
    let before = simulation.clone().run().outcome;
    simulation.identity_policies.push(json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}));
    let always = simulation.action.eq_ignore_ascii_case("sts:GetCallerIdentity") || !simulation.action.contains(':');
    let after = simulation.run().outcome;
    assert!(after != Outcome::Allowed || always, "{before:?} became {after:?}");
});
