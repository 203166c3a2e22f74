//! Permissions flow in; a table of operations, actions and reasons flows out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::Permission;
use crate::display::{SHORT, cells, count, padding, shown};
use crate::screen::{GAP, Screen, Style, TableOptions};

/// Writes what is called, what allows it and what it is for, grouped by service.
pub fn permissions_table(permissions: &[Permission<'_>], options: &TableOptions, out: &mut impl Write) -> io::Result<()> {
    let mut screen = Screen::new(options, out);
    let mut services: BTreeMap<&str, Vec<(&str, &Permission<'_>)>> = BTreeMap::new();
    for permission in permissions {
        let (service, name) = permission.operation.split_once(':').unwrap_or((permission.operation, ""));
        services.entry(service).or_default().push((name, permission));
    }
    let names = services.values().flatten().map(|(name, _)| cells(name)).max().unwrap_or(0);
    let actions = permissions.iter().map(|of| cells(of.action)).max().unwrap_or(0);
    let left = 2 + names + GAP + actions + GAP;
    // Reasons in two or three lines are still read; in a column of single words they are not.
    let in_columns = left + 30 <= screen.width;
    for (service, mut rows) in services {
        rows.sort_by_key(|(name, _)| *name);
        screen.text(0, Style::Bold, &shown(service, SHORT))?;
        for (name, permission) in rows {
            let why = match permission.resource {
                Some(resource) => format!("{} (only arn:*:{resource})", permission.why),
                None => permission.why.to_owned(),
            };
            let why = shown(&why, SHORT);
            if in_columns {
                let label =
                    format!("{name}{}{}{}", padding(name, names + GAP), permission.action, padding(permission.action, actions + GAP));
                screen.hanging(2, (Style::Plain, &label), Style::Dim, &why)?;
            } else {
                let operation = if permission.action == permission.operation { String::new() } else { format!(" for {name}") };
                screen.text(2, Style::Plain, &format!("{}{operation}", permission.action))?;
                screen.text(4, Style::Dim, &why)?;
            }
        }
        screen.blank()?;
    }
    let actions: BTreeSet<&str> = permissions.iter().map(|of| of.action).collect();
    let total = format!("{}, {}.", count(permissions.len(), "operation"), count(actions.len(), "action"));
    screen.text(0, Style::Plain, &format!("{total} `plimsoll permissions` prints the policy."))
}

#[cfg(test)]
mod tests {
    use super::super::sample::SAMPLE;
    use super::permissions_table;
    use crate::display::cells;
    use crate::screen::TableOptions;

    fn at(width: usize) -> String {
        let mut out = Vec::new();
        permissions_table(SAMPLE, &TableOptions { width, ..TableOptions::default() }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_list_takes_columns_where_they_fit() {
        insta::assert_snapshot!("list_at_60", at(60));
        insta::assert_snapshot!("list_at_120", at(120));
        for width in 40..=220 {
            assert!(at(width).lines().all(|line| cells(line) <= width), "{width}");
        }
    }

    #[test]
    fn every_operation_is_listed_with_its_reason() {
        let text = at(200);
        for permission in SAMPLE {
            let name = permission.operation.split_once(':').unwrap().1;
            let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{name} "))).unwrap();
            assert!(line.contains(permission.action) && line.contains(permission.why), "{line}");
        }
    }
}
