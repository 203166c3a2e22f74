//! Patterns that pick API calls out of what CloudTrail records: metric filters of CloudWatch Logs, rules of EventBridge. A
//! pattern and a call flow in; whether the pattern picks that call, whoever makes it, flows out. `None` says that this
//! cannot be told: the pattern is malformed, or asks for what depends on more than the call.

use plimsoll_model::policy::wildcard_match;
use serde_json::{Map, Value};

/// An API call that changes something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// Such as `kms`, of `kms.amazonaws.com` and `aws.kms`.
    pub(crate) service: &'a str,
    /// Such as `DisableKey`.
    pub(crate) name: &'a str,
    /// The account in which it is made.
    pub(crate) account: &'a str,
    /// The Region in which it is made.
    pub(crate) region: &'a str,
}

/// What is known of a member of an event.
enum Member {
    /// Its value.
    Is(String),
    /// It differs from call to call: who made it, from where, with what and how it ended.
    Varies,
    /// Nothing.
    Open,
}

impl Call<'_> {
    /// A member of the record that CloudTrail writes.
    fn of_record(self, path: &[&str]) -> Member {
        let known = match path {
            ["eventName"] => self.name,
            ["eventSource"] => return Member::Is(format!("{}.amazonaws.com", self.service)),
            ["awsRegion"] => self.region,
            ["recipientAccountId"] => self.account,
            ["eventType"] => "AwsApiCall",
            ["eventCategory"] => "Management",
            ["readOnly"] => "false",
            ["managementEvent"] => "true",
            [first, ..] if VARYING.contains(first) => return Member::Varies,
            _ => return Member::Open,
        };
        Member::Is(known.to_owned())
    }

    /// A member of the event that EventBridge makes of the record.
    fn of_event(self, path: &[&str]) -> Member {
        let known = match path {
            ["detail", rest @ ..] => return self.of_record(rest),
            ["source"] => return Member::Is(format!("aws.{}", self.service)),
            ["detail-type"] => "AWS API Call via CloudTrail",
            ["account"] => self.account,
            ["region"] => self.region,
            _ => return Member::Open,
        };
        Member::Is(known.to_owned())
    }
}

const VARYING: &[&str] = &[
    "userIdentity",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "resources",
    "sessionCredentialFromConsole",
    "vpcEndpointId",
];

/// True when all are, false when one is not, else unknown.
fn all(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}

/// True when one is, false when none is, else unknown.
pub(crate) fn any(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(parts.into_iter().map(|one| one.map(|one| !one))).map(|none| !none)
}

/// Whether a rule of EventBridge picks a call.
pub(crate) fn rule_picks(pattern: &str, call: Call<'_>) -> Option<bool> {
    let pattern: Value = serde_json::from_str(pattern).ok()?;
    object_picks(pattern.as_object()?, &mut Vec::new(), call)
}

fn object_picks<'p>(object: &'p Map<String, Value>, path: &mut Vec<&'p str>, call: Call<'_>) -> Option<bool> {
    let mut verdict = Some(true);
    for (name, value) in object {
        let one = if name == "$or" {
            let branches = value.as_array()?;
            any(branches.iter().map(|branch| object_picks(branch.as_object()?, path, call)).collect::<Vec<_>>())
        } else {
            path.push(name);
            let one = match value {
                Value::Object(inner) => object_picks(inner, path, call),
                Value::Array(matchers) => {
                    let member = call.of_event(path);
                    any(matchers.iter().map(|matcher| matches(matcher, &member)).collect::<Vec<_>>())
                }
                _ => None,
            };
            path.pop();
            one
        };
        verdict = all([verdict, one]);
    }
    verdict
}

/// Whether one matcher of a list takes a member.
fn matches(matcher: &Value, member: &Member) -> Option<bool> {
    let known = match (matcher, member) {
        (Value::Object(object), Member::Varies) => {
            // What leaves some callers out, such as a pipeline, still tells of the others.
            let spares = object.contains_key("anything-but") || object.get("exists") == Some(&Value::Bool(false));
            return Some(spares || object.get("exists") == Some(&Value::Bool(true)));
        }
        (_, Member::Varies) => return Some(false),
        (_, Member::Open) => return None,
        (_, Member::Is(known)) => known.as_str(),
    };
    match matcher {
        Value::String(text) => Some(text == known),
        Value::Bool(flag) => Some(flag.to_string() == known),
        Value::Object(object) => {
            let mut matchers = object.iter();
            match (matchers.next(), matchers.next()) {
                (Some((kind, argument)), None) => matches_content(kind, argument, known),
                _ => None,
            }
        }
        Value::Null | Value::Number(_) => Some(false),
        Value::Array(_) => None,
    }
}

