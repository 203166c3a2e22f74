//! `plimsoll reach`: questions about the network flow in; answers with path, rules and what is missing flow out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use plimsoll_graph::{Estate, NoEndpoint};
use plimsoll_model::Inventory;
use plimsoll_net::{Answer, Endpoint, Explanation, Family, Fares, Network, Protocol, Question, Via, WorldFile};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::arguments::{MatrixFormat, ReachOptions, WayOption};
use crate::check::open;
use crate::failure::Failure;
use crate::output;
use crate::questions::answer_each;
use crate::screen::Screen;

/// Pairs of interfaces that one question may come to.
const PAIRS: usize = 10_000;
/// As many pairs that fare alike are named.
const NAMED: usize = 10;

pub(crate) fn run(options: &ReachOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    // A pasted world knows no services, so that names are those of the engine.
    if is_world(&options.snapshot).map_err(unreadable)? {
        let file = world(&options.snapshot)?;
        let network = Network::compile(&file.world());
        return Asked { network: &network, estate: None }.answer(options);
    }
    let inventory: Inventory = open(&options.snapshot, screen)?;
    let estate = Estate::new(&inventory);
    Asked { network: estate.network(), estate: Some(&estate) }.answer(options)
}

/// Whether a file is a world, and not a snapshot: those begin with their header or a resource, or are compressed.
fn is_world(path: &Path) -> anyhow::Result<bool> {
    if path.extension().is_some_and(|extension| extension == "zst") {
        return Ok(false);
    }
    let mut start = Vec::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    file.take(256).read_to_end(&mut start).with_context(|| path.display().to_string())?;
    let start: Vec<u8> = start.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let is_snapshot = start.starts_with(br#"{"plimsoll""#) || start.starts_with(br#"{"kind""#);
    Ok(start.starts_with(b"{") && !is_snapshot)
}

fn world(path: &Path) -> Result<WorldFile, Failure> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string()).map_err(unreadable)?;
    WorldFile::parse(&text).with_context(|| path.display().to_string()).map_err(|error| {
        Failure::usage(
            error,
            "a world is one JSON object of lists as `aws ec2 describe-…` prints them, under vpcs, subnets, route_tables and so on",
        )
    })
}

/// The network that is asked, and the names of its interfaces.
struct Asked<'a> {
    network: &'a Network<'a>,
    estate: Option<&'a Estate<'a>>,
}

