//! Findings flow in; what a table tells of them flows out, in the order of telling.
//!
//! A finding that many resources share is told once for all of them. What remains is grouped by resource, the worst
//! first; resources without a critical or high finding are listed up to a number, the rest again by check.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{Finding, ResourceRef, Severity, Status};

use crate::screen::TableOptions;

/// What is told of the findings.
pub(crate) struct Plan<'r> {
    /// In full, worst first.
    pub(crate) entries: Vec<Entry<'r>>,
    /// In brief, by check, worst first.
    pub(crate) folded: Vec<Group<'r>>,
}

/// Something told in full.
pub(crate) enum Entry<'r> {
    /// A critical, high or medium check that many resources fail.
    Check(Group<'r>),
    /// A resource with its findings.
    Resource(Block<'r>),
}

impl<'r> Entry<'r> {
    /// The finding told first.
    pub(crate) fn first(&self) -> Option<&'r Finding> {
        match self {
            Self::Check(group) => group.findings.first().copied(),
            Self::Resource(block) => block.findings.first().copied(),
        }
    }
}

/// A resource and its findings, worst first.
pub(crate) struct Block<'r> {
    pub(crate) resource: &'r ResourceRef,
    pub(crate) findings: Vec<&'r Finding>,
    /// Checks that it fails too and that are told once for many resources.
    pub(crate) shared: Vec<&'r str>,
}

impl Block<'_> {
    /// Orders blocks: by the worst severity, then by how often each severity occurs.
    fn rank(&self) -> Reverse<Vec<usize>> {
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let worst = Severity::ALL.iter().position(|severity| count(*severity) > 0).unwrap_or(Severity::ALL.len());
        let mut rank = vec![Severity::ALL.len() - worst];
        rank.extend(Severity::ALL.map(count));
        Reverse(rank)
    }

    fn is_urgent(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity >= Severity::High)
    }
}

/// The findings of one check at one severity.
pub(crate) struct Group<'r> {
    pub(crate) findings: Vec<&'r Finding>,
}

impl<'r> Group<'r> {
    /// The resources, each once, in the order of the findings.
    pub(crate) fn resources(&self) -> Vec<&'r ResourceRef> {
        let mut seen = BTreeSet::new();
        self.findings.iter().map(|finding| &finding.resource).filter(|resource| seen.insert(resource.arn.as_str())).collect()
    }
}

/// Groups findings by check and severity, worst first, then the most frequent.
pub(crate) fn by_check<'r>(findings: impl IntoIterator<Item = &'r Finding>) -> Vec<Group<'r>> {
    let mut groups: BTreeMap<(Reverse<Severity>, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        groups.entry((Reverse(finding.severity), &finding.check)).or_default().push(finding);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((severity, _), findings)| (*severity, Reverse(findings.len())));
    groups.into_iter().map(|(_, findings)| Group { findings }).collect()
}

impl<'r> Plan<'r> {
    /// Decides what is told how.
    pub(crate) fn new(findings: &'r [Finding], options: &TableOptions) -> Self {
        let mut single = Vec::new();
        let mut spread = Vec::new();
        let mut folded = Vec::new();
        for group in by_check(findings.iter().filter(|finding| finding.status == Status::Fail)) {
            let severity = group.findings.first().map_or(Severity::Informational, |finding| finding.severity);
            let most = if severity >= Severity::High { options.resources } else { options.fold_above };
            if options.verbose || group.resources().len() <= most {
                single.extend(group.findings);
            } else if severity >= Severity::Medium {
                spread.push(group);
            } else {
                folded.push(group);
            }
        }
        let mut shared: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for finding in spread.iter().chain(&folded).flat_map(|group| &group.findings) {
            shared.entry(&finding.resource.arn).or_default().insert(&finding.check);
        }
        let (blocks, rest) = blocks(single, shared, options);
        let rest: BTreeSet<&str> = rest.iter().map(|finding| finding.id.as_str()).collect();
        let folded: BTreeSet<&str> =
            folded.iter().flat_map(|group| &group.findings).map(|finding| finding.id.as_str()).chain(rest).collect();
        let mut entries: Vec<Entry<'_>> = spread.into_iter().map(Entry::Check).chain(blocks.into_iter().map(Entry::Resource)).collect();
        // Stable: checks that many fail come before single resources of the same severity.
        entries.sort_by_key(|entry| Reverse(entry.first().map(|finding| finding.severity)));
        Self { entries, folded: by_check(findings.iter().filter(|f| f.status == Status::Fail && folded.contains(f.id.as_str()))) }
    }
}

