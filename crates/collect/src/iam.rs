//! AWS IAM, once per account.
//!
//! Calls iam:GetAccountAuthorizationDetails, a thousand entities a page; yields roles, managed policies with their default
//! version, users, groups and instance profiles. When a task definition holds an access key, also iam:ListAccessKeys for
//! each user until its owner is found, and iam:GetAccessKeyLastUsed for that key.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use aws_sdk_iam::Client;
use aws_sdk_iam::types;
use futures::future::join_all;
use percent_encoding::percent_decode_str;
use plimsoll_model::aws::iam::{
    AccessKey, AttachedPermissionsBoundary, AttachedPolicy, Group, InstanceProfile, InstanceProfileRole, Policy, PolicyDetail,
    PolicyVersion, Role, RoleLastUsed, Tag, User,
};
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{Gap, Inventory, Seen};
use plimsoll_secrets::AccessKeyId;

use crate::api::{Api, Operation};
use crate::screen;
use crate::timestamp::timestamp;

const GET_ACCOUNT_AUTHORIZATION_DETAILS: Operation = Operation {
    service: "iam",
    name: "GetAccountAuthorizationDetails",
    permission: "iam:GetAccountAuthorizationDetails",
    why: "roles, policies, users and groups: what tasks may do",
};

const LIST_ACCESS_KEYS: Operation =
    Operation { service: "iam", name: "ListAccessKeys", permission: "iam:ListAccessKeys", why: "whose access key a task definition holds" };

