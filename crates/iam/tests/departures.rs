//! Where the simulator behind the vectors departs from AWS: its answers are in nobody's interest, these are AWS's.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where it stands")]

use plimsoll_iam::{Attached, Caller, Document, DocumentKind, Layer, Policies, Request, Simulation, Verdict, evaluate};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/i-1";

fn allow(resource: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": resource}})
}

fn allow_if(condition: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}})
}

fn answer(question: &Value) -> &'static str {
    let mut whole = json!({"principal": ROLE, "action": "sqs:SendMessage", "resource": "*", "resource_account": "111122223333"});
    for (key, value) in question.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let simulation: Simulation = serde_json::from_value(whole).unwrap();
    simulation.run().outcome.as_str()
}

fn holds(condition: &Value, context: &Value) -> bool {
    answer(&json!({"identity_policies": [allow_if(condition)], "context": context})) == "allowed"
}

#[test]
fn variables_are_text_under_an_old_version() {
    for version in [json!("2008-10-17"), Value::Null] {
        let mut policy = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::home/${aws:username}"}});
        if !version.is_null() {
            policy["Version"] = version;
        }
        let ask = |resource: &str| {
            answer(
                &json!({"action": "s3:GetObject", "resource": resource, "identity_policies": [policy], "context": {"aws:username": "bob"}}),
            )
        };
        assert_eq!(ask("arn:aws:s3:::home/bob"), "implicitly_denied");
        assert_eq!(ask("arn:aws:s3:::home/${aws:username}"), "allowed");
    }
}

#[test]
fn escapes_are_characters_for_the_equals_family_too() {
    for operator in ["StringEquals", "StringEqualsIgnoreCase"] {
        assert!(holds(&json!({operator: {"aws:UserAgent": "a${*}b${?}c${$}"}}), &json!({"aws:UserAgent": "a*b?c$"})));
        assert!(!holds(&json!({operator: {"aws:UserAgent": "a${*}"}}), &json!({"aws:UserAgent": "a${*}"})));
    }
}

#[test]
fn a_variable_counts_in_a_resource_id_without_separator() {
    let policy = allow("arn:aws:sqs:eu-west-1:111122223333:${aws:PrincipalTag/team}");
    let ask = |resource: &str| {
        answer(&json!({"resource": resource, "identity_policies": [policy], "context": {"aws:PrincipalTag/team": "blue"}}))
    };
    assert_eq!(ask("arn:aws:sqs:eu-west-1:111122223333:blue"), "allowed");
    assert_eq!(ask("arn:aws:sqs:eu-west-1:111122223333:green"), "implicitly_denied");
}

#[test]
fn a_range_of_no_bits_is_its_whole_family() {
    assert!(holds(&json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), &json!({"aws:SourceIp": "203.0.113.5"})));
    assert!(!holds(&json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), &json!({"aws:SourceIp": "2001:db8::1"})));
    assert!(holds(&json!({"IpAddress": {"aws:SourceIp": "::/0"}}), &json!({"aws:SourceIp": "2001:db8::1"})));
}

#[test]
fn a_caller_of_the_other_family_is_outside_an_address() {
    assert!(holds(&json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.5"}}), &json!({"aws:SourceIp": "2001:db8::1"})));
}

#[test]
fn an_address_is_the_same_in_every_spelling() {
    assert!(holds(&json!({"IpAddress": {"aws:SourceIp": "2001:DB8:0:0::1"}}), &json!({"aws:SourceIp": "2001:db8::1"})));
}

#[test]
fn epoch_seconds_compare_with_written_dates() {
    assert!(holds(&json!({"DateEquals": {"aws:EpochTime": "2024-07-01T00:00:00Z"}}), &json!({"aws:EpochTime": "1719792000"})));
    assert!(holds(&json!({"DateLessThan": {"aws:CurrentTime": "1719792001"}}), &json!({"aws:CurrentTime": "2024-07-01"})));
}

#[test]
fn for_any_value_if_exists_holds_without_the_key() {
    assert!(holds(&json!({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "a"}}), &json!({})));
    assert!(!holds(&json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}), &json!({})));
}

#[test]
fn a_resource_policy_that_names_the_session_passes_a_silent_session_policy() {
    let silent = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let ask = |named: &str| {
        let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "sqs:*", "Resource": "*"}});
        answer(&json!({
            "principal": SESSION, "resource": "arn:aws:sqs:eu-west-1:111122223333:q",
            "session_policy": silent, "resource_policy": policy,
        }))
    };
    assert_eq!(ask(SESSION), "allowed");
    assert_eq!(ask(ROLE), "implicitly_denied");
}

#[test]
fn a_federated_user_without_a_session_policy_has_no_identity_permissions() {
    let user = "arn:aws:sts::111122223333:federated-user/alice";
    let mut question = json!({"principal": user, "identity_policies": [allow("*")]});
    assert_eq!(answer(&question), "implicitly_denied");
    question["session_policy"] = allow("*");
    assert_eq!(answer(&question), "allowed");
}

#[test]
fn not_principal_with_the_role_alone_still_denies_the_session() {
    let deny =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "*", "Resource": "*"}});
    let question = json!({
        "principal": SESSION, "resource": "arn:aws:sqs:eu-west-1:111122223333:q",
        "identity_policies": [allow("*")], "resource_policy": deny,
    });
    assert_eq!(answer(&question), "explicitly_denied");
}

#[test]
fn an_rcp_does_not_bind_a_service_that_has_none() {
    let rcp = |action: &str| json!([[{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}}]]);
    let ask = |action: &str, denied: &str| answer(&json!({"action": action, "identity_policies": [allow("*")], "rcps": rcp(denied)}));
    assert_eq!(ask("ecs:RunTask", "ecs:*"), "allowed");
    for (action, denied) in [("sqs:SendMessage", "sqs:*"), ("dynamodb:GetItem", "dynamodb:*"), ("logs:PutLogEvents", "logs:Put*")] {
        assert_eq!(ask(action, denied), "explicitly_denied", "{action}");
    }
}