/// The resources to list with their findings, and the findings of those beyond the limit.
fn blocks<'r>(
    findings: Vec<&'r Finding>,
    mut shared: BTreeMap<&'r str, BTreeSet<&'r str>>,
    options: &TableOptions,
) -> (Vec<Block<'r>>, Vec<&'r Finding>) {
    let mut blocks: BTreeMap<&str, Block<'_>> = BTreeMap::new();
    for finding in findings {
        let resource = &finding.resource;
        blocks.entry(&resource.arn).or_insert_with(|| Block { resource, findings: Vec::new(), shared: Vec::new() }).findings.push(finding);
    }
    let mut blocks: Vec<_> = blocks.into_values().collect();
    for block in &mut blocks {
        block.findings.sort_by_key(|finding| (Reverse(finding.severity), finding.path.len()));
        block.shared = shared.remove(block.resource.arn.as_str()).into_iter().flatten().collect();
    }
    blocks.sort_by_cached_key(Block::rank);
    let urgent = blocks.iter().take_while(|block| block.is_urgent()).count();
    let listed = if options.verbose { blocks.len() } else { blocks.len().min(urgent + options.resources) };
    let rest = blocks.split_off(listed);
    (blocks, rest.into_iter().flat_map(|block| block.findings).collect())
}

#[cfg(test)]
mod tests {
    use super::{Entry, Plan};
    use crate::sample::{crowd, result};
    use crate::screen::TableOptions;
    use plimsoll_model::{ScanResult, Severity, Status};
    use std::collections::BTreeSet;

    fn told(result: &ScanResult, options: &TableOptions) -> (usize, Vec<String>) {
        let plan = Plan::new(&result.findings, options);
        let full = plan.entries.iter().flat_map(|entry| match entry {
            Entry::Check(group) => &group.findings,
            Entry::Resource(block) => &block.findings,
        });
        let all = full.chain(plan.folded.iter().flat_map(|group| &group.findings)).map(|finding| finding.id.clone()).collect();
        (plan.folded.len(), all)
    }

    #[test]
    fn every_failure_is_told_once() {
        for result in [result(), crowd()] {
            let failures = result.findings.iter().filter(|finding| finding.status == Status::Fail).count();
            for options in [
                TableOptions::default(),
                TableOptions { verbose: true, ..TableOptions::default() },
                TableOptions { resources: 0, fold_above: 0, ..TableOptions::default() },
                TableOptions { resources: 1, fold_above: 1_000_000, ..TableOptions::default() },
            ] {
                let (_, all) = told(&result, &options);
                assert_eq!(all.len(), failures);
                assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), failures);
            }
        }
    }

    #[test]
    fn nothing_is_folded_when_all_is_asked_for() {
        let (folded, _) = told(&crowd(), &TableOptions { verbose: true, ..TableOptions::default() });
        assert_eq!(folded, 0);
    }

    #[test]
    fn the_worst_comes_first() {
        let result = crowd();
        let plan = Plan::new(&result.findings, &TableOptions::default());
        let order: Vec<Severity> = plan.entries.iter().filter_map(Entry::first).map(|finding| finding.severity).collect();
        assert!(order.is_sorted_by(|a, b| a >= b), "{order:?}");
        assert_eq!(order.first(), Some(&Severity::Critical));
    }

    #[test]
    fn resources_beyond_the_limit_are_told_by_check() {
        let result = result();
        let plan = Plan::new(&result.findings, &TableOptions { resources: 1, ..TableOptions::default() });
        assert!(plan.folded.iter().any(|group| group.findings.iter().any(|finding| finding.check == "ecs-service-egress-unrestricted")));
    }
}
