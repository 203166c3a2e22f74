//! Amazon EC2 and VPC in one account and Region: the networks that containers stand in, the instances that host them,
//! and the defaults of EBS encryption.
//!
//! Calls of [`network`], each paged to its end with the largest page: `DescribeVpcs`, `DescribeSubnets`,
//! `DescribeRouteTables`, `DescribeNetworkAcls`, `DescribeSecurityGroups`, `DescribeNetworkInterfaces`,
//! `DescribeInternetGateways`, `DescribeEgressOnlyInternetGateways`, `DescribeNatGateways`, `DescribeVpcEndpoints`,
//! `DescribeVpcPeeringConnections`, `DescribeFlowLogs`, `DescribeManagedPrefixLists`,
//! `DescribeVpcBlockPublicAccessOptions`; `GetManagedPrefixListEntries` for the lists that a rule or route refers to;
//! `DescribeVpcBlockPublicAccessExclusions` where access is blocked.
//! Calls of [`hosts`]: `DescribeInstances`, `DescribeVolumes`, `DescribeImages`, `DescribeLaunchTemplateVersions`,
//! `DescribeInstanceAttribute`. Calls of [`defaults`]: `GetEbsEncryptionByDefault`, `GetEbsDefaultKmsKeyId`. Calls of
//! [`launches`]: `DescribeLaunchTemplateVersions`, `DescribeImages`, `GetInstanceMetadataDefaults`.

mod convert;
mod hosts;
mod launches;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::error::Error;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::Filter;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::future::join_all;
use futures::{FutureExt, StreamExt, join, stream};
use plimsoll_model::aws::ec2;
use plimsoll_model::{Gap, Holds, Inventory, Seen};
use plimsoll_secrets::Detector;

use crate::api::{Api, Operation, Outcome, Pages};
pub(crate) use hosts::hosts;
pub(crate) use launches::launches;

const fn describe(name: &'static str, permission: &'static str, why: &'static str) -> Operation {
    Operation { service: "ec2", name, permission, why }
}

const DESCRIBE_VPCS: Operation = describe("DescribeVpcs", "ec2:DescribeVpcs", "reads networks and their address ranges");
const DESCRIBE_SUBNETS: Operation =
    describe("DescribeSubnets", "ec2:DescribeSubnets", "reads subnets and whether they give public addresses");
const DESCRIBE_ROUTE_TABLES: Operation =
    describe("DescribeRouteTables", "ec2:DescribeRouteTables", "tells which subnets lead to the internet");
const DESCRIBE_NETWORK_ACLS: Operation = describe("DescribeNetworkAcls", "ec2:DescribeNetworkAcls", "reads what subnets let in and out");
const DESCRIBE_SECURITY_GROUPS: Operation =
    describe("DescribeSecurityGroups", "ec2:DescribeSecurityGroups", "reads what tasks and hosts let in and out");
const DESCRIBE_NETWORK_INTERFACES: Operation = describe(
    "DescribeNetworkInterfaces",
    "ec2:DescribeNetworkInterfaces",
    "reads addresses and security groups of tasks, hosts and load balancers",
);
const DESCRIBE_INTERNET_GATEWAYS: Operation =
    describe("DescribeInternetGateways", "ec2:DescribeInternetGateways", "tells which networks reach the internet");
const DESCRIBE_EGRESS_ONLY_INTERNET_GATEWAYS: Operation = describe(
    "DescribeEgressOnlyInternetGateways",
    "ec2:DescribeEgressOnlyInternetGateways",
    "tells which networks reach the internet over IPv6",
);
const DESCRIBE_NAT_GATEWAYS: Operation =
    describe("DescribeNatGateways", "ec2:DescribeNatGateways", "tells which subnets reach the internet by translation");
const DESCRIBE_VPC_ENDPOINTS: Operation =
    describe("DescribeVpcEndpoints", "ec2:DescribeVpcEndpoints", "reads private ways to AWS services and their policies");
const DESCRIBE_VPC_PEERING_CONNECTIONS: Operation =
    describe("DescribeVpcPeeringConnections", "ec2:DescribeVpcPeeringConnections", "reads ways between networks");
const DESCRIBE_FLOW_LOGS: Operation = describe("DescribeFlowLogs", "ec2:DescribeFlowLogs", "tells whose traffic is recorded, and how");
const DESCRIBE_MANAGED_PREFIX_LISTS: Operation =
    describe("DescribeManagedPrefixLists", "ec2:DescribeManagedPrefixLists", "finds the address lists that rules and routes name");
const GET_MANAGED_PREFIX_LIST_ENTRIES: Operation =
    describe("GetManagedPrefixListEntries", "ec2:GetManagedPrefixListEntries", "reads the addresses of lists that rules and routes name");
const DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_OPTIONS: Operation = describe(
    "DescribeVpcBlockPublicAccessOptions",
    "ec2:DescribeVpcBlockPublicAccessOptions",
    "tells whether the account blocks internet traffic",
);
const DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSIONS: Operation = describe(
    "DescribeVpcBlockPublicAccessExclusions",
    "ec2:DescribeVpcBlockPublicAccessExclusions",
    "reads which networks that block leaves out",
);
const DESCRIBE_INSTANCES: Operation =
    describe("DescribeInstances", "ec2:DescribeInstances", "reads container hosts: metadata service, profile, addresses");
const DESCRIBE_VOLUMES: Operation =
    describe("DescribeVolumes", "ec2:DescribeVolumes", "tells whether the volumes of container hosts are encrypted");
const DESCRIBE_IMAGES: Operation = describe("DescribeImages", "ec2:DescribeImages", "reads name and age of the images of container hosts");
const DESCRIBE_LAUNCH_TEMPLATE_VERSIONS: Operation = describe(
    "DescribeLaunchTemplateVersions",
    "ec2:DescribeLaunchTemplateVersions",
    "reads the user data of container hosts; secrets are dropped at once",
);
const DESCRIBE_INSTANCE_ATTRIBUTE: Operation = describe(
    "DescribeInstanceAttribute",
    "ec2:DescribeInstanceAttribute",
    "reads the user data of container hosts without a launch template",
);
const GET_EBS_ENCRYPTION_BY_DEFAULT: Operation = describe(
    "GetEbsEncryptionByDefault",
    "ec2:GetEbsEncryptionByDefault",
    "tells whether volumes of services are encrypted unless they say otherwise",
);
const GET_EBS_DEFAULT_KMS_KEY_ID: Operation = describe("GetEbsDefaultKmsKeyId", "ec2:GetEbsDefaultKmsKeyId", "tells with which key");

const GET_INSTANCE_METADATA_DEFAULTS: Operation = describe(
    "GetInstanceMetadataDefaults",
    "ec2:GetInstanceMetadataDefaults",
    "tells which metadata service hosts get unless their launch template says otherwise",
);

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[
    DESCRIBE_VPCS,
    DESCRIBE_SUBNETS,
    DESCRIBE_ROUTE_TABLES,
    DESCRIBE_NETWORK_ACLS,
    DESCRIBE_SECURITY_GROUPS,
    DESCRIBE_NETWORK_INTERFACES,
    DESCRIBE_INTERNET_GATEWAYS,
    DESCRIBE_EGRESS_ONLY_INTERNET_GATEWAYS,
    DESCRIBE_NAT_GATEWAYS,
    DESCRIBE_VPC_ENDPOINTS,
    DESCRIBE_VPC_PEERING_CONNECTIONS,
    DESCRIBE_FLOW_LOGS,
    DESCRIBE_MANAGED_PREFIX_LISTS,
    GET_MANAGED_PREFIX_LIST_ENTRIES,
    DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_OPTIONS,
    DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSIONS,
    DESCRIBE_INSTANCES,
    DESCRIBE_VOLUMES,
    DESCRIBE_IMAGES,
    DESCRIBE_LAUNCH_TEMPLATE_VERSIONS,
    DESCRIBE_INSTANCE_ATTRIBUTE,
    GET_EBS_ENCRYPTION_BY_DEFAULT,
    GET_EBS_DEFAULT_KMS_KEY_ID,
    GET_INSTANCE_METADATA_DEFAULTS,
];

/// The largest page of most operations.
const PAGE: i32 = 1000;
/// The largest page of `DescribeRouteTables` and of the operations on prefix lists.
const SMALL_PAGE: i32 = 100;
/// The largest page of `DescribeEgressOnlyInternetGateways`.
const EGRESS_ONLY_PAGE: i32 = 255;
/// Values that one filter takes.
const FILTER_VALUES: usize = 200;
/// Requests of one kind that are prepared at a time; `Api` bounds those in flight.
const AT_ONCE: usize = 32;

