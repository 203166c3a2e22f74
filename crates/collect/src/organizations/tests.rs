//! Which accounts of an organization are chosen, and what is said when that cannot be told.

use std::time::Duration;

use plimsoll_model::{AccountId, Gap, Region};
use serde_json::{Value, json};

use super::SERVICE;
use crate::accounts::{AccountChoice, AccountFilter, AccountMatch, AccountRole, Chosen, to_scan};
use crate::api::Api;
use crate::replay::{Answer, Replay, config};
use crate::scan::scan;
use crate::session::Session;
use crate::sts::Caller;
use crate::{CollectError, Interrupt, Settings};

const MANAGEMENT: &str = "111111111111";

/// Root: the management account; `ou-root-platform1`: 2; below it `ou-root-platform2`: 3; `ou-root-sandbox1`: 4, and 5, which
/// is suspended. Account 3 has a tag.
fn organization() -> Replay {
    let id = |digit: u8| digit.to_string().repeat(12);
    let account = move |digit: u8, status: &str| json!({"Id": id(digit), "Name": "x", "Status": status});
    Replay::new()
        .on("ListAccounts", move |request| {
            assert!(request["MaxResults"].as_u64().unwrap() <= 20);
            Answer::Json(match request["NextToken"].as_str() {
                None => json!({"Accounts": [account(3, "ACTIVE"), account(1, "ACTIVE"), account(5, "SUSPENDED")], "NextToken": "more"}),
                Some(_) => json!({"Accounts": [account(4, "ACTIVE"), {"Id": id(2), "State": "ACTIVE"}]}),
            })
        })
        .on("ListAccountsForParent", move |request| {
            Answer::Json(json!({"Accounts": match request["ParentId"].as_str().unwrap() {
                "ou-root-platform1" => vec![account(2, "ACTIVE")],
                "ou-root-platform2" => vec![account(3, "ACTIVE")],
                "ou-root-sandbox1" => vec![account(4, "ACTIVE"), account(5, "SUSPENDED")],
                _ => return Answer::Error("ParentNotFoundException"),
            }}))
        })
        .on("ListOrganizationalUnitsForParent", |request| {
            let below = if request["ParentId"] == "ou-root-platform1" { json!([{"Id": "ou-root-platform2"}]) } else { json!([]) };
            Answer::Json(json!({"OrganizationalUnits": below}))
        })
        .on("ListTagsForResource", |request| {
            let tags = if request["ResourceId"] == "333333333333" { json!([{"Key": "stage", "Value": "prod"}]) } else { json!([]) };
            Answer::Json(json!({"Tags": tags}))
        })
}

fn matching(accounts: &[&str], units: &[&str], tags: &[&str]) -> AccountMatch {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    AccountMatch { accounts: owned(accounts), units: owned(units), tags: tags.iter().map(|tag| tag.parse().unwrap()).collect() }
}

fn nothing() -> AccountMatch {
    AccountMatch::default()
}

async fn entries(replay: &Replay, include: AccountMatch, exclude: AccountMatch) -> (Result<Chosen, CollectError>, Vec<Gap>) {
    let caller = Caller { account: AccountId::new(MANAGEMENT), arn: format!("arn:aws:iam::{MANAGEMENT}:user/audit") };
    let role = AccountRole { name: "audit".to_owned(), external_id: None };
    let choice = AccountChoice::Organization { role, filter: AccountFilter { include, exclude } };
    let api = Api::in_test();
    let entries = to_scan(&api, &replay.wire(&SERVICE), &choice, &caller).await;
    (entries, api.take_gaps())
}

async fn chosen(include: AccountMatch, exclude: AccountMatch) -> String {
    let entries = entries(&organization(), include, exclude).await.0.unwrap();
    entries.entries.iter().map(|entry| &entry.account.as_str()[..1]).collect()
}

#[tokio::test]
async fn every_active_account_is_entered_by_its_role_and_the_callers_own_as_it_is() {
    let (chosen, gaps) = entries(&organization(), nothing(), nothing()).await;
    let Chosen { entries, inactive } = chosen.unwrap();
    assert_eq!(inactive, ["555555555555".into()].into());
    let entries: Vec<(String, Option<String>)> = entries.into_iter().map(|entry| (entry.account.to_string(), entry.role)).collect();
    let role = |account: &str| (account.to_owned(), Some(format!("arn:aws:iam::{account}:role/audit")));
    assert_eq!(entries, [(MANAGEMENT.to_owned(), None), role("222222222222"), role("333333333333"), role("444444444444")]);
    assert_eq!(gaps, []);
}

