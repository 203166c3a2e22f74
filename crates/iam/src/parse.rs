//! From JSON to a compiled document: a value and the kind of policy flow in, the document or what is wrong with it, and
//! where, flows out. The grammar is that of the IAM user guide, "Grammar of the IAM JSON policy language".

use compact_str::CompactString;
use serde_json::{Map, Value};

use crate::arn::ArnPattern;
use crate::condition::Condition;
use crate::context::scalar;
use crate::document::{ActionPattern, Actions, Document, DocumentKind, Effect, ResourcePattern, Resources, Statement};
use crate::error::PolicyError;
use crate::glob::Glob;
use crate::lint;
use crate::operator::Operator;
use crate::principal::{Entry, Principals};

type Parsed<T> = Result<T, PolicyError>;

fn refuse<T>(path: &str, problem: impl Into<String>) -> Parsed<T> {
    Err(PolicyError::new(path, problem))
}

/// What the whole document says to the reading of its statements.
#[derive(Clone, Copy)]
struct Scope {
    kind: DocumentKind,
    /// Whether the version knows variables.
    variables: bool,
}

pub(crate) fn document(kind: DocumentKind, value: &Value) -> Parsed<Document> {
    let Value::Object(members) = value else { return refuse("$", "not an object") };
    for (key, value) in members {
        match key.as_str() {
            "Version" | "Statement" => {}
            "Id" if value.is_string() => {}
            "Id" => return refuse("$.Id", "not a string"),
            _ => return refuse(&format!("$.{key}"), "no such element"),
        }
    }
    let variables = match members.get("Version") {
        None if kind == DocumentKind::ResourceControl => return refuse("$", "Version is missing"),
        None => false,
        Some(Value::String(version)) if version == "2012-10-17" => true,
        Some(Value::String(version)) if version == "2008-10-17" && kind != DocumentKind::ResourceControl => false,
        Some(_) => return refuse("$.Version", "not a version of the policy language"),
    };
    let scope = Scope { kind, variables };
    let statements: Vec<Statement> = match members.get("Statement") {
        None => return refuse("$", "Statement is missing"),
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| statement(scope, item, index, &format!("$.Statement[{index}]")))
            .collect::<Parsed<_>>()?,
        Some(item) => vec![statement(scope, item, 0, "$.Statement")?],
    };
    let mut document = Document { kind, lints: Vec::new(), statements };
    unique_sids(&document)?;
    document.lints = lint::lints(&document, variables);
    Ok(document)
}

/// A Sid is unique inside a policy; services that store policies on their resources do not all insist.
fn unique_sids(document: &Document) -> Parsed<()> {
    if matches!(document.kind, DocumentKind::Resource | DocumentKind::Unaddressed | DocumentKind::Endpoint) {
        return Ok(());
    }
    let mut sids: Vec<(&str, usize)> = document
        .statements
        .iter()
        .filter_map(|statement| Some((statement.sid.as_deref()?, statement.index)))
        .filter(|(sid, _)| !sid.is_empty())
        .collect();
    sids.sort_unstable();
    for pair in sids.windows(2) {
        if let [(first, _), (second, index)] = pair
            && first == second
        {
            return refuse(&format!("$.Statement[{index}].Sid"), "another statement has this Sid");
        }
    }
    Ok(())
}

fn statement(scope: Scope, value: &Value, index: usize, path: &str) -> Parsed<Statement> {
    let Value::Object(members) = value else { return refuse(path, "not an object") };
    for key in members.keys() {
        if !matches!(
            key.as_str(),
            "Sid" | "Effect" | "Principal" | "NotPrincipal" | "Action" | "NotAction" | "Resource" | "NotResource" | "Condition"
        ) {
            return refuse(&format!("{path}.{key}"), "no such element");
        }
    }
    let sid = match members.get("Sid") {
        None => None,
        Some(Value::String(sid)) => Some(CompactString::new(sid)),
        Some(_) => return refuse(&format!("{path}.Sid"), "not a string"),
    };
    let effect = match members.get("Effect") {
        None => return refuse(path, "Effect is missing"),
        Some(Value::String(effect)) if effect == "Allow" => Effect::Allow,
        Some(Value::String(effect)) if effect == "Deny" => Effect::Deny,
        Some(_) => return refuse(&format!("{path}.Effect"), "neither Allow nor Deny"),
    };
    let statement = Statement {
        sid: sid.filter(|sid| !sid.is_empty()),
        index,
        effect,
        principals: principals(scope.kind, members, path)?,
        actions: actions(members, path)?,
        resources: resources(scope, members, path)?,
        conditions: conditions(scope, members, path)?,
    };
    if scope.kind == DocumentKind::ResourceControl {
        resource_control(&statement, path)?;
    }
    Ok(statement)
}