/// Reads the networks of the Region.
pub(crate) async fn network(api: &Api, client: &Client) -> Inventory {
    let vpcs = client.describe_vpcs().into_paginator().page_size(PAGE).send();
    let subnets = client.describe_subnets().into_paginator().page_size(PAGE).send();
    let route_tables = client.describe_route_tables().into_paginator().page_size(SMALL_PAGE).send();
    let network_acls = client.describe_network_acls().into_paginator().page_size(PAGE).send();
    let security_groups = client.describe_security_groups().into_paginator().page_size(PAGE).send();
    let interfaces = client.describe_network_interfaces().into_paginator().page_size(PAGE).send();
    let gateways = client.describe_internet_gateways().into_paginator().page_size(PAGE).send();
    let egress_only = client.describe_egress_only_internet_gateways().into_paginator().page_size(EGRESS_ONLY_PAGE).send();
    let nat = client.describe_nat_gateways().filter(filter("state", ["pending", "available"]));
    let nat = nat.into_paginator().page_size(PAGE).send();
    let endpoints = client.describe_vpc_endpoints().into_paginator().page_size(PAGE).send();
    let peerings =
        client.describe_vpc_peering_connections().filters(filter("status-code", ["pending-acceptance", "provisioning", "active"]));
    let peerings = peerings.into_paginator().page_size(PAGE).send();
    let flow_logs = client.describe_flow_logs().into_paginator().page_size(PAGE).send();
    let prefix_lists = client.describe_managed_prefix_lists().into_paginator().page_size(SMALL_PAGE).send();

    let parts = [
        listed(api, &DESCRIBE_VPCS, vpcs, |page| page.vpcs, convert::vpc).boxed_local(),
        listed(api, &DESCRIBE_SUBNETS, subnets, |page| page.subnets, convert::subnet).boxed_local(),
        listed(api, &DESCRIBE_ROUTE_TABLES, route_tables, |page| page.route_tables, convert::route_table).boxed_local(),
        listed(api, &DESCRIBE_NETWORK_ACLS, network_acls, |page| page.network_acls, convert::network_acl).boxed_local(),
        listed(api, &DESCRIBE_SECURITY_GROUPS, security_groups, |page| page.security_groups, convert::security_group).boxed_local(),
        listed(api, &DESCRIBE_NETWORK_INTERFACES, interfaces, |page| page.network_interfaces, convert::network_interface).boxed_local(),
        listed(api, &DESCRIBE_INTERNET_GATEWAYS, gateways, |page| page.internet_gateways, convert::internet_gateway).boxed_local(),
        listed(
            api,
            &DESCRIBE_EGRESS_ONLY_INTERNET_GATEWAYS,
            egress_only,
            |page| page.egress_only_internet_gateways,
            convert::egress_only_internet_gateway,
        )
        .boxed_local(),
        listed(api, &DESCRIBE_NAT_GATEWAYS, nat, |page| page.nat_gateways, convert::nat_gateway).boxed_local(),
        listed(api, &DESCRIBE_VPC_ENDPOINTS, endpoints, |page| page.vpc_endpoints, convert::vpc_endpoint).boxed_local(),
        listed(api, &DESCRIBE_VPC_PEERING_CONNECTIONS, peerings, |page| page.vpc_peering_connections, convert::vpc_peering_connection)
            .boxed_local(),
        listed(api, &DESCRIBE_FLOW_LOGS, flow_logs, |page| page.flow_logs, convert::flow_log).boxed_local(),
    ];
    let (parts, (mut inventory, lists_complete), blocked) = join!(
        join_all(parts),
        listed(api, &DESCRIBE_MANAGED_PREFIX_LISTS, prefix_lists, |page| page.prefix_lists, convert::managed_prefix_list),
        block_public_access(api, client),
    );
    inventory.absorb(blocked);
    for (part, _) in parts {
        inventory.absorb(part);
    }
    prefix_list_entries(api, client, &mut inventory, lists_complete).await;
    inventory
}

/// Reads the defaults for new EBS volumes, when a service leaves its volumes to them.
pub(crate) async fn defaults(api: &Api, client: &Client, ecs: &Inventory) -> Inventory {
    let mut inventory = Inventory::default();
    let deployments = ecs.services.iter().flat_map(|service| &service.data.deployments);
    let mut volumes = deployments.flat_map(|deployment| &deployment.volume_configurations);
    if !volumes.any(|volume| volume.managed_ebs_volume.is_some()) {
        return inventory;
    }
    let (by_default, key) = join!(
        api.call(&GET_EBS_ENCRYPTION_BY_DEFAULT, client.get_ebs_encryption_by_default().send()),
        api.call(&GET_EBS_DEFAULT_KMS_KEY_ID, client.get_ebs_default_kms_key_id().send()),
    );
    let ebs_encryption_by_default = match api.noted(by_default.map(|answer| answer.ebs_encryption_by_default)) {
        Seen::Known(Some(on)) => Seen::Known(on),
        Seen::Known(None) => Seen::default(),
        Seen::Unseen(gap) => Seen::Unseen(gap),
    };
    let ebs_default_kms_key_id = api.noted(key.map(|answer| answer.kms_key_id));
    let defaults = ec2::EbsEncryptionDefaults { ebs_encryption_by_default, ebs_default_kms_key_id };
    inventory.push(api.account(), api.region(), defaults);
    inventory
}