impl Asked<'_> {
    fn answer(&self, options: &ReachOptions) -> Result<ExitCode, Failure> {
        if let Some(path) = &options.questions {
            answer_each(path, |line| self.line(line))?;
        } else {
            let (Some(from), Some(to)) = (&options.from, &options.to) else {
                return Err(Failure::usage(anyhow::anyhow!("nothing is asked"), "give --from and --to, or --questions FILE"));
            };
            let questions = self.questions(from, to, &narrowing(options)?).map_err(no_endpoint)?;
            output::stdout(|out| self.tell(&questions, options, out))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// One question for each pair of interfaces that two names stand for.
    fn questions(&self, from: &str, to: &str, narrow: &dyn Fn(Question) -> Question) -> Result<Vec<Question>, NoEndpoint> {
        let ends = |text: &str| match self.estate {
            Some(estate) => estate.endpoints(text),
            None => text.parse().map(|end| vec![end]).map_err(|_| NoEndpoint::Form(text.to_owned())),
        };
        let (from, to) = (ends(from)?, ends(to)?);
        // An interface that asks for itself comes back through a load balancer; among many it is not meant.
        let alone = from.len() == 1 && to.len() == 1;
        let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (from, to))).filter(|(from, to)| alone || from != to);
        Ok(pairs.take(PAIRS).map(|(from, to): (&Endpoint, &Endpoint)| narrow(Question::new(from.clone(), to.clone()))).collect())
    }

    fn tell(&self, questions: &[Question], options: &ReachOptions, out: &mut dyn Write) -> io::Result<()> {
        match options.format {
            MatrixFormat::Json if options.explain => {
                let explained: Vec<Explanation> = questions.iter().map(|question| self.network.explain(question)).collect();
                output::json(&explained, out)
            }
            MatrixFormat::Json => {
                let answered: Vec<Answered<'_>> =
                    questions.iter().map(|question| Answered { question, answer: self.network.reach(question) }).collect();
                output::json(&answered, out)
            }
            MatrixFormat::Table => {
                if options.explain {
                    return self.explain(questions, out);
                }
                questions.iter().try_for_each(|question| tell(question, &self.network.reach(question), out))
            }
        }
    }

    /// Explains each pair that fares differently as it comes; those that fare like one before are named at the end.
    fn explain(&self, questions: &[Question], out: &mut dyn Write) -> io::Result<()> {
        let named = |id: &str| self.estate?.interface_bearer(id).map(|bearer| plimsoll_report::inline(&bearer));
        let mut told: Vec<(&Question, Vec<&Question>)> = Vec::new();
        let mut known: BTreeMap<Fares, usize> = BTreeMap::new();
        for question in questions {
            let explained = self.network.explain(question);
            let at = *known.entry(explained.fares()).or_insert(told.len());
            if let Some((_, alike)) = told.get_mut(at) {
                alike.push(question);
                continue;
            }
            told.push((question, Vec::new()));
            let mut text = String::new();
            explained.tell(&named, &mut text).map_err(io::Error::other)?;
            writeln!(out, "{text}")?;
        }
        for (first, alike) in told.into_iter().filter(|(_, alike)| !alike.is_empty()) {
            let pairs: Vec<String> = alike.iter().take(NAMED).map(|question| format!("{} -> {}", question.from, question.to)).collect();
            let more = if alike.len() > NAMED { format!(" and {} more", alike.len() - NAMED) } else { String::new() };
            writeln!(out, "the same as {} -> {}: {}{more}", first.from, first.to, pairs.join(", "))?;
        }
        if let Some(estate) = self.estate {
            writeln!(out, "as it was at {}", estate.inventory().header.finished_at.strftime("%Y-%m-%d %H:%M UTC"))?;
        }
        Ok(())
    }

    /// The answer to one line of a file of questions.
    fn line(&self, line: &str) -> Value {
        let asked: Result<Map<String, Value>, _> = serde_json::from_str(line);
        let mut asked = match asked {
            Ok(asked) => asked,
            Err(error) => return json!({"id": null, "reachable": null, "error": format!("not a JSON object: {error}")}),
        };
        let id = asked.remove("id").unwrap_or_default();
        match self.question_of(asked) {
            Ok((via, answers)) => told(&id, via, &answers),
            Err(error) => json!({"id": id, "reachable": null, "error": error}),
        }
    }

    fn question_of(&self, mut asked: Map<String, Value>) -> Result<(Option<Via>, Vec<Answer>), String> {
        // Vectors carry the answer that they expect.
        asked.remove("expected");
        let end = |asked: &Map<String, Value>, key: &str| {
            let text = asked.get(key).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| format!("{key} is missing or no text"))
        };
        let (from, to) = (end(&asked, "from")?, end(&asked, "to")?);
        asked.insert("from".to_owned(), json!("internet"));
        asked.insert("to".to_owned(), json!("internet"));
        let shape: Question = serde_json::from_value(Value::Object(asked)).map_err(|error| error.to_string())?;
        let narrow = |question: Question| Question { from: question.from, to: question.to, ..shape.clone() };
        let questions = match self.questions(&from, &to, &narrow) {
            Ok(questions) => questions,
            Err(NoEndpoint::NotFound(name)) if name.starts_with("eni-") => {
                // What is not there is no mistake of the question: the network does not know it.
                let (from, to) = (from.parse(), to.parse());
                vec![narrow(Question::new(
                    from.map_err(|error: plimsoll_net::EndpointError| error.to_string())?,
                    to.map_err(|error: plimsoll_net::EndpointError| error.to_string())?,
                ))]
            }
            Err(error) => return Err(error.to_string()),
        };
        Ok((shape.via, questions.iter().map(|question| self.network.reach(question)).collect()))
    }
}

#[derive(Serialize)]
struct Answered<'q> {
    question: &'q Question,
    #[serde(flatten)]
    answer: Answer,
}

