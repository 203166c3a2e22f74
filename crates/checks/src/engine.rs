//! Runs checks over an estate and turns judgements into findings: identity, context, coverage, order.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_graph::{Closed, Estate, Node, Place};
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::{
    AccountId, Arn, Compliance, Confidence, Exception, ExceptionUse, Finding, Gap, LaunchKind, Region, Remediation, Resource, ResourceRef,
    Severity, Status, Summary, finding_id, partition_of,
};
use serde_json::{Value, json};
use thiserror::Error;

use crate::check::{Check, Failure, Judgement, Responsibility, Verdict};
use crate::context::Context;
use crate::overrides;
use crate::registry::CHECKS;

/// What to report, and what the configuration says of findings.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Report passed verdicts too.
    pub include_passed: bool,
    /// Report suppressed findings too.
    pub include_suppressed: bool,
    /// Severities that replace the judged ones, by check.
    pub severities: BTreeMap<String, Severity>,
    /// Findings that are accepted; of several that name a finding the first gives the reason.
    pub exceptions: Vec<Exception>,
}

/// The checks to run.
#[derive(Clone, Debug)]
pub struct Selection(Vec<&'static Check>);

/// Why a selection is impossible.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectionError {
    /// There is no such check.
    #[error("there is no check {name}{}", nearest.map_or(String::new(), |id| format!("; did you mean {id}?")))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The id that looks most like it.
        nearest: Option<&'static str>,
    },
    /// Everything was skipped.
    #[error("no check is left to run")]
    Empty,
}

impl Default for Selection {
    fn default() -> Self {
        Self(CHECKS.to_vec())
    }
}

impl Selection {
    /// The checks named in `only` (all when empty) without those in `skip`; `*` in a name matches any text.
    pub fn new(only: &[String], skip: &[String]) -> Result<Self, SelectionError> {
        for name in only.iter().chain(skip) {
            if !CHECKS.iter().any(|check| named(check, name)) {
                return Err(SelectionError::Unknown { name: name.clone(), nearest: nearest(name) });
            }
        }
        let wanted =
            |check: &Check| (only.is_empty() || only.iter().any(|name| named(check, name))) && !skip.iter().any(|name| named(check, name));
        let checks: Vec<_> = CHECKS.iter().copied().filter(|check| wanted(check)).collect();
        if checks.is_empty() { Err(SelectionError::Empty) } else { Ok(Self(checks)) }
    }

    /// The checks, in the order of the catalogue.
    pub fn checks(&self) -> &[&'static Check] {
        &self.0
    }
}

fn named(check: &Check, pattern: &str) -> bool {
    plimsoll_model::policy::wildcard_match(pattern, check.id)
}

/// The id with the most three-letter pieces in common.
fn nearest(name: &str) -> Option<&'static str> {
    let pieces = |text: &str| -> Vec<Vec<char>> { text.chars().collect::<Vec<_>>().windows(3).map(<[char]>::to_vec).collect() };
    let wanted = pieces(name);
    let score = |id: &str| {
        let have = pieces(id);
        (wanted.iter().filter(|piece| have.contains(piece)).count() * 1000).checked_div(have.len() + wanted.len()).unwrap_or(0)
    };
    CHECKS
        .iter()
        .map(|check| (score(check.id), check.id))
        .max_by_key(|(score, _)| *score)
        .filter(|(score, _)| *score > 100)
        .map(|(_, id)| id)
}

/// The verdict on one resource, kept for whoever asks about the resource later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Position of the check in the selection.
    pub check: u16,
    /// Kind of the resource, as in snapshots.
    pub kind: &'static str,
    /// Position of the resource in the inventory's list of its kind.
    pub index: u32,
    /// The verdict.
    pub state: OutcomeState,
}

/// A verdict without its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeState {
    /// The condition holds.
    Fail,
    /// It could not be decided.
    Unknown,
    /// It does not hold.
    Pass,
    /// The check says nothing of it.
    NotApplicable,
}

