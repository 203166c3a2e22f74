//! `plimsoll can` and `plimsoll who-can`: questions about IAM flow in; verdicts with what decides them flow out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::process::ExitCode;

use plimsoll_graph::{Estate, NoPrincipal, Principal, Unknown};
use plimsoll_iam::{ContextValue, Decision, Granted, KeyState, Request, Verdict};
use serde::Serialize;

use crate::arguments::{Asking, CanOptions, MatrixFormat, WhoCanOptions};
use crate::check::open;
use crate::failure::Failure;
use crate::output;
use crate::screen::Screen;

/// An answer as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    principal: &'a str,
    action: &'a str,
    resource: &'a str,
    /// `allowed`, `conditional`, `implicitly_denied`, `explicitly_denied` or `unknown`.
    decision: &'static str,
    because: Vec<String>,
    /// Conditions that could not be decided, on which the answer hangs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
    /// Values that whoever sends the request must choose.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    chosen: BTreeMap<String, Vec<String>>,
    /// Layers that were not read, and are taken to allow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
    /// Where no resource was asked about and not every one is allowed: the resources that it is granted on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    granted_on: Vec<GrantedOn>,
}

/// Resources that an action is granted on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GrantedOn {
    /// As the statement writes them; `not …` for those that it leaves out.
    resources: Vec<String>,
    decision: &'static str,
    because: Vec<String>,
}

impl GrantedOn {
    fn new((granted, decision): (Granted, Decision)) -> Self {
        let word = if granted.all_resources_but { "not " } else { "" };
        Self {
            resources: granted.resources.iter().map(|resource| format!("{word}{resource}")).collect(),
            decision: decision.verdict.as_str(),
            because: decision.statements.iter().map(ToString::to_string).collect(),
        }
    }
}

