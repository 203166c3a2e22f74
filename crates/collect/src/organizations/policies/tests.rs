#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use plimsoll_model::{AccountId, Inventory};
use serde_json::{Value, json};

use super::super::SERVICE;
use super::collect;
use crate::api::Api;
use crate::replay::{Answer, Replay};

const MANAGEMENT: &str = "111111111111";
const MEMBER: &str = "222222222222";

fn organization(management: &str) -> Replay {
    let summary = |id: &str, kind: &Value| json!({"Id": id, "Arn": format!("arn:aws:organizations::aws:policy/{id}"), "Name": id, "Type": kind, "AwsManaged": false});
    Replay::new()
        .json(
            "DescribeOrganization",
            json!({"Organization": {"Id": "o-1", "Arn": "arn:o", "FeatureSet": "ALL", "MasterAccountId": management}}),
        )
        .on("ListParents", |request| match request["ChildId"].as_str() {
            Some(MEMBER) => Answer::Json(json!({"Parents": [{"Id": "ou-1", "Type": "ORGANIZATIONAL_UNIT"}]})),
            Some("ou-1" | MANAGEMENT) => Answer::Json(json!({"Parents": [{"Id": "r-1", "Type": "ROOT"}]})),
            _ => Answer::Error("ChildNotFoundException"),
        })
        .on("ListPoliciesForTarget", move |request| {
            let service = request["Filter"] == "SERVICE_CONTROL_POLICY";
            let policies = match request["TargetId"].as_str() {
                Some("ou-1") if service => vec![summary("p-regions", &request["Filter"])],
                Some("r-1") if service => vec![summary("p-full", &request["Filter"])],
                Some("r-1") => vec![summary("p-perimeter", &request["Filter"])],
                _ => Vec::new(),
            };
            Answer::Json(json!({"Policies": policies}))
        })
        .on("DescribePolicy", |request| {
            let content = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}).to_string();
            Answer::Json(json!({"Policy": {"PolicySummary": {"Id": request["PolicyId"]}, "Content": content}}))
        })
}

async fn read(replay: &Replay, api: &Api, accounts: &[&str], whole: bool) -> Inventory {
    let accounts: BTreeSet<AccountId> = accounts.iter().map(|account| AccountId::new(account)).collect();
    let mut found = collect(api, &replay.wire(&SERVICE), &accounts, whole).await;
    found.sort();
    found
}

#[tokio::test]
async fn the_management_account_sees_the_way_up_and_its_policies_each_once() {
    let (replay, api) = (organization(MANAGEMENT), Api::in_test());
    let found = read(&replay, &api, &[MANAGEMENT, MEMBER], false).await;
    let member = &found.organization_accounts[1].data;
    assert_eq!(member.parents.known().unwrap().iter().map(|parent| parent.id.as_str()).collect::<Vec<_>>(), ["ou-1", "r-1"]);
    let attached: Vec<_> = member.policies.known().unwrap().iter().map(|one| (one.target_id.as_str(), one.policy_id.as_str())).collect();
    assert_eq!(attached, [("ou-1", "p-regions"), ("r-1", "p-full"), ("r-1", "p-perimeter")]);
    assert_eq!(found.organization_policies.len(), 3);
    assert!(found.organization_policies.iter().all(|policy| policy.data.content.known().unwrap().statements().is_ok()));
    assert_eq!((replay.count("ListParents"), replay.count("ListPoliciesForTarget"), replay.count("DescribePolicy")), (3, 8, 3));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn a_member_account_is_told_of_its_organization_and_asks_no_further() {
    let (replay, api) = (organization(MEMBER), Api::in_test());
    let found = read(&replay, &api, &[MANAGEMENT], false).await;
    let account = &found.organization_accounts[0].data;
    assert_eq!(account.organization.known().unwrap().as_ref().unwrap().id, "o-1");
    assert_eq!(account.policies.known().unwrap_err().code, "NotCollected");
    assert_eq!(replay.requests().len(), 1);
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn an_account_without_an_organization_is_knowledge() {
    let replay = organization(MANAGEMENT).error("DescribeOrganization", "AWSOrganizationsNotInUseException");
    let api = Api::in_test();
    let found = read(&replay, &api, &[MANAGEMENT], false).await;
    assert_eq!(found.organization_accounts[0].data.organization.known().unwrap(), &None);
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn refusals_leave_what_depends_on_them_unseen() {
    let replay = organization(MANAGEMENT).on("ListPoliciesForTarget", |request| match request["TargetId"].as_str() {
        Some("ou-1") => Answer::Error("AccessDeniedException"),
        _ => Answer::Json(json!({"Policies": []})),
    });
    let api = Api::in_test();
    let found = read(&replay, &api, &[MANAGEMENT, MEMBER], true).await;
    assert!(found.organization_accounts[0].data.policies.known().is_ok());
    assert_eq!(found.organization_accounts[1].data.policies.known().unwrap_err().resource.as_deref(), Some("ou-1"));
    assert_eq!(api.take_gaps().len(), 1);

    let replay = organization(MANAGEMENT).error("ListParents", "AccessDeniedException");
    let found = read(&replay, &api, &[MEMBER], true).await;
    assert!(found.organization_accounts[0].data.parents.known().is_err());
    assert!(found.organization_accounts[0].data.policies.known().is_err());
}