const GET_ACCESS_KEY_LAST_USED: Operation = Operation {
    service: "iam",
    name: "GetAccessKeyLastUsed",
    permission: "iam:GetAccessKeyLastUsed",
    why: "when an access key in a task definition was last used",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[GET_ACCOUNT_AUTHORIZATION_DETAILS, LIST_ACCESS_KEYS, GET_ACCESS_KEY_LAST_USED];

/// The largest page that IAM gives.
const PAGE: i32 = 1000;
/// Users whose access keys are asked for before it is seen whether more are needed.
const USERS_AT_ONCE: usize = 16;

/// Reads all principals and policies of the account.
pub(crate) async fn collect(api: &Api, client: &Client) -> Inventory {
    let mut inventory = Inventory::default();
    let pages = client.get_account_authorization_details().max_items(PAGE).into_paginator().send();
    let listing = api.pages(&GET_ACCOUNT_AUTHORIZATION_DETAILS, pages, |page| {
        for from in page.role_detail_list.unwrap_or_default() {
            role(api, from, &mut inventory);
        }
        for from in page.policies.unwrap_or_default() {
            inventory.push(api.account(), api.region(), policy(from));
        }
        for from in page.user_detail_list.unwrap_or_default() {
            let access_keys = api.not_asked(&LIST_ACCESS_KEYS, None, "no task definition holds an access key");
            inventory.push(api.account(), api.region(), user(api, from, access_keys));
        }
        for from in page.group_detail_list.unwrap_or_default() {
            inventory.push(api.account(), api.region(), group(from));
        }
    });
    api.or_gap(listing.await);
    drop_unused_aws_policies(&mut inventory);
    inventory
}

/// Finds the owners of the access keys that task definitions hold.
pub(crate) async fn access_keys(api: &Api, client: &Client, inventory: &mut Inventory) {
    let mut wanted = referred_digests(inventory, api.account().as_str());
    if wanted.is_empty() {
        return;
    }
    let not_needed = api.not_asked(&LIST_ACCESS_KEYS, None, "the owners of all keys in task definitions were found before");
    for users in inventory.users.chunks_mut(USERS_AT_ONCE) {
        if wanted.is_empty() {
            for user in users {
                user.data.access_keys = not_needed.clone().into();
            }
            continue;
        }
        let asked = users.iter().map(|user| keys_of(api, client, &user.data, &wanted));
        let answers = join_all(asked).await;
        for (user, (keys, found)) in users.iter_mut().zip(answers) {
            user.data.access_keys = keys;
            wanted.retain(|digest| !found.contains(digest));
        }
    }
}

/// The access keys of a user, and the digests of the wanted ones among them.
async fn keys_of(api: &Api, client: &Client, user: &User, wanted: &BTreeSet<String>) -> (Seen<Vec<AccessKey>>, BTreeSet<String>) {
    let request = client.list_access_keys().user_name(&user.user_name).send();
    let listed = match api.call_on(&LIST_ACCESS_KEYS, &user.arn, request).await {
        Ok(output) => output.access_key_metadata,
        Err(gap) => {
            api.gap(gap.clone());
            return (gap.into(), BTreeSet::new());
        }
    };
    let mut keys = Vec::with_capacity(listed.len());
    let mut found = BTreeSet::new();
    for from in listed {
        let Some(id) = from.access_key_id else { continue };
        let digest = AccessKeyId::digest(&id);
        let last_used_date = if wanted.contains(&digest) {
            found.insert(digest.clone());
            let request = client.get_access_key_last_used().access_key_id(&id).send();
            let answer = api.or_gap(api.call_on(&GET_ACCESS_KEY_LAST_USED, &user.arn, request).await);
            timestamp(answer.and_then(|answer| answer.access_key_last_used).and_then(|used| used.last_used_date))
        } else {
            None
        };
        keys.push(AccessKey {
            digest,
            last_four: id.get(id.len().saturating_sub(4)..).unwrap_or_default().to_owned(),
            status: from.status.map(|status| status.as_str().to_owned()),
            create_date: timestamp(from.create_date),
            last_used_date,
        });
    }
    (Seen::Known(keys), found)
}

/// Digests of the access keys in task definitions and task overrides that may be of this account.
fn referred_digests(inventory: &Inventory, account: &str) -> BTreeSet<String> {
    let definitions = inventory.task_definitions.iter().flat_map(|definition| {
        let containers = definition.data.container_definitions.iter();
        let texts = containers.flat_map(|container| container.environment.iter().chain(&container.secrets_in_text));
        texts.chain(&definition.data.secrets_in_text)
    });
    let overrides = inventory.tasks.iter().filter_map(|task| task.data.overrides.as_ref());
    let overrides = overrides.flat_map(|overrides| &overrides.container_overrides);
    let overrides = overrides.flat_map(|container| container.environment.iter().chain(&container.secrets_in_text));
    definitions
        .chain(overrides)
        .flat_map(|screened| &screened.access_keys)
        .filter(|key| key.account_id.as_deref().is_none_or(|owner| owner == account))
        .map(|key| key.digest.clone())
        .collect()
}

/// AWS lists its own policies only where they are attached; emulators list all of them.
fn drop_unused_aws_policies(inventory: &mut Inventory) {
    let roles = inventory.roles.iter().map(|r| (&r.data.attached_managed_policies, r.data.permissions_boundary.as_ref()));
    let users = inventory.users.iter().map(|u| (&u.data.attached_managed_policies, u.data.permissions_boundary.as_ref()));
    let groups = inventory.groups.iter().map(|g| (&g.data.attached_managed_policies, None));
    let mut used = BTreeSet::new();
    for (attached, boundary) in roles.chain(users).chain(groups) {
        used.extend(attached.iter().map(|policy| policy.policy_arn.clone()));
        used.extend(boundary.and_then(|boundary| boundary.permissions_boundary_arn.clone()));
    }
    inventory.policies.retain(|policy| !policy.data.arn.contains(":iam::aws:policy/") || used.contains(&policy.data.arn));
}

fn role(api: &Api, from: types::RoleDetail, inventory: &mut Inventory) {
    let tags = from.tags.unwrap_or_default();
    let to = Role {
        arn: from.arn.unwrap_or_default(),
        role_name: from.role_name.unwrap_or_default(),
        role_id: from.role_id,
        path: from.path,
        create_date: timestamp(from.create_date),
        assume_role_policy_document: from.assume_role_policy_document.as_deref().map(document),
        role_policy_list: inline(from.role_policy_list),
        attached_managed_policies: attached(from.attached_managed_policies),
        permissions_boundary: from.permissions_boundary.map(boundary),
        role_last_used: from
            .role_last_used
            .map(|used| RoleLastUsed { last_used_date: timestamp(used.last_used_date), region: used.region }),
        tags: tags.into_iter().map(|from| tag(api, from)).collect(),
    };
    inventory.push(api.account(), api.region(), to);
    for from in from.instance_profile_list.unwrap_or_default() {
        inventory.push(api.account(), api.region(), instance_profile(from));
    }
}

fn instance_profile(from: types::InstanceProfile) -> InstanceProfile {
    let roles = from.roles.into_iter();
    InstanceProfile {
        arn: from.arn,
        instance_profile_name: from.instance_profile_name,
        instance_profile_id: Some(from.instance_profile_id),
        path: Some(from.path),
        roles: roles.map(|role| InstanceProfileRole { arn: role.arn, role_name: role.role_name }).collect(),
    }
}

fn policy(from: types::ManagedPolicyDetail) -> Policy {
    // The account's own record of which version is in force; a version says so itself, too.
    let default = from.default_version_id.as_deref();
    let versions = from.policy_version_list.into_iter().flatten();
    let kept = versions.filter(|version| match default {
        Some(id) => version.version_id.as_deref() == Some(id),
        None => version.is_default_version,
    });
    let policy_version_list = kept
        .map(|version| PolicyVersion {
            is_default_version: true,
            document: version.document.as_deref().map(document),
            version_id: version.version_id,
        })
        .collect();
    Policy {
        arn: from.arn.unwrap_or_default(),
        policy_name: from.policy_name.unwrap_or_default(),
        policy_id: from.policy_id,
        path: from.path,
        default_version_id: from.default_version_id,
        attachment_count: from.attachment_count,
        permissions_boundary_usage_count: from.permissions_boundary_usage_count,
        policy_version_list,
    }
}

fn user(api: &Api, from: types::UserDetail, access_keys: Gap) -> User {
    User {
        arn: from.arn.unwrap_or_default(),
        user_name: from.user_name.unwrap_or_default(),
        user_id: from.user_id,
        path: from.path,
        create_date: timestamp(from.create_date),
        user_policy_list: inline(from.user_policy_list),
        group_list: from.group_list.unwrap_or_default(),
        attached_managed_policies: attached(from.attached_managed_policies),
        permissions_boundary: from.permissions_boundary.map(boundary),
        access_keys: access_keys.into(),
        tags: from.tags.into_iter().flatten().map(|from| tag(api, from)).collect(),
    }
}

fn group(from: types::GroupDetail) -> Group {
    Group {
        arn: from.arn.unwrap_or_default(),
        group_name: from.group_name.unwrap_or_default(),
        group_id: from.group_id,
        path: from.path,
        group_policy_list: inline(from.group_policy_list),
        attached_managed_policies: attached(from.attached_managed_policies),
    }
}

fn inline(from: Option<Vec<types::PolicyDetail>>) -> Vec<PolicyDetail> {
    let from = from.into_iter().flatten();
    from.map(|policy| PolicyDetail {
        policy_name: policy.policy_name.unwrap_or_default(),
        policy_document: policy.policy_document.as_deref().map(document),
    })
    .collect()
}

fn attached(from: Option<Vec<types::AttachedPolicy>>) -> Vec<AttachedPolicy> {
    let from = from.into_iter().flatten();
    from.map(|policy| AttachedPolicy { policy_name: policy.policy_name, policy_arn: policy.policy_arn.unwrap_or_default() }).collect()
}

fn boundary(from: types::AttachedPermissionsBoundary) -> AttachedPermissionsBoundary {
    AttachedPermissionsBoundary {
        permissions_boundary_type: from.permissions_boundary_type.map(|kind| kind.as_str().to_owned()),
        permissions_boundary_arn: from.permissions_boundary_arn,
    }
}

fn tag(api: &Api, from: types::Tag) -> Tag {
    Tag { value: screen::tag_value(api.detector(), &from.key, from.value), key: from.key }
}

/// IAM URL-encodes documents (RFC 3986), so that `{` comes as `%7B`. Emulators forget to; then a `%` is meant.
fn document(text: &str) -> PolicyDocument {
    if text.trim_start().starts_with('{') {
        return PolicyDocument::from_text(text);
    }
    PolicyDocument::from_text(&percent_decode_str(text).decode_utf8_lossy())
}