pub(crate) fn can(options: &CanOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let CanOptions { snapshot, principal, action, resource, how } = options;
    let keys = keys(&how.context)?;
    match action.as_deref() {
        Some(action) => check_action(action)?,
        None if how.explain || !keys.is_empty() => {
            return Err(Failure::usage(
                anyhow::anyhow!("--explain and --context are about one action"),
                "name the action, such as s3:GetObject",
            ));
        }
        None => {}
    }
    let inventory = open(snapshot, screen)?;
    let estate = Estate::new(&inventory);
    let principal = estate.principal(principal).map_err(no_principal)?;
    if let Some(action) = action {
        let decided = principal.decide(action, resource.as_deref().unwrap_or("*"), &keys);
        let all = resource.is_some() || matches!(&decided, Ok((_, decision)) if decision.verdict == Verdict::Allowed);
        let granted = if all { Vec::new() } else { principal.grants_of(action, &keys) };
        let mut answer = answer(principal, action, resource.as_deref().unwrap_or("*"), &decided);
        answer.granted_on = granted.into_iter().map(GrantedOn::new).collect();
        output::stdout(|out| match how.format {
            MatrixFormat::Json => output::json(&answer, out),
            MatrixFormat::Table => tell(principal, &answer, &decided, how.explain, out),
        })?;
    } else {
        output::stdout(|out| crate::effective::tell(principal, how.format, out))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn who_can(options: &WhoCanOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let WhoCanOptions { snapshot, action, resource, how } = options;
    let keys = keys(&how.context)?;
    check_action(action)?;
    let inventory = open(snapshot, screen)?;
    let estate = Estate::new(&inventory);
    let decided = estate.principals().map(|principal| (principal, principal.decide(action, resource, &keys)));
    let mut found: Vec<(Principal<'_>, Decided)> = Vec::new();
    // What was not read of the resource is told once, not for everybody whom it might let in.
    let mut unread: BTreeSet<String> = BTreeSet::new();
    for (principal, decided) in decided {
        match decided {
            Ok((_, decision)) if !decision.verdict.is_possible() => unread.extend(decision.unread.iter().map(ToString::to_string)),
            Err(unknown) if unknown.gap.operation == "kms:ListGrants" && how.format == MatrixFormat::Table => {
                unread.insert(unknown.gap.to_string());
            }
            decided => found.push((principal, decided)),
        }
    }
    found.sort_by_key(|(principal, decided)| (rank(decided), principal.arn()));
    output::stdout(|out| match how.format {
        MatrixFormat::Json => {
            let answers: Vec<_> = found.iter().map(|(principal, decided)| answer(*principal, action, resource, decided)).collect();
            output::json(&answers, out)
        }
        MatrixFormat::Table => {
            list(&found, action, resource, how, estate.principals().count(), out)?;
            unread.iter().try_for_each(|what| writeln!(out, "not read, and may let others: {}", plimsoll_report::inline(what)))
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

type Decided = Result<(Request, Decision), Unknown>;

/// Certain answers first.
fn rank(decided: &Decided) -> u8 {
    match decided {
        Ok((_, decision)) if decision.verdict == Verdict::Allowed => 0,
        Ok(_) => 1,
        Err(_) => 2,
    }
}

/// Keys of the request as the command line says them.
fn keys(said: &[String]) -> Result<Vec<(&str, KeyState)>, Failure> {
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in said {
        let Some((key, value)) = one.split_once('=').filter(|(key, _)| key.contains(':')) else {
            return Err(Failure::usage(
                anyhow::anyhow!("{one} is no condition key with a value"),
                "write --context aws:SourceIp=203.0.113.9",
            ));
        };
        values.entry(key).or_default().push(value);
    }
    let state = |values: Vec<&str>| match values.as_slice() {
        [one] => KeyState::known(one),
        many => KeyState::Known(ContextValue::Many(many.iter().map(|&value| value.into()).collect())),
    };
    Ok(values.into_iter().map(|(key, values)| (key, state(values))).collect())
}

fn check_action(action: &str) -> Result<(), Failure> {
    let is_action = action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if is_action && !action.contains(['*', '?', ' ']) {
        return Ok(());
    }
    Err(Failure::usage(anyhow::anyhow!("{action} is no action"), "name one action, such as ecs:RunTask"))
}

pub(crate) fn no_principal(error: NoPrincipal) -> Failure {
    let hint = match &error {
        NoPrincipal::NotFound { nearest, .. } => nearest
            .as_ref()
            .map_or_else(|| "`plimsoll who-can` lists principals of the snapshot".to_owned(), |name| format!("did you mean {name}?")),
        NoPrincipal::Ambiguous { arns, .. } => format!("say which: {}", arns.join(", ")),
        NoPrincipal::NoRole { .. } => "name a role or a user".to_owned(),
    };
    Failure::usage(error, hint)
}

fn answer<'a>(principal: Principal<'a>, action: &'a str, resource: &'a str, decided: &Decided) -> Answer<'a> {
    let mut answer = Answer {
        principal: principal.arn(),
        action,
        resource,
        decision: "unknown",
        because: Vec::new(),
        depends_on: Vec::new(),
        chosen: BTreeMap::new(),
        unread: Vec::new(),
        granted_on: Vec::new(),
    };
    match decided {
        Err(unknown) => answer.because.push(unknown.gap.to_string()),
        Ok((_, decision)) => {
            answer.decision = decision.verdict.as_str();
            answer.because = decision.statements.iter().map(ToString::to_string).collect();
            answer.because.extend(decision.missing.iter().map(|layer| format!("no Allow in {layer}")));
            answer.depends_on =
                decision.residual.iter().map(|atom| format!("{atom} in statement {} of {}", atom.statement, atom.policy)).collect();
            let chosen = decision.chosen.iter();
            answer.chosen = chosen.map(|(key, values)| (key.to_string(), values.iter().map(ToString::to_string).collect())).collect();
            answer.unread = decision.unread.iter().map(ToString::to_string).collect();
        }
    }
    answer
}

fn tell(principal: Principal<'_>, answer: &Answer<'_>, decided: &Decided, explain: bool, out: &mut dyn Write) -> io::Result<()> {
    let Answer { action, resource, .. } = answer;
    match decided {
        Ok((request, decision)) if explain => writeln!(out, "{}", decision.explain(request))?,
        Ok((_, decision)) => {
            let by = decision.statements.first().map_or(String::new(), |cited| format!(" ({cited})"));
            writeln!(out, "{}: {} {action} on {resource}{by}", decision.verdict, principal.name())?;
            if !decision.residual.is_empty() || !decision.unread.is_empty() {
                writeln!(out, "--explain says on what it depends")?;
            }
        }
        Err(unknown) => {
            writeln!(out, "unknown: {} {action} on {resource}", principal.name())?;
            writeln!(out, "  not read: {}", plimsoll_report::inline(&unknown.gap.to_string()))?;
        }
    }
    for granted in &answer.granted_on {
        let verdict = granted.decision.replace('_', " ");
        let by = granted.because.first().map_or(String::new(), |cited| format!(" ({cited})"));
        writeln!(out, "{verdict} on {}{by}", plimsoll_report::inline(&granted.resources.join(", ")))?;
    }
    Ok(())
}

fn list(
    found: &[(Principal<'_>, Decided)],
    action: &str,
    resource: &str,
    how: &Asking,
    asked: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (principal, decided) in found {
        match decided {
            Ok((request, decision)) if how.explain => writeln!(out, "{}\n", decision.explain(request))?,
            Ok((_, decision)) => {
                let by = decision.statements.first().map_or(String::new(), |cited| format!("  {cited}"));
                writeln!(out, "{:<22} {}{by}", decision.verdict.to_string(), principal.arn())?;
            }
            Err(unknown) => writeln!(out, "{:<22} {}  {}", "unknown", principal.arn(), plimsoll_report::inline(&unknown.gap.to_string()))?,
        }
    }
    writeln!(out, "{} of {asked} roles and users may {action} on {resource}, or it is not known that they may not", found.len())
}
