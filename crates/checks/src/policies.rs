//! Readings of resource policies that several checks share: whom statements let in, and what limits them.

use plimsoll_graph::{Admitted, Node, Outsider};
use plimsoll_model::Arn;
use plimsoll_model::aws::iam::Role;
use plimsoll_model::policy::{PolicyDocument, Statement};
use serde_json::{Value, json};

use crate::reading::listed;

/// Whether a statement names every principal there is; `NotPrincipal` names all but a few.
pub(crate) fn names_everyone(statement: &Statement<'_>) -> bool {
    statement.principals.as_ref().map_or(statement.not_principal, |principals| principals.everyone)
}

/// The account of an entry of `Principal.AWS`; `None` for everyone and for the id of a principal that is gone.
pub(crate) fn account_of_principal(principal: &str) -> Option<&str> {
    let account = Arn::parse(principal).map_or(principal, |arn| arn.account);
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// Whether an entry of `Principal.AWS` stands for all of an account: its number, or its root.
pub(crate) fn is_whole_account(principal: &str) -> bool {
    Arn::parse(principal).is_none_or(|arn| arn.resource == "root")
}

/// Condition keys that limit whom a statement lets in.
#[derive(Clone, Copy)]
pub(crate) struct LimitingKeys {
    /// Those that every signed request carries: with `IfExists` they limit as well.
    pub(crate) always_present: &'static [&'static str],
    /// Those that a request may lack.
    pub(crate) sometimes_present: &'static [&'static str],
}

impl LimitingKeys {
    /// Whether a condition of a statement keeps to named accounts, organisations or principals.
    pub(crate) fn limit(self, statement: &Statement<'_>) -> bool {
        statement.conditions.iter().any(|(operator, key, values)| self.limit_by(operator, key, values))
    }

    fn limit_by(self, operator: &str, key: &str, values: &[String]) -> bool {
        let among = |keys: &[&str]| keys.iter().any(|name| name.eq_ignore_ascii_case(key));
        let operator = operator.to_ascii_lowercase();
        let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
        // An absent key satisfies these two forms.
        let (holds_when_absent, operator) = match (operator.strip_prefix("forallvalues:"), operator.strip_suffix("ifexists")) {
            (Some(rest), _) | (None, Some(rest)) => (true, rest),
            (None, None) => (false, operator),
        };
        if !among(self.always_present) && (holds_when_absent || !among(self.sometimes_present)) {
            return false;
        }
        let patterns = match operator {
            "stringequals" | "stringequalsignorecase" => false,
            "stringlike" | "arnlike" | "arnequals" => true,
            _ => return false,
        };
        !values.is_empty()
            && values.iter().all(|value| !patterns || !(whose(key, value).is_empty() || whose(key, value).contains(['*', '?'])))
    }
}

/// The part of a value that tells whose a principal is.
fn whose<'v>(key: &str, value: &'v str) -> &'v str {
    if key.eq_ignore_ascii_case("aws:PrincipalArn") {
        value.split(':').nth(4).unwrap_or_default()
    } else if key.eq_ignore_ascii_case("aws:PrincipalOrgPaths") {
        value.split('/').next().unwrap_or_default()
    } else {
        value
    }
}

/// A statement of a role's trust policy as AWS returned it, for evidence.
pub(crate) fn raw_statement(role: Node<'_, Role>, index: usize) -> Option<&Value> {
    match role.data().assume_role_policy_document.as_ref()?.0.get("Statement")? {
        Value::Array(statements) => statements.get(index),
        single => Some(single),
    }
}

/// Somebody from outside, in words.
pub(crate) fn outsider_told(who: &Outsider) -> String {
    match who {
        Outsider::Everyone => "every AWS principal".to_owned(),
        Outsider::Organization(id) => format!("organization {id}"),
        Outsider::Account { number, perhaps_member: false } => format!("account {number}"),
        Outsider::Account { number, perhaps_member: true } => {
            format!("account {number}, which was not scanned and may be one of the organization")
        }
    }
}

/// Who from outside may do what, in words: `account 222222222222 may ecr:PutImage`.
pub(crate) fn admitted_told(admitted: &Admitted) -> String {
    let told = format!("{} may {}", outsider_told(&admitted.who), listed(&admitted.actions));
    if admitted.keys.is_empty() { told } else { format!("{told} as far as {} does not keep it out", listed(&admitted.keys)) }
}

/// Who from outside may do what, for evidence.
pub(crate) fn admitted_evidence<'a>(admitted: impl Iterator<Item = &'a Admitted>) -> Value {
    let shown = |one: &Admitted| json!({"principal": outsider_told(&one.who), "actions": one.actions, "Sid": one.statements, "undecidedKeys": one.keys});
    admitted.take(20).map(shown).collect()
}

/// The statements of a policy with these names, `Sid` or place, as AWS returned them.
pub(crate) fn named_statements<'p>(policy: Option<&'p PolicyDocument>, names: &[String]) -> Vec<&'p Value> {
    let statements = match policy.and_then(|policy| policy.0.get("Statement")) {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    let is_named = |(index, statement): &(usize, &Value)| {
        let sid = statement.get("Sid").and_then(Value::as_str).map_or_else(|| format!("#{index}"), str::to_owned);
        names.contains(&sid)
    };
    statements.iter().enumerate().filter(is_named).map(|(_, statement)| statement).take(20).collect()
}

/// The names of the statements that let outsiders in.
pub(crate) fn letting_in<'a>(admitted: impl Iterator<Item = &'a Admitted>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in admitted.flat_map(|one| &one.statements) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{account_of_principal, is_whole_account};

    #[test]
    fn the_account_of_a_principal_is_in_its_arn_or_is_the_principal() {
        for principal in ["222222222222", "arn:aws:iam::222222222222:root", "arn:aws:iam::222222222222:role/x"] {
            assert_eq!(account_of_principal(principal), Some("222222222222"), "{principal}");
        }
        for principal in ["*", "AROAEXAMPLEEXAMPLE", "arn:aws:iam::cloudfront:user/x", ""] {
            assert_eq!(account_of_principal(principal), None, "{principal}");
        }
        assert!(is_whole_account("222222222222") && is_whole_account("arn:aws:iam::222222222222:root"));
        assert!(!is_whole_account("arn:aws:iam::222222222222:role/root"));
    }
}
