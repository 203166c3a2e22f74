//! `plimsoll simulate`: self-contained IAM requests flow in, one a line; one answer a line flows out, in the same order.

use std::process::ExitCode;

use plimsoll_iam::{Outcome, Simulation};
use serde::Serialize;
use serde_json::Value;

use crate::arguments::SimulateOptions;
use crate::failure::Failure;
use crate::questions::answer_each;

#[derive(Serialize)]
struct Answer {
    id: Value,
    decision: &'static str,
    because: Vec<String>,
}

pub(crate) fn run(options: &SimulateOptions) -> Result<ExitCode, Failure> {
    answer_each(&options.requests, answer)?;
    Ok(ExitCode::SUCCESS)
}

fn answer(line: &str) -> Answer {
    let (id, question) = Simulation::from_line(line);
    let simulated = match question {
        Ok(question) => question.run(),
        Err(problem) => return Answer { id, decision: Outcome::Error.as_str(), because: vec![problem] },
    };
    let because = match &simulated.decision {
        Err(problem) => vec![problem.clone()],
        Ok((_, decision)) => {
            let missing = decision.missing.iter().map(|layer| format!("no Allow in {layer}"));
            decision.statements.iter().map(ToString::to_string).chain(missing).collect()
        }
    };
    Answer { id, decision: simulated.outcome.as_str(), because }
}
