//! What bulk questions and the escalation search cost: 100, 1,000 and 10,000 roles, and an adversarial estate. One core.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use plimsoll_iam::escalation::{Cluster, Landscape, ManagedPolicy, Principal, PrincipalKind, Search, escalate, methods};
use plimsoll_iam::{Bulk, Caller, Context, DocumentKind, Library, Policies, PrincipalFacts, Question, Subject, Tri};

const ACCOUNT: &str = "111122223333";
const SERVICES: [&str; 12] = ["s3", "sqs", "sns", "dynamodb", "kms", "secretsmanager", "logs", "ecr", "ecs", "ssm", "lambda", "events"];

/// Numbers that look random and are the same every time.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }
}

fn statement(sequence: &mut Sequence, number: usize) -> String {
    let service = SERVICES.get(sequence.below(SERVICES.len())).copied().unwrap_or("s3");
    let actions = ["Get*", "Describe*", "List*", "Put*", "*", "Send*"];
    let action = |sequence: &mut Sequence| format!("\"{service}:{}\"", actions.get(sequence.below(actions.len())).copied().unwrap_or("*"));
    let resource = match sequence.below(4) {
        0 => "*".to_owned(),
        1 => format!("arn:aws:{service}:*:{ACCOUNT}:app-{number}/*"),
        2 => format!("arn:aws:{service}:eu-west-1:{ACCOUNT}:app-{number}"),
        _ => format!("arn:aws:{service}:::app-{number}-${{aws:PrincipalTag/team}}/*"),
    };
    let condition = match sequence.below(5) {
        0 => r#","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}"#,
        1 => r#","Condition":{"Bool":{"aws:SecureTransport":"true"}}"#,
        _ => "",
    };
    format!(r#"{{"Effect":"Allow","Action":[{},{}],"Resource":"{resource}"{condition}}}"#, action(sequence), action(sequence))
}

/// An ordinary policy; a few pass roles and run tasks, and fewer write policies.
fn ordinary(sequence: &mut Sequence, number: usize) -> String {
    let mut statements: Vec<String> = (0..2 + sequence.below(6)).map(|_| statement(sequence, number)).collect();
    if number.is_multiple_of(20) {
        let resource = format!("arn:aws:iam::{ACCOUNT}:role/app-{}*", number % 97);
        statements.push(format!(r#"{{"Effect":"Allow","Action":"iam:PassRole","Resource":"{resource}"}}"#));
        statements.push(r#"{"Effect":"Allow","Action":["ecs:RunTask","ecs:RegisterTaskDefinition"],"Resource":"*"}"#.to_owned());
    }
    if number.is_multiple_of(400) {
        statements.push(r#"{"Effect":"Allow","Action":"iam:PutRolePolicy","Resource":"*"}"#.to_owned());
    }
    if number.is_multiple_of(50) {
        statements.push(r#"{"Effect":"Deny","NotAction":["s3:*","iam:*","ecs:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}}}"#.to_owned());
    }
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

/// A policy made to cost: many statements of wide exclusions and patterns full of stars.
fn adversarial(number: usize) -> String {
    let stars = "*a".repeat(50);
    let excluded: Vec<String> = (0..40).map(|n| format!("\"service{n}:{stars}\"")).collect();
    let statements: Vec<String> = (0..500)
        .map(|n| match n % 3 {
            0 => format!(r#"{{"Effect":"Allow","NotAction":[{}],"Resource":"arn:aws:s3:::{stars}{number}"}}"#, excluded.join(",")),
            1 => format!(r#"{{"Effect":"Allow","Action":"iam:{stars}{n}","Resource":"arn:aws:iam::{ACCOUNT}:role/{stars}{n}"}}"#),
            _ => format!(r#"{{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::{ACCOUNT}:role/{stars}","Condition":{{"StringLike":{{"aws:PrincipalArn":"{stars}"}}}}}}"#),
        })
        .collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn arn(number: usize) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/app-{number}")
}

fn facts(number: usize) -> PrincipalFacts {
    let team = if number.is_multiple_of(3) { "blue" } else { "green" };
    PrincipalFacts { arn: arn(number).into(), tags: Some(vec![("team".into(), team.into())]), ..PrincipalFacts::default() }
}

/// Sixty dangerous actions, from the catalogue of methods.
fn questions() -> Vec<Question> {
    let mut actions: Vec<&str> = methods().iter().flat_map(|method| &method.permissions).map(String::as_str).collect();
    actions.sort_unstable();
    actions.dedup();
    let dangerous = actions.iter().filter(|action| {
        ["iam", "ecs", "s3", "kms", "lambda", "ssm", "ecr", "eks"].iter().any(|service| action.split(':').next() == Some(service))
    });
    dangerous
        .take(60)
        .map(|action| match action.split(':').next() {
            Some("iam") => Question::new(action, &format!("arn:aws:iam::{ACCOUNT}:role/admin")),
            Some("ecs") => Question::new(action, &format!("arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/prod")),
            _ => Question::new(action, "*"),
        })
        .collect()
}

fn bulk(texts: &[String], roles: usize, each: usize) -> (Duration, usize, usize) {
    let questions = questions();
    let begin = Instant::now();
    let mut library = Library::default();
    let subjects: Vec<Subject> = (0..roles)
        .filter_map(|number| {
            let identity = (0..each)
                .filter_map(|n| texts.get((number * 7 + n * 13) % texts.len()))
                .map(|text| library.from_text("policy", DocumentKind::Identity, text))
                .collect();
            let policies = Policies { identity, ..Policies::default() };
            Some(Subject { caller: Caller::parse(&arn(number))?, policies, context: Context::of_principal(&facts(number)) })
        })
        .collect();
    let asked = Bulk::new(&subjects);
    let answers = asked.ask(&questions);
    let took = begin.elapsed();
    let able = (0..questions.len()).map(|question| answers.who_can(question).count()).sum();
    (took, library.len(), able)
}

fn landscape(texts: &[String], roles: usize, each: usize) -> Landscape {
    let mut library = Library::default();
    let trust = |service: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}}}"#
        )
    };
    let administrator = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let principals = (0..roles)
        .map(|number| {
            let mut principal = Principal::new(PrincipalKind::Role, &arn(number));
            principal.facts = facts(number);
            let service = if number.is_multiple_of(5) { "lambda.amazonaws.com" } else { "ecs-tasks.amazonaws.com" };
            principal.trust = Some(library.from_text("trust", DocumentKind::Trust, &trust(service)));
            let own = (0..each).filter_map(|n| texts.get((number * 7 + n * 13) % texts.len()));
            for text in own.map(String::as_str).chain(number.is_multiple_of(101).then_some(administrator)) {
                let policy = library.from_text("policy", DocumentKind::Identity, text);
                principal.attached.push(ManagedPolicy {
                    arn: format!("arn:aws:iam::{ACCOUNT}:policy/p").into(),
                    policy,
                    older: Vec::new(),
                });
            }
            principal
        })
        .collect();
    let cluster = Cluster {
        arn: format!("arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/prod").into(),
        places_on_instances: Tri::False,
        tags: Some(Vec::new()),
    };
    Landscape { principals, clusters: vec![cluster], ..Landscape::default() }
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut sequence = Sequence(7);
    let texts: Vec<String> = (0..2000).map(|number| ordinary(&mut sequence, number)).collect();
    for roles in [100, 1000, 10_000] {
        let (took, documents, able) = bulk(&texts, roles, 2);
        let per = took.as_nanos() / u128::try_from(roles * 60).unwrap_or(1);
        writeln!(out, "{roles} roles x 60 actions, {documents} documents: {took:.0?}, {per} ns each, {able} possible")?;
    }
    for roles in [100, 1000, 10_000] {
        let landscape = landscape(&texts, roles, 2);
        let begin = Instant::now();
        let found = escalate(&landscape);
        let took = begin.elapsed();
        writeln!(
            out,
            "escalation over {roles} roles: {took:.0?}, {} administrators, {} paths",
            found.administrators.len(),
            found.paths.len()
        )?;
        let search = Search::new(&landscape);
        let begin = Instant::now();
        let reached = search.through_ecs(&found, 10);
        writeln!(out, "  through ECS: {:.0?}, {} run code as others", begin.elapsed(), reached.runs.len())?;
    }
    for roles in [10, 20, 40] {
        let texts: Vec<String> = (0..roles).map(adversarial).collect();
        let bytes: usize = texts.iter().map(String::len).sum();
        let (took, _, able) = bulk(&texts, roles, 1);
        writeln!(out, "adversarial: {roles} roles with 500 statements each, {} kB: {took:.0?}, {able} possible", bytes / 1000)?;
        let landscape = landscape(&texts, roles, 1);
        let begin = Instant::now();
        let found = escalate(&landscape);
        writeln!(out, "adversarial: escalation over them: {:.0?}, {} paths", begin.elapsed(), found.paths.len())?;
    }
    Ok(())
}
