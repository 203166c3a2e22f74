//! The search itself: backwards from administrators, level by level, to everybody who can come to act as one.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use super::exposure::{Callers, Exposures};
use super::holdings::surplus;
use super::landscape::{Landscape, Principal};
use super::method::How;
use super::node::{MaskCache, Node, mask, nodes};
use super::path::{Certainty, Cut, Edge, Path, Permission};
use super::raise::{changed_node, changes, to_administrator};
use super::reach::{Names, Reach, TARGETED, names_principals};
use super::rows::{ROWS, Row};
use super::takeover::{Steps, assume};
use crate::policies::{Attached, Malformed};
use crate::principal::Entry;

/// A principal that may do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Administrator {
    /// Its position in the landscape.
    pub principal: usize,
    /// Whether on conditions.
    pub certainty: Certainty,
}

/// What a search finds.
#[derive(Clone, Debug)]
pub struct Escalations {
    /// Principals that may do everything as they are.
    pub administrators: Vec<Administrator>,
    /// For each principal that may become an administrator the shortest path, by ARN.
    pub paths: Vec<Path>,
    /// Principals that a malformed policy keeps from being assessed, by their position.
    pub unassessed: Vec<(usize, Malformed)>,
}

/// Searches a landscape for ways to administrators, starting anywhere.
pub fn escalate(landscape: &Landscape) -> Escalations {
    Search::new(landscape).run()
}

/// How a node reaches an administrator: after how many steps, and by which first step to which node.
#[derive(Clone)]
struct Way {
    steps: usize,
    first: Option<(Edge, Option<usize>)>,
}

/// A search over one landscape.
pub struct Search<'l> {
    pub(super) landscape: &'l Landscape,
    pub(super) nodes: Vec<Option<Node>>,
    unassessed: Vec<(usize, Malformed)>,
    pub(super) administrators: Vec<Option<Certainty>>,
    pub(super) reaches: BTreeMap<&'static str, Reach>,
    pub(super) exposures: Exposures,
    pub(super) steps: Steps<'l>,
    /// The nodes that have the permissions of each row, on some resource.
    pub(super) callers: Vec<Vec<usize>>,
    /// The permissions of each row as a mask.
    masks: Vec<u128>,
    /// Whether the trust policy of each principal may admit a principal: most admit services alone.
    admits: Vec<bool>,
    /// The positions of the principals in the order of their ARNs.
    by_arn: Vec<usize>,
}

/// The first steps that were found, by node.
type Found<'s> = BTreeMap<usize, (Rank<'s>, Edge, Option<usize>)>;

/// Better is less: certain before conditional, then the order of rows, then of targets.
type Rank<'r> = (Certainty, usize, &'r str);

