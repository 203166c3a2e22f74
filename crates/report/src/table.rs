//! A result flows in, the report that a person reads flows out: what matters first, then what could not be read,
//! then the counts and what to do next.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io::{self, Write};

use plimsoll_model::{Arn, Confidence, Finding, Party, PathStep, ResourceRef, ScanResult, ScanSummary, Severity, Status, Summary};

use crate::display::{LONG, SHORT, cells, count, cut_middle, name, number, padding, shown, wrap};
use crate::fold::{Block, Entry, Group, Plan, by_check};
use crate::screen::{GAP, Screen, Span, Style, TableOptions, word};
use crate::unread::{Unread, unread};

/// Most cells of evidence, with `-v`.
const EVIDENCE: usize = 2_000;
/// How many names are told of a group in full, and of one in brief.
const NAMES: usize = 30;
const NAMES_IN_BRIEF: usize = 5;
/// Where the text of a finding begins, after margin and severity.
const TEXT: usize = 12;
/// Tags that tell whose a resource is and what hangs on it.
const TELLING_TAGS: [&str; 10] =
    ["env", "environment", "stage", "team", "owner", "service", "app", "application", "project", "criticality"];

/// Writes the report for a person.
pub fn table(result: &ScanResult, options: &TableOptions, out: &mut impl Write) -> io::Result<()> {
    let plan = Plan::new(&result.findings, options);
    let unread = unread(result);
    let mut report = Report { screen: Screen::new(options, out), options };
    report.top(result)?;
    for entry in &plan.entries {
        match entry {
            Entry::Check(group) => report.check(group)?,
            Entry::Resource(block) => report.block(block)?,
        }
    }
    report.folded(&plan)?;
    report.others(result)?;
    report.unread(&unread)?;
    report.requests(result)?;
    report.end(result, &plan, &unread)
}

struct Report<'o, 's, W> {
    screen: Screen<'o, W>,
    options: &'s TableOptions,
}

impl<W: Write> Report<'_, '_, W> {
    fn top(&mut self, result: &ScanResult) -> io::Result<()> {
        let fails = result.summary.fail.total();
        let resources: BTreeSet<&str> =
            result.findings.iter().filter(|f| f.status == Status::Fail).map(|f| f.resource.arn.as_str()).collect();
        let told = match (fails, resources.len()) {
            (0, _) => "nothing fails".to_owned(),
            (_, 0) => count(fails, "finding"),
            (_, resources) => format!("{} on {}, the worst first", count(fails, "finding"), count(resources, "resource")),
        };
        let title = format!("plimsoll {}", shown(&result.plimsoll, 20));
        self.screen.line(&[
            (Style::Bold, &title),
            (Style::Plain, "  "),
            (Style::Plain, &shown(&told, self.screen.width - cells(&title) - 2)),
        ])?;
        if !result.scan.complete {
            self.screen.hanging(
                0,
                (Style::High, "INTERRUPTED  "),
                Style::Plain,
                "only a part of the scope was read; what is missing may be worse",
            )?;
        }
        Ok(())
    }

    /// A critical, high or medium check that many resources fail: once, with their names.
    fn check(&mut self, group: &Group<'_>) -> io::Result<()> {
        let Some(first) = group.findings.first() else { return Ok(()) };
        let resources = group.resources();
        let one_kind = resources.iter().all(|resource| resource.kind == first.resource.kind);
        let noun = if one_kind { kind(&first.resource.kind) } else { "resource".to_owned() };
        let title = format!("{} × {noun}", number(resources.len() as u64));
        self.header(&title, &places(&resources))?;
        self.screen.text(2, Style::Dim, &names(&resources, NAMES))?;
        self.finding(first, "for example: ")
    }

