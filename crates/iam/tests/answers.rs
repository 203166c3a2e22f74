//! Answers to questions that are not wholly known, and how they are said.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use plimsoll_iam::{
    Attached, Caller, Context, Decision, DocumentKind, KeyState, Layer, Policies, PrincipalFacts, Question, Request, Subject, Vantage,
    Verdict, evaluate, who_can,
};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const BUCKET: &str = "arn:aws:s3:::secrets/key";

fn policy(name: &str, statement: &Value) -> Attached {
    Attached::parse(name, DocumentKind::Identity, &json!({"Version": "2012-10-17", "Statement": statement}))
}

fn ask(statement: &Value, context: Context) -> (Request, Decision) {
    let mut request = Request::new(Caller::parse(ROLE).unwrap(), "s3:GetObject", BUCKET);
    request.context = context;
    let decision = evaluate(&request, &Policies { identity: vec![policy("app", statement)], ..Policies::default() }).unwrap();
    (request, decision)
}

#[test]
fn an_unknown_key_leaves_the_answer_conditional_and_is_named() {
    let statement = json!({"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*", "Condition": {"StringEquals": {"sts:ExternalId": "x"}}});
    let (request, decision) = ask(&statement, Context::open());
    assert_eq!((decision.verdict, decision.best, decision.worst), (Verdict::Conditional, Verdict::Allowed, Verdict::ImplicitlyDenied));
    assert_eq!(decision.residual[0].key, "sts:ExternalId");
    let text = decision.explain(&request).to_string();
    assert_eq!(
        text,
        "arn:aws:iam::111122223333:role/app s3:GetObject on arn:aws:s3:::secrets/key: allowed on conditions\n  \
         Allow in identity policy app, statement Read\n  \
         depends on StringEquals sts:ExternalId [x], statement Read of app\n  \
         to change it: settle the conditions above, or deny it"
    );
}

#[test]
fn equal_and_opposite_conditions_hang_together() {
    let same = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"sts:ExternalId": "x"}}},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"sts:externalid": "x"}}},
    ]);
    assert_eq!(ask(&same, Context::open()).1.verdict, Verdict::ImplicitlyDenied);
    let either = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"aws:CalledVia": "x"}}},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"ForAllValues:StringNotEquals": {"aws:CalledVia": "x"}}},
    ]);
    assert_eq!(ask(&either, Context::open()).1.verdict, Verdict::Allowed);
}

#[test]
fn a_chosen_key_takes_one_value_for_the_whole_request() {
    let statement = |denied: &str| {
        json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:UserAgent": ["x", "y"]}}},
            {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"aws:UserAgent": denied}}},
        ])
    };
    let (request, decision) = ask(&statement("x*"), Context::open());
    assert_eq!((decision.verdict, decision.chosen.as_slice()), (Verdict::Allowed, &[("aws:useragent".into(), vec!["y".into()])][..]));
    assert!(decision.explain(&request).to_string().contains("with aws:useragent = y"));
    let none = ask(&statement("?"), Context::open()).1;
    assert_eq!((none.verdict, none.chosen.len()), (Verdict::ImplicitlyDenied, 0));
}

#[test]
fn more_conditions_than_can_be_tried_stay_open() {
    let conditions: serde_json::Map<String, Value> = (0..13).map(|n| (format!("sts:Unknown{n}"), json!("x"))).collect();
    let statement = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": conditions}},
    ]);
    let decision = ask(&statement, Context::open()).1;
    assert_eq!((decision.verdict, decision.residual.len()), (Verdict::Conditional, 13));
}

#[test]
fn the_network_answers_twice() {
    let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}});
    let facts = PrincipalFacts { arn: ROLE.into(), ..PrincipalFacts::default() };
    let inside = Vantage::Inside { source_ip: None, endpoint: Some(("vpc-1".into(), "vpce-1".into())), private_ip: None };
    let from = |vantage: &Vantage| ask(&statement, Context::of_principal(&facts).from_vantage(vantage)).1.verdict;
    assert_eq!(from(&inside), Verdict::Allowed);
    assert_eq!(from(&Vantage::Outside), Verdict::ImplicitlyDenied);
}

#[test]
fn a_layer_that_was_not_read_is_named_and_taken_to_allow() {
    let request = Request::new(Caller::parse(ROLE).unwrap(), "s3:GetObject", BUCKET);
    let identity = vec![policy("app", &json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))];
    let policies = Policies { identity, unread: vec![Layer::ServiceControl(0), Layer::Boundary], ..Policies::default() };
    let decision = evaluate(&request, &policies).unwrap();
    assert_eq!((decision.verdict, decision.unread.len()), (Verdict::Allowed, 2));
    assert!(decision.explain(&request).to_string().contains("permission boundary could not be read"));
}

