//! A result flows in, JSON flows out: one document (`json`), or one object a line (`ndjson`).
//!
//! Text from outside is passed on as it is. Characters that a terminal would obey are written as `\u` escapes, so
//! that JSON which ends up on one does no harm; to a parser both forms are the same.

use std::io::{self, Write};

use plimsoll_model::{ExceptionUse, Finding, Gap, Matrix, MatrixSummary, ScanResult, ScanSummary, Summary};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// A line of `--format ndjson`: first the scan, then the findings in their order, then the gaps.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Line<'a> {
    /// The first line.
    Scan(ScanLine<'a>),
    /// A finding.
    Finding(&'a Finding),
    /// Something that could not be read.
    Gap(&'a Gap),
}

/// What the result says besides findings and gaps.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ScanLine<'a> {
    /// Version of the result contract.
    schema: u32,
    /// Version of plimsoll that judged.
    plimsoll: &'a str,
    /// What was scanned.
    scan: &'a ScanSummary,
    /// Counts of all verdicts, shown or not.
    summary: &'a Summary,
    /// The shared-responsibility summary.
    responsibility: &'a MatrixSummary,
    /// The exceptions of the configuration, with what each did.
    exceptions: &'a [ExceptionUse],
}

/// Writes the result as one indented JSON document.
pub fn json(result: &ScanResult, out: &mut impl Write) -> io::Result<()> {
    pretty(result, out)
}

/// Writes the responsibility matrix as one indented JSON document.
pub fn matrix_json(matrix: &Matrix, out: &mut impl Write) -> io::Result<()> {
    pretty(matrix, out)
}

/// Writes one object a line, told apart by `type`: `scan` (once, first), `finding`, `gap`.
pub fn ndjson(result: &ScanResult, out: &mut impl Write) -> io::Result<()> {
    let ScanResult { schema, plimsoll, scan, summary, findings, responsibility, exceptions, gaps } = result;
    let first = Line::Scan(ScanLine { schema: *schema, plimsoll, scan, summary, responsibility, exceptions });
    for line in std::iter::once(first).chain(findings.iter().map(Line::Finding)).chain(gaps.iter().map(Line::Gap)) {
        line.serialize(&mut Serializer::with_formatter(&mut *out, Harmless(CompactFormatter)))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn pretty(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Harmless(PrettyFormatter::new())))?;
    out.write_all(b"\n")
}

/// A formatter that escapes what a terminal would obey and JSON does not oblige to escape.
struct Harmless<F>(F);

impl<F: Formatter> Formatter for Harmless<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.is_ascii() && !fragment.contains('\u{7f}') {
            return self.0.write_string_fragment(writer, fragment);
        }
        for part in fragment.split_inclusive(is_obeyed) {
            let mut chars = part.chars();
            match chars.next_back() {
                Some(last) if is_obeyed(last) => {
                    self.0.write_string_fragment(writer, chars.as_str())?;
                    write!(writer, "\\u{:04x}", u32::from(last))?;
                }
                _ => self.0.write_string_fragment(writer, part)?,
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// DEL, the C1 controls, the direction marks and the line separators: all of them in the basic plane.
fn is_obeyed(char: char) -> bool {
    matches!(char,
        '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{json, matrix_json, ndjson};
    use crate::sample::{hostile, matrix, result, with_exception};
    use crate::schema::{line_schema, matrix_schema, result_schema};
    use plimsoll_model::{Matrix, ScanResult};
    use proptest::prelude::*;
    use serde_json::Value;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_result_survives_the_way_through_json() {
        let result = result();
        let text = text(|out| json(&result, out));
        assert!(text.ends_with("}\n"));
        assert_eq!(serde_json::from_str::<ScanResult>(&text).unwrap(), result);
    }

    #[test]
    fn every_form_of_a_result_fits_its_schema() {
        let result = result();
        let whole: Value = serde_json::from_str(&text(|out| json(&result, out))).unwrap();
        jsonschema::draft202012::validate(&result_schema(), &whole).unwrap();
        let lines = text(|out| ndjson(&result, out));
        let schema = jsonschema::draft202012::new(&line_schema()).unwrap();
        for line in lines.lines() {
            schema.validate(&serde_json::from_str(line).unwrap()).unwrap();
        }
        let whole: Value = serde_json::from_str(&text(|out| matrix_json(&matrix(), out))).unwrap();
        jsonschema::draft202012::validate(&matrix_schema(), &whole).unwrap();
    }

    #[test]
    fn a_suppressed_finding_and_its_exception_fit_their_schemas() {
        let result = with_exception("the agent needs it");
        let text = text(|out| json(&result, out));
        let whole: Value = serde_json::from_str(&text).unwrap();
        jsonschema::draft202012::validate(&result_schema(), &whole).unwrap();
        assert_eq!(whole["exceptions"][0]["state"], "applied");
        assert_eq!(whole["findings"].as_array().unwrap().last().unwrap()["suppression"]["expires"], "2026-12-31");
        assert_eq!(serde_json::from_str::<ScanResult>(&text).unwrap(), result);
    }

    #[test]
    fn a_result_without_findings_fits_its_schema() {
        let mut result = result();
        result.findings.clear();
        result.gaps.clear();
        let whole: Value = serde_json::from_str(&text(|out| json(&result, out))).unwrap();
        jsonschema::draft202012::validate(&result_schema(), &whole).unwrap();
    }

    #[test]
    fn lines_say_what_they_are() {
        let result = result();
        let lines = text(|out| ndjson(&result, out));
        let types: Vec<String> =
            lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["type"].as_str().unwrap().to_owned()).collect();
        assert_eq!(types.first().unwrap(), "scan");
        assert_eq!(types.iter().filter(|t| *t == "finding").count(), result.findings.len());
        assert_eq!(types.iter().filter(|t| *t == "gap").count(), result.gaps.len());
        assert_eq!(types.last().unwrap(), "gap");
    }

    #[test]
    fn a_matrix_survives_the_way_through_json() {
        let text = text(|out| matrix_json(&matrix(), out));
        assert_eq!(serde_json::from_str::<Matrix>(&text).unwrap(), matrix());
    }

    #[test]
    fn no_control_reaches_a_terminal_through_json() {
        let result = hostile("\u{1b}[2J\u{9b}31m\u{7f}\u{202e}exe\u{2028}é監");
        let text = text(|out| json(&result, out));
        assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || super::is_obeyed(c))));
        assert!(text.contains(r"\u001b[2J\u009b31m\u007f\u202eexe\u2028é監"));
        assert_eq!(serde_json::from_str::<ScanResult>(&text).unwrap(), result);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_survives_the_way_through_json(name in any::<String>()) {
            let result = hostile(&name);
            let text = text(|out| json(&result, out));
            prop_assert_eq!(serde_json::from_str::<ScanResult>(&text).unwrap(), result);
        }
    }
}