/// RCPs only refuse; the one that AWS attaches everywhere, `RCPFullAWSAccess`, is the exception.
fn resource_control(statement: &Statement, path: &str) -> Parsed<()> {
    let everything = statement.actions.is_every() && statement.is_plain();
    match (statement.effect, everything) {
        (Effect::Allow, false) => refuse(&format!("{path}.Effect"), "a resource control policy only denies"),
        (Effect::Deny, _) if statement.actions.negated => refuse(&format!("{path}.NotAction"), "not in a resource control policy"),
        (Effect::Deny, _) if statement.actions.is_every() => refuse(&format!("{path}.Action"), "a resource control policy names services"),
        (Effect::Allow, true) | (Effect::Deny, _) => Ok(()),
    }
}

/// The one of two elements that is there, and whether it is the negated one.
fn either<'m>(
    members: &'m Map<String, Value>,
    name: &'static str,
    negated: &'static str,
    path: &str,
) -> Parsed<Option<(&'m Value, bool, String)>> {
    match (members.get(name), members.get(negated)) {
        (Some(_), Some(_)) => refuse(&format!("{path}.{negated}"), format!("together with {name}")),
        (Some(value), None) => Ok(Some((value, false, format!("{path}.{name}")))),
        (None, Some(value)) => Ok(Some((value, true, format!("{path}.{negated}")))),
        (None, None) => Ok(None),
    }
}

/// A string, or an array of at least one.
fn strings<'v>(value: &'v Value, path: &str) -> Parsed<Vec<(&'v str, String)>> {
    match value {
        Value::String(text) => Ok(vec![(text, path.to_owned())]),
        Value::Array(items) if items.is_empty() => refuse(path, "empty"),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{path}[{index}]");
                item.as_str().map(|text| (text, path.clone())).ok_or_else(|| PolicyError::new(path, "not a string"))
            })
            .collect(),
        _ => refuse(path, "neither a string nor an array of strings"),
    }
}

fn actions(members: &Map<String, Value>, path: &str) -> Parsed<Actions> {
    let Some((value, negated, path)) = either(members, "Action", "NotAction", path)? else { return refuse(path, "Action is missing") };
    let all = strings(value, &path)?;
    let patterns = all.iter().map(|(text, path)| action(text, path)).collect::<Parsed<_>>()?;
    Ok(Actions { negated, patterns, written: all.iter().map(|(text, _)| CompactString::new(text)).collect() })
}

fn action(text: &str, path: &str) -> Parsed<ActionPattern> {
    if text == "*" {
        return Ok(ActionPattern::Every);
    }
    let lower = text.to_ascii_lowercase();
    let in_service = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    // Commas and spaces are in no action's name, and are stored all the same.
    let in_name = |byte: u8| in_service(byte) || matches!(byte, b'*' | b'?' | b',' | b' ');
    match lower.split_once(':') {
        Some((service, name))
            if !service.is_empty() && !name.is_empty() && service.bytes().all(in_service) && name.bytes().all(in_name) =>
        {
            Ok(ActionPattern::Of { service: service.into(), name: Glob::new(name) })
        }
        _ => refuse(path, "neither * nor service:action"),
    }
}

fn resources(scope: Scope, members: &Map<String, Value>, path: &str) -> Parsed<Option<Resources>> {
    let found = either(members, "Resource", "NotResource", path)?;
    let Some((value, negated, path)) = found else {
        return match scope.kind {
            DocumentKind::Trust | DocumentKind::Unaddressed => Ok(None),
            _ => refuse(path, "Resource is missing"),
        };
    };
    if scope.kind == DocumentKind::Trust {
        return refuse(&path, "a trust policy names no resource: it is the role");
    }
    let all = strings(value, &path)?;
    let patterns = all.iter().map(|(text, path)| resource(scope, text, path)).collect::<Parsed<_>>()?;
    Ok(Some(Resources { negated, patterns, written: all.iter().map(|(text, _)| CompactString::new(text)).collect() }))
}