/// What the checks said.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// The checks that ran.
    pub checks: Vec<&'static Check>,
    /// Findings in the order of the contract.
    pub findings: Vec<Finding>,
    /// Counts of all verdicts.
    pub summary: Summary,
    /// Every verdict on a resource of the inventory; exceptions and severities of the configuration leave it as it is.
    pub outcomes: Vec<Outcome>,
    /// What became of the exceptions.
    pub exceptions: Vec<ExceptionUse>,
}

/// Runs the selected checks.
pub fn evaluate<'e>(estate: &'e Estate<'e>, selection: &Selection, options: Options) -> Evaluation {
    evaluate_in(estate, selection, options, Surroundings::Counted)
}

/// Whether what surrounds a workload moves severities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surroundings {
    Counted,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests of checks look at the check alone"))]
    Ignored,
}

pub(crate) fn evaluate_in<'e>(estate: &'e Estate<'e>, selection: &Selection, options: Options, surroundings: Surroundings) -> Evaluation {
    let mut evaluation = Evaluation { checks: selection.0.clone(), ..Evaluation::default() };
    for (check, position) in selection.0.iter().zip(0_u16..) {
        let mut verdicts = Verdicts {
            estate,
            check,
            position,
            surroundings,
            include_passed: options.include_passed,
            controls: Arc::new(check.controls()),
            holes: Holes::new(estate, check),
            looked_clean: CleanByPlace::new(),
            evaluation,
        };
        (check.evaluate)(estate, &mut verdicts);
        verdicts.report_holes();
        evaluation = verdicts.evaluation;
    }
    let header = &estate.inventory().header;
    overrides::apply(&mut evaluation, options, &header.scope, header.finished_at);
    Finding::sort(&mut evaluation.findings);
    evaluation
}

/// What is missing for one check, by account.
#[derive(Default)]
struct Holes {
    by_account: BTreeMap<AccountId, Vec<Hole>>,
}

/// What is missing in one account and Region for one check.
struct Hole {
    region: Region,
    gaps: Vec<Gap>,
}

impl Holes {
    /// Every account and Region where a listing that the check rests on failed.
    fn new(estate: &Estate<'_>, check: &Check) -> Self {
        let mut holes = Self::default();
        for operation in check.needs.iter().filter(|operation| !check.shades.contains(operation)) {
            // A resource of another type that could not be described leaves a hole too; one of the check's own type is
            // reported by itself.
            let others = DESCRIBING.iter().any(|(kind, describes)| describes == operation && *kind != check.resource);
            let undescribed = estate.coverage().undescribed(operation).filter(|_| others);
            for gap in estate.coverage().listing_gaps(operation).chain(undescribed) {
                let account = holes.by_account.entry(gap.account.clone()).or_default();
                match account.iter_mut().find(|hole| hole.region == gap.region) {
                    Some(hole) => hole.gaps.push(gap.clone()),
                    None => account.push(Hole { region: gap.region.clone(), gaps: vec![gap.clone()] }),
                }
            }
        }
        holes
    }

    fn cover(&self, account: &AccountId, region: &Region) -> bool {
        self.by_account.get(account).is_some_and(|holes| holes.iter().any(|hole| hole.covers(region)))
    }
}

/// Takes the verdicts of one check.
pub struct Verdicts<'e> {
    estate: &'e Estate<'e>,
    check: &'static Check,
    position: u16,
    surroundings: Surroundings,
    include_passed: bool,
    controls: Arc<Compliance>,
    holes: Holes,
    looked_clean: CleanByPlace,
    evaluation: Evaluation,
}

impl<'e> Verdicts<'e> {
    /// Judges each of these resources.
    pub(crate) fn each<T: Resource + 'e>(
        &mut self,
        nodes: impl IntoIterator<Item = Node<'e, T>>,
        judge: impl Fn(Node<'e, T>) -> Judgement,
    ) {
        for node in nodes {
            self.judge(node, judge(node));
        }
    }

    /// Judges every task definition in scope.
    pub(crate) fn each_definition(&mut self, judge: impl Fn(Node<'e, TaskDefinition>) -> Judgement) {
        for node in self.estate.definitions_in_scope() {
            self.judge_shaded(node, judge(node), || Context::of_definition(node));
        }
    }

    /// Takes the judgement of one resource.
    pub(crate) fn judge<T: Resource + 'e>(&mut self, node: Node<'e, T>, judgement: Judgement) {
        self.judge_shaded(node, judgement, Context::default);
    }

