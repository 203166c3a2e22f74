//! What must hold of every policy, on policies and requests made at random from a small vocabulary, so that they meet.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where it stands")]

use plimsoll_iam::{
    Attached, Bulk, Caller, Context, ContextValue, Decision, Document, DocumentKind, KeyState, Library, Policies, Question, Request,
    Subject, Verdict, evaluate,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const CALLERS: [&str; 4] =
    [ROLE, "arn:aws:iam::111122223333:user/bob", "arn:aws:sts::111122223333:assumed-role/app/i-1", "arn:aws:iam::444455556666:role/other"];
const ACTIONS: [&str; 5] = ["s3:GetObject", "s3:PutObject", "iam:PassRole", "ecs:RunTask", "sts:AssumeRole"];
const ACTION_PATTERNS: [&str; 8] = ["*", "s3:*", "s3:Get*", "iam:PassRole", "iam:Pass?ole", "ecs:RunTask", "sts:*", "kms:Decrypt"];
const RESOURCES: [&str; 4] = ["*", "arn:aws:s3:::home/blue/x", "arn:aws:s3:::home/green/x", ROLE];
const RESOURCE_PATTERNS: [&str; 7] = [
    "*",
    "arn:aws:s3:::home/*",
    "arn:aws:s3:::home/${aws:PrincipalTag/team}/*",
    "arn:aws:iam::*:role/*",
    "arn:aws:iam::111122223333:role/a??",
    "arn:aws:s3:*",
    "arn:aws:s3:::home/${sts:ExternalId, 'green'}/*",
];
const OPERATORS: [&str; 10] = [
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringEqualsIfExists",
    "StringNotLikeIfExists",
    "ForAllValues:StringEquals",
    "ForAnyValue:StringEquals",
    "ForAnyValue:StringNotEquals",
    "Bool",
    "NumericLessThan",
];
const KEYS: [&str; 5] = ["aws:PrincipalTag/team", "iam:PassedToService", "sts:ExternalId", "aws:TagKeys", "aws:SourceIp"];
const VALUES: [&str; 6] = ["blue", "green", "b*", "true", "7", "${aws:PrincipalTag/team}"];

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(from)
}

fn condition() -> impl Strategy<Value = Value> {
    let line = (pick(&OPERATORS), pick(&KEYS), prop::collection::vec(pick(&VALUES), 1..3))
        .prop_map(|(operator, key, values)| json!({operator: {key: values}}));
    let null = (pick(&KEYS), any::<bool>()).prop_map(|(key, absent)| json!({"Null": {key: absent}}));
    prop_oneof![2 => Just(json!({})), 3 => line, 1 => null]
}

fn statement(effect: Option<&'static str>) -> impl Strategy<Value = Value> {
    let effect = match effect {
        Some(effect) => Just(effect).boxed(),
        None => prop_oneof![3 => Just("Allow"), 1 => Just("Deny")].boxed(),
    };
    let actions = (prop_oneof![4 => Just("Action"), 1 => Just("NotAction")], prop::collection::vec(pick(&ACTION_PATTERNS), 1..3));
    let resources = (prop_oneof![4 => Just("Resource"), 1 => Just("NotResource")], prop::collection::vec(pick(&RESOURCE_PATTERNS), 1..3));
    (effect, actions, resources, condition()).prop_map(|(effect, (action, actions), (resource, resources), condition)| {
        json!({"Effect": effect, action: actions, resource: resources, "Condition": condition})
    })
}

fn document() -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(None), 0..4).prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

/// A resource policy: the same with somebody named.
fn resource_policy() -> impl Strategy<Value = Value> {
    let named = prop_oneof![
        Just(json!("*")),
        Just(json!({"AWS": "111122223333"})),
        pick(&CALLERS).prop_map(|caller| json!({"AWS": caller})),
        Just(json!({"Service": "ecs-tasks.amazonaws.com"})),
    ];
    (document(), named).prop_map(|(mut document, named)| {
        for statement in document["Statement"].as_array_mut().unwrap() {
            statement["Principal"] = named.clone();
        }
        document
    })
}

#[derive(Clone, Debug)]
struct Case {
    caller: &'static str,
    identity: Vec<Value>,
    boundary: Option<Value>,
    scps: Vec<Vec<Value>>,
    resource: Option<Value>,
    action: &'static str,
    on: &'static str,
    context: Context,
}

