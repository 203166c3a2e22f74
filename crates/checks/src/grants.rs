//! What roles may do, by the policy engine: questions on resources that nobody has named, and on those that exist. Roles
//! flow in; what each may do flows out, with the statement that grants it and what the answer rests on. Roles with equal
//! policies are asked once.

use std::collections::BTreeMap;

use plimsoll_graph::{Estate, Principal, Unknown};
use plimsoll_iam::escalation::{Certainty, Edge, Path};
use plimsoll_iam::{Attached, Decision, DocumentKind, Effect, KeyState, Layer, Question, Verdict};
use plimsoll_model::{AccountId, PathStep, partition_of};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::check::Failure;
use crate::reading::listed;

/// An action on a resource that nobody has named: whoever may do it may do it to all of them. In the resource, `{P}`, `{R}`
/// and `{A}` stand for partition, Region and account.
pub(crate) struct Probe {
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
}

const fn probe(action: &'static str, resource: &'static str) -> Probe {
    Probe { action, resource }
}

/// Reads any secret. `secretsmanager:BatchGetSecretValue` is not here: it shows only what `GetSecretValue` allows.
pub(crate) const ANY_SECRET: &[Probe] =
    &[probe("secretsmanager:GetSecretValue", "arn:{P}:secretsmanager:{R}:{A}:secret:plimsoll-unnamed-AbCdEf")];

/// Reads any parameter.
pub(crate) const ANY_PARAMETER: &[Probe] = &[
    probe("ssm:GetParameter", "arn:{P}:ssm:{R}:{A}:parameter/plimsoll-unnamed"),
    probe("ssm:GetParameters", "arn:{P}:ssm:{R}:{A}:parameter/plimsoll-unnamed"),
    probe("ssm:GetParametersByPath", "arn:{P}:ssm:{R}:{A}:parameter/plimsoll-unnamed"),
    probe("ssm:GetParametersByPath", "arn:{P}:ssm:{R}:{A}:parameter/"),
];

/// Decrypts with any key whose policy leaves that to IAM.
pub(crate) const ANY_KEY: &[Probe] = &[
    probe("kms:Decrypt", "arn:{P}:kms:{R}:{A}:key/00000000-0000-0000-0000-000000000000"),
    probe("kms:ReEncryptFrom", "arn:{P}:kms:{R}:{A}:key/00000000-0000-0000-0000-000000000000"),
];

/// Reads any bucket.
pub(crate) const ANY_BUCKET: &[Probe] = &[probe("s3:GetObject", "arn:{P}:s3:::plimsoll-unnamed/unnamed")];

/// The context of a request on something without tags, made directly and with nothing in it that a condition narrows by:
/// a grant on condition of a tag, an alias, an encryption context or another service does not hold there.
pub(crate) fn plain_keys() -> Vec<(&'static str, KeyState)> {
    const ABSENT: [&str; 11] = [
        "aws:ResourceTag/",
        "ecr:ResourceTag/",
        "ecs:ResourceTag/",
        "kms:EncryptionContext:",
        "kms:EncryptionContextKeys",
        "kms:RequestAlias",
        "kms:ResourceAliases",
        "kms:ViaService",
        "s3:ExistingObjectTag/",
        "secretsmanager:ResourceTag/",
        "ssm:resourceTag/",
    ];
    ABSENT.into_iter().map(|key| (key, KeyState::Absent)).collect()
}

/// The same on something that nobody has named.
pub(crate) fn unnamed_keys() -> Vec<(&'static str, KeyState)> {
    let mut keys = plain_keys();
    keys.extend(["secretsmanager:SecretId", "secretsmanager:Name"].map(|key| (key, KeyState::known("plimsoll-unnamed"))));
    keys
}

/// Questions that some roles may be answered with yes.
pub(crate) struct Holdings {
    by_class: FxHashMap<usize, Vec<Question>>,
    keys: Vec<(&'static str, KeyState)>,
}

impl Holdings {
    /// Asks for each probe in every Region of the principal's account; of several Regions the first that is certain tells.
    pub(crate) fn of_probes<'e>(
        estate: &'e Estate<'e>,
        principals: impl Iterator<Item = Principal<'e>>,
        probes: &[&Probe],
        keys: Vec<(&'static str, KeyState)>,
    ) -> Self {
        let actions: Vec<&str> = probes.iter().map(|probe| probe.action).collect();
        let questions = |account: &AccountId| probes.iter().map(|probe| in_every_region(estate, account, probe)).collect();
        Self { by_class: first_of_each(estate, principals, &actions, &questions, &keys), keys }
    }

