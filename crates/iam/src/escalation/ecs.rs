//! What principals come to act as through ECS in one step: roles that they pass to tasks of their own, and roles of tasks
//! that they open a shell in. Principals that hold the same policies are asked once.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use rustc_hash::{FxHashMap, FxHashSet};

use super::exposure::{Exposure, Ties};
use super::holdings::{as_written, holds_all_of, is_of_principal, surplus};
use super::method::{How, On, Place};
use super::node::{Grant, Node};
use super::path::Permission;
use super::rows::{CHANNELS, PASS, ROWS, Row, TASKS, pass};
use super::search::{Escalations, Search};
use super::takeover::Placement;
use crate::context::KeyState;
use crate::decision::Verdict;
use crate::policies::{Attached, Layer, Stack};
use crate::tri::Tri;

/// Ways to put a passed role to work on ECS that the catalogue of methods does not list by themselves.
const MORE: &[Row] = &[
    pass("start-override", TASKS, &[PASS, ("ecs:StartTask", On::TaskDefinition)], Place::InstanceAndTaskDefinition, None),
    pass(
        "task-set",
        TASKS,
        &[PASS, ("ecs:RegisterTaskDefinition", On::TaskDefinition), ("ecs:CreateTaskSet", On::TaskSet)],
        Place::Service,
        Some("the service takes task sets of others (deployment controller EXTERNAL)"),
    ),
];

/// Ways into containers.
const SHELLS: [&str; 3] = ["x-ecs-exec", "x-ssm-ecs-session", "x-ecs-enable-exec"];

/// What the agent of a session asks of the role of its task.
const SESSION: [&str; 4] =
    ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"];

/// Tasks of one role, cluster and tags beyond this are variations of one another.
const ALIKE: usize = 8;

/// Clusters, or tasks and services, that are named.
const PLACES: usize = 10;

/// A role that a principal comes to act as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The position of the role in the landscape.
    pub role: usize,
    /// The permissions that it takes.
    pub permissions: Vec<Permission>,
    /// The clusters where it works, or the tasks and services that a shell opens in: at most ten.
    pub places: Vec<CompactString>,
    /// A request that the role may make and the principal may not, action and resource as the role's policies write them;
    /// none where all that is gained is the way on to an administrator.
    pub surplus: Option<(CompactString, CompactString)>,
    /// What could not be verified: condition keys and prerequisites.
    pub depends_on: Vec<CompactString>,
}

/// What principals reach through ECS that holds something they lack, by their position; administrators are left out, as
/// principals and not as roles. Administrators come first, then those that can become one, then by ARN.
#[derive(Clone, Debug, Default)]
pub struct ThroughEcs {
    /// Roles that they pass to tasks which run code of theirs.
    pub runs: BTreeMap<usize, Arc<[Reached]>>,
    /// Roles of tasks that they open a shell in, without a condition on container or tags.
    pub shells: BTreeMap<usize, Arc<[Reached]>>,
}

impl Search<'_> {
    /// Looks at everybody's first step through ECS. `most`: so many roles are named of each principal.
    pub fn through_ecs(&self, found: &Escalations, most: usize) -> ThroughEcs {
        let mut looking = Looking::new(self, found, most);
        looking.pass();
        let runs = looking.settle();
        looking.open_shells();
        ThroughEcs { runs, shells: looking.settle() }
    }
}

/// What makes two principals ask and be answered alike: the layers' documents, and who they are where a policy asks.
#[derive(PartialEq, Eq, Hash)]
struct Likeness<'s> {
    account: &'s str,
    is_user: bool,
    manages: bool,
    unread: &'s [Layer],
    documents: Vec<(Layer, usize, &'s str)>,
    personal: Option<usize>,
}