#[tokio::test]
async fn what_includes_adds_up_and_what_excludes_takes_away() {
    let two = "222222222222";
    assert_eq!(chosen(matching(&[two], &[], &[]), nothing()).await, "2");
    assert_eq!(chosen(nothing(), matching(&[two], &[], &[])).await, "134");
    assert_eq!(chosen(matching(&[], &["ou-root-platform1"], &[]), nothing()).await, "23", "units include those below them");
    assert_eq!(chosen(matching(&[], &["ou-root-platform1"], &[]), matching(&[], &["ou-root-platform2"], &[])).await, "2");
    assert_eq!(chosen(nothing(), matching(&[], &["ou-root-platform1"], &[])).await, "14");
    assert_eq!(chosen(matching(&[], &[], &["stage=prod"]), nothing()).await, "3");
    assert_eq!(chosen(matching(&[two], &[], &["stage=test", "owner"]), nothing()).await, "2");
    assert_eq!(chosen(matching(&[], &[], &["Stage=pr*"]), nothing()).await, "3");
    assert_eq!(chosen(nothing(), matching(&[], &[], &["stage=prod"])).await, "124");
    assert_eq!(chosen(matching(&[two], &["ou-root-sandbox1"], &["stage=prod"]), nothing()).await, "234");
    assert_eq!(chosen(matching(&[two], &["ou-root-platform2"], &[]), matching(&[], &[], &["stage=prod"])).await, "2");
}

#[tokio::test]
async fn tags_are_asked_for_only_where_they_decide() {
    let replay = organization();
    entries(&replay, matching(&["222222222222"], &[], &[]), nothing()).await.0.unwrap();
    assert_eq!(replay.count("ListTagsForResource"), 0);
    entries(&replay, matching(&["222222222222"], &[], &["stage=prod"]), matching(&["444444444444"], &[], &[])).await.0.unwrap();
    assert_eq!(replay.count("ListTagsForResource"), 2, "of 1 and 3: 2 is included, 4 excluded, 5 suspended");
}

#[tokio::test]
async fn a_filter_that_leaves_nobody_is_wrong_usage() {
    let error = entries(&organization(), matching(&[], &[], &["stage=none"]), nothing()).await.0.unwrap_err();
    assert!(error.is_usage() && error.hint().contains("widen"), "{error}");
}

#[tokio::test]
async fn an_account_that_is_not_in_the_organization_is_a_gap() {
    let (entries, gaps) = entries(&organization(), matching(&["999999999999", "222222222222"], &[], &[]), nothing()).await;
    assert_eq!(entries.unwrap().entries.len(), 1);
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert_eq!((gap.account.as_str(), gap.code.as_str()), ("999999999999", Gap::NOT_IN_ORGANIZATION));
    assert!(gap.closes_account());
}

#[tokio::test]
async fn a_filter_that_cannot_be_decided_stops_the_scan() {
    let unit = matching(&[], &["ou-root-nowhere1"], &[]);
    let error = entries(&organization(), unit, nothing()).await.0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the accounts of the organization cannot be told: organizations:ListAccountsForParent of ou-root-nowhere1"
    );
    assert!(error.hint().contains("no such unit"), "{}", error.hint());
    let replay = organization().error("ListTagsForResource", "AccessDeniedException");
    let error = entries(&replay, nothing(), matching(&[], &[], &["stage=prod"])).await.0.unwrap_err();
    assert!(error.hint().contains("organizations:ListTagsForResource allowed"), "{}", error.hint());
    let replay = organization().error("ListAccounts", "AWSOrganizationsNotInUseException");
    let error = entries(&replay, nothing(), nothing()).await.0.unwrap_err();
    assert!(error.hint().contains("in no organization") && !error.is_usage(), "{}", error.hint());
}

#[tokio::test]
async fn an_organization_is_scanned_whole() {
    let replay = organization()
        .on("AssumeRole", |request: &Value| {
            let account = request["RoleArn"].as_str().unwrap().split(':').nth(4).unwrap().to_owned();
            if account.starts_with('4') {
                return Answer::Error("AccessDenied");
            }
            Answer::Xml(format!(
                "<Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>x</SecretAccessKey>\
                 <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
            ))
        })
        .on_signed("GetCallerIdentity", |_, signed| {
            let account = signed.key.strip_prefix("ASIA").unwrap_or(MANAGEMENT);
            Answer::Xml(format!("<Account>{account}</Account><Arn>arn:aws:iam::{account}:user/audit</Arn>"))
        })
        .xml("DescribeRegions", "<regionInfo><item><regionName>eu-west-3</regionName></item></regionInfo>")
        .xml("GetAccountAuthorizationDetails", "")
        .json("ListAliases", json!({"Aliases": []}))
        .json("ListKeys", json!({"Keys": []}))
        .json("ListClusters", json!({"clusterArns": []}))
        .json("ListTaskDefinitionFamilies", json!({"families": []}))
        .json("GET /clusters", json!({"clusters": []}));
    let session = Session::new(config(Duration::from_secs(2)).into_builder().http_client(replay.clone()).build());
    let role = AccountRole { name: "audit".to_owned(), external_id: None };
    let accounts = AccountChoice::Organization { role, filter: AccountFilter::default() };
    let inventory = scan(&session, &Settings { accounts, ..Settings::default() }, &Interrupt::never()).await.unwrap();
    let scope = &inventory.header.scope;
    let read: Vec<&str> =
        scope.accounts.iter().filter(|account| scope.covers(account, &Region::new("eu-west-3"))).map(AccountId::as_str).collect();
    assert_eq!(read, [MANAGEMENT, "222222222222", "333333333333"]);
    assert_eq!(scope.inactive_accounts, ["555555555555".into()].into());
    let gaps: Vec<(&str, &str)> = inventory.gaps.iter().map(|gap| (gap.account.as_str(), gap.operation.as_str())).collect();
    assert_eq!(gaps, [("444444444444", "sts:AssumeRole")]);
}