    /// Asks each of these questions of an account.
    pub(crate) fn of_questions<'e>(
        estate: &'e Estate<'e>,
        principals: impl Iterator<Item = Principal<'e>>,
        actions: &[&str],
        questions: impl Fn(&AccountId) -> Vec<Question>,
        keys: Vec<(&'static str, KeyState)>,
    ) -> Self {
        let questions = |account: &AccountId| questions(account).into_iter().map(|question| vec![question]).collect();
        Self { by_class: first_of_each(estate, principals, actions, &questions, &keys), keys }
    }

    /// What a principal may do of what was asked, in the order of asking.
    pub(crate) fn of(&self, principal: Principal<'_>) -> &[Question] {
        self.by_class.get(&principal.class()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The same with the statements, for those that a test holds for.
    pub(crate) fn grants(&self, principal: Principal<'_>, test: impl Fn(&Question) -> bool) -> Vec<Grant> {
        let held = self.of(principal).iter().filter(|question| test(question));
        held.filter_map(|question| Grant::of(principal, question, &self.keys).ok().flatten()).collect()
    }

    /// The same for the first few.
    pub(crate) fn first_grants(&self, principal: Principal<'_>, most: usize) -> Vec<Grant> {
        let held = self.of(principal).iter().take(most);
        held.filter_map(|question| Grant::of(principal, question, &self.keys).ok().flatten()).collect()
    }
}

/// Asks one principal of each class the questions, in groups of alternatives of which one is kept.
fn first_of_each<'e>(
    estate: &'e Estate<'e>,
    principals: impl Iterator<Item = Principal<'e>>,
    actions: &[&str],
    questions: &dyn Fn(&AccountId) -> Vec<Vec<Question>>,
    keys: &[(&'static str, KeyState)],
) -> FxHashMap<usize, Vec<Question>> {
    let mut accounts: BTreeMap<&AccountId, BTreeMap<usize, Principal<'e>>> = BTreeMap::new();
    for principal in principals {
        let classes = accounts.entry(principal.account()).or_default();
        classes.entry(principal.class()).or_insert(principal);
    }
    let mut held = FxHashMap::default();
    for (account, classes) in accounts {
        let (numbers, first): (Vec<usize>, Vec<Principal<'e>>) =
            classes.into_iter().filter(|(_, principal)| actions.iter().any(|action| principal.may_hold(action))).unzip();
        if first.is_empty() {
            continue;
        }
        let groups = questions(account);
        let flat: Vec<Question> = groups.iter().flatten().cloned().collect();
        let group_of: Vec<usize> = groups.iter().enumerate().flat_map(|(at, group)| group.iter().map(move |_| at)).collect();
        for (number, answers) in numbers.into_iter().zip(estate.ask(&first, &flat, keys)) {
            let mut best: BTreeMap<usize, (usize, Verdict)> = BTreeMap::new();
            for (at, verdict) in answers {
                let Some(&group) = group_of.get(at) else { continue };
                let known = best.entry(group).or_insert((at, verdict));
                if known.1 != Verdict::Allowed && verdict == Verdict::Allowed {
                    *known = (at, verdict);
                }
            }
            held.insert(number, best.into_values().filter_map(|(at, _)| flat.get(at).cloned()).collect());
        }
    }
    held
}

fn in_every_region(estate: &Estate<'_>, account: &AccountId, probe: &Probe) -> Vec<Question> {
    let scope = &estate.inventory().header.scope;
    let regions = scope.regions_by_account.get(account).unwrap_or(&scope.regions);
    let filled = |region: &str| {
        let resource = probe.resource.replace("{P}", partition_of(region)).replace("{R}", region).replace("{A}", account.as_str());
        let mut question = Question::new(probe.action, &resource);
        if resource.contains(":kms:") {
            question.resource_policy = Some(delegating(partition_of(region), account));
        }
        question
    };
    let regional = probe.resource.contains("{R}");
    regions
        .iter()
        .filter(|region| !region.is_global())
        .take(if regional { usize::MAX } else { 1 })
        .map(|region| filled(region.as_str()))
        .collect()
}

/// The policy of a key that leaves its use to IAM, as every key has it that was made without another.
pub(crate) fn delegating(partition: &str, account: &AccountId) -> Attached {
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": format!("arn:{partition}:iam::{account}:root")}}});
    Attached::parse("default key policy", DocumentKind::Resource, &document)
}

/// For a key the policy that leaves its use to IAM, for anything else none.
pub(crate) fn key_policy(principal: Principal<'_>, resource: &str) -> Option<Attached> {
    let arn = plimsoll_model::Arn::parse(resource).filter(|arn| arn.service == "kms")?;
    Some(delegating(arn.partition, principal.account()))
}

/// Something that a role may do, and what says so.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The policy and the statement in it.
    pub(crate) policy: String,
    pub(crate) statement: String,
    /// Every policy of its own that was found to grant it.
    policies: Vec<String>,
    doubt: Doubt,
}

impl Grant {
    /// What decides a question; `None` when it may not.
    pub(crate) fn of(principal: Principal<'_>, question: &Question, keys: &[(&str, KeyState)]) -> Result<Option<Self>, Unknown> {
        let (_, decision) = principal.answer(question, keys)?;
        Ok(Self::from_decision(&question.action, &question.resource, &decision))
    }

    pub(crate) fn from_decision(action: &str, resource: &str, decision: &Decision) -> Option<Self> {
        if !decision.verdict.is_possible() {
            return None;
        }
        let allows = || decision.statements.iter().filter(|cited| cited.effect == Effect::Allow);
        let cited = allows().find(|cited| cited.layer == Layer::Identity).or_else(|| allows().next());
        let mut depends_on: Vec<String> = decision
            .residual
            .iter()
            .map(|atom| if atom.key.is_empty() { format!("the resource of {}", atom.policy) } else { atom.key.to_string() })
            .collect();
        depends_on.sort_unstable();
        depends_on.dedup();
        Some(Self {
            action: action.to_owned(),
            resource: resource.to_owned(),
            policy: cited.map(|cited| cited.policy.to_string()).unwrap_or_default(),
            statement: cited.map(|cited| cited.statement.to_string()).unwrap_or_default(),
            policies: allows().filter(|cited| cited.layer == Layer::Identity).map(|cited| cited.policy.to_string()).collect(),
            doubt: Doubt { depends_on, unread: decision.unread.iter().map(layer_name).collect() },
        })
    }

    /// Whether none but managed policies of AWS with one of these names grants it.
    pub(crate) fn is_only_of_aws(&self, names: &[&str]) -> bool {
        !self.policies.is_empty() && self.policies.iter().all(|policy| is_of_aws(policy, names))
    }

    /// `statement S of policy P`.
    pub(crate) fn by(&self) -> String {
        format!("statement {} of {}", self.statement, self.policy)
    }

    pub(crate) fn evidence(&self) -> Value {
        json!({
            "Action": self.action,
            "Resource": self.resource,
            "policy": self.policy,
            "statement": self.statement,
            "dependsOn": self.doubt.depends_on,
        })
    }

    pub(crate) fn doubt(&self) -> &Doubt {
        &self.doubt
    }
}

/// Whether a policy is one of AWS's managed policies with these names.
pub(crate) fn is_of_aws(policy: &str, names: &[&str]) -> bool {
    policy.split_once(":iam::aws:policy/").is_some_and(|(_, path)| names.contains(&path.rsplit('/').next().unwrap_or(path)))
}

fn layer_name(layer: &Layer) -> &'static str {
    match layer {
        Layer::Boundary => "the permissions boundary",
        Layer::ServiceControl(_) => "SCPs",
        Layer::ResourceControl(_) => "RCPs",
        _ => "a policy",
    }
}

/// What stands between the facts and a verdict: conditions that could not be decided, layers that were not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) depends_on: Vec<String>,
    pub(crate) unread: Vec<&'static str>,
}

impl Doubt {
    /// What leaves every one of these in doubt: nothing as soon as one is certain.
    pub(crate) fn common<'g>(grants: impl Iterator<Item = &'g Grant>) -> Self {
        let mut least: Option<&Self> = None;
        for grant in grants {
            let weight = |doubt: &Self| (doubt.depends_on.len(), doubt.unread.len());
            if least.is_none_or(|known| weight(&grant.doubt) < weight(known)) {
                least = Some(&grant.doubt);
            }
        }
        least.cloned().unwrap_or_default()
    }

