//! The shared-responsibility matrix flows in; one line a workload, one column a responsibility flows out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use plimsoll_model::{Item, ItemState, LaunchKind, Matrix, MatrixRow, Party, Workload, WorkloadRows};

use crate::display::{SHORT, cells, count, name, shown};
use crate::screen::{GAP, Screen, Style, TableOptions};
use crate::table::kind;

/// Up to this many workloads are told row by row, as with `-v`.
const FEW: usize = 3;

/// Writes the matrix for a person.
pub fn matrix_table(matrix: &Matrix, options: &TableOptions, out: &mut impl Write) -> io::Result<()> {
    let mut screen = Screen::new(options, out);
    let many = matrix.workloads.len();
    if many == 0 {
        return screen.text(0, Style::Plain, "There are no ECS services and no standalone tasks in this snapshot.");
    }
    if options.verbose || many <= FEW {
        for workload in &matrix.workloads {
            rows(&mut screen, workload)?;
        }
        screen.blank()?;
        return totals(&mut screen, matrix);
    }
    overview(&mut screen, matrix)?;
    not_met(&mut screen, matrix)?;
    screen.blank()?;
    totals(&mut screen, matrix)?;
    screen.text(0, Style::Dim, "-v tells each workload row by row; --format json has every fact.")
}

/// All rows of one workload.
fn rows<W: Write>(screen: &mut Screen<'_, W>, of: &WorkloadRows) -> io::Result<()> {
    let Workload { arn, name: called, kind: type_name, cluster, account, region, launch } = &of.workload;
    screen.blank()?;
    let title = format!("{}  {}/{}  on {}", kind(type_name), name(cluster), name(called), launch.label());
    screen.text(0, Style::Bold, &title)?;
    screen.text(2, Style::Dim, &shown(&format!("{account} {region}  {arn}"), 2 * SHORT))?;
    let roomy = screen.width >= 60;
    // Item, party, state, and the gaps after them.
    let told = if roomy { screen.width - 2 - 16 - 8 - 7 - 3 * GAP } else { screen.width - 4 };
    let mut lines = Vec::new();
    for MatrixRow { item, party, state, evidence, note } in &of.rows {
        let against: Vec<String> =
            evidence.iter().filter(|one| one.state == *state && *state != ItemState::Met).map(|one| shown(&one.check, SHORT)).collect();
        let mut why: Vec<String> = Vec::new();
        if !note.is_empty() {
            why.extend(crate::display::wrap(&shown(note, crate::display::LONG), told));
        }
        why.extend(against.iter().flat_map(|check| crate::display::wrap(check, told)));
        if roomy {
            lines.push(vec![
                (Style::Plain, item.label().to_owned()),
                (Style::Dim, party.label().to_owned()),
                (style(*state), state.label().to_owned()),
                (Style::Dim, why.join("\n")),
            ]);
        } else {
            screen.hanging(
                2,
                (style(*state), &format!("{}  ", state.label())),
                Style::Plain,
                &format!("{} ({})", item.label(), party.label()),
            )?;
            for line in why {
                screen.text(4, Style::Dim, &line)?;
            }
        }
    }
    if lines.is_empty() { Ok(()) } else { screen.grid(2, &lines) }
}

/// How columns are headed and filled, by the room there is.
#[derive(Clone, Copy)]
enum Form {
    /// Names of items in full, states in words.
    Words,
    /// Four letters an item, two a state.
    Letters,
}

fn heading(item: Item, form: Form) -> &'static str {
    match (form, item) {
        (Form::Words, item) => item.label(),
        (Form::Letters, Item::HostPatching) => "host",
        (Form::Letters, Item::KernelIsolation) => "kern",
        (Form::Letters, Item::Agent) => "agnt",
        (Form::Letters, Item::NetworkControls) => "net",
        (Form::Letters, Item::Identity) => "iam",
        (Form::Letters, Item::DataEncryption) => "data",
        (Form::Letters, Item::Secrets) => "secr",
        (Form::Letters, Item::Image) => "img",
        (Form::Letters, Item::Runtime) => "run",
        (Form::Letters, Item::Audit) => "aud",
    }
}

fn runs_on(launch: LaunchKind, form: Form) -> &'static str {
    match (form, launch) {
        (Form::Letters, LaunchKind::ManagedInstances) => "Managed",
        (Form::Letters, LaunchKind::Unknown) => "?",
        (_, launch) => launch.label(),
    }
}

fn cell(row: &MatrixRow, form: Form) -> String {
    let state = match (form, row.party, row.state) {
        (Form::Words, Party::Aws, ItemState::Met) => "by AWS",
        (Form::Letters, Party::Aws, ItemState::Met) => "aws",
        (Form::Words, _, state) => state.label(),
        (Form::Letters, _, ItemState::Met) => "ok",
        (Form::Letters, _, ItemState::NotMet) => "NO",
        (Form::Letters, _, ItemState::Unknown) => "?",
    };
    format!("{state}{}", if row.party == Party::Shared { "*" } else { "" })
}

fn style(state: ItemState) -> Style {
    match state {
        ItemState::NotMet => Style::High,
        ItemState::Unknown => Style::Unknown,
        ItemState::Met => Style::Good,
    }
}

