//! Against canned answers of the IAM API: what is kept, what stays unread, and how many calls it takes.

use plimsoll_model::aws::ecs;
use plimsoll_model::{Gap, Inventory};
use plimsoll_secrets::AccessKeyId;
use serde_json::json;

use super::{OPERATIONS, access_keys, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};

// Put together here so that no scanner takes this file for a leak. Keys of this form do not hold their account.
const KEY_ID: &str = concat!("AKIAJ", "7Q2N5XW4ZL3KBVD");
const OTHER_KEY_ID: &str = concat!("AKIAJ", "5WRE2P4QLMX7ZTNC");

const FIRST_PAGE: &str = "
    <IsTruncated>true</IsTruncated><Marker>m</Marker>
    <UserDetailList>
      <member><Arn>arn:aws:iam::111111111111:user/ada</Arn><UserName>ada</UserName><UserId>AIDA1</UserId><Path>/</Path>
        <CreateDate>2024-01-02T03:04:05Z</CreateDate><GroupList><member>admins</member></GroupList></member>
      <member><Arn>arn:aws:iam::111111111111:user/bob</Arn><UserName>bob</UserName><UserId>AIDA2</UserId><Path>/</Path></member>
    </UserDetailList>
    <RoleDetailList>
      <member><Arn>arn:aws:iam::111111111111:role/task</Arn><RoleName>task</RoleName><RoleId>AROA1</RoleId><Path>/</Path>
        <AssumeRolePolicyDocument>%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Resource%22%3A%22a%2525%2B%22%7D%5D%7D</AssumeRolePolicyDocument>
        <RolePolicyList><member><PolicyName>broken</PolicyName><PolicyDocument>%7B%22Statement%22</PolicyDocument></member></RolePolicyList>
        <AttachedManagedPolicies><member><PolicyName>ReadOnlyAccess</PolicyName>
          <PolicyArn>arn:aws:iam::aws:policy/ReadOnlyAccess</PolicyArn></member></AttachedManagedPolicies>
        <PermissionsBoundary><PermissionsBoundaryType>PermissionsBoundaryPolicy</PermissionsBoundaryType>
          <PermissionsBoundaryArn>arn:aws:iam::111111111111:policy/edge</PermissionsBoundaryArn></PermissionsBoundary>
        <RoleLastUsed><LastUsedDate>2025-01-02T03:04:05Z</LastUsedDate><Region>eu-west-3</Region></RoleLastUsed>
        <Tags><member><Key>team</Key><Value>payments</Value></member></Tags>
        <InstanceProfileList><member><Arn>arn:aws:iam::111111111111:instance-profile/host</Arn>
          <InstanceProfileName>host</InstanceProfileName><InstanceProfileId>AIPA1</InstanceProfileId><Path>/</Path>
          <Roles><member><Arn>arn:aws:iam::111111111111:role/task</Arn><RoleName>task</RoleName></member></Roles>
        </member></InstanceProfileList></member>
    </RoleDetailList>";

const SECOND_PAGE: &str = "
    <IsTruncated>false</IsTruncated>
    <GroupDetailList><member><Arn>arn:aws:iam::111111111111:group/admins</Arn><GroupName>admins</GroupName></member></GroupDetailList>
    <Policies>
      <member><Arn>arn:aws:iam::aws:policy/ReadOnlyAccess</Arn><PolicyName>ReadOnlyAccess</PolicyName><DefaultVersionId>v2</DefaultVersionId>
        <PolicyVersionList>
          <member><VersionId>v1</VersionId><IsDefaultVersion>false</IsDefaultVersion><Document>%7B%22old%22%3A1%7D</Document></member>
          <member><VersionId>v2</VersionId><IsDefaultVersion>true</IsDefaultVersion><Document>{\"raw\": \"100%25\"}</Document></member>
        </PolicyVersionList></member>
      <member><Arn>arn:aws:iam::aws:policy/NobodyUsesIt</Arn><PolicyName>NobodyUsesIt</PolicyName></member>
      <member><Arn>arn:aws:iam::111111111111:policy/edge</Arn><PolicyName>edge</PolicyName></member>
    </Policies>";

fn account() -> Replay {
    Replay::new()
        .on("GetAccountAuthorizationDetails", |request| {
            assert_eq!(request["MaxItems"], "1000");
            Answer::Xml(if request["Marker"] == "m" { SECOND_PAGE } else { FIRST_PAGE }.to_owned())
        })
        .on("ListAccessKeys", |request| {
            let id = if request["UserName"] == "ada" { KEY_ID } else { OTHER_KEY_ID };
            Answer::Xml(format!(
                "<AccessKeyMetadata><member><UserName>x</UserName><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>
                <CreateDate>2024-05-06T07:08:09Z</CreateDate></member></AccessKeyMetadata><IsTruncated>false</IsTruncated>"
            ))
        })
        .xml(
            "GetAccessKeyLastUsed",
            "<AccessKeyLastUsed><LastUsedDate>2025-06-07T08:09:10Z</LastUsedDate><ServiceName>s3</ServiceName>
            <Region>eu-west-3</Region></AccessKeyLastUsed>",
        )
}

/// A task definition with an access key in a variable.
fn holding(key_id: &str, owner: Option<&str>) -> Inventory {
    let key = ecs::AccessKeyReference {
        account_id: owner.map(ToOwned::to_owned),
        last_four: key_id[16..].to_owned(),
        digest: AccessKeyId::digest(key_id),
    };
    let variable = ecs::Screened { name: "AWS_ACCESS_KEY_ID".to_owned(), access_keys: vec![key], ..Default::default() };
    let container = ecs::ContainerDefinition { environment: vec![variable], ..Default::default() };
    let definition = ecs::TaskDefinition { container_definitions: vec![container], ..Default::default() };
    let mut inventory = Inventory::default();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), definition);
    inventory
}