    /// What is open of a principal whatever it asks for.
    pub(crate) fn of_principal(principal: Principal<'_>) -> Self {
        let (policies, _) = principal.policies();
        Self { depends_on: Vec::new(), unread: policies.unread.iter().map(layer_name).collect() }
    }

    /// Marks a failure as possible where there is doubt, and says why.
    pub(crate) fn mark(&self, mut failure: Failure) -> Failure {
        let mut open: Vec<String> = Vec::new();
        if !self.depends_on.is_empty() {
            open.push(format!("it depends on {}", listed(&self.depends_on)));
        }
        if !self.unread.is_empty() {
            open.push(
                format!("{} were not read", listed(&self.unread))
                    .replace("boundary were", "boundary was")
                    .replace("a policy were", "a policy was"),
            );
        }
        if open.is_empty() {
            return failure;
        }
        failure.message = format!("{} ({})", failure.message, open.join("; "));
        failure.possible()
    }
}

/// A role that administers its account, and by which statement.
pub(crate) struct Administrator {
    pub(crate) grant: Option<Grant>,
    pub(crate) doubt: Doubt,
}

/// Whether a principal administers its account (ADMIN).
pub(crate) fn administrator(principal: Principal<'_>) -> Result<Option<Administrator>, Unknown> {
    let Some(certainty) = principal.administers()? else { return Ok(None) };
    let grant = principal.questions_on_iam().first().and_then(|question| Grant::of(principal, question, &[]).ok().flatten());
    let mut doubt = grant.as_ref().map(|grant| grant.doubt.clone()).unwrap_or_default();
    if certainty == Certainty::Conditional && doubt.depends_on.is_empty() {
        doubt.depends_on.push("conditions of its policies".to_owned());
    }
    Ok(Some(Administrator { grant, doubt }))
}

/// A way to an administrator (CAN-ESCALATE), as evidence and as a path.
pub(crate) struct Escalating<'e>(&'e Path);

