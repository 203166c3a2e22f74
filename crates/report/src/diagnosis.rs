//! What an identity may read flows in; a page for people flows out: services, what is denied, what stays unknown, the policy.

use std::collections::BTreeMap;
use std::io::{self, Write};

use plimsoll_model::{Diagnosis, OperationDiagnosis, ReadAnswer};

use crate::display::{LONG, SHORT, cells, count, padding, shown};
use crate::screen::{GAP, Screen, Style, TableOptions};

/// How many ids of checks are told before the rest is counted.
const CHECKS: usize = 12;

/// Writes what can be read, service by service.
pub fn diagnosis_table(diagnosis: &Diagnosis, options: &TableOptions, out: &mut impl Write) -> io::Result<()> {
    let mut screen = Screen::new(options, out);
    let who = format!("{} in account {}, everything in {}", diagnosis.caller, diagnosis.account, diagnosis.region);
    screen.text(0, Style::Bold, &shown(&who, LONG))?;
    screen.blank()?;
    services(diagnosis, &mut screen)?;
    regions(diagnosis, &mut screen)?;
    screen.blank()?;
    verdict(diagnosis, &mut screen)
}

/// Writes the diagnosis as one JSON document.
pub fn diagnosis_json(diagnosis: &Diagnosis, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, diagnosis)?;
    out.write_all(b"\n")
}

fn services(diagnosis: &Diagnosis, screen: &mut Screen<'_, impl Write>) -> io::Result<()> {
    let mut services: BTreeMap<&str, Vec<&OperationDiagnosis>> = BTreeMap::new();
    for operation in &diagnosis.operations {
        let service = operation.operation.split(':').next().unwrap_or_default();
        services.entry(service).or_default().push(operation);
    }
    let width = services.keys().map(|service| cells(service)).max().unwrap_or(0);
    for (service, operations) in services {
        let readable = operations.iter().filter(|operation| operation.answer == ReadAnswer::Readable).count();
        let label = format!("{service}{}{readable} of {}", padding(service, width + GAP), operations.len());
        let mut rest: Vec<String> = Vec::new();
        for operation in operations.iter().filter(|operation| operation.answer != ReadAnswer::Readable) {
            let name = operation.operation.split_once(':').map_or("", |(_, name)| name);
            let code = operation.code.as_deref().unwrap_or_default();
            rest.push(match operation.answer {
                ReadAnswer::Unclear => format!("{name} unclear ({code})"),
                _ => format!("{name} denied"),
            });
        }
        let style = if rest.is_empty() { Style::Dim } else { Style::Plain };
        let rest = if rest.is_empty() { "readable".to_owned() } else { rest.join(", ") };
        screen.hanging(0, (Style::Plain, &format!("{label:<0$}", width + GAP + 10)), style, &shown(&rest, LONG))?;
    }
    Ok(())
}

fn regions(diagnosis: &Diagnosis, screen: &mut Screen<'_, impl Write>) -> io::Result<()> {
    if diagnosis.regions.is_empty() {
        return Ok(());
    }
    screen.blank()?;
    let (whole, partly): (Vec<_>, Vec<_>) =
        diagnosis.regions.iter().partition(|region| region.denied.is_empty() && region.unclear.is_empty());
    screen.text(0, Style::Plain, &format!("{} alike, one listing of each service asked.", count(whole.len(), "other Region")))?;
    for region in partly {
        let code = region.code.as_deref().unwrap_or_default();
        let text = if region.readable.is_empty() {
            format!("nothing can be read ({code})")
        } else {
            let names: Vec<&str> = region.denied.iter().chain(&region.unclear).map(String::as_str).collect();
            format!("not {} ({code})", names.join(", "))
        };
        screen.hanging(2, (Style::Plain, &format!("{}  ", region.region)), Style::Plain, &shown(&text, SHORT))?;
    }
    Ok(())
}