async fn collected(replay: &Replay, mut inventory: Inventory) -> (Inventory, Vec<Gap>) {
    let api = Api::in_test();
    let client = replay.iam();
    inventory.absorb(collect(&api, &client).await);
    access_keys(&api, &client, &mut inventory).await;
    inventory.sort();
    (inventory, api.take_gaps())
}

#[tokio::test]
async fn principals_and_policies_come_with_few_pages() {
    let replay = account();
    let (inventory, gaps) = collected(&replay, Inventory::default()).await;
    assert_eq!(gaps, []);
    assert_eq!(replay.requests().len(), 2);
    assert_eq!(inventory.len(), 7, "two users, a role, its profile, a group and two policies");

    let role = &inventory.roles[0].data;
    let trust = role.assume_role_policy_document.as_ref().unwrap();
    assert_eq!(trust.0, json!({"Statement": [{"Effect": "Allow", "Resource": "a%25+"}]}), "decoded once");
    assert_eq!(role.role_policy_list[0].policy_document.as_ref().unwrap().0, json!("{\"Statement\""), "no JSON stays text");
    assert_eq!(role.attached_managed_policies[0].policy_arn, "arn:aws:iam::aws:policy/ReadOnlyAccess");
    assert_eq!(
        role.permissions_boundary.as_ref().unwrap().permissions_boundary_arn.as_deref(),
        Some("arn:aws:iam::111111111111:policy/edge")
    );
    assert_eq!(role.role_last_used.as_ref().unwrap().last_used_date.unwrap().to_string(), "2025-01-02T03:04:05Z");
    assert_eq!((role.tags[0].key.as_str(), role.tags[0].value.as_str()), ("team", "payments"));
    assert_eq!(inventory.instance_profiles[0].data.roles[0].role_name, "task");
    assert_eq!(inventory.users[0].data.group_list, ["admins"]);

    let names: Vec<&str> = inventory.policies.iter().map(|policy| policy.data.policy_name.as_str()).collect();
    assert_eq!(names, ["edge", "ReadOnlyAccess"], "AWS's own only where they are used");
    let versions = &inventory.policies[1].data.policy_version_list;
    assert_eq!(versions.len(), 1, "only the version in force");
    assert_eq!(versions[0].document.as_ref().unwrap().0, json!({"raw": "100%25"}), "what was not encoded is not decoded");
}

#[tokio::test]
async fn access_keys_are_not_asked_for_when_no_task_definition_holds_one() {
    let replay = account();
    let (inventory, _) = collected(&replay, holding(KEY_ID, Some("999999999999"))).await;
    assert_eq!(replay.count("ListAccessKeys"), 0);
    let gap = inventory.users[0].data.access_keys.known().unwrap_err();
    assert_eq!((gap.code.as_str(), gap.message.as_str()), ("NotCollected", "no task definition holds an access key"));
}

#[tokio::test]
async fn the_owner_of_a_key_in_a_task_definition_is_found() {
    let replay = account();
    let (inventory, gaps) = collected(&replay, holding(KEY_ID, None)).await;
    assert_eq!(gaps, []);
    assert_eq!((replay.count("ListAccessKeys"), replay.count("GetAccessKeyLastUsed")), (2, 1));
    let [ada, bob] = [0, 1].map(|user: usize| inventory.users[user].data.access_keys.known().unwrap()[0].clone());
    assert_eq!((ada.digest, ada.last_four.as_str()), (AccessKeyId::digest(KEY_ID), "KBVD"));
    assert_eq!(ada.last_used_date.unwrap().to_string(), "2025-06-07T08:09:10Z");
    assert_eq!((bob.status.as_deref(), bob.last_used_date), (Some("Active"), None));
    let snapshot = {
        let mut bytes = Vec::new();
        plimsoll_model::write(&inventory, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    assert!(!snapshot.contains(KEY_ID) && !snapshot.contains(OTHER_KEY_ID), "ids are not kept");
}

#[tokio::test]
async fn each_denial_becomes_a_gap_that_names_it() {
    for operation in OPERATIONS {
        let replay = account().error(operation.name, "AccessDenied");
        let (_, gaps) = collected(&replay, holding(KEY_ID, None)).await;
        let asked = replay.count(operation.name) > 0;
        assert!(asked && gaps.iter().any(|gap| gap.operation == operation.id() && gap.is_denied()), "{}: {gaps:?}", operation.name);
    }
}

#[tokio::test]
async fn pages_before_a_failure_are_kept() {
    let replay = account().on("GetAccountAuthorizationDetails", |request| {
        if request["Marker"] == "m" { Answer::Raw(200, "<html>busy</".to_owned()) } else { Answer::Xml(FIRST_PAGE.to_owned()) }
    });
    let (inventory, gaps) = collected(&replay, Inventory::default()).await;
    assert_eq!((inventory.roles.len(), inventory.users.len()), (1, 2));
    assert_eq!((gaps.len(), gaps[0].code.as_str()), (1, "MalformedResponse"), "{gaps:?}");
}