async fn block_public_access(api: &Api, client: &Client) -> Inventory {
    let mut inventory = Inventory::default();
    // Endpoints that do not know the operation fail as if they were broken: eight attempts would take a minute.
    let retries = RetryConfig::standard().with_max_attempts(3);
    let request = client.describe_vpc_block_public_access_options().customize();
    let request = request.config_override(aws_sdk_ec2::Config::builder().retry_config(retries)).send();
    let answer = api.or_gap(api.call(&DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_OPTIONS, request).await);
    let Some(options) = answer.and_then(|answer| answer.vpc_block_public_access_options) else {
        return inventory;
    };
    let not_asked = api.not_asked(&DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSIONS, None, "nothing is blocked");
    let mut options = convert::block_public_access(options, not_asked);
    if options.internet_gateway_block_mode.as_deref().is_some_and(|mode| mode != "off") {
        options.exclusions = api.noted(exclusions(api, client).await);
    }
    inventory.push(api.account(), api.region(), options);
    inventory
}

async fn exclusions(api: &Api, client: &Client) -> Result<Vec<ec2::VpcBlockPublicAccessExclusion>, Gap> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let request = client.describe_vpc_block_public_access_exclusions().max_results(PAGE).set_next_token(token.clone()).send();
        let answer = api.call(&DESCRIBE_VPC_BLOCK_PUBLIC_ACCESS_EXCLUSIONS, request).await?;
        found.extend(answer.vpc_block_public_access_exclusions.into_iter().flatten().map(convert::exclusion));
        // A token that comes back would lead round and round.
        let next = answer.next_token.filter(|next| !next.is_empty() && Some(next) != token.as_ref());
        if next.is_none() {
            return Ok(found);
        }
        token = next;
    }
}

/// Reads the entries of the prefix lists that a rule or a route refers to. When the lists themselves could not be read
/// to their end, what is referred to is read all the same.
async fn prefix_list_entries(api: &Api, client: &Client, inventory: &mut Inventory, lists_complete: bool) {
    let routes = inventory.route_tables.iter().flat_map(|table| &table.data.routes);
    let groups = inventory.security_groups.iter().map(|group| &group.data);
    let rules = groups.flat_map(|group| group.ip_permissions.iter().chain(&group.ip_permissions_egress));
    let mut referred: BTreeSet<String> = routes.filter_map(|route| route.destination_prefix_list_id.clone()).collect();
    referred.extend(rules.flat_map(|rule| &rule.prefix_list_ids).map(|list| list.prefix_list_id.clone()));
    if !lists_complete {
        for prefix_list_id in &referred {
            if !inventory.managed_prefix_lists.iter().any(|list| list.data.prefix_list_id == *prefix_list_id) {
                let list = ec2::ManagedPrefixList { prefix_list_id: prefix_list_id.clone(), ..Default::default() };
                inventory.push(api.account(), api.region(), list);
            }
        }
    }
    let lists = inventory.managed_prefix_lists.iter_mut().map(|list| &mut list.data);
    stream::iter(lists)
        .for_each_concurrent(AT_ONCE, |list| {
            let wanted = referred.contains(&list.prefix_list_id);
            async move {
                list.entries = if wanted {
                    api.noted(entries(api, client, &list.prefix_list_id).await)
                } else {
                    let id = Some(list.prefix_list_id.as_str());
                    api.not_asked(&GET_MANAGED_PREFIX_LIST_ENTRIES, id, "no rule or route refers to it").into()
                };
            }
        })
        .await;
}

async fn entries(api: &Api, client: &Client, prefix_list_id: &str) -> Result<Vec<ec2::PrefixListEntry>, Gap> {
    let mut found = Vec::new();
    let request = client.get_managed_prefix_list_entries().prefix_list_id(prefix_list_id);
    let pages = request.into_paginator().page_size(SMALL_PAGE).send();
    let listing = api.pages(&GET_MANAGED_PREFIX_LIST_ENTRIES, pages, |page| {
        found.extend(page.entries.into_iter().flatten().map(convert::prefix_list_entry));
    });
    listing.await.about(prefix_list_id)?;
    Ok(found)
}

/// Reads a listing into an inventory. Answers whether it came to its end.
async fn listed<O, E, T, U>(
    api: &Api,
    operation: &'static Operation,
    pages: Pages<O, E>,
    items: impl Fn(O) -> Option<Vec<T>>,
    convert: impl Fn(&Detector, T) -> U,
) -> (Inventory, bool)
where
    E: ProvideErrorMetadata + Error + 'static,
    Inventory: Holds<U>,
{
    let mut inventory = Inventory::default();
    let listing = api.pages(operation, pages, |page| {
        for item in items(page).into_iter().flatten() {
            inventory.push(api.account(), api.region(), convert(api.detector(), item));
        }
    });
    let complete = api.or_gap(listing.await).is_some();
    (inventory, complete)
}

fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}
