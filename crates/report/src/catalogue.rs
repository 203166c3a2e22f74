//! What a check declares flows in; the list of checks and the page of one check flow out, as text and as Markdown.

use std::io::{self, Write};

use plimsoll_model::{Compliance, Severity};

use crate::display::{LONG, SHORT, cells, count, padding, shown};
use crate::screen::{GAP, Screen, Style, TableOptions, word};

/// Most cells of a text of a check.
const PROSE: usize = 4_000;

/// A line of the list of checks.
#[derive(Clone, Copy, Debug)]
pub struct CheckRow<'c> {
    /// Its id.
    pub id: &'c str,
    /// Its base severity.
    pub severity: Severity,
    /// Its title.
    pub title: &'c str,
    /// Its area.
    pub area: &'c str,
}

/// One word for each platform.
#[derive(Clone, Copy, Debug)]
pub struct ByPlatform<'c> {
    /// On AWS Fargate.
    pub fargate: &'c str,
    /// On EC2 instances of the customer.
    pub ec2: &'c str,
    /// On EKS.
    pub eks: &'c str,
}

impl ByPlatform<'_> {
    fn for_people(self) -> Self {
        let word = |word| if word == "aws" { "AWS" } else { word };
        Self { fargate: word(self.fargate), ec2: word(self.ec2), eks: word(self.eks) }
    }
}

/// All that the page of a check says.
#[derive(Clone, Copy, Debug)]
pub struct CheckPage<'c> {
    /// Its id.
    pub id: &'c str,
    /// Its title.
    pub title: &'c str,
    /// Its base severity.
    pub severity: Severity,
    /// Its area.
    pub area: &'c str,
    /// The type of the resources it judges.
    pub resource: &'c str,
    /// Who has to act.
    pub responsibility: ByPlatform<'c>,
    /// The operations that it needs.
    pub needs: &'c [&'c str],
    /// Why it matters.
    pub why: &'c str,
    /// When it fails.
    pub fails_when: &'c str,
    /// How to mend it, in words.
    pub remediation: &'c str,
    /// How to mend it, as a command; empty if there is none.
    pub cli: &'c str,
    /// Controls by framework.
    pub compliance: &'c Compliance,
}

/// Writes the list of checks, grouped by area in the order in which areas first occur.
pub fn checks_table(rows: &[CheckRow<'_>], options: &TableOptions, out: &mut impl Write) -> io::Result<()> {
    let mut screen = Screen::new(options, out);
    let mut areas: Vec<&str> = Vec::new();
    for row in rows {
        if !areas.contains(&row.area) {
            areas.push(row.area);
        }
    }
    let ids = rows.iter().map(|row| cells(&shown(row.id, 60))).max().unwrap_or(0);
    let titles = rows.iter().map(|row| cells(&shown(row.title, SHORT))).max().unwrap_or(0);
    let in_columns = 2 + 8 + GAP + ids + GAP + titles + GAP <= screen.width;
    for (at, area) in areas.iter().enumerate() {
        if at > 0 {
            screen.blank()?;
        }
        screen.text(0, Style::Bold, &shown(area, SHORT))?;
        for row in rows.iter().filter(|row| row.area == *area) {
            let (level, id, title) = (word(row.severity), shown(row.id, 60), shown(row.title, SHORT));
            let space = padding(level, 8 + GAP);
            if in_columns {
                let gap = padding(&id, ids + GAP);
                screen.line(&[
                    (Style::Plain, "  "),
                    (Style::of(row.severity), level),
                    (Style::Plain, &space),
                    (Style::Plain, &id),
                    (Style::Plain, &gap),
                    (Style::Dim, &title),
                ])?;
            } else {
                screen.hanging(2, (Style::of(row.severity), &format!("{level}{space}")), Style::Plain, &id)?;
                screen.text(4 + 8, Style::Dim, &title)?;
            }
        }
    }
    screen.blank()?;
    screen.text(0, Style::Plain, &format!("{}. `plimsoll checks show ID` explains one.", count(rows.len(), "check")))
}

/// Writes the page of a check for a terminal. A command is not broken into lines, so that it can be copied.
pub fn check_page(page: &CheckPage<'_>, options: &TableOptions, out: &mut impl Write) -> io::Result<()> {
    let mut screen = Screen::new(&TableOptions { width: options.width.min(100), ..*options }, out);
    let fact = |screen: &mut Screen<'_, _>, label: &str, style, text: &str| {
        screen.hanging(2, (Style::Dim, &format!("{label}{}", padding(label, 16))), style, &shown(text, PROSE))
    };
    screen.text(0, Style::Bold, &shown(page.title, SHORT))?;
    screen.blank()?;
    fact(&mut screen, "check", Style::Plain, page.id)?;
    fact(&mut screen, "severity", Style::of(page.severity), word(page.severity))?;
    fact(&mut screen, "area", Style::Plain, page.area)?;
    fact(&mut screen, "judges", Style::Plain, page.resource)?;
    let ByPlatform { fargate, ec2, eks } = page.responsibility.for_people();
    fact(&mut screen, "responsible", Style::Plain, &format!("Fargate: {fargate}; EC2: {ec2}; EKS: {eks}"))?;
    fact(&mut screen, "reads", Style::Plain, &page.needs.join(", "))?;
    for (framework, controls) in page.compliance {
        fact(&mut screen, &shown(framework, 14), Style::Plain, &controls.join(", "))?;
    }
    for (title, text) in [("Why it matters", page.why), ("It fails when", page.fails_when), ("How to mend it", page.remediation)] {
        if !text.is_empty() {
            screen.blank()?;
            screen.text(0, Style::Bold, title)?;
            screen.text(2, Style::Plain, &shown(text, PROSE))?;
        }
    }
    if !page.cli.is_empty() {
        screen.blank()?;
        screen.line(&[(Style::Dim, "  $ "), (Style::Plain, &shown(page.cli, PROSE))])?;
    }
    Ok(())
}