impl<'l> Search<'l> {
    /// Prepares a search.
    pub fn new(landscape: &'l Landscape) -> Self {
        let mut masks = MaskCache::default();
        let (mut nodes, unassessed) = nodes(landscape, &mut masks);
        let principals = nodes.len();
        let changed: Vec<Node> = nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| Some((index, node.as_ref()?)))
            .flat_map(|(index, node)| changes(node, landscape).into_iter().map(move |changed| (index, node, changed)))
            .map(|(index, node, changed)| changed_node(index, node, changed, &mut masks))
            .collect();
        nodes.extend(changed.into_iter().map(Some));
        debug_assert!(nodes.len() >= principals);
        let administrators = administrators(&nodes);
        let mut names = Names::new(landscape);
        let reaches = TARGETED.iter().map(|action| (*action, names.reach(action, &nodes))).collect();
        let exposures = Exposures::new(landscape, &names);
        let masks: Vec<u128> = ROWS.iter().map(mask).collect();
        let callers = masks
            .iter()
            .map(|needed| {
                let able = nodes.iter().enumerate().filter(|(_, node)| node.as_ref().is_some_and(|node| node.mask & needed == *needed));
                able.map(|(at, _)| at).collect()
            })
            .collect();
        let admits = landscape.principals.iter().map(admits_principals).collect();
        let mut by_arn: Vec<usize> = (0..landscape.principals.len()).collect();
        by_arn.sort_by_key(|at| landscape.principals.get(*at).map(|principal| &principal.facts.arn));
        Self {
            landscape,
            nodes,
            unassessed,
            administrators,
            reaches,
            exposures,
            steps: Steps::new(landscape),
            callers,
            masks,
            admits,
            by_arn,
        }
    }

    pub(super) fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)?.as_ref()
    }

    /// Finds the shortest path from each principal: of certain steps if there is one, else of any.
    pub fn run(&self) -> Escalations {
        let mut ways: Vec<Option<Way>> = vec![None; self.nodes.len()];
        for allowed in [Certainty::Certain, Certainty::Conditional] {
            self.spread(&mut ways, allowed);
        }
        let principals = self.landscape.principals.len();
        let mut paths: Vec<Path> = (0..principals).filter_map(|start| self.path(start, &ways)).collect();
        paths.sort_by_key(|path| self.landscape.principals.get(path.start).map(|principal| principal.facts.arn.clone()));
        let found = self.administrators.iter().take(principals).enumerate();
        let administrators =
            found.filter_map(|(principal, certainty)| Some(Administrator { principal, certainty: (*certainty)? })).collect();
        Escalations { administrators, paths, unassessed: self.unassessed.clone() }
    }

    /// Breadth first from the administrators, backwards; what is reached already keeps its way.
    fn spread(&self, ways: &mut [Option<Way>], allowed: Certainty) {
        for (at, way) in ways.iter_mut().enumerate() {
            let is_administrator =
                self.administrators.get(at).is_some_and(|certainty| certainty.is_some_and(|certainty| certainty <= allowed));
            if is_administrator && way.is_none() {
                *way = Some(Way { steps: 0, first: None });
            }
        }
        let mut level = 0;
        loop {
            let pending = self.pending(ways, allowed);
            let frontier: Vec<usize> =
                ways.iter().enumerate().filter(|(_, way)| way.as_ref().is_some_and(|way| way.steps == level)).map(|(at, _)| at).collect();
            let later = ways.iter().any(|way| way.as_ref().is_some_and(|way| way.steps > level));
            if frontier.is_empty() && !later && level > 0 {
                return;
            }
            let mut found = Found::new();
            if level == 0 {
                self.raises(ways, allowed, &pending, &mut found);
            }
            for target in frontier {
                self.callers_of(target, ways, allowed, &pending, &mut found);
            }
            for (at, (_, edge, next)) in found {
                if let Some(way) = ways.get_mut(at) {
                    *way = Some(Way { steps: level + 1, first: Some((edge, next)) });
                }
            }
            level += 1;
        }
    }

    /// For each row the nodes that may take it and have no way yet. Where a layer was not read no permission is certain.
    fn pending(&self, ways: &[Option<Way>], allowed: Certainty) -> Vec<Vec<usize>> {
        let open = |at: &usize| ways.get(*at).is_some_and(Option::is_none);
        let all_read = |at: &usize| self.node(*at).is_some_and(|node| node.policies.unread.is_empty());
        let rows = ROWS.iter().zip(&self.callers);
        rows.map(|(row, able)| {
            let able = able.iter().copied().filter(open);
            able.filter(|at| allowed == Certainty::Conditional || row.needs.is_empty() || all_read(at)).collect()
        })
        .collect()
    }

    /// Nodes that raise themselves, or another while taking it over, to an administrator.
    fn raises<'s>(&'s self, ways: &[Option<Way>], allowed: Certainty, pending: &[Vec<usize>], found: &mut Found<'s>) {
        for (at, node) in self.nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.as_ref()?))) {
            let uncertain = allowed == Certainty::Certain && !node.policies.unread.is_empty();
            if uncertain || ways.get(at).is_none_or(Option::is_some) {
                continue;
            }
            let raised = to_administrator(node, self.landscape, self.steps.attachable(node));
            for (order, edge) in raised.into_iter().enumerate() {
                keep(found, at, (edge.certainty, order, ""), edge, None, allowed);
            }
        }
        for (order, row) in ROWS.iter().enumerate().filter(|(_, row)| gives_any(row)) {
            // What is certain was found before anything else was looked for, and targets come in the order of their rank.
            let settled = |found: &Found<'s>, at: usize| {
                found
                    .get(&at)
                    .is_some_and(|(rank, ..)| rank.0 == Certainty::Certain || (allowed == Certainty::Conditional && rank.1 <= order))
            };
            let mut left: BTreeSet<usize> = pending.get(order).into_iter().flatten().copied().filter(|at| !settled(found, *at)).collect();
            for target in self.by_arn.iter().copied() {
                if left.is_empty() {
                    break;
                }
                let Some(to) = self.node(target) else { continue };
                for at in self.likely(order, row, target) {
                    if !left.contains(&at) {
                        continue;
                    }
                    if let Some(edge) = self.node(at).and_then(|from| self.steps.step(from, to, row)) {
                        keep(found, at, (edge.certainty, order, &to.caller.text), edge, None, allowed);
                        if settled(found, at) {
                            left.remove(&at);
                        }
                    }
                }
            }
        }
    }

    /// The nodes whose grants make a row likely on a target: those that its most selective permission reaches.
    fn likely<'s>(&'s self, order: usize, row: &Row, target: usize) -> Box<dyn Iterator<Item = usize> + 's> {
        let named = |action: &str| names_principals(action) && action != "sts:AssumeRole";
        let actions = || row.needs.iter().map(|(action, _)| *action);
        let needed = self.masks.get(order).copied().unwrap_or_default();
        let able = move |at: &usize| self.node(*at).is_some_and(|node| node.mask & needed == needed);
        let selective = actions().find(|action| named(action) && self.reaches.contains_key(action));
        // Taking over by trust alone needs no grant within an account, so that the trust policy says whom to ask.
        let trusted = selective.is_none() && actions().any(|action| action == "sts:AssumeRole");
        match selective.or_else(|| actions().next()).and_then(|action| self.reaches.get(action)) {
            Some(reach) if !trusted => Box::new(reach.callers(target).filter(able)),
            _ => Box::new(self.trusted(order, target)),
        }
    }

    /// Those who may take a row and whom a role's trust policy may admit.
    fn trusted(&self, order: usize, target: usize) -> impl Iterator<Item = usize> {
        let trust = self.landscape.principals.get(target).and_then(|principal| principal.trust.as_ref());
        let entries = trust.map(entries_of);
        let of_account = target_account(self.landscape, target);
        let admits = self.admits.get(target).copied().unwrap_or(true);
        let able = self.callers.get(order).filter(|_| admits).map_or(&[][..], Vec::as_slice);
        able.iter().copied().filter(move |at| {
            self.node(*at).is_some_and(|node| match &entries {
                Some(entries) => entries.iter().any(|entry| entry.names(&node.caller).is_some()),
                None => node.caller.account() == of_account,
            })
        })
    }

    /// Everybody who can take this step to a node that reaches an administrator.
    fn callers_of<'s>(&'s self, target: usize, ways: &[Option<Way>], allowed: Certainty, pending: &[Vec<usize>], found: &mut Found<'s>) {
        let Some(to) = self.node(target) else { return };
        let open = |at: usize| ways.get(at).is_some_and(Option::is_none);
        if let Some((before, edge)) = &to.change {
            if open(*before) {
                keep(found, *before, (edge.certainty, 0, &to.caller.text), edge.clone(), Some(target), allowed);
            }
            return;
        }
        let wanted = |order: usize| pending.get(order).is_some_and(|able| !able.is_empty());
        for (order, row) in ROWS.iter().enumerate().filter(|(order, row)| takes_as_is(row) && wanted(*order)) {
            for at in self.likely(order, row, target) {
                let settled = found.get(&at).is_some_and(|(rank, ..)| rank.0 == Certainty::Certain && rank.1 <= order);
                if settled || !open(at) {
                    continue;
                }
                if let Some(edge) = self.node(at).and_then(|from| self.steps.step(from, to, row)) {
                    keep(found, at, (edge.certainty, order, &to.caller.text), edge, Some(target), allowed);
                }
            }
        }
        for exposure in self.exposures.of(target) {
            let able = pending.get(exposure.row).map_or(&[][..], Vec::as_slice);
            for at in able.iter().copied() {
                let Some(from) = self.node(at) else { continue };
                if let Callers::Only(only) = &exposure.callers
                    && !only.contains(&from.principal)
                {
                    continue;
                }
                let settled = found.get(&at).is_some_and(|(rank, ..)| rank.0 == Certainty::Certain);
                if settled {
                    continue;
                }
                if let Some(edge) = self.steps.through(from, to, exposure) {
                    keep(found, at, (edge.certainty, exposure.row, &to.caller.text), edge, Some(target), allowed);
                }
            }
        }
    }

    fn path(&self, start: usize, ways: &[Option<Way>]) -> Option<Path> {
        let mut edges = Vec::new();
        let mut nodes = Vec::new();
        let mut at = Some(start);
        while let Some((edge, next)) = at.and_then(|at| ways.get(at)?.as_ref()?.first.as_ref()) {
            edges.push(edge.clone());
            nodes.push(at);
            at = *next;
        }
        let weakest = edges.iter().enumerate().max_by_key(|(at, edge)| (edge.certainty, edge.permissions.len(), std::cmp::Reverse(*at)))?.0;
        let cut = self.cut(start, &edges, ways)?;
        Some(Path { start, edges, weakest, cut })
    }

    /// The permission to take away: of the first step, for that is the start's own; rather one of IAM or STS.
    fn cut(&self, start: usize, edges: &[Edge], ways: &[Option<Way>]) -> Option<Cut> {
        let first = edges.first()?;
        let cheap = |permission: &&Permission| !(permission.action.starts_with("iam:") || permission.action.starts_with("sts:"));
        let permission = first.permissions.iter().min_by_key(|permission| cheap(permission)).cloned();
        let ends_all = permission.as_ref().is_some_and(|permission| !self.has_another_way(start, &permission.action, ways));
        Some(Cut { edge: 0, principal: first.from.clone(), permission, ends_all })
    }

    /// Whether a principal has another first step to anybody who reaches an administrator, without this action. Looked
    /// for among the few methods that it has the permissions of.
    fn has_another_way(&self, start: usize, without: &str, ways: &[Option<Way>]) -> bool {
        let Some(node) = self.node(start) else { return false };
        let other: Vec<bool> = ROWS
            .iter()
            .zip(&self.masks)
            .map(|(row, needed)| node.mask & needed == *needed && row.needs.iter().all(|(action, _)| *action != without))
            .collect();
        let other_of = |row: usize| other.get(row).copied().unwrap_or(false);
        let raised = to_administrator(node, self.landscape, self.steps.attachable(node));
        if raised.iter().any(|edge| edge.permissions.iter().all(|permission| permission.action != without)) {
            return true;
        }
        let reaching =
            ways.iter().enumerate().filter(|(at, way)| *at != start && way.is_some()).filter_map(|(at, _)| Some((at, self.node(at)?)));
        let rows = ROWS.iter().zip(&self.masks).zip(&other).filter(|((row, _), other)| **other && (takes_as_is(row) || gives_any(row)));
        let rows: Vec<(&Row, bool)> = rows.map(|((row, needed), _)| (row, *needed == 0)).collect();
        let through = ROWS.iter().zip(&other).any(|(row, other)| *other && matches!(row.how, How::Existing { .. }));
        for (at, to) in reaching {
            if to
                .change
                .as_ref()
                .is_some_and(|(before, edge)| *before == start && edge.permissions.iter().all(|permission| permission.action != without))
            {
                return true;
            }
            let admits = self.admits.get(to.principal).copied().unwrap_or(true);
            if rows.iter().any(|(row, by_trust)| (admits || !by_trust) && self.steps.step(node, to, row).is_some()) {
                return true;
            }
            if !through {
                continue;
            }
            let exposures = self.exposures.of(at).iter().filter(|exposure| other_of(exposure.row));
            if exposures.into_iter().any(|exposure| self.steps.through(node, to, exposure).is_some()) {
                return true;
            }
        }
        false
    }

    /// Whether a role admits one principal, by its trust policy, and not the other: a permission that no policy of the
    /// principal's own shows.
    fn is_trusted_more(&self, holder: &Node, other: &Node) -> bool {
        let roles = self.landscape.principals.iter().filter(|principal| principal.trust.is_some());
        roles
            .filter(|role| role.arn() != holder.caller.text && role.arn() != other.caller.text)
            .any(|role| assume(holder, role).is_some() && assume(other, role).is_none())
    }

    /// Every step that a principal can take to another that holds something it lacks, and to an administrator.
    pub fn edges(&self, from: usize) -> Vec<Edge> {
        let Some(node) = self.node(from) else { return Vec::new() };
        let mut edges = to_administrator(node, self.landscape, self.steps.attachable(node));
        edges.extend(
            self.nodes
                .iter()
                .flatten()
                .filter_map(|other| other.change.as_ref())
                .filter(|(before, _)| *before == from)
                .map(|(_, edge)| edge.clone()),
        );
        for target in 0..self.landscape.principals.len() {
            let Some(to) = self.node(target).filter(|_| target != from) else { continue };
            let able = |row: &Row| node.mask & mask(row) == mask(row);
            let steps = ROWS
                .iter()
                .filter(|row| (takes_as_is(row) || gives_any(row)) && able(row))
                .filter_map(|row| self.steps.step(node, to, row));
            let exposures = self.exposures.of(target).iter().filter(|exposure| ROWS.get(exposure.row).is_some_and(able));
            let mut found: Vec<Edge> = steps.chain(exposures.filter_map(|exposure| self.steps.through(node, to, exposure))).collect();
            if !found.is_empty() && surplus(to, node).is_none() && !self.is_trusted_more(to, node) {
                found.retain(|edge| edge.gained == super::path::Gained::Administrator);
            }
            edges.extend(found);
        }
        edges
    }
}