fn matches_content(kind: &str, argument: &Value, known: &str) -> Option<bool> {
    let ignoring_case = || argument.get("equals-ignore-case").and_then(Value::as_str).map(str::to_ascii_lowercase);
    match kind {
        "prefix" => match argument {
            Value::String(prefix) => Some(known.starts_with(prefix.as_str())),
            _ => Some(known.to_ascii_lowercase().starts_with(&ignoring_case()?)),
        },
        "suffix" => match argument {
            Value::String(suffix) => Some(known.ends_with(suffix.as_str())),
            _ => Some(known.to_ascii_lowercase().ends_with(&ignoring_case()?)),
        },
        "equals-ignore-case" => Some(argument.as_str()?.eq_ignore_ascii_case(known)),
        "wildcard" => {
            // A backslash makes the next character plain.
            let pattern = argument.as_str().filter(|pattern| !pattern.contains(['\\', '?']))?;
            Some(wildcard_match(pattern, known))
        }
        "exists" => argument.as_bool(),
        "anything-but" => {
            let excluded = match argument {
                Value::Array(list) => list.iter().map(|one| one.as_str().map(|one| one == known)).collect(),
                Value::String(one) => vec![Some(one == known)],
                Value::Object(object) => object.iter().map(|(kind, argument)| any_of(kind, argument, known)).collect(),
                _ => return None,
            };
            any(excluded).map(|excluded| !excluded)
        }
        _ => None,
    }
}

/// `anything-but` takes lists where the matchers by themselves do not.
fn any_of(kind: &str, argument: &Value, known: &str) -> Option<bool> {
    match argument {
        Value::Array(list) => any(list.iter().map(|one| matches_content(kind, one, known)).collect::<Vec<_>>()),
        one => matches_content(kind, one, known),
    }
}

/// Whether a metric filter picks a call.
pub(crate) fn filter_picks(pattern: &str, call: Call<'_>) -> Option<bool> {
    let pattern = pattern.trim();
    if pattern.is_empty() {
        return Some(true);
    }
    // Plain terms would have to be looked for in the text of the whole record.
    let inside = pattern.strip_prefix('{')?.strip_suffix('}')?;
    let mut filter = Filter { rest: inside, call, depth: 0 };
    let verdict = filter.either().ok()?;
    verdict.filter(|_| filter.rest.trim().is_empty())
}

/// A metric filter, as far as it was not yet read.
struct Filter<'p, 'c> {
    rest: &'p str,
    call: Call<'c>,
    depth: usize,
}

/// The text is no filter.
struct Malformed;