/// Writes the page of a check for the book.
pub fn check_page_markdown(page: &CheckPage<'_>, out: &mut impl Write) -> io::Result<()> {
    let ByPlatform { fargate, ec2, eks } = page.responsibility.for_people();
    writeln!(out, "# {}\n", markdown(page.title))?;
    writeln!(out, "`{}`\n", shown(page.id, SHORT))?;
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| Severity | {} |", page.severity)?;
    writeln!(out, "| Area | {} |", markdown(page.area))?;
    writeln!(out, "| Judges | `{}` |", shown(page.resource, SHORT))?;
    writeln!(out, "| Responsible | Fargate: {}; EC2: {}; EKS: {} |", markdown(fargate), markdown(ec2), markdown(eks))?;
    let needs: Vec<String> = page.needs.iter().map(|operation| format!("`{}`", shown(operation, SHORT))).collect();
    writeln!(out, "| Reads | {} |", needs.join(", "))?;
    for (framework, controls) in page.compliance {
        writeln!(out, "| {} | {} |", markdown(framework), markdown(&controls.join(", ")))?;
    }
    for (title, text) in [("Why it matters", page.why), ("It fails when", page.fails_when), ("How to mend it", page.remediation)] {
        if !text.is_empty() {
            writeln!(out, "\n## {title}\n\n{}", markdown(text))?;
        }
    }
    if !page.cli.is_empty() {
        writeln!(out, "\n```sh\n{}\n```", shown(page.cli, PROSE))?;
    }
    Ok(())
}

/// Text that means in Markdown what it says.
fn markdown(text: &str) -> String {
    let text = shown(text, PROSE.max(LONG));
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '*' | '_' | '|' | '`' | '[' | ']' | '\\' => out.extend(['\\', char]),
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{check_page, check_page_markdown, checks_table};
    use crate::display::cells;
    use crate::sample::{controls, page, rows};
    use crate::screen::TableOptions;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_page_reads_well_on_a_terminal() {
        insta::assert_snapshot!(text(|out| check_page(&page(&controls()), &TableOptions::default(), out).unwrap()));
    }

    #[test]
    fn a_page_reads_well_in_the_book() {
        insta::assert_snapshot!(text(|out| check_page_markdown(&page(&controls()), out).unwrap()));
    }

    #[test]
    fn the_list_takes_columns_where_they_fit() {
        let at = |width| text(|out| checks_table(&rows(), &TableOptions { width, ..TableOptions::default() }, out).unwrap());
        insta::assert_snapshot!("checks_at_80", at(80));
        insta::assert_snapshot!("checks_at_200", at(200));
        for width in 40..=220 {
            assert!(at(width).lines().all(|line| cells(line) <= width), "{width}");
        }
    }
}