/// Whom a trust policy names.
fn entries_of(trust: &Attached) -> Vec<&Entry> {
    let document = trust.document.as_ref().ok();
    let statements = document.into_iter().flat_map(|document| &document.statements);
    let principals = statements.filter_map(|statement| statement.principals.as_ref());
    principals
        .flat_map(|principals| if principals.negated { vec![&Entry::Everyone] } else { principals.entries.iter().collect() })
        .collect()
}

/// Whether a trust policy may admit roles or users; one that was not read may.
fn admits_principals(principal: &Principal) -> bool {
    let Some(trust) = &principal.trust else { return true };
    entries_of(trust).into_iter().any(|entry| match entry {
        Entry::Exact(text) => text.starts_with("arn:"),
        Entry::Deleted(_) | Entry::Nobody(_) => false,
        Entry::Everyone | Entry::Account(_) | Entry::Role { .. } | Entry::User { .. } => true,
    })
}

/// Keeps the better of two first steps.
fn keep<'s>(found: &mut Found<'s>, at: usize, rank: Rank<'s>, edge: Edge, next: Option<usize>, allowed: Certainty) {
    if edge.certainty > allowed {
        return;
    }
    match found.get(&at) {
        Some((known, ..)) if *known <= rank => {}
        _ => {
            found.insert(at, (rank, edge, next));
        }
    }
}

