//! Whom policies of secrets let in.

use plimsoll_fixture::{ACCOUNT, Fixture, fixture, policy};
use plimsoll_model::Seen;
use plimsoll_model::aws::organizations::{Account, Attachment, Organization, Parent, Policy as Control};
use plimsoll_model::aws::secretsmanager::Secret;
use serde_json::{Value, json};

use super::{Admitted, Outsider};
use crate::Estate;

const READ: &str = "secretsmanager:GetSecretValue";
const OTHER: &str = "222222222222";

fn secret(statements: &[Value]) -> Fixture {
    let document = policy(json!({"Version": "2012-10-17", "Statement": statements}));
    let account = Account { id: ACCOUNT.to_owned(), organization: Seen::Known(None), ..Account::default() };
    fixture().resource(account).secret("db", |secret| secret.resource_policy = Seen::Known(Some(document)))
}

fn admitted(account: Fixture) -> Vec<Admitted> {
    let inventory = account.build();
    let estate = Estate::new(&inventory);
    let secret = estate.all::<Secret>().next().unwrap();
    secret.outsiders(&[READ]).unwrap().admitted
}

fn allow(principal: &Value, condition: &Value) -> Value {
    json!({"Sid": "in", "Effect": "Allow", "Principal": principal, "Action": READ, "Resource": "*", "Condition": condition})
}

fn everyone(condition: &Value) -> Vec<(Outsider, bool)> {
    admitted(secret(&[allow(&json!("*"), condition)])).into_iter().map(|one| (one.who, one.certain)).collect()
}

#[test]
fn what_outsiders_decide_keeps_none_of_them_out() {
    for condition in [
        json!({}),
        json!({"StringEquals": {"aws:PrincipalTag/team": "shop", "aws:PrincipalType": "User"}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/ops/deploy-*"}}),
        json!({"StringNotEquals": {"aws:PrincipalAccount": "333333333333"}}),
        json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}}),
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
    ] {
        assert_eq!(everyone(&condition), [(Outsider::Everyone, true)], "{condition}");
    }
}

#[test]
fn what_only_the_owner_has_keeps_them_out() {
    for condition in [
        json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}),
        json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"StringEquals": {"aws:PrincipalServiceName": "ecs.amazonaws.com"}}),
        json!({"StringLike": {"aws:userid": "AROAEXAMPLEEXAMPLE:*"}}),
        json!({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
    ] {
        assert_eq!(everyone(&condition), [], "{condition}");
    }
}

#[test]
fn what_nobody_knows_leaves_it_open() {
    let found = admitted(secret(&[allow(&json!("*"), &json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))]));
    assert_eq!((found[0].certain, found[0].keys.as_slice()), (false, ["aws:SourceIp".to_owned()].as_slice()));
    assert_eq!(found[0].statements, ["in"]);
}

#[test]
fn organizations_and_accounts_that_conditions_name_are_told_apart() {
    let organization = json!({"StringEquals": {"aws:PrincipalOrgID": "o-else"}});
    assert_eq!(everyone(&organization), [(Outsider::Organization("o-else".to_owned()), true)]);
    let paths = json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-else/r-1/ou-1/*"}});
    assert_eq!(everyone(&paths), [(Outsider::Organization("o-else".to_owned()), true)]);
    let account = Outsider::Account { number: OTHER.to_owned(), perhaps_member: false };
    assert_eq!(everyone(&json!({"StringEquals": {"aws:PrincipalAccount": OTHER}})), [(account.clone(), true)]);
    let role = json!({"AWS": format!("arn:aws:iam::{OTHER}:role/reader")});
    let found = admitted(secret(&[allow(&role, &json!({}))]));
    assert_eq!((found.len(), &found[0].who), (1, &account));
}

#[test]
fn a_deny_of_the_policy_or_of_the_organization_counts() {
    let outsiders = json!({"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}});
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": outsiders});
    let open = || allow(&json!("*"), &json!({}));
    assert_eq!(admitted(secret(&[open(), deny.clone()])), []);
    let of_service = |statement: &Value| {
        let mut statement = statement.clone();
        statement["Action"] = json!("secretsmanager:*");
        statement
    };
    let bound = secret(&[open()]).each(|account: &mut Account| {
        account.organization = Seen::Known(Some(Organization { id: "o-1".to_owned(), ..Organization::default() }));
        account.parents = Seen::Known(vec![Parent { id: "r-1".to_owned(), kind: "ROOT".to_owned() }]);
        let kind = "RESOURCE_CONTROL_POLICY".to_owned();
        account.policies = Seen::Known(vec![Attachment { target_id: "r-1".to_owned(), policy_id: "p-1".to_owned(), kind }]);
    });
    let content = Seen::Known(policy(json!({"Version": "2012-10-17", "Statement": [of_service(&deny)]})));
    let control = Control { id: "p-1".to_owned(), arn: "p-1".to_owned(), name: "perimeter".to_owned(), content, ..Control::default() };
    assert_eq!(admitted(bound.global_resource(control)), []);
}