impl<'s> Likeness<'s> {
    fn of(node: &'s Node) -> Self {
        let stack = Stack::from(&node.policies);
        let read = |attached: &'s Attached| attached.document.as_ref().ok();
        let pointer = |(layer, attached): (Layer, &'s Attached)| Some((layer, Arc::as_ptr(read(attached)?).addr(), attached.name.as_str()));
        let mut documents: Vec<_> = stack.all().filter_map(pointer).collect();
        documents.sort_unstable();
        let statements = stack.all().filter_map(|(_, attached)| read(attached)).flat_map(|document| &document.statements);
        let personal = statements.flat_map(crate::document::Statement::keys).any(is_of_principal);
        Self {
            account: node.account(),
            is_user: node.caller.text.contains(":user/"),
            manages: node.policies.caller_manages,
            unread: &node.policies.unread,
            documents,
            personal: personal.then_some(node.principal),
        }
    }
}

/// The state of a look at all principals.
struct Looking<'s> {
    search: &'s Search<'s>,
    most: usize,
    /// The first principal that is like each one.
    like: Vec<usize>,
    /// Who is asked: the first of each likeness, without administrators and roles of services.
    asked: FxHashSet<usize>,
    /// Positions of those that can become administrators.
    escalating: FxHashSet<usize>,
    /// Roles in the order in which they matter.
    roles: Vec<usize>,
    surplus: FxHashMap<(usize, usize), Option<(CompactString, CompactString)>>,
    found: BTreeMap<usize, Vec<Reached>>,
}

impl<'s> Looking<'s> {
    fn new(search: &'s Search<'s>, found: &Escalations, most: usize) -> Self {
        let principals = search.landscape.principals.len();
        let mut first: FxHashMap<Likeness<'_>, usize> = FxHashMap::default();
        let like: Vec<usize> =
            (0..principals).map(|at| search.node(at).map_or(at, |node| *first.entry(Likeness::of(node)).or_insert(at))).collect();
        let ordinary = |at: &usize| {
            let administers = search.administrators.get(*at).is_some_and(Option::is_some);
            !administers && search.node(*at).is_some_and(|node| !node.caller.is_service_linked())
        };
        // The first of a likeness may be a service-linked role, and the others not.
        let mut heads: FxHashMap<usize, usize> = FxHashMap::default();
        let like: Vec<usize> =
            like.iter().enumerate().map(|(at, first)| if ordinary(&at) { *heads.entry(*first).or_insert(at) } else { *first }).collect();
        let asked = (0..principals).filter(|at| like.get(*at) == Some(at)).filter(ordinary).collect();
        let escalating: FxHashSet<usize> = found.paths.iter().map(|path| path.start).collect();
        let mut roles: Vec<usize> = (0..principals).filter(|at| search.node(*at).is_some()).collect();
        let rank = |at: &usize| {
            let administers = search.administrators.get(*at).copied().flatten();
            (administers.is_none(), administers, !escalating.contains(at))
        };
        roles.sort_by_cached_key(|at| (rank(at), search.node(*at).map(|node| node.caller.text.clone())));
        Self { search, most, like, asked, escalating, roles, surplus: FxHashMap::default(), found: BTreeMap::new() }
    }

    /// Whether somebody still wants for roles.
    fn wants(&self, at: usize) -> bool {
        self.asked.contains(&at) && self.found.get(&at).is_none_or(|found| found.len() < self.most)
    }

    /// What a role holds that a principal lacks: `None` if nothing is gained.
    #[expect(clippy::option_option, reason = "what is gained may be no request of its own but the way on")]
    fn gained(&mut self, role: usize, at: usize) -> Option<Option<(CompactString, CompactString)>> {
        let key = (self.like.get(role).copied().unwrap_or(role), at);
        let (holder, other) = (self.search.node(role)?, self.search.node(at)?);
        let surplus = self.surplus.entry(key).or_insert_with(|| surplus(holder, other).map(|found| as_written(holder, found))).clone();
        (surplus.is_some() || self.leads_on(role, at)).then_some(surplus)
    }

    /// Whether a role can become an administrator, and the principal cannot.
    fn leads_on(&self, role: usize, at: usize) -> bool {
        self.escalating.contains(&role) && !self.escalating.contains(&at)
    }

