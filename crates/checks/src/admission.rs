//! What security groups together admit to ports, for checks of who may come past what stands in front of containers.
//! Groups and ports flow in; the rules that admit to them flow out with their sources, and what of them was not read.

use std::ops::RangeInclusive;

use plimsoll_graph::{Link, Node, Ranges, Source, Unknown, rule_admits};
use plimsoll_model::aws::ec2::{Instance, IpPermission, SecurityGroup, UserIdGroupPair};
use serde_json::{Value, json};

use crate::reading::{distinct, listed};

/// Rules shown in evidence.
const SHOWN: usize = 20;

/// A rule that admits to the ports asked for.
pub(crate) struct Admitting<'e> {
    /// The group that it is of.
    pub(crate) group: Node<'e, SecurityGroup>,
    /// The rule.
    pub(crate) rule: &'e IpPermission,
    /// The addresses that it names, prefix lists spelled out.
    pub(crate) addresses: Vec<Source<'e>>,
}

/// What groups together admit to some ports.
#[derive(Default)]
pub(crate) struct Admission<'e> {
    /// The rules, by group.
    pub(crate) rules: Vec<Admitting<'e>>,
    /// A group or prefix list that was not read and may admit more.
    pub(crate) unread: Option<Unknown>,
}

impl<'e> Admission<'e> {
    /// Of these groups, for these ports of `tcp`, `udp` or both. A group that does not exist admits nothing.
    pub(crate) fn new(
        groups: impl IntoIterator<Item = Link<'e, SecurityGroup>>,
        protocols: &[&str],
        ports: &[RangeInclusive<u16>],
    ) -> Self {
        let (groups, unread) = existing(groups);
        let mut admission = Self { rules: Vec::new(), unread };
        let admits = |rule: &IpPermission| protocols.iter().any(|protocol| ports.iter().any(|ports| rule_admits(rule, protocol, ports)));
        for group in groups {
            for rule in group.data().ip_permissions.iter().filter(|rule| admits(rule)) {
                let (addresses, unread) = group.sources(rule);
                admission.unread = admission.unread.or(unread);
                admission.rules.push(Admitting { group, rule, addresses });
            }
        }
        admission
    }

    /// All addresses that it admits.
    pub(crate) fn ranges(&self) -> Ranges {
        self.rules.iter().flat_map(|rule| &rule.addresses).map(|source| source.cidr).collect()
    }

    /// Whether some rule names one of these groups.
    pub(crate) fn names_group(&self, ids: &[String]) -> bool {
        let mut pairs = self.rules.iter().flat_map(|rule| &rule.rule.user_id_group_pairs);
        pairs.any(|pair| pair.group_id.as_ref().is_some_and(|id| ids.contains(id)))
    }
}

/// Those of these groups that exist, each once, and the last that could not be read.
pub(crate) fn existing<'e>(groups: impl IntoIterator<Item = Link<'e, SecurityGroup>>) -> (Vec<Node<'e, SecurityGroup>>, Option<Unknown>) {
    let (mut found, mut unread) = (Vec::new(), None);
    for link in groups {
        match link.exists() {
            Ok(group) => found.extend(group),
            Err(unknown) => unread = Some(unknown),
        }
    }
    found.sort_by_key(Node::<'e, SecurityGroup>::index);
    found.dedup();
    (found, unread)
}

/// The security groups of a host: of all its interfaces but those of tasks. Where tasks were not read whole, what is
/// certainly the host's, and the gap.
pub(crate) fn host_groups(instance: Node<'_, Instance>) -> (Vec<Link<'_, SecurityGroup>>, Option<Unknown>) {
    const OPERATIONS: [&str; 3] = ["ecs:ListTasks", "ecs:DescribeTasks", "ec2:DescribeNetworkInterfaces"];
    let coverage = instance.estate().coverage();
    let is_alone = instance.network_interfaces.len() < 2 || instance.container_instances().next().is_none();
    let gap = OPERATIONS.into_iter().filter(|_| !is_alone).find_map(|operation| {
        let here = |gap: &&plimsoll_model::Gap| gap.account == *instance.account() && gap.region == *instance.region();
        let listing = coverage.check(instance.account(), instance.region(), operation).err();
        listing.or_else(|| coverage.undescribed(operation).find(here).cloned())
    });
    match gap {
        Some(gap) => (instance.security_groups().collect(), Some(gap.into())),
        None => (instance.all_security_groups().collect(), None),
    }
}

/// What rules admit, in words: ranges and prefix lists, then groups.
pub(crate) fn sources_listed<'e>(
    addresses: impl Iterator<Item = &'e Source<'e>>,
    groups: impl Iterator<Item = &'e UserIdGroupPair>,
) -> String {
    let addresses = addresses.map(|source| source.prefix_list_id.unwrap_or(source.cidr));
    listed(&distinct(addresses.chain(groups.filter_map(|pair| pair.group_id.as_deref()))))
}

/// Rules with their groups, for evidence.
pub(crate) fn rules_evidence<'a, 'e: 'a>(rules: impl Iterator<Item = &'a Admitting<'e>>) -> Value {
    rules.take(SHOWN).map(|admitting| json!({"GroupId": admitting.group.data().group_id, "IpPermission": admitting.rule})).collect()
}

/// The groups of rules, in words.
pub(crate) fn groups_listed<'a, 'e: 'a>(rules: impl Iterator<Item = &'a Admitting<'e>>) -> String {
    listed(&distinct(rules.map(|admitting| admitting.group.data().group_id.as_str())))
}