/// The shortest path of a principal to an administrator, when it is short enough to be reported.
pub(crate) fn escalating(principal: Principal<'_>) -> Result<Option<Escalating<'_>>, Unknown> {
    let limit = principal.estate().thresholds().escalation_steps as usize;
    Ok(principal.escalates()?.filter(|path| path.edges.len() <= limit).map(Escalating))
}

impl Escalating<'_> {
    /// The administrator at its end.
    pub(crate) fn administrator(&self) -> &str {
        self.0.edges.last().map_or("", |edge| edge.to.as_str())
    }

    /// `in one step (iam:PutRolePolicy)`.
    pub(crate) fn told(&self) -> String {
        let actions: Vec<String> = self
            .0
            .edges
            .iter()
            .map(|edge| {
                let actions: Vec<&str> = edge.permissions.iter().map(|permission| permission.action.as_str()).collect();
                if actions.is_empty() { edge.method.name.clone() } else { actions.join(" with ") }
            })
            .collect();
        match actions.len() {
            1 => format!("in one step ({})", listed(&actions)),
            steps => format!("in {steps} steps ({})", actions.join(", then ")),
        }
    }

    /// What leaves it in doubt.
    pub(crate) fn doubt(&self) -> Doubt {
        let mut depends_on: Vec<String> = self.0.edges.iter().flat_map(|edge| &edge.depends_on).map(ToString::to_string).collect();
        depends_on.sort_unstable();
        depends_on.dedup();
        if self.0.certainty() == Certainty::Conditional && depends_on.is_empty() {
            depends_on.push("conditions of its policies".to_owned());
        }
        Doubt { depends_on, unread: Vec::new() }
    }

    /// Hop by hop.
    pub(crate) fn steps(&self) -> Vec<PathStep> {
        let mut steps: Vec<PathStep> = self.0.edges.iter().map(|edge| PathStep { arn: edge.from.to_string(), via: via(edge) }).collect();
        steps.push(PathStep { arn: self.administrator().to_owned(), via: "administers the account".to_owned() });
        steps
    }

    pub(crate) fn evidence(&self) -> Value {
        let hops: Vec<Value> = self
            .0
            .edges
            .iter()
            .map(|edge| {
                let permissions: Vec<Value> = edge
                    .permissions
                    .iter()
                    .map(|one| {
                        json!({
                            "Action": one.action.as_str(),
                            "Resource": one.resource.as_str(),
                            "policy": one.granted_by.as_ref().map(|cited| cited.policy.as_str()),
                            "statement": one.granted_by.as_ref().map(|cited| cited.statement.as_str()),
                        })
                    })
                    .collect();
                json!({
                    "pathId": edge.method.id,
                    "from": edge.from.as_str(),
                    "to": edge.to.as_str(),
                    "permissions": permissions,
                    "dependsOn": edge.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
                })
            })
            .collect();
        let cut = &self.0.cut;
        json!({
            "hops": hops,
            "administrator": self.administrator(),
            "cut": {
                "principal": cut.principal.as_str(),
                "Action": cut.permission.as_ref().map(|one| one.action.as_str()),
                "Resource": cut.permission.as_ref().map(|one| one.resource.as_str()),
                "endsAll": cut.ends_all,
            },
        })
    }
}

fn via(edge: &Edge) -> String {
    let actions: Vec<&str> = edge.permissions.iter().map(|permission| permission.action.as_str()).collect();
    let how = edge.method.name.as_str();
    if actions.is_empty() { format!("{how} ({})", edge.method.id) } else { format!("{how} ({}: {})", edge.method.id, actions.join(", ")) }
}