    fn judge_shaded<T: Resource + 'e>(&mut self, node: Node<'e, T>, judgement: Judgement, context: impl FnOnce() -> Context) {
        let state = match judgement {
            Ok(Verdict::NotApplicable) => OutcomeState::NotApplicable,
            Ok(Verdict::Pass) if self.is_holed(node.account(), node.region()) => {
                self.look_clean(node.account(), node.region());
                OutcomeState::Unknown
            }
            Ok(Verdict::Pass) => {
                self.pass(|| node.reference());
                OutcomeState::Pass
            }
            Ok(Verdict::Fail(failure)) => {
                let mut context = context();
                if self.surroundings == Surroundings::Counted {
                    context = context.and(Context::of_workload(self.estate, self.check.area, T::KIND, node.index()));
                }
                self.fail(node.reference(), *failure, context);
                OutcomeState::Fail
            }
            Err(unknown) => {
                self.unknown(node.reference(), &[unknown.gap], None);
                OutcomeState::Unknown
            }
        };
        self.evaluation.outcomes.push(Outcome { check: self.position, kind: T::KIND, index: node.index(), state });
    }

    /// Takes the judgement of something that is no resource of the inventory, such as an access key.
    pub(crate) fn judge_reference(&mut self, resource: ResourceRef, judgement: Judgement) {
        match judgement {
            Ok(Verdict::NotApplicable) => {}
            Ok(Verdict::Pass) if self.is_holed(&resource.account, &resource.region) => {
                self.look_clean(&resource.account, &resource.region);
            }
            Ok(Verdict::Pass) => self.pass(|| resource),
            Ok(Verdict::Fail(failure)) => self.fail(resource, *failure, Context::default()),
            Err(unknown) => self.unknown(resource, &[unknown.gap], None),
        }
    }

    /// Takes the judgement of an account and Region with containers as a whole, as of resources of type `T`.
    pub(crate) fn judge_place<T: Resource>(&mut self, place: Place<'e>, judgement: Judgement) {
        let state = match &judgement {
            Ok(Verdict::NotApplicable) => OutcomeState::NotApplicable,
            Ok(Verdict::Pass) if !self.is_holed(place.account, place.region) => OutcomeState::Pass,
            Ok(Verdict::Fail(_)) => OutcomeState::Fail,
            Ok(Verdict::Pass) | Err(_) => OutcomeState::Unknown,
        };
        if let Some(index) = self.estate.position_of(place) {
            self.evaluation.outcomes.push(Outcome { check: self.position, kind: Place::KIND, index, state });
        }
        let resource = ResourceRef {
            arn: place.arn_of::<T>(),
            kind: T::TYPE.into(),
            account: place.account.clone(),
            region: place.region.clone(),
            name: place.region.to_string(),
            tags: BTreeMap::new(),
        };
        self.judge_reference(resource, judgement);
    }

    fn is_holed(&self, account: &AccountId, region: &Region) -> bool {
        self.holes.cover(account, region) || self.is_closed(account, region)
    }

    fn look_clean(&mut self, account: &AccountId, region: &Region) {
        *self.looked_clean.entry(account.clone()).or_default().entry(region.clone()).or_default() += 1;
    }

    /// Whether nobody could enter the place, or for a global resource one of the places, that the check rests on.
    fn is_closed(&self, account: &AccountId, region: &Region) -> bool {
        let Some(closed) = self.estate.coverage().closed(account) else { return false };
        self.check.needs.iter().any(|operation| !self.check.shades.contains(operation) && closed.gap(region, operation).is_some())
    }

    fn pass(&mut self, resource: impl FnOnce() -> ResourceRef) {
        self.evaluation.summary.pass += 1;
        if self.include_passed {
            let finding = self.finding(resource(), Status::Pass, self.check.severity, String::new(), Value::Null, "");
            self.evaluation.findings.push(finding);
        }
    }

    fn fail(&mut self, resource: ResourceRef, failure: Failure, context: Context) {
        let base = failure.severity.unwrap_or(self.check.severity);
        let context = context.and(Context::of_tags(self.estate, &resource));
        let mut finding = self.finding(resource, Status::Fail, base, failure.message, failure.evidence, &failure.discriminator);
        let (severity, reason) = context.shade(base);
        finding.severity = severity;
        finding.severity_reason = reason.into();
        finding.confidence = failure.confidence;
        finding.path = failure.path;
        if let Some(launch) = context.launch {
            finding.responsibility = self.responsibility(launch).as_str().into();
        }
        self.evaluation.summary.fail.add(finding.severity);
        self.evaluation.findings.push(finding);
    }

    fn unknown(&mut self, resource: ResourceRef, gaps: &[Gap], note: Option<String>) {
        self.undecided(resource, gaps, note, "");
    }

    fn undecided(&mut self, resource: ResourceRef, gaps: &[Gap], note: Option<String>, discriminator: &str) {
        let mut reasons: Vec<String> = gaps.iter().map(reason).collect();
        reasons.dedup();
        let message = note.map_or_else(|| format!("not decided: {}", reasons.join("; ")), |note| format!("{note}: {}", reasons.join("; ")));
        let missing: Vec<Value> = gaps
            .iter()
            .map(|gap| json!({"operation": gap.operation, "code": gap.code, "resource": gap.resource, "region": gap.region}))
            .collect();
        let mut finding = self.finding(resource, Status::Unknown, self.check.severity, message, json!({"missing": missing}), discriminator);
        finding.confidence = Confidence::Possible;
        self.evaluation.summary.unknown += 1;
        self.evaluation.findings.push(finding);
    }

    fn finding(
        &self,
        resource: ResourceRef,
        status: Status,
        severity: Severity,
        message: String,
        evidence: Value,
        discriminator: &str,
    ) -> Finding {
        let check = self.check;
        Finding {
            id: finding_id(check.id, &resource.arn, discriminator),
            check: check.id.into(),
            status,
            severity,
            base_severity: severity,
            suppression: None,
            severity_reason: "".into(),
            confidence: Confidence::Certain,
            title: check.title.into(),
            message,
            resource,
            evidence,
            path: Vec::new(),
            responsibility: self.default_responsibility().as_str().into(),
            remediation: Remediation { text: check.remediation.text.into(), cli: check.remediation.cli.into() },
            compliance: Arc::clone(&self.controls),
        }
    }

    /// Whoever has to act in the first launch type that the check applies to and that is not AWS's alone.
    fn default_responsibility(&self) -> Responsibility {
        let by = self.check.responsibility;
        let acts = |r: &Responsibility| matches!(r, Responsibility::Customer | Responsibility::Shared);
        [by.ec2, by.fargate, by.eks].into_iter().find(acts).unwrap_or(Responsibility::Aws)
    }

    fn responsibility(&self, launch: LaunchKind) -> Responsibility {
        let by = self.check.responsibility;
        let stated = if launch == LaunchKind::Fargate { by.fargate } else { by.ec2 };
        if stated == Responsibility::NotApplicable { self.default_responsibility() } else { stated }
    }

    /// One unknown finding for each account and Region where a listing failed, one for each resource that could not
    /// be described, and one for what this snapshot's collector never reads: an empty list must not look clean.
    fn report_holes(&mut self) {
        let clean = std::mem::take(&mut self.looked_clean);
        for (account, holes) in std::mem::take(&mut self.holes).by_account {
            for hole in holes {
                let clean =
                    clean.get(&account).into_iter().flatten().filter(|(region, _)| hole.covers(region)).map(|(_, count)| count).sum();
                self.unknown(self.place(&account, &hole.region), &hole.gaps, Some(withheld(clean)));
            }
        }
        self.report_closed(&clean);
        self.report_undescribed();
        let never = self.check.needs.iter().copied();
        let never = never.filter(|operation| !self.check.shades.contains(operation) && !self.estate.coverage().collects(operation));
        // Where clusters of Kubernetes were listed, what is inside them matters in their places only.
        let listed = self.estate.coverage().collects("eks:ListClusters");
        let (inside, never): (Vec<&str>, Vec<&str>) = never.partition(|operation| listed && is_of_kubernetes(operation));
        self.report_kubernetes(&inside);
        if !never.is_empty() {
            let coverage = self.estate.coverage();
            let accounts = self.estate.inventory().header.scope.accounts.iter();
            // Of an account that nobody could enter its own gap says all.
            for account in accounts.filter(|account| coverage.closed(account).and_then(Closed::account).is_none()) {
                let gaps: Vec<Gap> = never.iter().map(|operation| Gap::not_collected(operation)).collect();
                self.unknown(
                    self.place(account, &Region::new("*")),
                    &gaps,
                    Some("part of the scope is not read by this version".to_owned()),
                );
            }
        }
    }

    /// One unknown finding for each account and Region with an EKS cluster whose inside this version does not read. What
    /// runs outside Kubernetes is decided without it, so that nothing is withheld.
    fn report_kubernetes(&mut self, operations: &[&str]) {
        if operations.is_empty() {
            return;
        }
        let gaps: Vec<Gap> = operations.iter().map(|operation| Gap::not_collected(operation)).collect();
        for (account, region) in self.estate.places_of_kubernetes() {
            let note = "the Kubernetes API of the EKS clusters here is not read by this version".to_owned();
            self.undecided(self.place(account, region), &gaps, Some(note), "kubernetes");
        }
    }

    /// A closed account or Region is told by its gap, once for all checks. Where a check withholds verdicts because of
    /// it, that is told too, once for each account.
    fn report_closed(&mut self, clean: &CleanByPlace) {
        let coverage = self.estate.coverage();
        for (account, regions) in clean {
            let Some(closed) = coverage.closed(account) else { continue };
            let count = regions.iter().filter(|(region, _)| self.is_closed(account, region)).map(|(_, count)| count).sum();
            if count > 0 {
                let gaps: Vec<Gap> = closed.gaps().cloned().collect();
                self.undecided(self.place(account, &Region::global()), &gaps, Some(withheld(count)), "closed");
            }
        }
    }

    fn report_undescribed(&mut self) {
        let Some((_, operation)) = DESCRIBING.iter().find(|(kind, _)| *kind == self.check.resource) else { return };
        for gap in self.estate.coverage().undescribed(operation) {
            let Some(arn) = &gap.resource else { continue };
            let resource = ResourceRef {
                arn: arn.clone(),
                kind: self.check.resource.into(),
                account: gap.account.clone(),
                region: gap.region.clone(),
                name: Arn::parse(arn).map_or(arn.as_str(), |arn| arn.name()).to_owned(),
                tags: std::collections::BTreeMap::new(),
            };
            self.unknown(resource, std::slice::from_ref(gap), None);
        }
    }

    /// Stands for all resources of the check's type in an account and Region.
    fn place(&self, account: &AccountId, region: &Region) -> ResourceRef {
        let service = self.check.resource.split("::").nth(1).unwrap_or_default().to_lowercase();
        let partition = partition_of(region.as_str());
        let at = if region.is_global() { "" } else { region.as_str() };
        ResourceRef {
            arn: format!("arn:{partition}:{service}:{at}:{account}:*"),
            kind: self.check.resource.into(),
            account: account.clone(),
            region: region.clone(),
            name: "*".to_owned(),
            tags: std::collections::BTreeMap::new(),
        }
    }
}