/// What narrows a question on the command line.
fn narrowing(options: &ReachOptions) -> Result<impl Fn(Question) -> Question + use<>, Failure> {
    let protocol = match &options.protocol {
        None => None,
        Some(text) => Protocol::parse(text)
            .ok_or_else(|| Failure::usage(anyhow::anyhow!("{text} is no protocol"), "say tcp, udp, icmp, icmpv6, a number, or all"))?,
    };
    let family = options.family.as_deref().map(|family| if family == "4" { Family::V4 } else { Family::V6 });
    // A port alone means TCP, as everywhere.
    let protocol = protocol.or(options.port.filter(|_| options.protocol.is_none()).map(|_| Protocol::TCP));
    let via = options.via.map(|via| match via {
        WayOption::Direct => Via::Direct,
        WayOption::Lb => Via::Lb,
    });
    let port = options.port;
    Ok(move |question: Question| Question { protocol, port, family, via, ..question })
}

fn unreadable(error: anyhow::Error) -> Failure {
    Failure::usage(error, "name a snapshot, or a world of what `aws ec2 describe-…` prints")
}

fn no_endpoint(error: NoEndpoint) -> Failure {
    let hint = match &error {
        NoEndpoint::Form(_) => "write --from internet --to service:CLUSTER/NAME",
        NoEndpoint::NotFound(_) => "look at the names with `plimsoll exposure SNAPSHOT`",
        NoEndpoint::Idle(_) => "ask about what runs; a service without tasks has no interface",
        NoEndpoint::Unread { .. } => "`plimsoll doctor` names the permission",
    };
    Failure::usage(error, hint)
}

/// One answer for all pairs: what some pair certainly reaches counts first, what is not known second.
fn told(id: &Value, via: Option<Via>, answers: &[Answer]) -> Value {
    let rank = |answer: &&Answer| match answer.reachable {
        Some(true) => 0,
        None => 1,
        Some(false) => 2,
    };
    let Some(best) = answers.iter().min_by_key(rank) else {
        return json!({"id": id, "reachable": false, "blockedBy": "same-interface"});
    };
    let mut line = json!({"id": id, "reachable": best.reachable, "blockedBy": best.blocked_by});
    let taken = best
        .paths
        .first()
        .filter(|_| best.reachable != Some(false))
        .map(|path| if path.balanced.is_some() { Via::Lb } else { Via::Direct });
    if let Some(fields) = line.as_object_mut() {
        fields.insert("via".to_owned(), json!(taken.or(via)));
        if best.one_way {
            fields.insert("oneWay".to_owned(), json!(true));
        }
        if let Some(unknown) = &best.unknown {
            fields.insert("unknown".to_owned(), json!(unknown));
        }
        if let Some(scope) = best.scope {
            fields.insert("scope".to_owned(), json!(scope));
        }
        if let Some(path) = best.paths.first().filter(|_| best.reachable == Some(true)) {
            fields.insert("flows".to_owned(), json!(path.flows));
            fields.insert("hops".to_owned(), json!(path.hops));
        }
    }
    line
}

fn tell(question: &Question, answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    let verdict = match answer.reachable {
        Some(true) => "reachable",
        Some(false) => "not reachable",
        None => "unknown",
    };
    write!(out, "{} -> {}: {verdict}", question.from, question.to)?;
    match (&answer.blocked_by, &answer.unknown) {
        (Some(block), _) => writeln!(out, ", blocked by {block}")?,
        (None, Some(missing)) => writeln!(out, ", not known: {missing}")?,
        (None, None) => writeln!(out)?,
    }
    if answer.one_way {
        writeln!(out, "  packets arrive all the same; only the replies are lost")?;
    }
    for path in answer.paths.iter().filter(|path| path.reachable() != Some(false)) {
        let through = path.balanced.as_ref().map_or_else(
            || "directly".to_owned(),
            |balanced| format!("through {} port {} to port {}", balanced.load_balancer, balanced.listener_port, balanced.target_port),
        );
        for (flows, sure) in [(&path.flows, ""), (&path.doubtful, " (not certain)")] {
            for flow in flows {
                writeln!(out, "  {through}: {flow}{sure}")?;
            }
        }
        if !path.hops.is_empty() {
            writeln!(out, "    by {}", path.hops.join(" > "))?;
        }
        for condition in &path.conditions {
            writeln!(out, "    on condition: {condition}")?;
        }
    }
    Ok(())
}