    /// Everybody's share of what was found.
    fn settle(&mut self) -> BTreeMap<usize, Arc<[Reached]>> {
        let found: FxHashMap<usize, Arc<[Reached]>> =
            std::mem::take(&mut self.found).into_iter().map(|(at, all)| (at, all.into())).collect();
        let shares = self.like.iter().enumerate().filter_map(|(at, like)| Some((at, Arc::clone(found.get(like)?))));
        shares.filter(|(at, _)| self.search.administrators.get(*at).is_some_and(Option::is_none)).collect()
    }

    fn pass(&mut self) {
        let search = self.search;
        let Some(reach) = search.reaches.get("iam:PassRole") else { return };
        let mut placements: FxHashMap<usize, Option<(&'static Row, Place, Placement)>> = FxHashMap::default();
        for role in self.roles.clone() {
            let (Some(to), Some(target)) = (search.node(role), search.landscape.principals.get(role)) else { continue };
            let trust = search.steps.trusts(role, target, TASKS);
            if target.arn().contains(":user/") || trust == Tri::False {
                continue;
            }
            for at in reach.callers(role) {
                let Some(from) = search.node(at).filter(|from| self.wants(at) && from.account() == to.account()) else { continue };
                let Some((row, place, placement)) = placements.entry(at).or_insert_with(|| best_placement(search, from)) else { continue };
                // Cheaper to see than whether the role may be passed.
                if !self.leads_on(role, at) && holds_all_of(from, to) {
                    continue;
                }
                let passed = from.can("iam:PassRole", target.arn(), &[("iam:PassedToService", KeyState::known(TASKS))]);
                let Some((passed, surplus)) = passed.and_then(|passed| Some((passed, self.gained(role, at)?))) else { continue };
                let mut unverified = placement.unverified.clone();
                if trust == Tri::Unknown {
                    unverified.push("whether the role trusts ECS".into());
                }
                let all = self.found.entry(at).or_default();
                let places = match all.first() {
                    Some(known) => known.places.clone(),
                    None => search.steps.clusters(from, row, *place, PLACES),
                };
                let grants = std::iter::once(passed).chain(placement.grants.iter().cloned()).collect();
                all.push(reached(role, grants, unverified, places, surplus));
            }
        }
    }

    fn open_shells(&mut self) {
        let search = self.search;
        let rows: Vec<usize> = SHELLS.iter().filter_map(|id| ROWS.iter().position(|row| row.id == *id)).collect();
        let able: FxHashMap<usize, Vec<usize>> = rows
            .iter()
            .map(|row| {
                let callers = search.callers.get(*row).map_or(&[][..], Vec::as_slice);
                (*row, callers.iter().copied().filter(|at| self.asked.contains(at)).collect())
            })
            .collect();
        let restricted: FxHashMap<usize, Node> =
            able.values().flatten().filter_map(|at| Some((*at, without_limits(search.node(*at)?)))).collect();
        for role in self.roles.clone() {
            let Some(to) = search.node(role) else { continue };
            let exposures = distinct(search.exposures.of(role), &rows);
            if exposures.is_empty() {
                continue;
            }
            let answers = SESSION.iter().all(|action| to.verdict(action, "*") == Verdict::Allowed);
            for exposure in exposures {
                for at in able.get(&exposure.row).into_iter().flatten().copied() {
                    let known = self.found.get(&at).is_some_and(|all| all.last().is_some_and(|last| last.role == role));
                    if !known && !self.wants(at) {
                        continue;
                    }
                    if let Some(reached) = self.shell(role, to, at, &restricted, exposure, answers) {
                        keep(self.found.entry(at).or_default(), reached);
                    }
                }
            }
        }
    }

    fn shell(
        &mut self,
        role: usize,
        to: &Node,
        at: usize,
        restricted: &FxHashMap<usize, Node>,
        exposure: &Exposure,
        answers: bool,
    ) -> Option<Reached> {
        let search = self.search;
        let edge = search.steps.through(search.node(at)?, to, exposure)?;
        let anonymous = Exposure { ties: Ties { tags: None, ..exposure.ties.clone() }, ..exposure.clone() };
        search.steps.through(restricted.get(&at)?, to, &anonymous)?;
        let surplus = self.gained(role, at)?;
        let mut depends_on = edge.depends_on;
        depends_on.retain(|what| !answers || *what != CHANNELS);
        let place = match ROWS.get(exposure.row).map(|row| row.needs) {
            Some([("ecs:UpdateService", _), ..]) => exposure.ties.service.clone(),
            _ => exposure.ties.task.clone(),
        };
        Some(Reached { role, permissions: edge.permissions, places: place.into_iter().collect(), surplus, depends_on })
    }
}

/// What a principal can do to put any role to work on ECS, the surest way.
fn best_placement(search: &Search<'_>, from: &Node) -> Option<(&'static Row, Place, Placement)> {
    let mut best: Option<(&'static Row, Place, Placement)> = None;
    for row in ROWS.iter().filter(|row| row.needs.iter().any(|(action, _)| action.starts_with("ecs:"))).chain(MORE) {
        let How::Pass { service: TASKS, place, unverified } = row.how else { continue };
        let Some(mut placement) = search.steps.placement(from, row, place) else { continue };
        placement.unverified.extend(unverified.map(CompactString::from));
        let is_certain = placement.unverified.is_empty() && placement.grants.iter().all(|grant| grant.depends_on.is_empty());
        if is_certain {
            return Some((row, place, placement));
        }
        best.get_or_insert((row, place, placement));
    }
    best
}

/// The same principal where the task has no tags and the container a name that nobody gives: what remains is not limited
/// to some tasks or containers.
fn without_limits(node: &Node) -> Node {
    let mut context = node.context.clone();
    context.set("ecs:container-name", KeyState::known("plimsoll-unnamed"));
    for family in ["aws:ResourceTag/", "ecs:ResourceTag/", "ssm:resourceTag/"] {
        context.set_family(family, KeyState::Absent);
    }
    Node { principal: node.principal, caller: node.caller.clone(), policies: node.policies.clone(), context, mask: node.mask, change: None }
}

/// Those ways of these rows that differ in more than the id of a task.
fn distinct<'e>(exposures: &'e [Exposure], rows: &[usize]) -> Vec<&'e Exposure> {
    type Place<'e> = (usize, Option<&'e CompactString>, Option<&'e CompactString>, Option<&'e Vec<(CompactString, CompactString)>>, bool);
    let mut seen: FxHashMap<Place<'e>, usize> = FxHashMap::default();
    let mut kept = Vec::new();
    for exposure in exposures.iter().filter(|exposure| rows.contains(&exposure.row)) {
        let Ties { cluster, service, tags, .. } = &exposure.ties;
        let place = (exposure.row, cluster.as_ref(), service.as_ref(), tags.as_ref(), exposure.unverified.is_empty());
        let count = seen.entry(place).or_default();
        *count += 1;
        if *count <= ALIKE {
            kept.push(exposure);
        }
    }
    kept
}