impl Hole {
    fn covers(&self, region: &Region) -> bool {
        self.region == *region || self.region.is_global() || region.is_global()
    }
}

/// How many resources would pass but for what was not read, by account and Region.
type CleanByPlace = BTreeMap<AccountId, BTreeMap<Region, usize>>;

fn withheld(clean: usize) -> String {
    match clean {
        0 => "not everything in scope was read".to_owned(),
        1 => "not everything in scope was read; 1 resource that looks clean is withheld".to_owned(),
        n => format!("not everything in scope was read; {n} resources that look clean are withheld"),
    }
}

/// Whether an operation reads what is inside clusters of Kubernetes, or belongs to them: where there are none, it has
/// nothing to answer.
fn is_of_kubernetes(operation: &str) -> bool {
    operation.starts_with("k8s:") || operation.starts_with("eks:") && operation != "eks:ListClusters"
}

/// The operations that describe listed resources and may fail for one of them, by type.
const DESCRIBING: &[(&str, &str)] = &[
    ("AWS::ECS::Cluster", <plimsoll_model::aws::ecs::Cluster as Resource>::OPERATION),
    ("AWS::ECS::Service", <plimsoll_model::aws::ecs::Service as Resource>::OPERATION),
    ("AWS::ECS::Task", <plimsoll_model::aws::ecs::Task as Resource>::OPERATION),
    ("AWS::ECS::TaskDefinition", <TaskDefinition as Resource>::OPERATION),
    ("AWS::ECS::ContainerInstance", <plimsoll_model::aws::ecs::ContainerInstance as Resource>::OPERATION),
    ("AWS::EKS::Cluster", <plimsoll_model::aws::eks::Cluster as Resource>::OPERATION),
    ("AWS::EKS::Addon", <plimsoll_model::aws::eks::Addon as Resource>::OPERATION),
    ("AWS::EKS::Nodegroup", <plimsoll_model::aws::eks::Nodegroup as Resource>::OPERATION),
    ("AWS::EKS::PodIdentityAssociation", <plimsoll_model::aws::eks::PodIdentityAssociation as Resource>::OPERATION),
];

