//! `plimsoll can` without an action: what the policies of a principal leave it, service by service.

use std::collections::BTreeSet;
use std::io::{self, Write};

use plimsoll_graph::Principal;
use plimsoll_iam::{ServiceAccess, summarize};
use serde_json::{Value, json};

use crate::arguments::MatrixFormat;

/// Items of a list that the table shows.
const SHOWN: usize = 6;

pub(crate) fn tell(principal: Principal<'_>, format: MatrixFormat, out: &mut dyn Write) -> io::Result<()> {
    let (policies, unread) = principal.policies();
    let services = summarize(&policies);
    let malformed: Vec<String> = policies.malformed().map(|policy| policy.to_string()).collect();
    let unread: Vec<String> =
        policies.unread.iter().map(ToString::to_string).chain(unread.map(|unknown| unknown.gap.to_string())).collect();
    if format == MatrixFormat::Json {
        let document = json!({
            "principal": principal.arn(),
            "services": services.iter().map(service).collect::<Vec<_>>(),
            "malformed": malformed,
            "unread": unread,
        });
        return crate::output::json(&document, out);
    }
    writeln!(out, "{}", principal.arn())?;
    for access in &services {
        let levels: Vec<String> = access.levels.iter().map(ToString::to_string).collect();
        let name = if access.service == "*" { "every service" } else { access.service.as_str() };
        writeln!(out, "  {name}  {}", if levels.is_empty() { "unknown actions".to_owned() } else { levels.join(", ") })?;
        let lines = [
            ("actions", &access.actions),
            ("on", &access.resources),
            ("if", &access.conditions),
            ("less what is denied by", &access.limited_by),
        ];
        for (word, items) in lines.into_iter().filter(|(_, items)| !items.is_empty()) {
            writeln!(out, "      {word} {}", few(items))?;
        }
    }
    if services.is_empty() {
        writeln!(out, "  nothing")?;
    }
    for policy in &malformed {
        writeln!(out, "  not assessed: {}", plimsoll_report::inline(policy))?;
    }
    for layer in &unread {
        writeln!(out, "  not read: {}", plimsoll_report::inline(layer))?;
    }
    Ok(())
}

fn few(items: &BTreeSet<impl AsRef<str> + Ord>) -> String {
    let mut shown: Vec<String> = items.iter().take(SHOWN).map(|item| plimsoll_report::inline(item.as_ref())).collect();
    shown.extend((items.len() > SHOWN).then(|| format!("{} more", items.len() - SHOWN)));
    shown.join(", ")
}

fn service(access: &ServiceAccess) -> Value {
    json!({
        "service": access.service,
        "levels": access.levels.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "actions": access.actions,
        "resources": access.resources,
        "conditions": access.conditions,
        "limitedBy": access.limited_by,
    })
}