fn verdict(diagnosis: &Diagnosis, screen: &mut Screen<'_, impl Write>) -> io::Result<()> {
    let denied: Vec<_> = diagnosis.operations.iter().filter(|operation| operation.answer == ReadAnswer::Denied).collect();
    if denied.is_empty() {
        return screen.text(0, Style::Bold, &format!("Nothing is denied: {} can decide.", count(diagnosis.checks, "check")));
    }
    let unknown = diagnosis.unknown_checks.len();
    let told = diagnosis.unknown_checks.iter().take(CHECKS).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = unknown.checked_sub(CHECKS).filter(|more| *more > 0).map_or(String::new(), |more| format!(" and {more} more"));
    let head = format!("{} denied; {unknown} of {} would be unknown", count(denied.len(), "operation"), count(diagnosis.checks, "check"));
    let colon = if unknown == 0 { "" } else { ": " };
    screen.text(0, Style::Bold, &format!("{head}{colon}{told}{more}."))?;
    screen.blank()?;
    screen.text(0, Style::Plain, "Add this to what the identity may do:")?;
    for policy in diagnosis.policies.values() {
        let text = serde_json::to_string_pretty(policy)?;
        for line in text.lines() {
            screen.raw(line)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::diagnosis_table;
    use crate::display::cells;
    use crate::screen::TableOptions;
    use plimsoll_model::{Diagnosis, OperationDiagnosis, ReadAnswer, RegionDiagnosis};
    use serde_json::json;

    fn operation(id: &str, answer: ReadAnswer, code: Option<&str>) -> OperationDiagnosis {
        OperationDiagnosis {
            operation: id.to_owned(),
            permission: id.to_owned(),
            why: "to know".to_owned(),
            answer,
            code: code.map(ToOwned::to_owned),
            message: None,
            checks: Vec::new(),
        }
    }

    fn sample() -> Diagnosis {
        let region = |name: &str, denied: &[&str], readable: &[&str]| RegionDiagnosis {
            region: name.into(),
            readable: readable.iter().map(|service| (*service).to_owned()).collect(),
            denied: denied.iter().map(|service| (*service).to_owned()).collect(),
            unclear: Vec::new(),
            code: (!denied.is_empty()).then(|| "AccessDeniedException".to_owned()),
        };
        Diagnosis {
            schema: 1,
            account: "111111111111".into(),
            caller: "arn:aws:iam::111111111111:role/audit".to_owned(),
            region: "eu-west-3".into(),
            operations: vec![
                operation("ecs:ListClusters", ReadAnswer::Readable, None),
                operation("ecs:ListTasks", ReadAnswer::Denied, Some("AccessDeniedException")),
                operation("kms:ListKeys", ReadAnswer::Unclear, Some("Timeout")),
                operation("s3:ListBuckets", ReadAnswer::Readable, None),
            ],
            regions: vec![region("eu-west-1", &[], &["ecs"]), region("me-south-1", &["ecs", "kms"], &[])],
            checks: 54,
            unknown_checks: vec!["ecs-task-public-ip".to_owned()],
            policies: [("PlimsollRead1".to_owned(), json!({"Version": "2012-10-17", "Statement": [{"Action": ["ecs:ListTasks"]}]}))].into(),
        }
    }

    fn at(diagnosis: &Diagnosis, width: usize) -> String {
        let mut out = Vec::new();
        diagnosis_table(diagnosis, &TableOptions { width, ..TableOptions::default() }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_page_tells_services_regions_checks_and_the_policy() {
        insta::assert_snapshot!(at(&sample(), 90));
        assert!(at(&sample(), 60).lines().all(|line| cells(line) <= 60));
    }

    #[test]
    fn where_nothing_is_denied_it_says_so() {
        let mut diagnosis = sample();
        diagnosis.operations.retain(|operation| operation.answer != ReadAnswer::Denied);
        diagnosis.policies.clear();
        let text = at(&diagnosis, 100);
        assert!(text.contains("Nothing is denied: 54 checks can decide."), "{text}");
        assert!(!text.contains("Add this"));
    }
}
