//! The same questions to thousands of principals. Subjects flow in; documents that they share are matched once, subjects
//! that hold the same documents are grouped, and only what neither settles is evaluated in full.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use compact_str::CompactString;
use rustc_hash::{FxHashMap, FxHasher};
use serde_json::Value;

use crate::context::{Context, KeyState};
use crate::decision::Verdict;
use crate::document::{Action, Asked, Document, DocumentKind, Effect, Resources, Statement};
use crate::error::PolicyError;
use crate::evaluate::evaluate_stack;
use crate::policies::{Attached, Layer, Policies, Request, Stack, is_reserved_to_aws, needs_resource_policy};
use crate::principal::Caller;
use crate::tri::Tri;

/// How many questions are settled at once: the bits of a word.
const WIDTH: usize = 64;

/// A document, or what is wrong with it.
type Compiled = Result<Arc<Document>, Arc<PolicyError>>;

/// Verdicts of full evaluations, by group, question and a hash of what the context says to the group's conditions.
type Evaluated = FxHashMap<(usize, usize, u64), Vec<(Vec<KeyState>, Option<Verdict>)>>;

/// Documents by their content: equal ones are compiled once and shared.
#[derive(Clone, Debug, Default)]
pub struct Library {
    documents: FxHashMap<(DocumentKind, Box<str>), Compiled>,
}

impl Library {
    /// Reads a document from text, or finds it again.
    pub fn from_text(&mut self, name: &str, kind: DocumentKind, text: &str) -> Attached {
        if let Some(document) = self.documents.get(&(kind, text.into())) {
            return Attached { name: name.into(), document: document.clone() };
        }
        let document = Document::from_text(kind, text).map(Arc::new).map_err(Arc::new);
        self.documents.insert((kind, text.into()), document.clone());
        Attached { name: name.into(), document }
    }

    /// Reads a document from a JSON value, or finds it again.
    pub fn from_json(&mut self, name: &str, kind: DocumentKind, value: &Value) -> Attached {
        let key = (kind, value.to_string().into_boxed_str());
        let document = self.documents.entry(key).or_insert_with(|| Document::from_json(kind, value).map(Arc::new).map_err(Arc::new));
        Attached { name: name.into(), document: document.clone() }
    }

    /// How many different documents there are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }
}

/// A principal with its policies and what is known of its requests.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Who it is.
    pub caller: Caller,
    /// What binds it; `resource` and `rcps` are the questions' matter and stay empty.
    pub policies: Policies,
    /// The condition keys of its requests.
    pub context: Context,
}

/// What is asked of every subject.
#[derive(Clone, Debug)]
pub struct Question {
    /// The action.
    pub action: CompactString,
    /// The ARN that it is asked on, or `*`.
    pub resource: CompactString,
    /// The account that owns the resource; `None` for each subject's own.
    pub resource_account: Option<CompactString>,
    /// The resource's policy.
    pub resource_policy: Option<Attached>,
    /// RCPs over the resource's account.
    pub rcps: Vec<Vec<Attached>>,
}

impl Question {
    /// A question on a resource of each subject's own account that has no policy.
    pub fn new(action: &str, resource: &str) -> Self {
        Self { action: action.into(), resource: resource.into(), resource_account: None, resource_policy: None, rcps: Vec::new() }
    }

    /// The request that it is for a subject.
    pub fn request(&self, subject: &Subject) -> Request {
        Request {
            caller: subject.caller.clone(),
            action: self.action.clone(),
            resource: self.resource.clone(),
            resource_account: self.resource_account.clone(),
            context: subject.context.clone(),
        }
    }

    pub(crate) fn stack<'p>(&'p self, subject: &'p Subject) -> Stack<'p> {
        Stack { resource: self.resource_policy.as_ref(), rcps: &self.rcps, ..Stack::from(&subject.policies) }
    }
}

/// Subjects in groups that hold the same documents.
#[derive(Debug)]
pub struct Bulk<'s> {
    subjects: &'s [Subject],
    groups: Vec<Group<'s>>,
    /// The group of each subject; none for those that are evaluated one by one.
    group_of: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Group<'s> {
    identity: Vec<&'s Arc<Document>>,
    boundary: Option<&'s Arc<Document>>,
    scps: Vec<Vec<&'s Arc<Document>>>,
    account: &'s str,
}

/// What a document says to the questions, a bit for each.
#[derive(Clone, Copy, Default)]
struct Words {
    allow: u64,
    deny: u64,
    /// Allows or denies on conditions.
    may_allow: u64,
    may_deny: u64,
}