fn takes_as_is(row: &Row) -> bool {
    use super::method::Gain::AsIs;
    matches!(row.how, How::TakeRole { gain: AsIs, .. } | How::TakeUser { gain: AsIs, .. } | How::TakeFederated | How::Pass { .. })
}

fn gives_any(row: &Row) -> bool {
    use super::method::Gain::AsIs;
    match row.how {
        How::TakeRole { gain, .. } | How::TakeUser { gain, .. } => gain != AsIs,
        _ => false,
    }
}

fn target_account(landscape: &Landscape, target: usize) -> Option<&str> {
    let principal = landscape.principals.get(target)?;
    crate::arn::split(principal.arn()).map(|[_, _, _, _, account, _]| account)
}

/// Which nodes may do everything; nodes that hold the same documents are asked once.
fn administrators(nodes: &[Option<Node>]) -> Vec<Option<Certainty>> {
    nodes.iter().map(|node| node.as_ref().and_then(Node::administers)).collect()
}

impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search")
            .field("principals", &self.landscape.principals.len())
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}

impl Escalations {
    /// The path of a principal, by its ARN.
    pub fn path_of<'e>(&'e self, landscape: &Landscape, arn: &str) -> Option<&'e Path> {
        let start = landscape.principals.iter().position(|principal| principal.facts.arn == CompactString::new(arn))?;
        self.paths.iter().find(|path| path.start == start)
    }
}