fn resource(scope: Scope, text: &str, path: &str) -> Parsed<ResourcePattern> {
    if text == "*" {
        return Ok(ResourcePattern::Every);
    }
    let pattern = ArnPattern::of_resource(text, scope.variables);
    if !text.starts_with("arn:") || (pattern.is_short() && !pattern.runs_over_colons()) {
        return refuse(path, "neither * nor an ARN");
    }
    Ok(ResourcePattern::Arn(pattern))
}

fn principals(kind: DocumentKind, members: &Map<String, Value>, path: &str) -> Parsed<Option<Principals>> {
    let found = either(members, "Principal", "NotPrincipal", path)?;
    let required = matches!(kind, DocumentKind::Resource | DocumentKind::Unaddressed | DocumentKind::Trust | DocumentKind::ResourceControl);
    let Some((value, negated, path)) = found else {
        return if required { refuse(path, "Principal is missing") } else { Ok(None) };
    };
    match kind {
        DocumentKind::ResourceControl if value.as_str() != Some("*") || negated => refuse(&path, "only * in a resource control policy"),
        DocumentKind::Identity | DocumentKind::Boundary | DocumentKind::Session | DocumentKind::ServiceControl => {
            refuse(&path, "a policy of this kind names no principal")
        }
        _ => Ok(Some(Principals { negated, entries: entries(value, &path)? })),
    }
}

fn entries(value: &Value, path: &str) -> Parsed<Box<[Entry]>> {
    let members = match value {
        Value::String(text) if text == "*" => return Ok([Entry::Everyone].into()),
        Value::Object(members) if !members.is_empty() => members,
        _ => return refuse(path, "neither * nor an object of principals"),
    };
    let mut entries = Vec::new();
    for (kind, value) in members {
        let path = format!("{path}.{kind}");
        let read: fn(&str) -> Entry = match kind.as_str() {
            "AWS" => Entry::aws,
            "Service" | "Federated" | "CanonicalUser" => |text| Entry::Exact(text.into()),
            _ => return refuse(&path, "no such kind of principal"),
        };
        entries.extend(strings(value, &path)?.into_iter().map(|(text, _)| read(text)));
    }
    Ok(entries.into())
}

fn conditions(scope: Scope, members: &Map<String, Value>, path: &str) -> Parsed<Box<[Condition]>> {
    let path = format!("{path}.Condition");
    let operators = match members.get("Condition") {
        None => return Ok([].into()),
        Some(Value::Object(operators)) => operators,
        Some(_) => return refuse(&path, "not an object"),
    };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let path = format!("{path}.{name}");
        let Some(operator) = Operator::parse(name) else { return refuse(&path, "no such operator") };
        let Value::Object(keys) = keys else { return refuse(&path, "not an object of keys") };
        for (key, value) in keys {
            let path = format!("{path}.{key}");
            let misfit = || PolicyError::new(&*path, "neither text, number, boolean nor an array of them");
            let values = match value {
                Value::Array(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>().ok_or_else(misfit)?,
                value => vec![scalar(value).ok_or_else(misfit)?],
            };
            conditions.push(Condition::new(operator, key, values, scope.variables));
        }
    }
    Ok(conditions.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_action_is_a_service_and_a_name_of_the_characters_that_names_have() {
        let read = |action: &str| {
            let statement = json!({"Effect": "Allow", "Action": ["s3:GetObject", action], "Resource": "*"});
            document(DocumentKind::Identity, &json!({"Version": "2012-10-17", "Statement": statement})).map_err(|error| error.path)
        };
        for action in ["*", "s3:*", "S3:get?bject", "execute-api:Invoke", "ec2:AssociateViaAWSService-EventsAndStates", "s3:Get, Put"] {
            assert!(read(action).is_ok(), "{action}");
        }
        let odd =
            ["s3", ":Get", "s3:", "**", "s*:Get", "s3_x:Get", "s3:Get:Object", "s3:Get_Object", "s3:Get/Object", "s3:${aws:username}"];
        for action in odd {
            assert_eq!(read(action).unwrap_err(), "$.Statement.Action[1]", "{action}");
        }
    }
}