impl Words {
    fn or(self, other: Self) -> Self {
        Self {
            allow: self.allow | other.allow,
            deny: self.deny | other.deny,
            may_allow: self.may_allow | other.may_allow,
            may_deny: self.may_deny | other.may_deny,
        }
    }
}

/// Which subject may do what: a verdict for each subject and question, `None` for subjects that a malformed policy keeps
/// from being assessed.
#[derive(Clone, Debug)]
pub struct Answers {
    questions: usize,
    verdicts: Vec<Option<Verdict>>,
}

impl Answers {
    /// The verdict on a subject and a question, by their positions; `None` if the subject is not assessed.
    pub fn get(&self, subject: usize, question: usize) -> Option<Verdict> {
        if question >= self.questions {
            return None;
        }
        self.verdicts.get(subject * self.questions + question).copied().flatten()
    }

    /// The subjects that may do what a question asks, certainly or on conditions, by their positions.
    pub fn who_can(&self, question: usize) -> impl Iterator<Item = (usize, Verdict)> {
        let subjects = self.verdicts.len().checked_div(self.questions).unwrap_or(0);
        (0..subjects).filter_map(move |subject| Some((subject, self.get(subject, question)?))).filter(|(_, verdict)| verdict.is_possible())
    }
}

/// Finds who may do something, certainly or on conditions: the positions of the subjects and the verdicts.
pub fn who_can(subjects: &[Subject], question: &Question) -> Vec<(usize, Verdict)> {
    Bulk::new(subjects).ask(std::slice::from_ref(question)).who_can(0).collect()
}

fn pointer(document: &Arc<Document>) -> usize {
    Arc::as_ptr(document).addr()
}

impl<'s> Bulk<'s> {
    /// Groups the subjects.
    pub fn new(subjects: &'s [Subject]) -> Self {
        let mut groups: Vec<Group<'s>> = Vec::new();
        let mut known: FxHashMap<Vec<usize>, usize> = FxHashMap::default();
        let group_of = subjects
            .iter()
            .map(|subject| {
                let group = group(subject)?;
                let at = *known.entry(signature(&group)).or_insert_with(|| {
                    groups.push(group);
                    groups.len() - 1
                });
                Some(at)
            })
            .collect();
        Self { subjects, groups, group_of }
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// A number for each subject, by their positions: subjects with one number get the same answer to every question on a
    /// resource of their account that has no policy of its own.
    pub fn classes(&self) -> Vec<usize> {
        let keys: Vec<Vec<CompactString>> = self.groups.iter().map(keys).collect();
        let mut known: FxHashMap<(usize, Vec<KeyState>), usize> = FxHashMap::default();
        let mut alone = 0;
        let classes: Vec<Option<usize>> = self
            .subjects
            .iter()
            .zip(&self.group_of)
            .map(|(subject, group)| {
                let group = (*group)?;
                let states = keys.get(group)?.iter().map(|key| subject.context.lookup(key).clone()).collect();
                let next = known.len();
                Some(*known.entry((group, states)).or_insert(next))
            })
            .collect();
        let mut number = || {
            alone += 1;
            known.len() + alone - 1
        };
        classes.into_iter().map(|class| class.unwrap_or_else(&mut number)).collect()
    }

    /// Asks every subject every question.
    pub fn ask(&self, questions: &[Question]) -> Answers {
        let mut verdicts = vec![None; self.subjects.len() * questions.len()];
        for (chunk_number, chunk) in questions.chunks(WIDTH).enumerate() {
            self.ask_chunk(chunk, chunk_number * WIDTH, questions.len(), &mut verdicts);
        }
        Answers { questions: questions.len(), verdicts }
    }

    fn ask_chunk(&self, questions: &[Question], offset: usize, width: usize, verdicts: &mut [Option<Verdict>]) {
        let prepared: Vec<Prepared<'_>> = questions.iter().map(Prepared::new).collect();
        let mut words: FxHashMap<usize, Words> = FxHashMap::default();
        let settled: Vec<Settled> = self.groups.iter().map(|group| settle(group, &prepared, &mut words)).collect();
        let mut cache = Evaluated::default();
        for (index, (subject, group)) in self.subjects.iter().zip(&self.group_of).enumerate() {
            let row = verdicts.iter_mut().skip(index * width + offset);
            let settled = group.and_then(|group| Some((group, settled.get(group)?)));
            let signature = settled.map(|(_, settled)| states(settled, &subject.context));
            for ((at, question), cell) in questions.iter().enumerate().zip(row) {
                let bit = 1_u64 << at;
                *cell = match (settled, &signature) {
                    (Some((_, settled)), _) if settled.explicit & bit != 0 => Some(Verdict::ExplicitlyDenied),
                    (Some((_, settled)), _) if settled.allowed & bit != 0 => Some(Verdict::Allowed),
                    (Some((_, settled)), _) if settled.implicit & bit != 0 => Some(Verdict::ImplicitlyDenied),
                    (Some((group, _)), Some((hash, states))) if question.resource_policy.is_none() => {
                        let known = cache.entry((group, at, *hash)).or_default();
                        if let Some((_, verdict)) = known.iter().find(|(other, _)| other == states) {
                            *verdict
                        } else {
                            let verdict = full(subject, question);
                            known.push((states.clone(), verdict));
                            verdict
                        }
                    }
                    _ => full(subject, question),
                };
            }
        }
    }
}

/// The group of a subject whose layers are plain: a role or user with readable policies and nothing out of the ordinary.
fn group(subject: &Subject) -> Option<Group<'_>> {
    let policies = &subject.policies;
    let caller = &subject.caller;
    let ordinary = caller.account().is_some()
        && !caller.is_root()
        && !caller.is_federated_user()
        && !caller.is_service_linked()
        && !policies.caller_manages
        && !policies.resource_manages
        && policies.session.is_empty()
        && policies.endpoint.is_none()
        && policies.resource.is_none()
        && policies.rcps.is_empty()
        && policies.unread.iter().all(|layer| match layer {
            Layer::ServiceControl(level) => *level >= policies.scps.len(),
            Layer::ResourceControl(_) => true,
            _ => false,
        });
    if !ordinary {
        return None;
    }
    let read = |policy: &'_ Attached| policy.document.is_ok();
    if !policies.identity.iter().all(read) || !policies.boundary.iter().all(read) || !policies.scps.iter().flatten().all(read) {
        return None;
    }
    Some(Group {
        identity: sorted(&subject.policies.identity),
        boundary: subject.policies.boundary.as_ref().and_then(|policy| policy.document.as_ref().ok()),
        scps: subject.policies.scps.iter().map(|level| sorted(level)).collect(),
        account: subject.caller.account().unwrap_or_default(),
    })
}