    fn block(&mut self, block: &Block<'_>) -> io::Result<()> {
        let ResourceRef { arn, kind: type_name, account, region, name: called, tags } = block.resource;
        let title = format!("{}  {}", kind(type_name), name(called));
        self.header(&title, &shown(&format!("{account} {region}"), 40))?;
        let arn = shown(arn, LONG);
        let tags: Vec<String> = tags
            .iter()
            .filter(|(key, _)| self.options.verbose || TELLING_TAGS.contains(&key.to_lowercase().as_str()))
            .map(|(key, value)| format!("{}={}", name(key), shown(value, if self.options.verbose { SHORT } else { 40 })))
            .collect();
        let tags = if self.options.verbose { tags.join("  ") } else { shown(&tags.join("  "), SHORT) };
        let room = self.screen.width - 2;
        if self.options.verbose {
            self.screen.text(2, Style::Dim, &arn)?;
            self.screen.text(2, Style::Dim, &tags)?;
        } else if cells(&arn) + 3 + cells(&tags) <= room {
            self.screen.line(&[(Style::Dim, "  "), (Style::Dim, &arn), (Style::Dim, "   "), (Style::Dim, &tags)])?;
        } else {
            self.screen.line(&[(Style::Dim, "  "), (Style::Dim, &cut_middle(&arn, room))])?;
            if !tags.is_empty() {
                self.screen.line(&[(Style::Dim, "  "), (Style::Dim, &shown(&tags, room))])?;
            }
        }
        for finding in &block.findings {
            self.finding(finding, "")?;
        }
        if !block.shared.is_empty() {
            let checks: Vec<String> = block.shared.iter().map(|check| shown(check, SHORT)).collect();
            self.screen.hanging(2, (Style::Dim, "also      "), Style::Dim, &checks.join(", "))?;
        }
        Ok(())
    }

    /// What a block is about, and where that is at the right border.
    fn header(&mut self, title: &str, place: &str) -> io::Result<()> {
        self.screen.blank()?;
        let room = self.screen.width.saturating_sub(cells(place) + 2);
        // A name of which little would be left gets the line for itself.
        if cells(title) <= room || room >= 48 {
            let title = cut_middle(title, room);
            let rule = padding(&title, room).replace(' ', "─");
            self.screen.line(&[(Style::Bold, &title), (Style::Dim, " "), (Style::Dim, &rule), (Style::Dim, " "), (Style::Plain, place)])
        } else {
            self.screen.line(&[(Style::Bold, &cut_middle(title, self.screen.width))])?;
            self.screen.text(2, Style::Plain, place)
        }
    }

    fn finding(&mut self, finding: &Finding, opening: &str) -> io::Result<()> {
        let severity = finding.severity;
        let doubt = if finding.confidence == Confidence::Possible { " (possible)" } else { "" };
        let title = format!("{}{doubt}", shown(&finding.title, SHORT));
        let message = format!("{opening}{}", shown(&finding.message, if self.options.verbose { EVIDENCE } else { LONG }));
        let fix = shown(&finding.remediation.text, LONG);
        let check = shown(&finding.check, SHORT);
        let mut facts = vec![(Style::Bold, "", title), (Style::Plain, "", message)];
        facts.extend(path(finding).map(|path| (Style::Plain, "path  ", path)));
        facts.extend(moved(finding).map(|reason| (Style::Dim, "", reason)));
        let mut advice = Vec::new();
        // What is of low weight is told in fewer lines, unless they cost nothing.
        if !fix.is_empty() && (severity > Severity::Low || self.options.verbose || self.screen.is_wide()) {
            advice.push((Style::Dim, "fix  ", fix));
        }
        let check = (Style::Dim, "", check);

        let level = (Style::of(severity), word(severity));
        if self.screen.is_wide() {
            let gap = padding(level.1, TEXT - 2);
            let room = self.screen.width - TEXT - 3;
            let left_width = (room * 11 / 20).min(110);
            let left: Vec<_> = facts.iter().flat_map(|fact| paragraph(fact, left_width)).collect();
            let right: Vec<_> = [check].iter().chain(&advice).flat_map(|fact| paragraph(fact, (room - left_width).min(90))).collect();
            self.screen.beside(&[(Style::Plain, "  "), level, (Style::Plain, &gap)], &left, &right, left_width + 3)?;
        } else {
            let indent = self.text_indent();
            let label = format!("{}{}", level.1, if indent == TEXT { padding(level.1, TEXT - 2) } else { "  ".to_owned() });
            for (at, (style, inner, text)) in facts.iter().chain(&advice).chain([&check]).enumerate() {
                if at == 0 {
                    self.screen.hanging(2, (level.0, &label), *style, text)?;
                } else {
                    self.screen.hanging(indent, (Style::Dim, inner), *style, text)?;
                }
            }
        }
        self.details(finding)
    }