/// Adds a way to a role: the surest is told, all places are named.
fn keep(all: &mut Vec<Reached>, reached: Reached) {
    let Some(last) = all.last_mut().filter(|last| last.role == reached.role) else {
        all.push(reached);
        return;
    };
    let surer = reached.depends_on.is_empty() && !last.depends_on.is_empty();
    let places: Vec<CompactString> = if surer {
        (last.permissions, last.depends_on) = (reached.permissions, reached.depends_on);
        reached.places.into_iter().chain(std::mem::take(&mut last.places)).collect()
    } else {
        std::mem::take(&mut last.places).into_iter().chain(reached.places).collect()
    };
    let mut seen = FxHashSet::default();
    last.places = places.into_iter().filter(|place| seen.insert(place.clone())).take(PLACES).collect();
}

fn reached(
    role: usize,
    grants: Vec<Grant>,
    unverified: Vec<CompactString>,
    places: Vec<CompactString>,
    surplus: Option<(CompactString, CompactString)>,
) -> Reached {
    let mut depends_on: Vec<CompactString> = grants.iter().flat_map(|grant| grant.depends_on.iter().cloned()).chain(unverified).collect();
    depends_on.sort_unstable();
    depends_on.dedup();
    Reached { role, permissions: grants.into_iter().map(|grant| grant.permission).collect(), places, surplus, depends_on }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::escalation::tests::{RUN, allow, everything, managed, role, task, task_role, trusting, user, with_cluster};
    use crate::escalation::{Landscape, escalate};

    fn look(landscape: &Landscape) -> ThroughEcs {
        Search::new(landscape).through_ecs(&escalate(landscape), 10)
    }

    /// The names of the roles that the first principal runs code as.
    fn run_as(landscape: &Landscape) -> Vec<String> {
        names(landscape, look(landscape).runs.get(&0))
    }

    fn names(landscape: &Landscape, reached: Option<&Arc<[Reached]>>) -> Vec<String> {
        let arns = reached.into_iter().flat_map(|all| all.iter()).map(|one| landscape.principals[one.role].arn());
        arns.map(|arn| arn.rsplit('/').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn roles_come_in_the_order_of_what_they_lead_to() {
        let up = task_role("up", &allow(&["iam:PutRolePolicy"], &role("up")));
        let weak = task_role("a-weak", &allow(&["s3:GetObject"], "*"));
        let none = task_role("none", &allow(&["ecs:RunTask"], "*"));
        let landscape = with_cluster(vec![user("ci", &allow(&RUN, "*")), weak, none, up, task_role("z-admin", &everything())]);
        assert_eq!(run_as(&landscape), ["z-admin", "up", "a-weak"]);
        let of_weak = &look(&landscape).runs[&0][2];
        assert_eq!(of_weak.surplus.as_ref().map(|(action, _)| action.as_str()), Some("s3:GetObject"));
        assert_eq!(of_weak.places, [landscape.clusters[0].arn.clone()]);
        assert!(of_weak.depends_on.is_empty() && of_weak.permissions.len() == 3);
    }

    #[test]
    fn a_role_is_passed_to_ecs_and_nowhere_else() {
        let passing = |service: &str| {
            let pass = json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": service}}});
            with_cluster(vec![user("ci", &json!([pass, allow(&["ecs:*"], "*")])), task_role("admin", &everything())])
        };
        assert_eq!(run_as(&passing("ecs-tasks.amazonaws.com")), ["admin"]);
        assert!(run_as(&passing("lambda.amazonaws.com")).is_empty());
        let elsewhere = trusting("admin", &json!({"Service": "lambda.amazonaws.com"}), &everything());
        assert!(run_as(&with_cluster(vec![user("ci", &allow(&RUN, "*")), elsewhere])).is_empty());
        assert!(run_as(&with_cluster(vec![user("ci", &everything()), task_role("admin", &everything())])).is_empty());
    }

    #[test]
    fn starting_what_exists_and_adding_task_sets_run_code_too() {
        let with = |action: &str| {
            let ci = user("ci", &allow(&["iam:PassRole", "ecs:RegisterTaskDefinition", action], "*"));
            with_cluster(vec![ci, task_role("admin", &everything())])
        };
        let mut start = with("ecs:StartTask");
        assert!(run_as(&start).is_empty(), "on no instance");
        let instance = crate::escalation::Instance {
            arn: "arn:aws:ec2:us-east-1:111122223333:instance/i-1".into(),
            container_instance: Some("arn:aws:ecs:us-east-1:111122223333:container-instance/prod/c".into()),
            cluster: Some(start.clusters[0].arn.clone()),
            role: None,
            imds_from_containers: Tri::False,
            ssm_agent: Tri::False,
            pod_roles: Vec::new(),
        };
        start.instances.push(instance);
        assert_eq!(run_as(&start), ["admin"]);
        start.principals[0].inline = user("ci", &allow(&["iam:PassRole", "ecs:StartTask"], "*")).inline;
        assert!(run_as(&start).is_empty(), "from no definition");
        let arn = "arn:aws:ecs:us-east-1:111122223333:task-definition/web:1".into();
        start.task_definitions.push(crate::escalation::TaskDefinition { arn });
        assert_eq!(run_as(&start), ["admin"]);
        let mut sets = with("ecs:CreateTaskSet");
        assert!(run_as(&sets).is_empty(), "in no service");
        let cluster = sets.clusters[0].arn.clone();
        let arn = "arn:aws:ecs:us-east-1:111122223333:service/prod/web".into();
        sets.services.push(crate::escalation::Service { arn, cluster, task_role: None, tags: Some(Vec::new()) });
        assert_eq!(run_as(&sets), ["admin"]);
        assert!(!look(&sets).runs[&0][0].depends_on.is_empty());
    }

    #[test]
    fn those_who_hold_the_same_policies_reach_the_same() {
        let shared = managed("deploy", &allow(&RUN, "*"));
        let mut users = vec![user("one", &everything()), user("two", &everything())];
        for user in &mut users {
            user.inline.clear();
            user.attached.push(shared.clone());
        }
        users.push(task_role("admin", &everything()));
        let landscape = with_cluster(users);
        let runs = look(&landscape).runs;
        assert_eq!(runs.keys().copied().collect::<Vec<_>>(), [0, 1]);
        assert!(Arc::ptr_eq(&runs[&0], &runs[&1]));
    }

    #[test]
    fn a_shell_opens_where_the_task_was_started_for_it() {
        let inside = |statement: &serde_json::Value, exec: Tri| {
            let mut landscape = with_cluster(vec![user("dev", statement), task_role("admin", &everything())]);
            let mut one = task("admin", exec, None);
            one.tags = Some(vec![("env".into(), "test".into())]);
            landscape.tasks = vec![one];
            look(&landscape).shells.get(&0).map(|all| all[0].clone())
        };
        let found = inside(&allow(&["ecs:ExecuteCommand"], "*"), Tri::True).unwrap();
        assert_eq!(found.places, ["arn:aws:ecs:us-east-1:111122223333:task/prod/admin"]);
        assert!(found.depends_on.is_empty(), "{found:?}");
        assert!(inside(&allow(&["ecs:ExecuteCommand"], "*"), Tri::False).is_none());
        assert!(inside(&allow(&["ssm:StartSession"], "arn:aws:ecs:*:*:task/prod/*"), Tri::True).is_some());
        for condition in [
            json!({"StringEquals": {"aws:ResourceTag/env": "test"}}),
            json!({"StringEquals": {"ecs:container-name": "app"}}),
            json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        ] {
            let limited = json!({"Effect": "Allow", "Action": "ecs:ExecuteCommand", "Resource": "*", "Condition": condition});
            assert!(inside(&limited, Tri::True).is_none(), "{limited}");
        }
        let spared = json!([allow(&["ecs:ExecuteCommand"], "*"),
            {"Effect": "Deny", "Action": "ecs:ExecuteCommand", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/env": "test"}}}]);
        assert!(inside(&spared, Tri::True).is_none());
    }

    #[test]
    fn a_service_may_be_told_to_let_shells_in() {
        let landscape = |actions: &[&str]| {
            let mut landscape = with_cluster(vec![user("dev", &allow(actions, "*")), task_role("app", &allow(&["s3:GetObject"], "*"))]);
            let arn = "arn:aws:ecs:us-east-1:111122223333:service/prod/web".into();
            let (cluster, task_role) = (landscape.clusters[0].arn.clone(), Some(role("app").into()));
            landscape.services.push(crate::escalation::Service { arn, cluster, task_role, tags: Some(Vec::new()) });
            landscape
        };
        let found = look(&landscape(&["ecs:ExecuteCommand", "ecs:UpdateService"]));
        assert_eq!(found.shells[&0][0].places, ["arn:aws:ecs:us-east-1:111122223333:service/prod/web"]);
        assert_eq!(found.shells[&0][0].depends_on, [CHANNELS]);
        assert!(look(&landscape(&["ecs:ExecuteCommand"])).shells.is_empty());
        assert!(look(&landscape(&["ecs:ExecuteCommand", "ecs:UpdateService", "s3:*"])).shells.is_empty());
    }
}