/// The documents of some policies, in an order that only depends on which they are.
fn sorted(policies: &[Attached]) -> Vec<&Arc<Document>> {
    let mut documents: Vec<_> = policies.iter().filter_map(|policy| policy.document.as_ref().ok()).collect();
    documents.sort_by_key(|document| pointer(document));
    documents
}

/// What makes two groups the same.
fn signature(group: &Group<'_>) -> Vec<usize> {
    let mut signature: Vec<usize> = group.account.bytes().map(usize::from).collect();
    signature.push(usize::MAX);
    signature.push(group.boundary.map_or(0, pointer));
    for level in std::iter::once(&group.identity).chain(&group.scps) {
        signature.extend(level.iter().map(|document| pointer(document)));
        signature.push(usize::MAX);
    }
    signature
}

/// A question, taken apart once.
struct Prepared<'q> {
    question: &'q Question,
    action: Option<Action>,
    asked: Asked<'q>,
    /// The layers of a subject alone settle it.
    plain: bool,
}

impl<'q> Prepared<'q> {
    fn new(question: &'q Question) -> Self {
        let action = Action::parse(&question.action);
        let plain = question.resource_policy.is_none()
            && question.rcps.iter().all(Vec::is_empty)
            && action.as_ref().is_some_and(|action| {
                let always = &*action.service == "sts" && &*action.name == "getcalleridentity";
                !always
                    && !needs_resource_policy(&action.service, &action.name, &question.resource)
                    && !is_reserved_to_aws(&action.service, &action.name, &question.resource)
            });
        Self { question, action, asked: Asked::new(&question.resource), plain }
    }
}

/// What a group's documents settle, and on which keys the rest depends.
struct Settled {
    explicit: u64,
    allowed: u64,
    implicit: u64,
    keys: Vec<CompactString>,
}