    /// Where the text of a finding begins.
    fn text_indent(&self) -> usize {
        if self.screen.width < 60 { 4 } else { TEXT }
    }

    /// What only `-v` shows.
    fn details(&mut self, finding: &Finding) -> io::Result<()> {
        if !self.options.verbose {
            return Ok(());
        }
        let indent = self.text_indent();
        if !finding.remediation.cli.is_empty() {
            self.screen.hanging(indent, (Style::Dim, "$ "), Style::Plain, &shown(&finding.remediation.cli, EVIDENCE))?;
        }
        if !is_empty(&finding.evidence) {
            self.screen.hanging(indent, (Style::Dim, "evidence  "), Style::Dim, &shown(&finding.evidence.to_string(), EVIDENCE))?;
        }
        let controls: Vec<String> = finding
            .compliance
            .iter()
            .map(|(framework, controls)| format!("{} {}", name(framework), shown(&controls.join(", "), SHORT)))
            .collect();
        self.screen.hanging(indent, (Style::Dim, "controls  "), Style::Dim, &controls.join("; "))?;
        let last = format!("{}, responsible: {}", shown(&finding.id, SHORT), name(&finding.responsibility));
        self.screen.hanging(indent, (Style::Dim, "id  "), Style::Dim, &last)
    }

    /// What is told in brief, a line or three a check.
    fn folded(&mut self, plan: &Plan<'_>) -> io::Result<()> {
        if plan.folded.is_empty() {
            return Ok(());
        }
        let findings: usize = plan.folded.iter().map(|group| group.findings.len()).sum();
        let remark = format!("{} in brief; -v lists each, --format json has all", count(findings, "finding"));
        self.screen.heading((Style::Bold, "MORE, BY CHECK"), &remark)?;
        let level = |finding: &Finding| (Style::of(finding.severity), word(finding.severity).to_owned());
        self.groups(&plan.folded, level)
    }

    /// Passed and suppressed findings, where the result has them.
    fn others(&mut self, result: &ScanResult) -> io::Result<()> {
        for (status, title, style) in [(Status::Suppressed, "SUPPRESSED", Style::Dim), (Status::Pass, "PASSED", Style::Good)] {
            let groups = by_check(result.findings.iter().filter(|finding| finding.status == status));
            if !groups.is_empty() {
                self.screen.heading((Style::Bold, title), &count(groups.iter().map(|group| group.findings.len()).sum(), "verdict"))?;
                self.groups(&groups, |_| (style, if status == Status::Pass { "pass" } else { "muted" }.to_owned()))?;
                self.reasons(&groups)?;
            }
        }
        Ok(())
    }