#[test]
fn a_denial_names_what_denies_or_what_is_missing() {
    let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let mut request = Request::new(Caller::parse(ROLE).unwrap(), "s3:GetObject", BUCKET);
    request.context = Context::complete();
    let boundary = Attached::parse(
        "edge",
        DocumentKind::Boundary,
        &json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}),
    );
    let policies = Policies { identity: vec![policy("app", &allow)], boundary: Some(boundary), ..Policies::default() };
    let decision = evaluate(&request, &policies).unwrap();
    assert_eq!((decision.verdict, decision.missing.as_slice()), (Verdict::ImplicitlyDenied, &[Layer::Boundary][..]));
    assert!(decision.explain(&request).to_string().ends_with("to change it: allow it in permission boundary"));

    let denied = evaluate(
        &request,
        &Policies {
            identity: vec![policy("app", &json!([allow, {"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}]))],
            ..Policies::default()
        },
    )
    .unwrap();
    assert_eq!((denied.verdict, denied.layer), (Verdict::ExplicitlyDenied, Some(Layer::Identity)));
    assert_eq!(denied.statements[0].statement, "No");
}

#[test]
fn what_aws_keeps_to_itself_no_policy_allows() {
    let own = |action: &str, resource: &str| {
        let identity = vec![policy("app", &json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))];
        let request = Request::new(Caller::parse(ROLE).unwrap(), action, resource);
        let decision = evaluate(&request, &Policies { identity: identity.clone(), ..Policies::default() }).unwrap();
        let subject = Subject {
            caller: request.caller.clone(),
            policies: Policies { identity, ..Policies::default() },
            context: Context::complete(),
        };
        // One by one and in bulk.
        let found = who_can(&[subject], &Question::new(action, resource));
        assert_eq!(found.len(), usize::from(decision.verdict == Verdict::Allowed), "{action} {resource}");
        let said = decision.explain(&request).to_string();
        assert_eq!(said.ends_with("AWS lets nobody else do this"), decision.verdict == Verdict::ImplicitlyDenied, "{said}");
        decision.verdict
    };
    let managed = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let reserved = "arn:aws-cn:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x";
    let alias = "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3";
    for (action, resource) in [
        ("iam:CreatePolicyVersion", managed),
        ("IAM:tagPolicy", managed),
        ("iam:PassRole", reserved),
        ("iam:UpdateAssumeRolePolicy", reserved),
        ("iam:UntagRole", reserved),
        ("kms:UpdateAlias", alias),
    ] {
        assert_eq!(own(action, resource), Verdict::ImplicitlyDenied, "{action} {resource}");
    }
    for (action, resource) in [
        ("iam:GetPolicyVersion", managed),
        ("iam:CreatePolicyVersion", "arn:aws:iam::111122223333:policy/ReadOnlyAccess"),
        ("iam:ListRolePolicies", reserved),
        ("iam:PassRole", "arn:aws:iam::111122223333:role/team/aws-reserved/x"),
        ("kms:UpdateAlias", "arn:aws:kms:eu-west-1:111122223333:alias/awsome"),
    ] {
        assert_eq!(own(action, resource), Verdict::Allowed, "{action} {resource}");
    }
}

#[test]
fn of_a_resource_policy_the_statement_is_cited_that_grants_by_itself() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/k";
    let delegates = json!({"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"});
    let cited = |others: &[Value], identity: Vec<Attached>, context: Context| {
        let statements: Vec<&Value> = std::iter::once(&delegates).chain(others).collect();
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let resource = Some(Attached::parse("key", DocumentKind::Resource, &document));
        let request = Request { context, ..Request::new(Caller::parse(ROLE).unwrap(), "kms:Decrypt", key) };
        let decision = evaluate(&request, &Policies { identity, resource, ..Policies::default() }).unwrap();
        let of_key = decision.statements.iter().find(|cited| cited.layer == Layer::Resource).map(|cited| cited.statement.to_string());
        (decision.verdict, of_key.unwrap())
    };
    let everyone = json!({"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"});
    let role = json!({"Sid": "Role", "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt", "Resource": "*"});
    let cite = |others: &[Value]| cited(others, Vec::new(), Context::open());
    assert_eq!(cite(&[]), (Verdict::ImplicitlyDenied, "Account".to_owned()));
    assert_eq!(cite(std::slice::from_ref(&everyone)), (Verdict::Allowed, "All".to_owned()));
    assert_eq!(cite(std::slice::from_ref(&role)), (Verdict::Allowed, "Role".to_owned()));
    // What is not sure takes nobody's place who is.
    let perhaps = json!({"Sid": "Perhaps", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}});
    let own = vec![policy("app", &json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}))];
    assert_eq!(cited(std::slice::from_ref(&perhaps), own, Context::open()), (Verdict::Allowed, "Account".to_owned()));
    assert_eq!(cite(&[perhaps]), (Verdict::Conditional, "Perhaps".to_owned()));
}

#[test]
fn a_malformed_policy_is_named_with_its_place() {
    let request = Request::new(Caller::parse(ROLE).unwrap(), "s3:GetObject", BUCKET);
    let broken = policy("broken", &json!({"Effect": "Allow", "Action": "s3", "Resource": "*"}));
    let malformed = evaluate(&request, &Policies { identity: vec![broken], ..Policies::default() }).unwrap_err();
    assert_eq!(malformed.to_string(), "identity policy broken is malformed: $.Statement.Action: neither * nor service:action");
}

#[test]
fn who_can_finds_those_who_may_on_conditions_too() {
    let subject = |name: &str, statement: &Value| Subject {
        caller: Caller::parse(&format!("arn:aws:iam::111122223333:role/{name}")).unwrap(),
        policies: Policies { identity: vec![policy(name, statement)], ..Policies::default() },
        context: Context::open().with("aws:PrincipalTag/team", KeyState::known(name)),
    };
    let subjects = [
        subject("all", &json!({"Effect": "Allow", "Action": "*", "Resource": "*"})),
        subject("other", &json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::other/*"})),
        subject("secrets", &json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:PrincipalTag/team}/*"})),
        subject(
            "perhaps",
            &json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}),
        ),
    ];
    let found = who_can(&subjects, &Question::new("s3:GetObject", BUCKET));
    assert_eq!(found, [(0, Verdict::Allowed), (2, Verdict::Allowed), (3, Verdict::Conditional)]);
}
