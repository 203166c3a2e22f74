//! Harmless text with its styles flows in, lines of at most the screen's width flow out.

use std::io::{self, Write};

use plimsoll_model::Severity;
use tabled::builder::Builder;
use tabled::settings::object::Cell as Position;
use tabled::settings::{Color, Padding, Style as Borders};

use crate::display::{cells, padding, wrap};

/// Narrower than this, lines are as wide as this all the same.
const NARROWEST: usize = 40;
/// From this width on, findings take two columns.
const WIDE: usize = 130;

/// How tables are laid out.
#[derive(Clone, Copy, Debug)]
pub struct TableOptions {
    /// Cells that a line may take: the terminal's width, or what a pipe should get. At least 40 are taken.
    pub width: usize,
    /// Whether to colour.
    pub color: bool,
    /// Whether to show every finding with its evidence: nothing is folded or left out.
    pub verbose: bool,
    /// How many resources without a critical or high finding are listed before the rest is folded by check. A
    /// critical or high check that more resources fail is told once for all of them.
    pub resources: usize,
    /// A medium check that more resources fail than this is told once for all of them, a lesser one in brief.
    pub fold_above: usize,
    /// The IAM action that allows an operation, where its name differs (`s3:ListBuckets` needs `s3:ListAllMyBuckets`).
    pub action: fn(&str) -> &str,
}

impl Default for TableOptions {
    /// 80 columns, no colour, folded.
    fn default() -> Self {
        Self { width: 80, color: false, verbose: false, resources: 20, fold_above: 8, action: |operation| operation }
    }
}

/// What a piece of text looks like, where there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Critical,
    High,
    Medium,
    Low,
    Unknown,
    Good,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\u{1b}[1m",
            Self::Dim => "\u{1b}[2m",
            Self::Critical => "\u{1b}[1;7;31m",
            Self::High => "\u{1b}[1;31m",
            Self::Medium => "\u{1b}[33m",
            Self::Low => "\u{1b}[36m",
            Self::Unknown => "\u{1b}[35m",
            Self::Good => "\u{1b}[32m",
        }
    }

    /// The colour of a severity; its word always stands beside it.
    pub(crate) fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Critical,
            Severity::High => Self::High,
            Severity::Medium => Self::Medium,
            Severity::Low => Self::Low,
            Severity::Informational => Self::Dim,
        }
    }
}

const RESET: &str = "\u{1b}[0m";

/// The word of a severity, at most eight cells.
pub(crate) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::High => "HIGH",
        Severity::Medium => "MEDIUM",
        Severity::Low => "LOW",
        Severity::Informational => "INFO",
    }
}

/// A piece of a line.
pub(crate) type Span<'t> = (Style, &'t str);

/// A place that takes lines.
pub(crate) struct Screen<'o, W> {
    out: &'o mut W,
    color: bool,
    pub(crate) width: usize,
}

impl<'o, W: Write> Screen<'o, W> {
    pub(crate) fn new(options: &TableOptions, out: &'o mut W) -> Self {
        Self { out, color: options.color, width: options.width.max(NARROWEST) }
    }

    pub(crate) fn is_wide(&self) -> bool {
        self.width >= WIDE
    }

    pub(crate) fn blank(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }

    /// One line of pieces that are known to fit.
    pub(crate) fn line(&mut self, spans: &[Span<'_>]) -> io::Result<()> {
        let mut line = String::new();
        for (style, text) in spans {
            if self.color && *style != Style::Plain && !text.trim().is_empty() {
                line.push_str(style.code());
                line.push_str(text);
                line.push_str(RESET);
            } else {
                line.push_str(text);
            }
        }
        self.raw(&line)
    }

    /// Lines as they are, without blanks at their ends.
    pub(crate) fn raw(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.trim_end().as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// A paragraph.
    pub(crate) fn text(&mut self, indent: usize, style: Style, text: &str) -> io::Result<()> {
        self.hanging(indent, (Style::Plain, ""), style, text)
    }

    /// A paragraph behind a label that stands in its first line.
    pub(crate) fn hanging(&mut self, indent: usize, label: Span<'_>, style: Style, text: &str) -> io::Result<()> {
        let margin = " ".repeat(indent);
        let space = cells(label.1);
        for (at, line) in wrap(text, self.width.saturating_sub(indent + space)).iter().enumerate() {
            if at == 0 {
                self.line(&[(Style::Plain, &margin), label, (style, line)])?;
            } else {
                self.line(&[(Style::Plain, &margin), (Style::Plain, &" ".repeat(space)), (style, line)])?;
            }
        }
        Ok(())
    }

    /// A line across the screen.
    pub(crate) fn rule(&mut self) -> io::Result<()> {
        self.line(&[(Style::Dim, &"─".repeat(self.width))])
    }

    /// The heading of a part of the report, with a remark below or beside it.
    pub(crate) fn heading(&mut self, title: Span<'_>, remark: &str) -> io::Result<()> {
        self.blank()?;
        if cells(title.1) + 2 + cells(remark) <= self.width {
            self.line(&[title, (Style::Plain, "  "), (Style::Dim, remark)])
        } else {
            self.line(&[title])?;
            self.text(2, Style::Dim, remark)
        }
    }

    /// Rows in columns that are as wide as their widest cell. The caller sees to it that they fit.
    pub(crate) fn grid(&mut self, indent: usize, rows: &[Vec<(Style, String)>]) -> io::Result<()> {
        self.columns(indent, GAP, rows)
    }

    /// Rows in columns with one cell between them.
    pub(crate) fn tight_grid(&mut self, indent: usize, rows: &[Vec<(Style, String)>]) -> io::Result<()> {
        self.columns(indent, 1, rows)
    }

    fn columns(&mut self, indent: usize, gap: usize, rows: &[Vec<(Style, String)>]) -> io::Result<()> {
        let mut builder = Builder::new();
        for row in rows {
            builder.push_record(row.iter().map(|(_, text)| text.as_str()));
        }
        let mut table = builder.build();
        table.with(Borders::empty()).with(Padding::new(0, gap, 0, 0));
        if self.color {
            for (y, row) in rows.iter().enumerate() {
                for (x, (style, _)) in row.iter().enumerate().filter(|(_, (style, _))| *style != Style::Plain) {
                    table.modify(Position::new(y, x), Color::new(style.code(), RESET));
                }
            }
        }
        let margin = " ".repeat(indent);
        for line in table.to_string().lines() {
            self.raw(&format!("{margin}{line}"))?;
        }
        Ok(())
    }

    /// Two columns of lines side by side, the left one `width` cells.
    pub(crate) fn beside(
        &mut self,
        margin: &[Span<'_>],
        left: &[(Style, String)],
        right: &[(Style, String)],
        width: usize,
    ) -> io::Result<()> {
        let indent: usize = margin.iter().map(|(_, text)| cells(text)).sum();
        let blank = (Style::Plain, String::new());
        for at in 0..left.len().max(right.len()) {
            let (left, right) = (left.get(at).unwrap_or(&blank), right.get(at).unwrap_or(&blank));
            let mut spans = if at == 0 { margin.to_vec() } else { Vec::new() };
            let space = if at == 0 { String::new() } else { " ".repeat(indent) };
            let fill = padding(&left.1, width);
            spans.extend([(Style::Plain, space.as_str()), (left.0, &left.1), (Style::Plain, &fill), (right.0, &right.1)]);
            self.line(&spans)?;
        }
        Ok(())
    }
}

/// Cells between the columns of a grid.
pub(crate) const GAP: usize = 2;