    /// Why findings are accepted, each reason once.
    fn reasons(&mut self, groups: &[Group<'_>]) -> io::Result<()> {
        let accepted = groups.iter().flat_map(|group| &group.findings).filter_map(|finding| finding.suppression.as_ref());
        let reasons: BTreeSet<_> = accepted.map(|suppression| (suppression.expires, &*suppression.reason)).collect();
        for (expires, reason) in reasons {
            self.screen.hanging(2, (Style::Dim, &format!("until {expires}  ")), Style::Plain, &shown(reason, LONG))?;
        }
        Ok(())
    }

    fn groups(&mut self, groups: &[Group<'_>], level: impl Fn(&Finding) -> (Style, String)) -> io::Result<()> {
        let most = if self.options.verbose { usize::MAX } else { NAMES_IN_BRIEF };
        if self.screen.is_wide() {
            let checks = groups.iter().filter_map(|g| g.findings.first()).map(|f| cells(&shown(&f.check, 60))).max().unwrap_or(0);
            let room = self.screen.width - TEXT - checks - 2 * GAP - 2;
            let title_room = room / 2;
            let rows: Vec<_> = groups
                .iter()
                .filter_map(|group| {
                    let first = group.findings.first()?;
                    let title = wrap(&shown(&first.title, SHORT), title_room).join("\n");
                    let told = wrap(&counted_names(group, most), room - title_room).join("\n");
                    Some(vec![level(first), (Style::Plain, title), (Style::Plain, told), (Style::Dim, shown(&first.check, 60))])
                })
                .collect();
            return self.screen.grid(2, &rows);
        }
        let indent = self.text_indent();
        for group in groups {
            let Some(first) = group.findings.first() else { continue };
            let (style, level) = level(first);
            let label = format!("{level}{}", if indent == TEXT { padding(&level, TEXT - 2) } else { "  ".to_owned() });
            self.screen.hanging(2, (style, &label), Style::Plain, &shown(&first.title, SHORT))?;
            self.screen.text(indent, Style::Plain, &counted_names(group, most))?;
            self.screen.text(indent, Style::Dim, &shown(&first.check, SHORT))?;
        }
        Ok(())
    }

    /// What could not be read, folded over places and resources.
    fn unread(&mut self, unread: &[Unread<'_>]) -> io::Result<()> {
        if unread.is_empty() {
            return Ok(());
        }
        self.screen.heading((Style::Unknown, "NOT READ"), "what hangs on these reads is unknown: neither passed nor failed")?;
        if self.screen.is_wide() && !self.options.verbose {
            let column = |text: String, width| (Style::Plain, wrap(&text, width).join("\n"));
            let room = self.screen.width - 2 - 4 * GAP;
            let rows: Vec<_> = unread
                .iter()
                .map(|one| {
                    vec![
                        (Style::Bold, wrap(&one.what(), room / 4).join("\n")),
                        column(shown(one.code, SHORT), room / 6),
                        column(one.place(), room / 5),
                        column(one.effect(), room / 6),
                        column(one.remedy(self.options.action), room / 5),
                    ]
                })
                .collect();
            return self.screen.grid(2, &rows);
        }
        for one in unread {
            let what = format!("{}  ", one.what());
            self.screen.hanging(2, (Style::Bold, &shown(&what, self.screen.width - 20)), Style::Plain, &shown(one.code, SHORT))?;
            let place = one.place();
            let place = if place.is_empty() { place } else { format!("{place}: ") };
            self.screen.text(4, Style::Plain, &format!("{place}{}", one.effect()))?;
            self.screen.hanging(4, (Style::Dim, "→ "), Style::Plain, &one.remedy(self.options.action))?;
            if self.options.verbose {
                self.screen.text(4, Style::Dim, &shown(one.message, LONG))?;
                for (check, findings) in &one.checks {
                    let resources: Vec<&ResourceRef> = findings.iter().map(|finding| &finding.resource).collect();
                    self.screen.text(4, Style::Dim, &format!("{}: {}", shown(check, SHORT), names(&resources, usize::MAX)))?;
                }
            }
        }
        Ok(())
    }

    /// What each operation cost, with `-v`.
    fn requests(&mut self, result: &ScanResult) -> io::Result<()> {
        if !self.options.verbose || result.scan.operations.is_empty() {
            return Ok(());
        }
        self.screen.heading((Style::Bold, "REQUESTS"), "by operation, and how long the API budget held them back")?;
        let rows: Vec<_> = result
            .scan
            .operations
            .iter()
            .map(|(operation, cost)| {
                let throttled = if cost.throttled > 0 { format!("{} throttled", number(cost.throttled)) } else { String::new() };
                let waited = if cost.waited_ms > 0 { format!("{} held back", waiting(cost.waited_ms)) } else { String::new() };
                let style = if cost.throttled > 0 { Style::Medium } else { Style::Dim };
                vec![
                    (Style::Plain, shown(operation, 60)),
                    (Style::Plain, count(usize::try_from(cost.calls).unwrap_or(usize::MAX), "call")),
                    (style, throttled),
                    (Style::Dim, waited),
                ]
            })
            .collect();
        let widths: usize =
            (0..4).map(|x| rows.iter().filter_map(|row| row.get(x)).map(|(_, text)| cells(text)).max().unwrap_or(0) + GAP).sum();
        if widths + 2 <= self.screen.width {
            return self.screen.grid(2, &rows);
        }
        for row in &rows {
            let cells: Vec<&str> = row.iter().map(|(_, text)| text.as_str()).filter(|text| !text.is_empty()).collect();
            self.screen.text(2, Style::Plain, &cells.join(", "))?;
        }
        Ok(())
    }

    fn end(&mut self, result: &ScanResult, plan: &Plan<'_>, unread: &[Unread<'_>]) -> io::Result<()> {
        self.screen.blank()?;
        self.screen.rule()?;
        self.counts(&result.summary)?;
        self.responsibility(result)?;
        self.screen.text(0, Style::Dim, &scanned(result))?;
        let next = next(result, plan, unread, self.options.action);
        self.screen.hanging(0, (Style::Bold, "Next: "), Style::Plain, &next)
    }

    fn counts(&mut self, summary: &Summary) -> io::Result<()> {
        let mut parts: Vec<(Style, String)> = Severity::ALL
            .iter()
            .map(|severity| {
                let many = summary.fail.of(*severity);
                let style = if many == 0 { Style::Dim } else { Style::of(*severity) };
                let word = if *severity == Severity::Informational { "info" } else { severity.as_str() };
                (style, format!("{} {word}", number(many as u64)))
            })
            .collect();
        let unknown = if summary.unknown == 0 { Style::Dim } else { Style::Unknown };
        parts.push((unknown, format!("{} unknown", number(summary.unknown as u64))));
        parts.push((Style::Good, format!("{} passed", number(summary.pass as u64))));
        if summary.suppressed > 0 {
            parts.push((Style::Dim, format!("{} suppressed", number(summary.suppressed as u64))));
        }
        let mut line: Vec<Span<'_>> = Vec::new();
        let mut used = 0;
        for (style, text) in &parts {
            let size = cells(text) + 3;
            if used > 0 && used + size > self.screen.width {
                self.screen.line(&line)?;
                line.clear();
                used = 0;
            }
            if used > 0 {
                line.push((Style::Dim, " · "));
            }
            line.push((*style, text));
            used += size;
        }
        self.screen.line(&line)
    }

    /// The shared-responsibility model in one line a party.
    fn responsibility(&mut self, result: &ScanResult) -> io::Result<()> {
        let summary = &result.responsibility;
        if summary.workloads == 0 {
            return Ok(());
        }
        let workloads = count(summary.workloads, "workload");
        let all = summary.items.values().flat_map(|counts| [counts.met, counts.not_met, counts.unknown]);
        let digits = all.map(|many| cells(&number(many as u64))).max().unwrap_or(0);
        let rows: Vec<_> = [Party::Aws, Party::Customer, Party::Shared]
            .iter()
            .enumerate()
            .map(|(at, party)| {
                let counts = summary.items.get(&party.label().to_lowercase()).copied().unwrap_or_default();
                let cell = |many: usize, text: &str, style| {
                    (if many == 0 { Style::Dim } else { style }, format!("{:>digits$} {text}", number(many as u64)))
                };
                vec![
                    (Style::Dim, if at == 0 { workloads.clone() } else { String::new() }),
                    (Style::Plain, party.label().to_owned()),
                    cell(counts.met, "met", Style::Good),
                    cell(counts.not_met, "not met", Style::Medium),
                    cell(counts.unknown, "unknown", Style::Unknown),
                ]
            })
            .collect();
        // Counts have no bounds, the screen has.
        let widths: usize =
            (0..5).map(|x| rows.iter().filter_map(|row| row.get(x)).map(|(_, text)| cells(text)).max().unwrap_or(0) + GAP).sum();
        if widths <= self.screen.width {
            return self.screen.grid(0, &rows);
        }
        for row in &rows {
            let cells: Vec<&str> = row.iter().skip(1).map(|(_, text)| text.as_str()).collect();
            self.screen.text(0, Style::Plain, &cells.join(" "))?;
        }
        Ok(())
    }
}

/// A labelled text in lines of at most `width` cells.
fn paragraph((style, label, text): &(Style, &str, String), width: usize) -> Vec<(Style, String)> {
    let space = cells(label);
    let line = |(at, line): (usize, String)| (*style, format!("{}{line}", if at == 0 { (*label).to_owned() } else { " ".repeat(space) }));
    wrap(text, width - space).into_iter().enumerate().map(line).collect()
}

/// The attack path in one sentence.
fn path(finding: &Finding) -> Option<String> {
    let hop = |step: &PathStep| {
        let end = Arn::parse(&step.arn).map_or(step.arn.as_str(), |arn| arn.resource);
        format!("{} ({})", name(end), shown(&step.via, 60))
    };
    (!finding.path.is_empty()).then(|| finding.path.iter().map(hop).collect::<Vec<_>>().join(" → "))
}

/// Why the severity is not that of the check.
fn moved(finding: &Finding) -> Option<String> {
    let Finding { severity, base_severity: base, severity_reason: reason, .. } = finding;
    let reason = shown(reason, LONG);
    match severity.cmp(base) {
        Ordering::Greater => Some(format!("raised from {base}: {reason}")),
        Ordering::Less => Some(format!("lowered from {base}: {reason}")),
        Ordering::Equal => None,
    }
}

/// `AWS::ECS::Service` as people say it: `ECS Service`.
pub(crate) fn kind(type_name: &str) -> String {
    shown(&type_name.strip_prefix("AWS::").unwrap_or(type_name).replace("::", " "), 60)
}

fn is_empty(evidence: &serde_json::Value) -> bool {
    evidence.is_null() || evidence.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Names of resources, as many as are wanted.
fn names(resources: &[&ResourceRef], most: usize) -> String {
    // A last single name takes no more room than its count.
    let most = if resources.len() == most.saturating_add(1) { resources.len() } else { most };
    let mut told: Vec<String> = resources.iter().take(most).map(|resource| shown(&name(&resource.name), 60)).collect();
    let rest = resources.len().saturating_sub(most);
    if rest > 0 {
        told.push(format!("and {} more", number(rest as u64)));
    }
    told.join(", ")
}

fn counted_names(group: &Group<'_>, most: usize) -> String {
    let resources = group.resources();
    format!("{}: {}", count(resources.len(), "resource"), names(&resources, most))
}

/// Where resources are, in a few words.
fn places(resources: &[&ResourceRef]) -> String {
    let accounts: BTreeSet<&str> = resources.iter().map(|resource| resource.account.as_str()).collect();
    let regions: BTreeSet<&str> = resources.iter().map(|resource| resource.region.as_str()).collect();
    let one = |set: &BTreeSet<&str>, noun| match (set.first(), set.len()) {
        (Some(only), 1) => shown(only, 20),
        (_, many) => count(many, noun),
    };
    format!("{} {}", one(&accounts, "account"), one(&regions, "Region"))
}

/// What was scanned, when, at what cost, and whether all of it.
fn scanned(result: &ScanResult) -> String {
    let ScanSummary { started_at, finished_at, complete, accounts, regions, calls, throttled, waited_ms, .. } = &result.scan;
    let some = |names: Vec<&str>, noun: &str| match names.len() {
        1..=3 => {
            format!("{noun}{} {}", if names.len() == 1 { "" } else { "s" }, names.iter().map(|n| name(n)).collect::<Vec<_>>().join(", "))
        }
        many => count(many, noun),
    };
    let accounts = some(accounts.iter().map(plimsoll_model::AccountId::as_str).collect(), "account");
    let regions = some(regions.iter().map(plimsoll_model::Region::as_str).collect(), "Region");
    let start = started_at.to_string();
    let minute = start.get(..16).unwrap_or(&start).replace('T', " ");
    let seconds = finished_at.duration_since(*started_at).as_secs().max(0);
    let lasted = lasting(seconds.unsigned_abs());
    let throttled = if *throttled > 0 { format!(", {} throttled", number(*throttled)) } else { String::new() };
    // Shorter than that it is nobody's concern.
    let waited = if *waited_ms >= 1000 { format!(", {} held back by the API budget", waiting(*waited_ms)) } else { String::new() };
    let calls = format!("{} call{}", number(*calls), if *calls == 1 { "" } else { "s" });
    let state = match (complete, result.gaps.len()) {
        (false, _) => "INTERRUPTED".to_owned(),
        (true, 0) => "complete".to_owned(),
        (true, gaps) => format!("complete but for {}", count(gaps, "failed read")),
    };
    format!("Scanned {accounts} in {regions}; {minute} UTC, {lasted}, {calls}{throttled}{waited}; {state}.")
}

/// A duration in seconds.
fn lasting(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A duration in milliseconds.
fn waiting(milliseconds: u64) -> String {
    if milliseconds < 1000 { format!("{milliseconds} ms") } else { lasting(milliseconds / 1000) }
}

/// The one thing to do next.
fn next(result: &ScanResult, plan: &Plan<'_>, unread: &[Unread<'_>], action: fn(&str) -> &str) -> String {
    let worst =
        plan.entries.first().and_then(Entry::first).or_else(|| plan.folded.first().and_then(|group| group.findings.first().copied()));
    let fail = &result.summary.fail;
    let explain = worst.map(|finding| format!("`plimsoll checks show {}`", shown(&finding.check, SHORT)));
    match explain {
        Some(explain) if fail.critical + fail.high > 0 => format!("{explain} says why the first finding matters and how to mend it."),
        _ if !result.scan.complete => "scan again to the end; an interrupted scan proves nothing clean.".to_owned(),
        _ if unread.iter().any(|one| !one.is_never_asked()) => {
            if let Some(closing) = unread.first().filter(|one| one.is_closing()) {
                return format!("{}; nothing was read of {}.", closing.remedy(action), closing.place());
            }
            let remedy = unread.first().map_or_else(|| "see the verdicts with -v".to_owned(), |one| one.remedy(action));
            format!("{remedy}, for {}; `plimsoll permissions` prints the whole policy.", count(result.summary.unknown, "unknown verdict"))
        }
        Some(explain) if fail.medium > 0 => format!("nothing above medium. {explain} explains the first finding."),
        Some(explain) => format!("nothing above low. {explain} explains the first finding."),
        None if result.summary.pass == 0 && fail.total() == 0 => {
            "there was nothing to judge: are these the right account and Regions?".to_owned()
        }
        None => "nothing to do. `plimsoll scan --fail-on high` in a pipeline keeps it so.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::matrix::matrix_table;
    use crate::sample::{clean, crowd, hostile, matrix, result, with_exception};
    use crate::screen::TableOptions;
    use plimsoll_model::{ScanResult, Severity, Status};
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    fn at(result: &ScanResult, width: usize) -> String {
        with(result, &TableOptions { width, ..TableOptions::default() })
    }

    fn with(result: &ScanResult, options: &TableOptions) -> String {
        let mut out = Vec::new();
        table(result, options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn fits(text: &str, width: usize) -> Result<(), String> {
        for line in text.lines() {
            if line.width() > width {
                return Err(format!("{} cells at {width}: {line}", line.width()));
            }
            if let Some(char) = line.chars().find(|c| c.is_control() || matches!(*c, '\u{202e}' | '\u{2066}' | '\u{200b}')) {
                return Err(format!("{char:?} in {line:?}"));
            }
        }
        Ok(())
    }

    #[test]
    fn it_reads_well_at_80_columns() {
        insta::assert_snapshot!("table_at_80", at(&result(), 80));
    }

    #[test]
    fn it_reads_well_at_200_columns() {
        insta::assert_snapshot!("table_at_200", at(&result(), 200));
    }

    #[test]
    fn it_tells_all_when_asked_to() {
        insta::assert_snapshot!("table_verbose", with(&result(), &TableOptions { width: 100, verbose: true, ..TableOptions::default() }));
    }

    #[test]
    fn thousands_of_findings_do_not_bury_the_worst() {
        let text = at(&crowd(), 80);
        insta::assert_snapshot!("table_of_a_crowd", text);
        let all = with(&crowd(), &TableOptions { verbose: true, ..TableOptions::default() });
        assert!(all.contains("family-2899:1") && !all.contains("MORE, BY CHECK"));
    }

    #[test]
    fn the_matrix_reads_well() {
        for width in [80, 200] {
            insta::assert_snapshot!(format!("matrix_at_{width}"), matrix_at(width, false));
        }
        insta::assert_snapshot!("matrix_verbose", matrix_at(80, true));
    }

    fn matrix_at(width: usize, verbose: bool) -> String {
        let mut out = Vec::new();
        matrix_table(&matrix(), &TableOptions { width, verbose, ..TableOptions::default() }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        for width in 40..=220 {
            for verbose in [false, true] {
                let options = TableOptions { width, verbose, ..TableOptions::default() };
                fits(&with(&result(), &options), width).unwrap();
                fits(&matrix_at(width, verbose), width).unwrap();
            }
        }
        for width in (40..=220).step_by(15) {
            fits(&at(&crowd(), width), width).unwrap();
        }
        fits(&at(&result(), 0), 40).unwrap();
    }

    #[test]
    fn colour_changes_no_character() {
        for width in [40, 80, 200] {
            let colored = with(&result(), &TableOptions { width, color: true, ..TableOptions::default() });
            let mut plain = String::new();
            for (at, part) in colored.split('\u{1b}').enumerate() {
                plain.push_str(if at == 0 { part } else { part.split_once('m').unwrap().1 });
            }
            let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
            assert_eq!(lines(&plain), lines(&at(&result(), width)));
        }
    }

    #[test]
    fn every_critical_and_high_finding_is_told() {
        let result = result();
        let text = at(&result, 80);
        for finding in result.findings.iter().filter(|f| f.status == Status::Fail && f.severity >= Severity::High) {
            assert!(text.contains(&*finding.check), "{}", finding.check);
        }
    }

    #[test]
    fn the_last_line_says_what_to_do() {
        let last = |result: &ScanResult| at(result, 300).lines().last().unwrap().to_owned();
        assert_eq!(
            last(&result()),
            "Next: `plimsoll checks show ecs-task-definition-env-secret` says why the first finding matters and how to mend it."
        );
        assert_eq!(last(&clean()), "Next: nothing to do. `plimsoll scan --fail-on high` in a pipeline keeps it so.");
        let mut interrupted = clean();
        interrupted.scan.complete = false;
        assert_eq!(last(&interrupted), "Next: scan again to the end; an interrupted scan proves nothing clean.");
        let mut gaps = result();
        gaps.findings.retain(|finding| finding.status == Status::Unknown);
        gaps.summary.fail = clean().summary.fail;
        assert_eq!(last(&gaps), "Next: allow kms:GetKeyPolicy, for 3 unknown verdicts; `plimsoll permissions` prints the whole policy.");
        let mut nothing = clean();
        nothing.summary.pass = 0;
        assert_eq!(last(&nothing), "Next: there was nothing to judge: are these the right account and Regions?");
        let mut low = result();
        low.findings.retain(|finding| finding.status == Status::Fail && finding.severity == Severity::Low);
        low.gaps.clear();
        low.summary = clean().summary;
        low.summary.fail.low = 12;
        assert!(last(&low).starts_with("Next: nothing above low. `plimsoll checks show "));
    }

    #[test]
    fn the_action_of_an_operation_is_what_is_to_be_allowed() {
        fn action(operation: &str) -> &str {
            if operation == "kms:GetKeyPolicy" { "kms:Other" } else { operation }
        }
        assert!(with(&result(), &TableOptions { action, ..TableOptions::default() }).contains("allow kms:Other"));
    }

    #[test]
    fn passed_and_suppressed_findings_are_told_when_they_are_there() {
        let mut result = result();
        for (at, finding) in result.findings.iter_mut().enumerate() {
            finding.status = if at % 2 == 0 { Status::Pass } else { Status::Suppressed };
        }
        let text = at(&result, 80);
        assert!(text.contains("PASSED") && text.contains("SUPPRESSED"), "{text}");
        fits(&text, 80).unwrap();
    }

    #[test]
    fn a_suppressed_finding_is_told_with_its_reason_and_its_last_day() {
        let text = at(&with_exception("the agent needs it"), 80);
        assert!(text.contains("until 2026-12-31  the agent needs it"), "{text}");
        assert!(text.contains("1 suppressed"), "{text}");
    }

    #[test]
    fn three_thousand_findings_take_a_few_screens() {
        let text = at(&crowd(), 80);
        assert!(text.lines().count() < 150, "{}", text.lines().count());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_text_from_outside_breaks_the_table(text in hostile_text(), width in 40_usize..220, verbose in any::<bool>()) {
            let options = TableOptions { width, verbose, ..TableOptions::default() };
            fits(&with(&hostile(&text), &options), width).map_err(TestCaseError::fail)?;
        }
    }

    fn hostile_text() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            any::<String>(),
            "[a-z监査é🚢 ]{0,60}",
            Just("\u{1b}[31m\u{9b}2J\u{1b}]8;;x\u{7}".to_owned()),
            Just("\u{202e}\u{2066}\u{200b}\u{301}\u{301}\u{301}".to_owned()),
            Just("\n\t\r\0".to_owned()),
            Just("long ".repeat(2_000)),
            Just("長".repeat(3_000)),
        ];
        proptest::collection::vec(pieces, 0..4).prop_map(|pieces| pieces.concat())
    }
}
