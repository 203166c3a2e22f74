//! `plimsoll simulate`: self-contained IAM requests flow in, one a line; one answer a line flows out, in the same order.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use plimsoll_iam::{Outcome, Simulation};
use serde::Serialize;
use serde_json::Value;

use crate::arguments::SimulateOptions;
use crate::failure::Failure;

#[derive(Serialize)]
struct Answer {
    id: Value,
    decision: &'static str,
    because: Vec<String>,
}

pub(crate) fn run(options: &SimulateOptions) -> Result<ExitCode, Failure> {
    let lines = lines(&options.requests)?;
    let mut out = BufWriter::new(io::stdout().lock());
    for line in lines {
        let line = line.with_context(|| options.requests.display().to_string()).map_err(unreadable)?;
        if !line.trim().is_empty() {
            tell(&answer(&line), &mut out).context("cannot write to stdout").map_err(unwritable)?;
        }
    }
    out.flush().context("cannot write to stdout").map_err(unwritable)?;
    Ok(ExitCode::SUCCESS)
}

/// The lines of a file, of standard input for `-`.
pub(crate) fn lines(path: &Path) -> Result<Box<dyn Iterator<Item = io::Result<String>>>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock().lines()));
    }
    let file = File::open(path).with_context(|| path.display().to_string()).map_err(unreadable)?;
    Ok(Box::new(BufReader::new(file).lines()))
}

pub(crate) fn unreadable(error: anyhow::Error) -> Failure {
    Failure::usage(error, "name a file with one JSON object a line, or - for standard input")
}

pub(crate) fn unwritable(error: anyhow::Error) -> Failure {
    Failure::usage(error, "check where the output goes")
}

fn tell(answer: &Answer, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, answer)?;
    Ok(out.write_all(b"\n")?)
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