fn reason(gap: &Gap) -> String {
    let place = gap.resource.as_deref().map_or(String::new(), |resource| format!(" on {resource}"));
    if gap.code == Gap::NOT_COLLECTED {
        format!("{}{place} was not collected", gap.operation)
    } else if gap.closes_region() {
        format!("{} is closed to the scan ({})", gap.region, gap.message)
    } else if gap.is_answered() && !gap.message.is_empty() {
        gap.message.clone()
    } else if gap.is_denied() {
        format!("{}{place} was denied ({}): allow it", gap.operation, gap.code)
    } else {
        format!("{}{place} failed ({})", gap.operation, gap.code)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_graph::Estate;
    use plimsoll_model::aws::ec2::NetworkAcl;
    use plimsoll_model::aws::ecs::{Cluster, Screened, TaskDefinition};
    use plimsoll_model::{Finding, Gap, Severity, Status};

    use super::{CHECKS, Options, Selection, evaluate};
    use crate::check::{Check, Verdict};

    /// A check of every ECS cluster and, as if that were of one piece with it, of pods.
    fn of_both() -> &'static Check {
        let check = Check {
            resource: "AWS::ECS::Cluster",
            needs: &["ecs:ListClusters", "eks:ListClusters", "eks:ListNodegroups", "k8s:list pods"],
            shades: &[],
            evaluate: |estate, verdicts| verdicts.each(estate.all::<Cluster>(), |_| Ok(Verdict::Pass)),
            ..**CHECKS.first().unwrap()
        };
        Box::leak(Box::new(check))
    }

    /// How many passed, and what was not decided.
    fn run(account: Fixture) -> (usize, Vec<Finding>) {
        let inventory = account.cluster("shop", |_| {}).build();
        let evaluation = evaluate(&Estate::new(&inventory), &Selection(vec![of_both()]), Options::default());
        assert!(evaluation.findings.iter().all(|finding| finding.status == Status::Unknown));
        (evaluation.summary.pass, evaluation.findings)
    }

    #[test]
    fn kubernetes_matters_only_where_a_cluster_of_it_is() {
        let (passed, unknown) = run(fixture().region("eu-west-3"));
        assert_eq!((passed, unknown.len()), (1, 0));
        let (passed, unknown) = run(fixture().region("eu-west-3").eks_cluster("k", |_| {}).region("us-east-1"));
        assert_eq!((passed, unknown.len()), (1, 1));
        assert_eq!((unknown[0].resource.region.as_str(), unknown[0].resource.name.as_str()), ("eu-west-3", "*"));
        assert!(unknown[0].message.contains("Kubernetes API") && unknown[0].message.contains("k8s:list pods"), "{}", unknown[0].message);
    }

    #[test]
    fn what_is_not_read_inside_kubernetes_withholds_nothing_outside() {
        let (passed, unknown) = run(fixture().eks_cluster("k", |_| {}));
        assert_eq!((passed, unknown.len()), (1, 1));
    }

    #[test]
    fn a_refused_listing_of_kubernetes_withholds_what_looks_clean() {
        for operation in ["eks:ListClusters", "eks:ListNodegroups"] {
            let resource = (operation != "eks:ListClusters").then(|| "arn:aws:eks:us-east-1:111111111111:cluster/k".to_owned());
            let gap = Gap { resource, ..gap(operation) };
            let (passed, unknown) = run(fixture().with(|inventory| inventory.gaps.push(gap)));
            assert_eq!(passed, 0);
            assert!(unknown.iter().any(|finding| finding.message.contains(operation)), "{unknown:?}");
        }
    }

    /// The severity of a plaintext secret in the shop's task definition, and why it is not that of the check.
    fn severity_of_a_secret(account: Fixture) -> (Severity, String) {
        let account = account.each::<TaskDefinition>(|definition| {
            let container = definition.container_definitions.first_mut().unwrap();
            let (name, looks_like) = ("DB_PASSWORD".to_owned(), Some("named-secret".to_owned()));
            container.environment = vec![Screened { name, looks_like, ..Screened::default() }];
        });
        let inventory = account.build();
        let check = CHECKS.iter().find(|check| check.id == "ecs-task-definition-plaintext-secret-environment").unwrap();
        let evaluation = evaluate(&Estate::new(&inventory), &Selection(vec![*check]), Options::default());
        let finding = evaluation.findings.into_iter().find(|finding| finding.status == Status::Fail).unwrap();
        (finding.severity, finding.severity_reason.into_owned())
    }

    #[test]
    fn what_the_internet_reaches_weighs_more_and_what_it_does_not_weighs_less() {
        assert_eq!(severity_of_a_secret(fixture().shop()), (Severity::Medium, "nothing on the internet reaches it".to_owned()));
        assert_eq!(
            severity_of_a_secret(fixture().shop().facing_internet(8080)),
            (Severity::Critical, "reachable from the internet".to_owned())
        );
        let unread = fixture().shop().facing_internet(8080).without::<NetworkAcl>().denied("ec2:DescribeNetworkAcls");
        assert_eq!(severity_of_a_secret(unread), (Severity::High, String::new()));
    }

    #[test]
    fn what_is_tagged_as_production_weighs_one_step_more() {
        let check = CHECKS.iter().find(|check| check.id == "ecs-cluster-container-insights-disabled").unwrap();
        let severity = |value: &str| {
            let tag = plimsoll_model::aws::ecs::Tag { key: "env".to_owned(), value: value.to_owned() };
            let inventory = fixture()
                .cluster("shop", |cluster| {
                    cluster.settings.clear();
                    cluster.tags.push(tag);
                })
                .build();
            let evaluation = evaluate(&Estate::new(&inventory), &Selection(vec![*check]), Options::default());
            let finding = evaluation.findings.into_iter().find(|finding| finding.status == Status::Fail).unwrap();
            assert_eq!(finding.base_severity, check.severity);
            (finding.severity, finding.severity_reason.into_owned())
        };
        assert_eq!(severity("test"), (check.severity, String::new()));
        assert_eq!(severity("prod"), (check.severity.raise(), "tagged as production".to_owned()));
    }

    #[test]
    fn a_snapshot_without_listing_of_kubernetes_leaves_it_open_everywhere() {
        let (_, unknown) = run(fixture().not_collected("eks:ListClusters").not_collected("eks:ListNodegroups"));
        assert_eq!((unknown.len(), unknown[0].resource.region.as_str()), (1, "*"));
        assert!(["eks:ListClusters", "eks:ListNodegroups", "k8s:list pods"].iter().all(|operation| unknown[0].message.contains(operation)));
    }
}