fn state() -> impl Strategy<Value = KeyState> {
    prop_oneof![
        pick(&VALUES).prop_map(KeyState::known),
        prop::collection::vec(pick(&VALUES), 0..3)
            .prop_map(|values| KeyState::Known(ContextValue::Many(values.into_iter().map(Into::into).collect()))),
        Just(KeyState::Absent),
    ]
}

fn open_state() -> impl Strategy<Value = KeyState> {
    prop_oneof![3 => state(), 2 => Just(KeyState::Unknown)]
}

fn context(state: impl Strategy<Value = KeyState>) -> impl Strategy<Value = Context> {
    prop::collection::vec(state, KEYS.len()).prop_map(|states| {
        let mut context = Context::complete();
        for (key, state) in KEYS.iter().zip(states) {
            context.set(key, state);
        }
        context
    })
}

fn case(state: impl Strategy<Value = KeyState>) -> impl Strategy<Value = Case> {
    let policies = (
        prop::collection::vec(document(), 0..3),
        prop::option::of(document()),
        prop::collection::vec(prop::collection::vec(document(), 1..3), 0..3),
        prop::option::of(resource_policy()),
    );
    (pick(&CALLERS), policies, pick(&ACTIONS), pick(&RESOURCES), context(state)).prop_map(
        |(caller, (identity, boundary, scps, resource), action, on, context)| Case {
            caller,
            identity,
            boundary,
            scps,
            resource,
            action,
            on,
            context,
        },
    )
}

impl Case {
    fn policies(&self) -> Policies {
        let all = |kind, values: &[Value]| values.iter().map(|value| Attached::parse("p", kind, value)).collect::<Vec<_>>();
        let resource = self.resource.as_ref().map(|value| {
            let mut value = value.clone();
            let trust = self.action.starts_with("sts:") && self.on == ROLE;
            for statement in value["Statement"].as_array_mut().unwrap().iter_mut().filter(|_| trust) {
                statement.as_object_mut().unwrap().retain(|key, _| !key.ends_with("Resource"));
            }
            Attached::parse("r", if trust { DocumentKind::Trust } else { DocumentKind::Resource }, &value)
        });
        Policies {
            identity: all(DocumentKind::Identity, &self.identity),
            boundary: self.boundary.as_ref().map(|value| Attached::parse("b", DocumentKind::Boundary, value)),
            scps: self.scps.iter().map(|level| all(DocumentKind::ServiceControl, level)).collect(),
            resource,
            ..Policies::default()
        }
    }

    fn request(&self) -> Request {
        let mut request = Request::new(Caller::parse(self.caller).unwrap(), self.action, self.on);
        request.resource_account = Some("111122223333".into());
        request.context = self.context.clone();
        request
    }

