//! Explanations for people: paths that fare alike are told once, open ones hop by hop, and beside an open one what is
//! closed in a line each.

use std::fmt;

use crate::address::Family;
use crate::explain::{ExplainedPath, ExplainedStep, Explanation, StepOutcome};
use crate::protocol::Protocol;
use crate::question::{Endpoint, Flow};
use crate::rule_words::{PUBLIC_ADDRESS, ZONES};

/// As many flows, addresses and neighbours are told.
const MOST: usize = 4;

/// Paths of an explanation that differ in protocol or node alone.
struct Alike<'x> {
    /// The first of them, which is told.
    path: &'x ExplainedPath,
    protocols: Vec<Protocol>,
    nodes: Vec<&'x str>,
}

/// How the packets of a question fare: verdict, paths, rules and blocks, without the interfaces that they are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fares(Option<bool>, Vec<Shape>);

/// What decides how a path is told: all but its protocol, its node and what belongs to that one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    reachable: Option<bool>,
    family: Family,
    balanced: Option<(String, u16, u16)>,
    steps: Vec<String>,
}

impl Explanation {
    /// How its packets fare: a person reads the same from two explanations that agree in it.
    pub fn fares(&self) -> Fares {
        let ends: Vec<&str> = [&self.question.from, &self.question.to].into_iter().filter_map(id).collect();
        let mut shapes: Vec<Shape> = self.alike().iter().map(|alike| self.shape(alike.path, &ends)).collect();
        shapes.sort();
        Fares(self.answer.reachable, shapes)
    }

    fn alike(&self) -> Vec<Alike<'_>> {
        let mut found: Vec<(Shape, Alike<'_>)> = Vec::new();
        for path in &self.paths {
            let shape = self.shape(path, &[]);
            let node = path.balanced.as_ref().map(|balanced| balanced.node.as_str());
            if let Some((_, alike)) = found.iter_mut().find(|entry| entry.0 == shape) {
                alike.protocols.push(path.protocol);
                alike.nodes.extend(node);
            } else {
                found.push((shape, Alike { path, protocols: vec![path.protocol], nodes: node.into_iter().collect() }));
            }
        }
        let mut all: Vec<Alike<'_>> = found.into_iter().map(|entry| entry.1).collect();
        for alike in &mut all {
            alike.protocols.sort_unstable();
            alike.protocols.dedup();
            alike.nodes.dedup();
        }
        all
    }

    /// Whether a path is told in a line: a closed one beside what is open, or may be.
    fn is_brief(&self, path: &ExplainedPath) -> bool {
        path.reachable == Some(false) && self.answer.reachable != Some(false)
    }

    fn shape(&self, path: &ExplainedPath, ends: &[&str]) -> Shape {
        let node = path.balanced.as_ref().map(|balanced| balanced.node.as_str());
        let hidden: Vec<&str> = node.into_iter().chain(ends.iter().copied()).collect();
        let shown = |word: Option<&str>| hidden.iter().fold(word.unwrap_or_default().to_owned(), |word, id| word.replace(id, ""));
        let whole = |step: &ExplainedStep| {
            // A public address is each interface's own.
            let rule = step.rule.as_deref().filter(|_| step.hop != PUBLIC_ADDRESS);
            let words = [step.object.as_deref(), rule, step.blocked_by.as_deref(), step.missing.as_deref()].map(shown);
            format!("{}{}{:?}{words:?}", step.reply, step.hop, step.outcome)
        };
        // The line names the first block, and of the others their kind.
        let brief = |step: &ExplainedStep| {
            let first = step.blocked_by.as_deref().filter(|_| step.first);
            format!("{}{}{}", step.reply, step.hop, shown(first))
        };
        let steps = path.steps.iter();
        Shape {
            reachable: path.reachable,
            family: path.family,
            balanced: path.balanced.as_ref().map(|through| (through.load_balancer.clone(), through.listener_port, through.target_port)),
            steps: if self.is_brief(path) {
                steps.filter(|step| step.outcome == StepOutcome::Blocks).map(brief).collect()
            } else {
                // The zones count where they keep packets out.
                steps.filter(|step| step.hop != ZONES || step.outcome != StepOutcome::Passes).map(whole).collect()
            },
        }
    }

    /// Writes it for a person. `named` says what an interface is, such as `task of shop/web`.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    pub fn tell(&self, named: &dyn Fn(&str) -> Option<String>, out: &mut dyn fmt::Write) -> fmt::Result {
        Telling { named, out }.explanation(self)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(&|_| None, f)
    }
}

fn id(endpoint: &Endpoint) -> Option<&str> {
    match endpoint {
        Endpoint::Interface(id) => Some(id),
        _ => None,
    }
}

/// A verdict in a word.
fn verdict(reachable: Option<bool>) -> &'static str {
    match reachable {
        Some(true) => "reachable",
        Some(false) => "not reachable",
        None => "unknown",
    }
}

/// Names in a line, the first few.
fn few<'w>(words: impl ExactSizeIterator<Item = &'w str>) -> String {
    let more = words.len().saturating_sub(MOST);
    let mut told: Vec<String> = words.take(MOST).map(str::to_owned).collect();
    told.extend((more > 0).then(|| format!("{more} more")));
    told.join(", ")
}

/// Flows in a line, the first few; of several protocols that fare alike the addresses alone.
fn line(flows: &[Flow], one_protocol: bool) -> String {
    let mut told: Vec<String> = Vec::new();
    for flow in flows.iter().take(MOST) {
        let peers = flow.peers.words();
        let peers = few(peers.iter().map(String::as_str));
        let ports = if flow.ports.is_all() { "all".to_owned() } else { flow.port_words().join(",") };
        let ports = if flow.protocol.has_ports() || flow.protocol.is_icmp() { format!("/{ports}") } else { String::new() };
        told.push(if one_protocol { format!("{}{ports} {peers}", flow.protocol) } else { peers });
    }
    if flows.len() > MOST {
        told.push(format!("{} more", flows.len() - MOST));
    }
    told.join("; ")
}