impl<'p> Filter<'p, '_> {
    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest.get(..text.len()) {
            Some(start) if start.eq_ignore_ascii_case(text) => {
                self.rest = rest.get(text.len()..).unwrap_or_default();
                true
            }
            _ => false,
        }
    }

    fn either(&mut self) -> Result<Option<bool>, Malformed> {
        let mut verdict = self.both()?;
        while self.takes("||") {
            verdict = any([verdict, self.both()?]);
        }
        Ok(verdict)
    }

    fn both(&mut self) -> Result<Option<bool>, Malformed> {
        let mut verdict = self.one()?;
        while self.takes("&&") {
            verdict = all([verdict, self.one()?]);
        }
        Ok(verdict)
    }

    fn one(&mut self) -> Result<Option<bool>, Malformed> {
        const DEEPEST: usize = 32;
        if !self.takes("(") {
            return self.comparison();
        }
        self.depth += 1;
        let verdict = if self.depth <= DEEPEST { self.either()? } else { return Err(Malformed) };
        self.depth -= 1;
        if self.takes(")") { Ok(verdict) } else { Err(Malformed) }
    }

    fn comparison(&mut self) -> Result<Option<bool>, Malformed> {
        if !self.takes("$.") {
            return Err(Malformed);
        }
        let path = self.word(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '[' | ']' | '*')).ok_or(Malformed)?;
        let path: Vec<&str> = path.split('.').collect();
        let member = self.call.of_record(&path);
        if self.takes("NOT EXISTS") || self.takes("IS NULL") {
            return Ok(match member {
                Member::Is(_) => Some(false),
                Member::Varies => Some(true),
                Member::Open => None,
            });
        }
        if self.takes("IS") {
            let value = self.word(|c| c.is_ascii_alphabetic()).ok_or(Malformed)?;
            return Ok(equals(&member, &value.to_ascii_lowercase()));
        }
        if self.takes("IN") {
            let values = self.list().ok_or(Malformed)?;
            return Ok(any(values.iter().map(|value| equals(&member, value)).collect::<Vec<_>>()));
        }
        if self.takes("!=") {
            let value = self.value().ok_or(Malformed)?;
            return Ok(match member {
                Member::Varies => Some(true),
                member => equals(&member, value).map(|equal| !equal),
            });
        }
        if self.takes("=") {
            let value = self.value().ok_or(Malformed)?;
            return Ok(equals(&member, value));
        }
        // Numbers are compared so; no call is known by one.
        if ["<=", ">=", "<", ">"].into_iter().any(|operator| self.takes(operator)) {
            self.value().ok_or(Malformed)?;
            return Ok(if matches!(member, Member::Open) { None } else { Some(false) });
        }
        Err(Malformed)
    }

    fn list(&mut self) -> Option<Vec<&'p str>> {
        if !self.takes("[") {
            return None;
        }
        let mut values = vec![self.value()?];
        while self.takes(",") {
            values.push(self.value()?);
        }
        self.takes("]").then_some(values)
    }

    fn value(&mut self) -> Option<&'p str> {
        let rest = self.rest.trim_start();
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"')?;
            self.rest = quoted.get(end + 1..)?;
            return quoted.get(..end).filter(|text| !text.contains('\\'));
        }
        self.word(|c| !c.is_whitespace() && !matches!(c, ')' | '(' | '&' | '|' | '}' | ']' | ','))
    }

    fn word(&mut self, takes: impl Fn(char) -> bool) -> Option<&'p str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c| !takes(c)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at_checked(end).filter(|(word, _)| !word.is_empty())?;
        self.rest = rest;
        Some(word)
    }
}