/// One line a workload.
fn overview<W: Write>(screen: &mut Screen<'_, W>, matrix: &Matrix) -> io::Result<()> {
    let launch_width = |form| matrix.workloads.iter().map(|of| cells(runs_on(of.workload.launch, form))).max().unwrap_or(0) + 1;
    let columns = |form| {
        Item::ALL.iter().map(|item| cells(heading(*item, form)).max(if matches!(form, Form::Words) { 8 } else { 4 }) + 1).sum::<usize>()
    };
    let (words, letters) = (columns(Form::Words) + 10, columns(Form::Letters));
    let form = if screen.width >= words + launch_width(Form::Words) + 30 { Form::Words } else { Form::Letters };
    let taken = if matches!(form, Form::Words) { words } else { letters };
    // On the narrowest screens, workloads stand above their line.
    let room = screen.width.saturating_sub(taken + launch_width(form) + 1);
    if room < 12 {
        return states(screen, matrix);
    }
    let mut lines = vec![vec![(Style::Dim, "workload".to_owned()), (Style::Dim, "on".to_owned())]];
    if let Some(head) = lines.first_mut() {
        head.extend(Item::ALL.iter().map(|item| (Style::Dim, heading(*item, form).to_owned())));
    }
    for WorkloadRows { workload, rows } in &matrix.workloads {
        let called = format!("{}/{}", name(&workload.cluster), name(&workload.name));
        let mut line =
            vec![(Style::Plain, crate::display::cut_middle(&called, room)), (Style::Dim, runs_on(workload.launch, form).to_owned())];
        line.extend(Item::ALL.iter().map(|item| {
            rows.iter().find(|row| row.item == *item).map_or((Style::Dim, "-".to_owned()), |row| (style(row.state), cell(row, form)))
        }));
        lines.push(line);
    }
    screen.tight_grid(0, &lines)?;
    let legend = match form {
        Form::Words => "by AWS: AWS does it; * shared between AWS and the customer; all else is the customer's",
        Form::Letters => {
            "aws: AWS does it; ok: met; NO: not met; ?: unknown; * shared between AWS and the customer. \
             Columns: host patching, kernel isolation, agent, network controls, identity, data encryption, \
             secrets, image, runtime, audit"
        }
    };
    screen.text(0, Style::Dim, legend)
}

/// The states of a workload in a sentence, where there is no room for columns.
fn states<W: Write>(screen: &mut Screen<'_, W>, matrix: &Matrix) -> io::Result<()> {
    for WorkloadRows { workload, rows } in &matrix.workloads {
        let title = format!("{}/{} on {}", name(&workload.cluster), name(&workload.name), workload.launch.label());
        screen.text(0, Style::Bold, &title)?;
        for state in [ItemState::NotMet, ItemState::Unknown, ItemState::Met] {
            let items: Vec<&str> = rows.iter().filter(|row| row.state == state).map(|row| row.item.label()).collect();
            screen.hanging(2, (style(state), &format!("{}: ", state.label())), Style::Plain, &items.join(", "))?;
        }
    }
    Ok(())
}

/// Which checks stand against an item, and on how many workloads.
fn not_met<W: Write>(screen: &mut Screen<'_, W>, matrix: &Matrix) -> io::Result<()> {
    let mut items: BTreeMap<usize, (BTreeMap<&str, usize>, BTreeSet<&str>)> = BTreeMap::new();
    for of in &matrix.workloads {
        for row in of.rows.iter().filter(|row| row.state == ItemState::NotMet) {
            let place = Item::ALL.iter().position(|item| *item == row.item).unwrap_or_default();
            let (checks, workloads) = items.entry(place).or_default();
            workloads.insert(&of.workload.arn);
            for one in row.evidence.iter().filter(|one| one.state == ItemState::NotMet) {
                *checks.entry(&one.check).or_default() += 1;
            }
        }
    }
    if items.is_empty() {
        return Ok(());
    }
    screen.heading((Style::High, "NOT MET"), "and the checks that say so, with the number of workloads they fail")?;
    for (place, (checks, workloads)) in items {
        let item = Item::ALL.get(place).map_or("", |item| item.label());
        screen.hanging(2, (Style::Bold, &format!("{item}  ")), Style::Plain, &count(workloads.len(), "workload"))?;
        let mut checks: Vec<_> = checks.into_iter().collect();
        checks.sort_by_key(|(_, many)| std::cmp::Reverse(*many));
        for (check, many) in checks {
            screen.text(4, Style::Dim, &format!("{many} {}", shown(check, SHORT)))?;
        }
    }
    Ok(())
}

fn totals<W: Write>(screen: &mut Screen<'_, W>, matrix: &Matrix) -> io::Result<()> {
    let parts: Vec<String> = [Party::Aws, Party::Customer, Party::Shared]
        .iter()
        .filter_map(|party| {
            let counts = matrix.summary.items.get(&party.label().to_lowercase())?;
            Some(format!("{}: {} met, {} not met, {} unknown", party.label(), counts.met, counts.not_met, counts.unknown))
        })
        .collect();
    screen.text(0, Style::Plain, &format!("{}. {}.", count(matrix.summary.workloads, "workload"), parts.join("; ")))
}