    fn decide(&self) -> Decision {
        evaluate(&self.request(), &self.policies()).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_deny_more_never_lets_more_happen(case in case(open_state()), deny in statement(Some("Deny")), layer in 0..3_usize) {
        let before = case.decide();
        let mut after = case.clone();
        let document = json!({"Version": "2012-10-17", "Statement": deny});
        match layer {
            0 => after.identity.push(document),
            1 => match &mut after.boundary {
                Some(boundary) => boundary["Statement"].as_array_mut().unwrap().push(deny),
                None => after.identity.push(document),
            },
            _ => match after.scps.first_mut() {
                Some(level) => level.push(document),
                None => after.identity.push(document),
            },
        }
        let after = after.decide();
        prop_assert!(after.best <= before.best && after.worst <= before.worst, "{before:?} {after:?}");
    }

    #[test]
    fn an_allow_more_never_lets_less_happen(case in case(open_state()), allow in statement(Some("Allow"))) {
        let before = case.decide();
        let mut after = case.clone();
        after.identity.push(json!({"Version": "2012-10-17", "Statement": allow}));
        let after = after.decide();
        prop_assert!(after.best >= before.best && after.worst >= before.worst, "{before:?} {after:?}");
    }

    #[test]
    fn a_boundary_or_scp_only_narrows(case in case(state()), limit in document()) {
        let mut bounded = case.clone();
        bounded.boundary = None;
        let without = bounded.decide();
        bounded.boundary = Some(limit.clone());
        prop_assert!(bounded.decide().best <= without.best.max(Verdict::ImplicitlyDenied));
        let mut controlled = case.clone();
        let without = controlled.decide();
        controlled.scps.push(vec![limit]);
        prop_assert!(controlled.decide().best <= without.best.max(Verdict::ImplicitlyDenied));
    }

    #[test]
    fn an_open_answer_encloses_every_completion(open in case(open_state()), completion in context(state())) {
        let answer = open.decide();
        let mut closed = open.clone();
        for key in KEYS {
            if open.context.get(key) == KeyState::Unknown {
                closed.context.set(key, completion.get(key));
            }
        }
        let closed = closed.decide();
        prop_assert!(answer.worst <= closed.worst && closed.best <= answer.best, "{answer:?} {closed:?}");
        if answer.verdict != Verdict::Conditional {
            prop_assert!(closed.verdict.is_possible() == answer.verdict.is_possible());
        }
    }

    #[test]
    fn the_answer_is_the_best_that_a_chosen_value_leads_to(case in case(state()), value in pick(&VALUES)) {
        let mut open = case.clone();
        open.context.set("iam:PassedToService", KeyState::Chosen);
        let mut set = case.clone();
        set.context.set("iam:PassedToService", KeyState::known(value));
        let (open, set) = (open.decide(), set.decide());
        prop_assert!(open.verdict.is_possible() || !set.verdict.is_possible(), "{open:?} {set:?}");
        // And the values that it names do lead there.
        let mut said = case.clone();
        for (key, values) in &open.chosen {
            said.context.set(key, match values.as_slice() {
                [] => KeyState::Absent,
                [one] if *key != "aws:tagkeys" => KeyState::known(one),
                many => KeyState::Known(ContextValue::Many(many.to_vec())),
            });
        }
        if !open.chosen.is_empty() && open.verdict == Verdict::Allowed && open.chosen.iter().all(|(_, values)| values.len() < 2) {
            prop_assert!(said.decide().best == Verdict::Allowed, "{open:?}");
        }
    }

    #[test]
    fn reading_any_text_ends_without_a_panic(text in "\\PC{0,200}", kind in 0..9_usize) {
        let kinds = [
            DocumentKind::Identity, DocumentKind::Boundary, DocumentKind::Session, DocumentKind::ServiceControl, DocumentKind::ResourceControl,
            DocumentKind::Resource, DocumentKind::Unaddressed, DocumentKind::Trust, DocumentKind::Endpoint,
        ];
        let _ = Document::from_text(kinds[kind], &text).is_ok();
        let _ = Caller::parse(&text).is_some();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn asking_in_bulk_gives_the_same_answers(cases in prop::collection::vec(case(open_state()), 1..6), resource in prop::option::of(resource_policy())) {
        let mut library = Library::default();
        let mut subjects: Vec<Subject> = Vec::new();
        for case in &cases {
            let mut policies = case.policies();
            policies.resource = None;
            policies.identity = case.identity.iter().map(|value| library.from_json("p", DocumentKind::Identity, value)).collect();
            subjects.push(Subject { caller: Caller::parse(case.caller).unwrap(), policies, context: case.context.clone() });
        }
        // The same documents with another context.
        let mut twin = subjects[0].clone();
        twin.context = Context::open();
        subjects.push(twin);
        let mut questions = Vec::new();
        for action in ACTIONS {
            for on in RESOURCES {
                let mut question = Question::new(action, on);
                question.resource_account = (on != "*").then(|| "111122223333".into());
                if on.starts_with("arn:aws:s3") {
                    question.resource_policy = resource.as_ref().map(|value| Attached::parse("r", DocumentKind::Resource, value));
                }
                questions.push(question);
            }
        }
        for repeat in 0..4 {
            let mut again = questions[repeat].clone();
            again.action = "sts:GetCallerIdentity".into();
            questions.extend(std::iter::repeat_n(again, 15));
        }
        let answers = Bulk::new(&subjects).ask(&questions);
        for (s, subject) in subjects.iter().enumerate() {
            for (q, question) in questions.iter().enumerate() {
                let policies = Policies { resource: question.resource_policy.clone(), rcps: question.rcps.clone(), ..subject.policies.clone() };
                let plain = evaluate(&question.request(subject), &policies).unwrap().verdict;
                prop_assert_eq!(answers.get(s, q), Some(plain), "{} on {}", question.action, question.resource);
            }
        }
    }
}
