//! `plimsoll escalate`: who can become administrator of an account, and how.

use std::io::{self, Write};
use std::process::ExitCode;

use plimsoll_graph::{Escalation, Estate};
use plimsoll_iam::escalation::{Certainty, Edge, Gained, Path, not_assessed};
use serde_json::{Value, json};

use crate::arguments::{EscalateOptions, MatrixFormat};
use crate::can::no_principal;
use crate::check::open;
use crate::failure::Failure;
use crate::output;
use crate::screen::Screen;

pub(crate) fn run(options: &EscalateOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let inventory = open(&options.snapshot, screen)?;
    let estate = Estate::new(&inventory);
    let only = options.principal.as_deref().map(|name| estate.principal(name).map_err(no_principal)).transpose()?;
    let escalation = estate.escalation();
    let found = Found { escalation, only: only.map(|principal| principal.arn().to_owned()) };
    output::stdout(|out| match options.format {
        MatrixFormat::Json => output::json(&found.json(), out),
        MatrixFormat::Table => found.table(out),
    })?;
    Ok(ExitCode::SUCCESS)
}

struct Found<'e> {
    escalation: &'e Escalation,
    /// The ARN of the one principal that is asked about.
    only: Option<String>,
}

impl Found<'_> {
    fn arn(&self, position: usize) -> &str {
        self.escalation.landscape.principals.get(position).map_or("", |principal| principal.arn())
    }

    fn wanted(&self, position: usize) -> bool {
        self.only.as_deref().is_none_or(|only| only == self.arn(position))
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.escalation.found.paths.iter().filter(|path| self.wanted(path.start))
    }

    fn json(&self) -> Value {
        let found = &self.escalation.found;
        let administrators = found.administrators.iter().filter(|one| self.wanted(one.principal));
        let administrators: Vec<Value> =
            administrators.map(|one| json!({"principal": self.arn(one.principal), "certainty": certainty(one.certainty)})).collect();
        let unassessed = found.unassessed.iter().filter(|(position, _)| self.wanted(*position));
        let unassessed: Vec<Value> =
            unassessed.map(|(position, why)| json!({"principal": self.arn(*position), "reason": why.to_string()})).collect();
        json!({
            "administrators": administrators,
            "paths": self.paths().map(|path| self.path(path)).collect::<Vec<_>>(),
            "unassessed": unassessed,
            "methodsNotAssessed": not_assessed().map(|(method, why)| json!({"id": method.id, "reason": why})).collect::<Vec<_>>(),
        })
    }

    fn path(&self, path: &Path) -> Value {
        let cut = &path.cut;
        json!({
            "principal": self.arn(path.start),
            "certainty": certainty(path.certainty()),
            "steps": path.edges.iter().map(step).collect::<Vec<_>>(),
            "weakestStep": path.weakest,
            "cut": {
                "step": cut.edge,
                "principal": cut.principal,
                "action": cut.permission.as_ref().map(|permission| &permission.action),
                "resource": cut.permission.as_ref().map(|permission| &permission.resource),
                "grantedBy": cut.permission.as_ref().and_then(|permission| permission.granted_by.as_ref()).map(ToString::to_string),
                "endsAll": cut.ends_all,
            },
        })
    }

    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let found = &self.escalation.found;
        for path in self.paths() {
            let sure = if path.certainty() == Certainty::Certain { "" } else { " (on conditions)" };
            writeln!(out, "{} can become administrator{sure}", self.arn(path.start))?;
            for line in path.to_string().lines() {
                writeln!(out, "  {line}")?;
            }
            writeln!(out)?;
        }
        let administrators: Vec<&str> =
            found.administrators.iter().filter(|one| self.wanted(one.principal)).map(|one| self.arn(one.principal)).collect();
        for arn in &administrators {
            writeln!(out, "{arn} is administrator")?;
        }
        for (position, why) in found.unassessed.iter().filter(|(position, _)| self.wanted(*position)) {
            writeln!(out, "{} is not assessed: {}", self.arn(*position), plimsoll_report::inline(&why.to_string()))?;
        }
        let paths = self.paths().count();
        match &self.only {
            Some(only) if paths == 0 && administrators.is_empty() => writeln!(out, "{only} has no way to an administrator that was found")?,
            Some(_) => {}
            None => writeln!(
                out,
                "{} roles and users: {} administrators, {paths} can become one; {} methods rest on services that are not read",
                self.escalation.landscape.principals.len(),
                administrators.len(),
                not_assessed().count(),
            )?,
        }
        Ok(())
    }
}

fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Certain => "certain",
        Certainty::Conditional => "conditional",
    }
}

fn step(edge: &Edge) -> Value {
    let permissions = edge.permissions.iter().map(|permission| {
        let granted_by = permission.granted_by.as_ref().map(ToString::to_string);
        json!({"action": permission.action, "resource": permission.resource, "grantedBy": granted_by})
    });
    let gained = match edge.gained {
        Gained::Principal => "the permissions of the target",
        Gained::Administrator => "any permission",
        Gained::Changed(how) => how,
    };
    json!({
        "from": edge.from,
        "to": edge.to,
        "method": edge.method.id,
        "name": edge.method.name,
        "gained": gained,
        "permissions": permissions.collect::<Vec<_>>(),
        "certainty": certainty(edge.certainty),
        "dependsOn": edge.depends_on,
    })
}