#[test]
fn an_rcp_does_not_keep_a_grant_from_being_retired() {
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}});
    let rcp = json!([[{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}}]]);
    let ask = |action: &str| {
        answer(&json!({"action": action, "resource": key, "identity_policies": [allow("*")], "resource_policy": policy, "rcps": rcp}))
    };
    assert_eq!(ask("kms:RetireGrant"), "allowed");
    assert_eq!(ask("kms:RevokeGrant"), "explicitly_denied");
}

#[test]
fn keys_of_identity_providers_are_evaluated() {
    let issuer = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE";
    let provider = format!("arn:aws:iam::111122223333:oidc-provider/{issuer}");
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {format!("{issuer}:sub"): "system:serviceaccount:shop:web"}},
    }});
    let ask = |subject: &str| {
        answer(&json!({
            "principal": provider, "action": "sts:AssumeRoleWithWebIdentity", "resource": ROLE, "resource_policy": trust,
            "context": {format!("{issuer}:sub"): subject},
        }))
    };
    assert_eq!(ask("system:serviceaccount:shop:web"), "allowed");
    assert_eq!(ask("system:serviceaccount:shop:other"), "implicitly_denied");
}

#[test]
fn the_account_root_user_is_allowed_by_default() {
    let root = "arn:aws:iam::111122223333:root";
    assert_eq!(answer(&json!({"principal": root})), "allowed");
    let scp = json!([[{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}]]);
    assert_eq!(answer(&json!({"principal": root, "scps": scp})), "implicitly_denied");
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
    let policy = |named: &str| json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "kms:*", "Resource": "*"}});
    let ask = |named: &str| answer(&json!({"principal": root, "action": "kms:Decrypt", "resource": key, "resource_policy": policy(named)}));
    assert_eq!(ask(root), "allowed");
    assert_eq!(ask(ROLE), "implicitly_denied");
}

#[test]
fn a_role_or_key_whose_policy_was_not_read_is_said_to_be_so() {
    for (action, resource) in
        [("sts:AssumeRole", "arn:aws:iam::111122223333:role/x"), ("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/1")]
    {
        let request = Request::new(Caller::parse(ROLE).unwrap(), action, resource);
        let identity = vec![Attached::parse("all", DocumentKind::Identity, &allow("*"))];
        let mut policies = Policies { identity, ..Policies::default() };
        // Without any policy nobody is admitted: there is no such role or key.
        assert_eq!(evaluate(&request, &policies).unwrap().verdict, Verdict::ImplicitlyDenied);
        policies.unread.push(Layer::Resource);
        let decision = evaluate(&request, &policies).unwrap();
        assert_eq!((decision.verdict, decision.unread.as_slice()), (Verdict::Allowed, &[Layer::Resource][..]));
    }
}

#[test]
fn a_deny_in_a_managed_policy_is_explicit() {
    let request = Request::new(Caller::parse(ROLE).unwrap(), "s3:GetObject", "arn:aws:s3:::b/k");
    let deny = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}});
    let identity = vec![Attached::parse("arn:aws:iam::aws:policy/AWSDenyAll", DocumentKind::Identity, &deny)];
    let decision = evaluate(&request, &Policies { identity, ..Policies::default() }).unwrap();
    assert_eq!(decision.verdict, Verdict::ExplicitlyDenied);
}

#[test]
fn the_head_of_an_arn_keeps_its_case() {
    let ask = |pattern: &str| answer(&json!({"resource": "arn:aws:sqs:eu-west-1:111122223333:q", "identity_policies": [allow(pattern)]}));
    assert_eq!(ask("arn:aws:SQS:eu-west-1:111122223333:q"), "implicitly_denied");
    assert_eq!(ask("arn:aws:sqs:EU-WEST-1:111122223333:q"), "implicitly_denied");
}

#[test]
fn a_star_that_ends_a_part_may_run_on_in_an_allow_and_does_not_in_a_deny() {
    let resource = "arn:aws:ecs:eu-west-1:111122223333:cluster/prod";
    let short = "arn:aws:ecs:eu*:cluster/prod";
    assert_eq!(answer(&json!({"action": "ecs:RunTask", "resource": resource, "identity_policies": [allow(short)]})), "allowed");
    let deny = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": short}});
    assert_eq!(answer(&json!({"action": "ecs:RunTask", "resource": resource, "identity_policies": [allow("*"), deny]})), "allowed");
}

#[test]
fn a_wildcard_counts_in_the_type_of_a_resource() {
    let policy = allow("arn:aws:iam::111122223333:ro*/x");
    let question = json!({"action": "iam:GetRole", "resource": "arn:aws:iam::111122223333:role/x", "identity_policies": [policy]});
    assert_eq!(answer(&question), "allowed");
}

#[test]
fn what_aws_would_not_store_is_refused() {
    let refused = |statement: &Value| {
        Document::from_json(DocumentKind::Identity, &json!({"Version": "2012-10-17", "Statement": statement})).unwrap_err().path
    };
    let operator = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringMatches": {"aws:UserAgent": "x"}}});
    assert_eq!(refused(&operator), "$.Statement.Condition.StringMatches");
    let twice = json!({"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"});
    assert_eq!(refused(&json!([twice, twice])), "$.Statement[1].Sid");
    assert_eq!(refused(&json!({"Effect": "Allow", "Action": "*", "Resource": "foo"})), "$.Statement.Resource");
}