fn settle(group: &Group<'_>, questions: &[Prepared<'_>], cache: &mut FxHashMap<usize, Words>) -> Settled {
    let mut layer = |documents: &mut dyn Iterator<Item = &Arc<Document>>| {
        documents
            .fold(Words::default(), |sum, document| sum.or(*cache.entry(pointer(document)).or_insert_with(|| words(document, questions))))
    };
    let identity = layer(&mut group.identity.iter().copied());
    let mut layers = vec![identity];
    layers.extend(group.boundary.map(|boundary| layer(&mut std::iter::once(boundary))));
    for level in &group.scps {
        layers.push(layer(&mut level.iter().copied()));
    }
    let all = layers.iter().fold(Words::default(), |sum, words| sum.or(*words));
    let certain = layers.iter().fold(u64::MAX, |product, words| product & words.allow);
    let possible = layers.iter().fold(u64::MAX, |product, words| product & (words.allow | words.may_allow));
    let account = group.account;
    let plain = questions.iter().enumerate().fold(0, |word, (at, prepared)| {
        let own = prepared.question.resource_account.as_deref().is_none_or(|other| other == account);
        word | u64::from(prepared.plain && own) << at
    });
    let undenied = !all.deny & !all.may_deny;
    let settled = Settled {
        explicit: all.deny & plain,
        allowed: certain & undenied & plain,
        implicit: !possible & undenied & plain,
        keys: Vec::new(),
    };
    let open = !(settled.explicit | settled.allowed | settled.implicit);
    if open & full_word(questions.len()) == 0 {
        return settled;
    }
    Settled { keys: keys(group), ..settled }
}

/// The condition keys that answers of a group may depend on.
fn keys(group: &Group<'_>) -> Vec<CompactString> {
    let documents = group.identity.iter().chain(&group.boundary).chain(group.scps.iter().flatten());
    let mut keys: Vec<CompactString> = documents
        .flat_map(|document| &document.statements)
        .flat_map(|statement| statement.keys().map(CompactString::new).collect::<Vec<_>>())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn full_word(bits: usize) -> u64 {
    if bits >= WIDTH { u64::MAX } else { (1 << bits) - 1 }
}

/// What a document says to the questions.
fn words(document: &Document, questions: &[Prepared<'_>]) -> Words {
    let empty = Context::complete();
    document.statements.iter().fold(Words::default(), |mut words, statement| {
        let actions = questions.iter().enumerate().fold(0_u64, |word, (at, prepared)| {
            word | u64::from(prepared.action.as_ref().is_some_and(|action| statement.actions.match_action(action))) << at
        });
        if actions == 0 {
            return words;
        }
        let (certain, possible) = covered(statement, actions, questions, &empty);
        match statement.effect {
            Effect::Allow => {
                words.allow |= certain;
                words.may_allow |= possible;
            }
            Effect::Deny => {
                words.deny |= certain;
                words.may_deny |= possible;
            }
        }
        words
    })
}

/// The questions on whose resource a statement certainly applies, and those where conditions or variables decide.
fn covered(statement: &Statement, actions: u64, questions: &[Prepared<'_>], empty: &Context) -> (u64, u64) {
    let unconditional = statement.conditions.is_empty();
    if statement.resources.as_ref().is_none_or(Resources::is_every) {
        return if unconditional { (actions, 0) } else { (0, actions) };
    }
    if statement.resources.iter().any(|resources| resources.variables().next().is_some()) {
        return (0, actions);
    }
    let holds = questions
        .iter()
        .enumerate()
        .filter(|(at, _)| actions >> at & 1 == 1)
        .fold(0_u64, |word, (at, prepared)| word | u64::from(statement.match_resource(&prepared.asked, empty).0 == Tri::True) << at);
    if unconditional { (holds, 0) } else { (0, holds) }
}

/// What a context says to the keys that a group's answers depend on.
fn states(settled: &Settled, context: &Context) -> (u64, Vec<KeyState>) {
    let states: Vec<KeyState> = settled.keys.iter().map(|key| context.lookup(key).clone()).collect();
    let mut hasher = FxHasher::default();
    states.hash(&mut hasher);
    (hasher.finish(), states)
}

fn full(subject: &Subject, question: &Question) -> Option<Verdict> {
    evaluate_stack(&question.request(subject), &question.stack(subject)).ok().map(|decision| decision.verdict)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subjects_are_of_one_class_when_documents_and_the_keys_they_ask_for_agree() {
        let mut library = Library::default();
        let tagged = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}}});
        let mut subject = |name: &str, team: &str| Subject {
            caller: Caller::parse(&format!("arn:aws:iam::111122223333:role/{name}")).unwrap(),
            policies: Policies { identity: vec![library.from_json(name, DocumentKind::Identity, &tagged)], ..Policies::default() },
            context: Context::open().with("aws:PrincipalTag/team", KeyState::known(team)),
        };
        let mut subjects = vec![subject("one", "a"), subject("two", "a"), subject("three", "b")];
        let malformed = library.from_json("m", DocumentKind::Identity, &json!({}));
        subjects.push(Subject { policies: Policies { identity: vec![malformed], ..Policies::default() }, ..subjects[0].clone() });
        subjects.push(subjects[3].clone());
        assert_eq!(Bulk::new(&subjects).classes(), [0, 0, 1, 2, 3]);
    }
}