struct Telling<'t> {
    named: &'t dyn Fn(&str) -> Option<String>,
    out: &'t mut dyn fmt::Write,
}

impl Telling<'_> {
    /// An interface with what it is.
    fn interface(&self, id: &str) -> String {
        (self.named)(id).map_or_else(|| id.to_owned(), |name| format!("{id} ({name})"))
    }

    fn end(&self, endpoint: &Endpoint) -> String {
        id(endpoint).map_or_else(|| endpoint.to_string(), |id| self.interface(id))
    }

    fn explanation(&mut self, told: &Explanation) -> fmt::Result {
        let question = &told.question;
        write!(self.out, "{} -> {}", self.end(&question.from), self.end(&question.to))?;
        if let Some(protocol) = question.protocol {
            write!(self.out, " {protocol}")?;
        }
        if let Some(port) = question.port {
            write!(self.out, "/{port}")?;
        }
        write!(self.out, ": {}", verdict(told.answer.reachable))?;
        for reason in told.answer.blocked_by.iter().chain(&told.answer.unknown) {
            write!(self.out, " ({reason})")?;
        }
        writeln!(self.out)?;
        if told.answer.one_way {
            writeln!(self.out, "  Packets arrive all the same; only the replies are lost.")?;
        }
        let (brief, whole): (Vec<Alike<'_>>, Vec<Alike<'_>>) = told.alike().into_iter().partition(|alike| told.is_brief(alike.path));
        for alike in &whole {
            self.path(alike)?;
        }
        for alike in &brief {
            self.closed(alike)?;
        }
        self.fixes(told)?;
        for missing in &told.missing {
            writeln!(self.out, "missing: {missing}")?;
        }
        Ok(())
    }

    /// `tcp, udp IPv4 through edge port 443, target port 8080`.
    fn title(&mut self, alike: &Alike<'_>) -> fmt::Result {
        let protocols: Vec<String> = alike.protocols.iter().map(ToString::to_string).collect();
        let family = if alike.path.family == Family::V4 { "IPv4" } else { "IPv6" };
        write!(self.out, "{} {family} ", protocols.join(", "))?;
        match &alike.path.balanced {
            Some(balanced) => {
                let crate::Balanced { load_balancer, listener_port, target_port, .. } = balanced;
                write!(self.out, "through {load_balancer} port {listener_port}, target port {target_port}, ")?;
                match alike.nodes.as_slice() {
                    [node] => write!(self.out, "node {node}"),
                    [node, others @ ..] => write!(self.out, "node {node} and alike {}", few(others.iter().copied())),
                    [] => Ok(()),
                }
            }
            None => self.out.write_str("straight"),
        }
    }

    /// What keeps a path closed, in a line: the first block by its code, the others by their kind.
    fn closed(&mut self, alike: &Alike<'_>) -> fmt::Result {
        self.out.write_str("closed: ")?;
        self.title(alike)?;
        let blocks = alike.path.steps.iter().filter(|step| step.outcome == StepOutcome::Blocks);
        let words: Vec<String> = blocks
            .map(|step| match &step.blocked_by {
                Some(code) if step.first => code.clone(),
                _ => format!("{}{}", if step.reply { "reply: " } else { "" }, step.hop),
            })
            .collect();
        match words.split_first() {
            Some((first, [])) => writeln!(self.out, ": {first}"),
            Some((first, more)) => writeln!(self.out, ": {first}; also {}", more.join(", ")),
            None => writeln!(self.out),
        }
    }

    fn path(&mut self, alike: &Alike<'_>) -> fmt::Result {
        self.title(alike)?;
        writeln!(self.out, ": {}", verdict(alike.path.reachable))?;
        for step in &alike.path.steps {
            let mark = match step.outcome {
                StepOutcome::Passes => "ok",
                StepOutcome::Unknown => "??",
                StepOutcome::Blocks if step.first => "XX",
                StepOutcome::Blocks => "x ",
            };
            write!(self.out, "  {mark} {}{}", if step.reply { "reply: " } else { "" }, step.hop)?;
            for word in step.object.iter().chain(&step.rule) {
                write!(self.out, ", {word}")?;
            }
            for (name, word) in [("blocked by", &step.blocked_by), ("missing", &step.missing)] {
                if let Some(word) = word {
                    write!(self.out, ", {name} {word}")?;
                }
            }
            if let Some(ports) = &step.reply_ports {
                write!(self.out, ", to client ports {ports}")?;
            }
            if !step.left.is_empty() && !step.reply {
                write!(self.out, " -> {}", line(&step.left, alike.protocols.len() == 1))?;
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn fixes(&mut self, told: &Explanation) -> fmt::Result {
        if told.fixes.len() > 1 {
            writeln!(self.out, "all {} changes are needed to close it:", told.fixes.len())?;
        }
        for fix in &told.fixes {
            write!(self.out, "to close: {}", fix.change)?;
            let sharers: Vec<String> = fix.shared_with.iter().take(MOST).map(|id| self.interface(id)).collect();
            let more = fix.shared.saturating_sub(sharers.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            match fix.shared {
                0 => writeln!(self.out, "; nothing else carries the group")?,
                1 => writeln!(self.out, "; 1 other interface carries the group: {}", sharers.join(", "))?,
                shared => writeln!(self.out, "; {shared} other interfaces carry the group: {}{more}", sharers.join(", "))?,
            }
        }
        Ok(())
    }
}