fn equals(member: &Member, value: &str) -> Option<bool> {
    // A regular expression stands between percent signs.
    if value.starts_with('%') || value.contains('?') {
        return None;
    }
    match member {
        Member::Is(known) => Some(wildcard_match(value, known)),
        Member::Varies => Some(value == "*"),
        Member::Open => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, filter_picks, rule_picks};

    const DISABLE: Call<'_> = Call { service: "kms", name: "DisableKey", account: "111111111111", region: "us-east-1" };
    const RUN: Call<'_> = Call { service: "ecs", name: "RunTask", ..DISABLE };

    #[test]
    fn a_filter_picks_by_name_and_source() {
        let cis = "{($.eventSource = kms.amazonaws.com) && (($.eventName=DisableKey)||($.eventName=ScheduleKeyDeletion)) }";
        assert_eq!((filter_picks(cis, DISABLE), filter_picks(cis, RUN)), (Some(true), Some(false)));
        for (pattern, picks) in [
            ("", Some(true)),
            ("{ $.eventName = \"DisableKey\" }", Some(true)),
            ("{ $.eventName = Disable* }", Some(true)),
            ("{ $.eventName != \"DisableKey\" }", Some(false)),
            ("{ $.eventName IN [\"RunTask\", DisableKey] }", Some(true)),
            ("{ $.eventName = RunTask || $.eventName = DisableKey && $.eventSource = \"kms*\" }", Some(true)),
            ("{ ($.eventSource = ecs.amazonaws.com) && ($.readOnly IS FALSE) }", Some(false)),
            ("{ $.readOnly IS FALSE }", Some(true)),
        ] {
            assert_eq!(filter_picks(pattern, DISABLE), picks, "{pattern}");
        }
    }

    #[test]
    fn a_filter_for_some_callers_only_does_not_pick_the_call() {
        for (pattern, picks) in [
            (
                "{ $.userIdentity.type = \"Root\" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != \"AwsServiceEvent\" }",
                Some(false),
            ),
            ("{ ($.errorCode = \"*UnauthorizedOperation\") || ($.errorCode = \"AccessDenied*\") }", Some(false)),
            ("{ $.eventName = DisableKey && $.errorCode NOT EXISTS }", Some(true)),
            ("{ $.eventName = DisableKey && $.userIdentity.arn != \"*pipeline*\" }", Some(true)),
            ("{ $.eventName = DisableKey && $.tlsDetails.tlsVersion = TLSv1 }", None),
            ("{ $.eventName = RunTask && $.tlsDetails.tlsVersion = TLSv1 }", Some(false)),
        ] {
            assert_eq!(filter_picks(pattern, DISABLE), picks, "{pattern}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_unknown() {
        for pattern in [
            "DisableKey",
            "{ $.eventName }",
            "{ $.eventName = }",
            "{ ($.eventName = DisableKey }",
            "{ $.eventName = DisableKey ) }",
            "{ $.eventName = %Disable.+% }",
            "[a, b]",
            "{ }",
            "{",
            "é",
        ] {
            assert_eq!(filter_picks(pattern, DISABLE), None, "{pattern}");
        }
        assert_eq!(filter_picks(&format!("{{{}", "(".repeat(100_000)), DISABLE), None);
        assert_eq!(filter_picks(&format!("{{{}}}", "(".repeat(100_000)), DISABLE), None);
    }

    #[test]
    fn a_rule_picks_when_every_member_matches() {
        for (pattern, picks) in [
            (r#"{"source": ["aws.kms"]}"#, Some(true)),
            (r#"{"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}"#, Some(false)),
            (
                r#"{"source": ["aws.kms"], "detail-type": ["AWS API Call via CloudTrail"], "detail": {"eventName": ["DisableKey"]}}"#,
                Some(true),
            ),
            (r#"{"detail": {"eventSource": ["kms.amazonaws.com"], "eventName": ["RunTask"]}}"#, Some(false)),
            (r#"{"detail": {"eventName": [{"prefix": "Disable"}]}}"#, Some(true)),
            (r#"{"detail": {"eventName": [{"prefix": {"equals-ignore-case": "disable"}}]}}"#, Some(true)),
            (r#"{"detail": {"eventName": [{"suffix": "Key"}]}}"#, Some(true)),
            (r#"{"detail": {"eventName": [{"wildcard": "*able*"}]}}"#, Some(true)),
            (r#"{"detail": {"eventName": [{"equals-ignore-case": "disablekey"}]}}"#, Some(true)),
            (r#"{"source": ["aws.kms"], "detail": {"eventName": [{"anything-but": ["Decrypt", "Encrypt"]}]}}"#, Some(true)),
            (r#"{"source": ["aws.kms"], "detail": {"eventName": [{"anything-but": {"prefix": "Dis"}}]}}"#, Some(false)),
            (r#"{"$or": [{"source": ["aws.ecs"]}, {"detail": {"eventName": ["DisableKey"]}}]}"#, Some(true)),
            (r#"{"account": ["222222222222"]}"#, Some(false)),
            (r#"{"region": ["us-east-1"], "detail": {"readOnly": [false]}}"#, Some(true)),
        ] {
            assert_eq!(rule_picks(pattern, DISABLE), picks, "{pattern}");
        }
    }

    #[test]
    fn a_rule_for_some_callers_only_does_not_pick_the_call_and_an_odd_one_is_unknown() {
        for (pattern, picks) in [
            (r#"{"source": ["aws.kms"], "detail": {"userIdentity": {"type": ["Root"]}}}"#, Some(false)),
            (r#"{"source": ["aws.kms"], "detail": {"userIdentity": {"arn": [{"anything-but": {"wildcard": "*ci*"}}]}}}"#, Some(true)),
            (r#"{"source": ["aws.kms"], "detail": {"errorCode": [{"exists": false}]}}"#, Some(true)),
            (r#"{"source": ["aws.kms"], "resources": ["key"]}"#, None),
            (r#"{"source": [{"cidr": "10.0.0.0/8"}]}"#, None),
            (r#"{"source": "aws.kms"}"#, None),
            ("not JSON", None),
            ("[]", None),
        ] {
            assert_eq!(rule_picks(pattern, DISABLE), picks, "{pattern}");
        }
    }
}
