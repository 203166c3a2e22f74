//! How the surroundings of a resource move the severity of a failure: at most one step, with the reason told.

use plimsoll_graph::{Estate, Node};
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::{LaunchKind, ResourceRef, Severity};

use crate::check::Area;

/// What speaks for more and for less severity than a failure has by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    pub(crate) launch: Option<LaunchKind>,
    raises: Vec<Raise>,
    lowers: Vec<&'static str>,
}

/// What speaks for more severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Raise {
    reason: &'static str,
    /// The highest severity that it leads to: a tag alone makes nothing critical.
    most: Severity,
}

impl Context {
    /// What the tags of a resource say of it.
    pub(crate) fn of_tags(estate: &Estate<'_>, resource: &ResourceRef) -> Self {
        let tags = resource.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let production = estate.thresholds().is_production(tags);
        let raise = production.then_some(Raise { reason: "tagged as production", most: Severity::High });
        Self { raises: raise.into_iter().collect(), ..Self::default() }
    }

    /// What its surroundings say of a workload: whether the internet reaches it, and what its role may do. Checks of the
    /// network judge exposure themselves, and how a thing is tagged or recorded is no way in.
    pub(crate) fn of_workload(estate: &Estate<'_>, area: Area, kind: &str, index: u32) -> Self {
        let mut context = Self::default();
        if area == Area::Network && kind.starts_with("elasticloadbalancing:") {
            // Internet-facing is what it is meant to be; whether anybody there gets in is another question.
            if estate.internet_reaches(kind, index) == Some(Some(false)) {
                context.lowers.push("nothing on the internet reaches it");
            }
            return context;
        }
        if matches!(area, Area::Network | Area::TaggingGovernance | Area::PlatformAudit) {
            return context;
        }
        match estate.internet_reaches(kind, index) {
            Some(Some(true)) => context.raises.push(Raise { reason: "reachable from the internet", most: Severity::Critical }),
            Some(Some(false)) => context.lowers.push("nothing on the internet reaches it"),
            Some(None) | None => {}
        }
        // Checks of identity judge what roles may do themselves.
        if area != Area::Identity && estate.runs_privileged(kind, index) == Some(true) {
            context.raises.push(Raise { reason: "its role is or can become administrator", most: Severity::Critical });
        }
        context
    }

    /// What is known of a task definition: how it is launched, and whether anything runs it.
    pub(crate) fn of_definition(definition: Node<'_, TaskDefinition>) -> Self {
        let launch = Some(if definition.launch().only_fargate() { LaunchKind::Fargate } else { LaunchKind::Ec2 });
        let unused = definition.in_use() == Ok(false);
        Self { launch, lowers: if unused { vec!["nothing runs this revision"] } else { Vec::new() }, ..Self::default() }
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.raises.extend(other.raises);
        self.lowers.extend(other.lowers);
        Self { launch: self.launch.or(other.launch), ..self }
    }

    /// The severity in this context, and why it is another. What speaks for more and
    /// what speaks for less together leave it. What only informs is never raised.
    pub(crate) fn shade(&self, base: Severity) -> (Severity, String) {
        if base == Severity::Informational {
            return (base, String::new());
        }
        let raising: Vec<&str> = self.raises.iter().filter(|raise| base < raise.most).map(|raise| raise.reason).collect();
        match (raising.is_empty(), self.lowers.is_empty()) {
            (true, true) => (base, String::new()),
            (false, true) => (base.raise(), raising.join(", ")),
            (true, false) => (base.lower(), self.lowers.join(", ")),
            (false, false) => (base, format!("{}, but {}", raising.join(", "), self.lowers.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::Severity::{Critical, High, Informational, Low, Medium};

    use super::{Context, Raise};

    fn context(raises: &[&'static str], lowers: &[&'static str]) -> Context {
        let raises = raises.iter().map(|&reason| Raise { reason, most: Critical }).collect();
        Context { raises, lowers: lowers.to_vec(), launch: None }
    }

    #[test]
    fn a_tag_alone_makes_nothing_critical() {
        let tagged = Context { raises: vec![Raise { reason: "tagged", most: High }], ..Context::default() };
        assert_eq!(tagged.shade(Medium), (High, "tagged".to_owned()));
        assert_eq!(tagged.shade(High), (High, String::new()));
    }

    #[test]
    fn moves_one_step_whatever_speaks_for_it() {
        assert_eq!(context(&[], &[]).shade(High), (High, String::new()));
        assert_eq!(context(&["tagged as production"], &[]).shade(Medium), (High, "tagged as production".to_owned()));
        assert_eq!(context(&["one", "two"], &[]).shade(Low), (Medium, "one, two".to_owned()));
        assert_eq!(context(&["one"], &[]).shade(Critical).0, Critical);
        assert_eq!(context(&[], &["idle"]).shade(High), (Medium, "idle".to_owned()));
        assert_eq!(context(&["one"], &["idle"]).shade(High), (High, "one, but idle".to_owned()));
        assert_eq!(context(&["one"], &[]).shade(Informational), (Informational, String::new()));
    }
}
