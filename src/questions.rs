//! Questions one a line: a file flows in, one JSON answer a line flows out, in the same order.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;
use crate::output;

/// Answers every line of a file, of standard input for `-`, that is not empty.
pub(crate) fn answer_each<A: Serialize>(path: &Path, mut answer: impl FnMut(&str) -> A) -> Result<(), Failure> {
    let lines = lines(path)?;
    let mut broken = None;
    output::stdout(|out| {
        for line in lines {
            match line {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => output::json_line(&answer(&line), out)?,
                Err(error) => {
                    broken = Some(unreadable(path)(error.into()));
                    break;
                }
            }
        }
        Ok(())
    })?;
    broken.map_or(Ok(()), Err)
}

fn lines(path: &Path) -> Result<Box<dyn Iterator<Item = io::Result<String>>>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock().lines()));
    }
    let file = File::open(path).map_err(anyhow::Error::from).map_err(unreadable(path))?;
    Ok(Box::new(BufReader::new(file).lines()))
}

/// What to say of a file that cannot be read.
fn unreadable(path: &Path) -> impl Fn(anyhow::Error) -> Failure {
    move |error| {
        Failure::usage(error.context(path.display().to_string()), "name a file with one JSON object a line, or - for standard input")
    }
}
