//! Answers of the EC2 API flow in as the SDK's types; the model's types flow out.

use aws_sdk_ec2::types;
use plimsoll_model::aws::ec2;
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{Gap, Seen};
use plimsoll_secrets::Detector;

use crate::screen;
use crate::timestamp::timestamp;

pub(super) fn vpc(detector: &Detector, from: types::Vpc) -> ec2::Vpc {
    ec2::Vpc {
        vpc_id: from.vpc_id.unwrap_or_default(),
        cidr_block: from.cidr_block,
        cidr_block_association_set: each(from.cidr_block_association_set, |association| ec2::VpcCidrBlockAssociation {
            association_id: association.association_id,
            cidr_block: association.cidr_block,
            cidr_block_state: association.cidr_block_state.map(|state| ec2::CidrBlockState { state: word(state.state) }),
        }),
        ipv6_cidr_block_association_set: each(from.ipv6_cidr_block_association_set, |association| ec2::VpcIpv6CidrBlockAssociation {
            association_id: association.association_id,
            ipv6_cidr_block: association.ipv6_cidr_block,
            ipv6_cidr_block_state: association.ipv6_cidr_block_state.map(|state| ec2::CidrBlockState { state: word(state.state) }),
            ipv6_address_attribute: word(association.ipv6_address_attribute),
        }),
        is_default: from.is_default.unwrap_or_default(),
        owner_id: from.owner_id,
        state: word(from.state),
        block_public_access_states: from.block_public_access_states.map(block_public_access_states),
        tags: tags(detector, from.tags),
    }
}

fn block_public_access_states(from: types::BlockPublicAccessStates) -> ec2::BlockPublicAccessStates {
    ec2::BlockPublicAccessStates { internet_gateway_block_mode: word(from.internet_gateway_block_mode) }
}

pub(super) fn subnet(detector: &Detector, from: types::Subnet) -> ec2::Subnet {
    ec2::Subnet {
        subnet_id: from.subnet_id.unwrap_or_default(),
        subnet_arn: from.subnet_arn,
        vpc_id: from.vpc_id.unwrap_or_default(),
        cidr_block: from.cidr_block,
        ipv6_cidr_block_association_set: each(from.ipv6_cidr_block_association_set, |association| ec2::SubnetIpv6CidrBlockAssociation {
            association_id: association.association_id,
            ipv6_cidr_block: association.ipv6_cidr_block,
            ipv6_cidr_block_state: association.ipv6_cidr_block_state.map(|state| ec2::CidrBlockState { state: word(state.state) }),
        }),
        availability_zone: from.availability_zone,
        availability_zone_id: from.availability_zone_id,
        map_public_ip_on_launch: from.map_public_ip_on_launch.unwrap_or_default(),
        assign_ipv6_address_on_creation: from.assign_ipv6_address_on_creation.unwrap_or_default(),
        block_public_access_states: from.block_public_access_states.map(block_public_access_states),
        owner_id: from.owner_id,
        tags: tags(detector, from.tags),
    }
}

pub(super) fn route_table(detector: &Detector, from: types::RouteTable) -> ec2::RouteTable {
    ec2::RouteTable {
        route_table_id: from.route_table_id.unwrap_or_default(),
        vpc_id: from.vpc_id.unwrap_or_default(),
        associations: each(from.associations, |association| ec2::RouteTableAssociation {
            route_table_association_id: association.route_table_association_id,
            main: association.main.unwrap_or_default(),
            subnet_id: association.subnet_id,
            gateway_id: association.gateway_id,
        }),
        routes: each(from.routes, |route| ec2::Route {
            destination_cidr_block: route.destination_cidr_block,
            destination_ipv6_cidr_block: route.destination_ipv6_cidr_block,
            destination_prefix_list_id: route.destination_prefix_list_id,
            gateway_id: route.gateway_id,
            nat_gateway_id: route.nat_gateway_id,
            egress_only_internet_gateway_id: route.egress_only_internet_gateway_id,
            transit_gateway_id: route.transit_gateway_id,
            vpc_peering_connection_id: route.vpc_peering_connection_id,
            network_interface_id: route.network_interface_id,
            instance_id: route.instance_id,
            local_gateway_id: route.local_gateway_id,
            carrier_gateway_id: route.carrier_gateway_id,
            core_network_arn: route.core_network_arn,
            origin: word(route.origin),
            state: word(route.state),
        }),
        owner_id: from.owner_id,
        tags: tags(detector, from.tags),
    }
}

pub(super) fn network_acl(detector: &Detector, from: types::NetworkAcl) -> ec2::NetworkAcl {
    ec2::NetworkAcl {
        network_acl_id: from.network_acl_id.unwrap_or_default(),
        vpc_id: from.vpc_id.unwrap_or_default(),
        is_default: from.is_default.unwrap_or_default(),
        associations: each(from.associations, |association| ec2::NetworkAclAssociation {
            network_acl_association_id: association.network_acl_association_id,
            subnet_id: association.subnet_id,
        }),
        entries: each(from.entries, |entry| ec2::NetworkAclEntry {
            rule_number: entry.rule_number.unwrap_or_default(),
            rule_action: word(entry.rule_action).unwrap_or_default(),
            egress: entry.egress.unwrap_or_default(),
            protocol: entry.protocol.unwrap_or_default(),
            cidr_block: entry.cidr_block,
            ipv6_cidr_block: entry.ipv6_cidr_block,
            port_range: entry.port_range.map(|range| ec2::PortRange { from: range.from, to: range.to }),
            icmp_type_code: entry.icmp_type_code.map(|icmp| ec2::IcmpTypeCode { code: icmp.code, type_: icmp.r#type }),
        }),
        tags: tags(detector, from.tags),
    }
}

pub(super) fn security_group(detector: &Detector, from: types::SecurityGroup) -> ec2::SecurityGroup {
    ec2::SecurityGroup {
        group_id: from.group_id.unwrap_or_default(),
        group_name: from.group_name.unwrap_or_default(),
        description: from.description,
        vpc_id: from.vpc_id,
        owner_id: from.owner_id,
        ip_permissions: each(from.ip_permissions, ip_permission),
        ip_permissions_egress: each(from.ip_permissions_egress, ip_permission),
        tags: tags(detector, from.tags),
    }
}

fn ip_permission(from: types::IpPermission) -> ec2::IpPermission {
    ec2::IpPermission {
        ip_protocol: from.ip_protocol.unwrap_or_default(),
        from_port: from.from_port,
        to_port: from.to_port,
        ip_ranges: each(from.ip_ranges, |range| ec2::IpRange {
            cidr_ip: range.cidr_ip.unwrap_or_default(),
            description: range.description,
        }),
        ipv6_ranges: each(from.ipv6_ranges, |range| ec2::Ipv6Range {
            cidr_ipv6: range.cidr_ipv6.unwrap_or_default(),
            description: range.description,
        }),
        prefix_list_ids: each(from.prefix_list_ids, |list| ec2::PrefixListId {
            prefix_list_id: list.prefix_list_id.unwrap_or_default(),
            description: list.description,
        }),
        user_id_group_pairs: each(from.user_id_group_pairs, |pair| ec2::UserIdGroupPair {
            group_id: pair.group_id,
            user_id: pair.user_id,
            vpc_id: pair.vpc_id,
            vpc_peering_connection_id: pair.vpc_peering_connection_id,
            peering_status: pair.peering_status,
            description: pair.description,
        }),
    }
}

pub(super) fn network_interface(detector: &Detector, from: types::NetworkInterface) -> ec2::NetworkInterface {
    ec2::NetworkInterface {
        network_interface_id: from.network_interface_id.unwrap_or_default(),
        interface_type: word(from.interface_type),
        description: from.description,
        status: word(from.status),
        vpc_id: from.vpc_id,
        subnet_id: from.subnet_id,
        availability_zone: from.availability_zone,
        owner_id: from.owner_id,
        requester_id: from.requester_id,
        requester_managed: from.requester_managed.unwrap_or_default(),
        private_ip_address: from.private_ip_address,
        private_ip_addresses: each(from.private_ip_addresses, |address| ec2::NetworkInterfacePrivateIpAddress {
            private_ip_address: address.private_ip_address,
            primary: address.primary.unwrap_or_default(),
            association: address.association.map(association),
        }),
        ipv6_addresses: each(from.ipv6_addresses, |address| ec2::NetworkInterfaceIpv6Address { ipv6_address: address.ipv6_address }),
        ipv4_prefixes: each(from.ipv4_prefixes, |prefix| ec2::Ipv4PrefixSpecification { ipv4_prefix: prefix.ipv4_prefix }),
        ipv6_prefixes: each(from.ipv6_prefixes, |prefix| ec2::Ipv6PrefixSpecification { ipv6_prefix: prefix.ipv6_prefix }),
        deny_all_igw_traffic: from.deny_all_igw_traffic,
        association: from.association.map(association),
        attachment: from.attachment.map(|attachment| ec2::NetworkInterfaceAttachment {
            attachment_id: attachment.attachment_id,
            instance_id: attachment.instance_id,
            device_index: attachment.device_index,
            network_card_index: attachment.network_card_index,
            status: word(attachment.status),
        }),
        groups: groups(from.groups),
        source_dest_check: from.source_dest_check,
        tag_set: tags(detector, from.tag_set),
    }
}

fn association(from: types::NetworkInterfaceAssociation) -> ec2::NetworkInterfaceAssociation {
    ec2::NetworkInterfaceAssociation {
        public_ip: from.public_ip,
        ip_owner_id: from.ip_owner_id,
        allocation_id: from.allocation_id,
        public_dns_name: from.public_dns_name,
    }
}

fn groups(from: Option<Vec<types::GroupIdentifier>>) -> Vec<ec2::GroupIdentifier> {
    each(from, |group| ec2::GroupIdentifier { group_id: group.group_id.unwrap_or_default(), group_name: group.group_name })
}

pub(super) fn internet_gateway(detector: &Detector, from: types::InternetGateway) -> ec2::InternetGateway {
    ec2::InternetGateway {
        internet_gateway_id: from.internet_gateway_id.unwrap_or_default(),
        attachments: each(from.attachments, gateway_attachment),
        tags: tags(detector, from.tags),
    }
}

fn gateway_attachment(from: types::InternetGatewayAttachment) -> ec2::InternetGatewayAttachment {
    ec2::InternetGatewayAttachment { vpc_id: from.vpc_id, state: word(from.state) }
}

pub(super) fn egress_only_internet_gateway(detector: &Detector, from: types::EgressOnlyInternetGateway) -> ec2::EgressOnlyInternetGateway {
    ec2::EgressOnlyInternetGateway {
        egress_only_internet_gateway_id: from.egress_only_internet_gateway_id.unwrap_or_default(),
        attachments: each(from.attachments, gateway_attachment),
        tags: tags(detector, from.tags),
    }
}

pub(super) fn nat_gateway(detector: &Detector, from: types::NatGateway) -> ec2::NatGateway {
    ec2::NatGateway {
        nat_gateway_id: from.nat_gateway_id.unwrap_or_default(),
        vpc_id: from.vpc_id,
        subnet_id: from.subnet_id,
        state: word(from.state),
        connectivity_type: word(from.connectivity_type),
        availability_mode: word(from.availability_mode),
        route_table_id: from.route_table_id,
        nat_gateway_addresses: each(from.nat_gateway_addresses, |address| ec2::NatGatewayAddress {
            network_interface_id: address.network_interface_id,
            private_ip: address.private_ip,
            public_ip: address.public_ip,
            allocation_id: address.allocation_id,
        }),
        tags: tags(detector, from.tags),
    }
}

pub(super) fn vpc_endpoint(detector: &Detector, from: types::VpcEndpoint) -> ec2::VpcEndpoint {
    ec2::VpcEndpoint {
        vpc_endpoint_id: from.vpc_endpoint_id.unwrap_or_default(),
        vpc_endpoint_type: word(from.vpc_endpoint_type),
        vpc_id: from.vpc_id,
        service_name: from.service_name,
        state: word(from.state),
        policy_document: from.policy_document.filter(|text| !text.is_empty()).map(|text| PolicyDocument::from_text(&text)),
        route_table_ids: from.route_table_ids.unwrap_or_default(),
        subnet_ids: from.subnet_ids.unwrap_or_default(),
        groups: each(from.groups, |group| ec2::GroupIdentifier {
            group_id: group.group_id.unwrap_or_default(),
            group_name: group.group_name,
        }),
        network_interface_ids: from.network_interface_ids.unwrap_or_default(),
        private_dns_enabled: from.private_dns_enabled.unwrap_or_default(),
        tags: tags(detector, from.tags),
    }
}

pub(super) fn vpc_peering_connection(detector: &Detector, from: types::VpcPeeringConnection) -> ec2::VpcPeeringConnection {
    ec2::VpcPeeringConnection {
        vpc_peering_connection_id: from.vpc_peering_connection_id.unwrap_or_default(),
        accepter_vpc_info: from.accepter_vpc_info.map(peer),
        requester_vpc_info: from.requester_vpc_info.map(peer),
        status: from.status.map(|status| ec2::VpcPeeringConnectionStateReason { code: word(status.code), message: status.message }),
        tags: tags(detector, from.tags),
    }
}

fn peer(from: types::VpcPeeringConnectionVpcInfo) -> ec2::VpcPeeringConnectionVpcInfo {
    ec2::VpcPeeringConnectionVpcInfo {
        vpc_id: from.vpc_id,
        owner_id: from.owner_id,
        region: from.region,
        cidr_block: from.cidr_block,
        cidr_block_set: each(from.cidr_block_set, |block| ec2::CidrBlock { cidr_block: block.cidr_block }),
        ipv6_cidr_block_set: each(from.ipv6_cidr_block_set, |block| ec2::Ipv6CidrBlock { ipv6_cidr_block: block.ipv6_cidr_block }),
    }
}

pub(super) fn flow_log(detector: &Detector, from: types::FlowLog) -> ec2::FlowLog {
    ec2::FlowLog {
        flow_log_id: from.flow_log_id.unwrap_or_default(),
        resource_id: from.resource_id,
        flow_log_status: from.flow_log_status,
        traffic_type: word(from.traffic_type),
        log_destination_type: word(from.log_destination_type),
        log_destination: from.log_destination,
        log_group_name: from.log_group_name,
        log_format: from.log_format,
        deliver_logs_status: from.deliver_logs_status,
        deliver_logs_error_message: from.deliver_logs_error_message,
        max_aggregation_interval: from.max_aggregation_interval,
        tags: tags(detector, from.tags),
    }
}

/// A prefix list, its entries not read yet.
pub(super) fn managed_prefix_list(detector: &Detector, from: types::ManagedPrefixList) -> ec2::ManagedPrefixList {
    ec2::ManagedPrefixList {
        prefix_list_id: from.prefix_list_id.unwrap_or_default(),
        prefix_list_arn: from.prefix_list_arn,
        prefix_list_name: from.prefix_list_name,
        address_family: from.address_family,
        max_entries: from.max_entries,
        state: word(from.state),
        version: from.version,
        owner_id: from.owner_id,
        entries: Seen::default(),
        tags: tags(detector, from.tags),
    }
}

pub(super) fn prefix_list_entry(from: types::PrefixListEntry) -> ec2::PrefixListEntry {
    ec2::PrefixListEntry { cidr: from.cidr, description: from.description }
}

/// The options, their exclusions not read yet.
pub(super) fn block_public_access(from: types::VpcBlockPublicAccessOptions, exclusions: Gap) -> ec2::VpcBlockPublicAccessOptions {
    ec2::VpcBlockPublicAccessOptions {
        internet_gateway_block_mode: word(from.internet_gateway_block_mode),
        state: word(from.state),
        exclusions_allowed: word(from.exclusions_allowed),
        exclusions: exclusions.into(),
    }
}

pub(super) fn exclusion(from: types::VpcBlockPublicAccessExclusion) -> ec2::VpcBlockPublicAccessExclusion {
    ec2::VpcBlockPublicAccessExclusion {
        exclusion_id: from.exclusion_id,
        internet_gateway_exclusion_mode: word(from.internet_gateway_exclusion_mode),
        resource_arn: from.resource_arn,
        state: word(from.state),
    }
}

/// An instance, its user data not read yet.
pub(super) fn instance(detector: &Detector, from: types::Instance) -> ec2::Instance {
    ec2::Instance {
        instance_id: from.instance_id.unwrap_or_default(),
        image_id: from.image_id,
        instance_type: word(from.instance_type),
        state: from.state.map(|state| ec2::InstanceState { code: state.code, name: word(state.name) }),
        vpc_id: from.vpc_id,
        subnet_id: from.subnet_id,
        private_ip_address: from.private_ip_address,
        public_ip_address: from.public_ip_address.filter(|address| !address.is_empty()),
        public_dns_name: from.public_dns_name.filter(|name| !name.is_empty()),
        iam_instance_profile: from.iam_instance_profile.map(|profile| ec2::IamInstanceProfile { arn: profile.arn, id: profile.id }),
        metadata_options: from.metadata_options.map(|options| ec2::InstanceMetadataOptions {
            state: word(options.state),
            http_tokens: word(options.http_tokens),
            http_put_response_hop_limit: options.http_put_response_hop_limit,
            http_endpoint: word(options.http_endpoint),
            http_protocol_ipv6: word(options.http_protocol_ipv6),
        }),
        security_groups: groups(from.security_groups),
        network_interfaces: each(from.network_interfaces, |interface| ec2::InstanceNetworkInterface {
            network_interface_id: interface.network_interface_id,
            subnet_id: interface.subnet_id,
            vpc_id: interface.vpc_id,
            ipv6_addresses: each(interface.ipv6_addresses, |address| ec2::NetworkInterfaceIpv6Address {
                ipv6_address: address.ipv6_address,
            }),
            groups: groups(interface.groups),
        }),
        block_device_mappings: each(from.block_device_mappings, |mapping| ec2::InstanceBlockDeviceMapping {
            device_name: mapping.device_name,
            ebs: mapping.ebs.map(|ebs| ec2::EbsInstanceBlockDevice { volume_id: ebs.volume_id, status: word(ebs.status) }),
        }),
        launch_time: timestamp(from.launch_time),
        platform: word(from.platform),
        operator: from.operator.map(|operator| ec2::OperatorResponse { managed: operator.managed, principal: operator.principal }),
        tags: tags(detector, from.tags),
        user_data: Seen::default(),
    }
}

pub(super) fn image(detector: &Detector, from: types::Image) -> ec2::Image {
    ec2::Image {
        image_id: from.image_id.unwrap_or_default(),
        name: from.name,
        image_owner_alias: from.image_owner_alias,
        owner_id: from.owner_id,
        creation_date: from.creation_date,
        deprecation_time: from.deprecation_time,
        platform: word(from.platform),
        platform_details: from.platform_details,
        imds_support: word(from.imds_support),
        description: from.description,
        state: word(from.state),
        tags: tags(detector, from.tags),
    }
}

pub(super) fn volume(detector: &Detector, from: types::Volume) -> ec2::Volume {
    ec2::Volume {
        volume_id: from.volume_id.unwrap_or_default(),
        encrypted: from.encrypted.unwrap_or_default(),
        kms_key_id: from.kms_key_id,
        state: word(from.state),
        size: from.size,
        attachments: each(from.attachments, |attachment| ec2::VolumeAttachment {
            instance_id: attachment.instance_id,
            device: attachment.device,
            state: word(attachment.state),
        }),
        tags: tags(detector, from.tags),
    }
}

/// A launch template version; `user_data` is what its user data became.
pub(super) fn launch_template_version(from: types::LaunchTemplateVersion, user_data: Option<ec2::UserData>) -> ec2::LaunchTemplateVersion {
    ec2::LaunchTemplateVersion {
        launch_template_id: from.launch_template_id.unwrap_or_default(),
        launch_template_name: from.launch_template_name,
        version_number: from.version_number.unwrap_or_default(),
        default_version: from.default_version.unwrap_or_default(),
        launch_template_data: from.launch_template_data.map(|data| ec2::ResponseLaunchTemplateData {
            image_id: data.image_id,
            metadata_options: data.metadata_options.map(|options| ec2::InstanceMetadataOptions {
                state: word(options.state),
                http_tokens: word(options.http_tokens),
                http_put_response_hop_limit: options.http_put_response_hop_limit,
                http_endpoint: word(options.http_endpoint),
                http_protocol_ipv6: word(options.http_protocol_ipv6),
            }),
            // The template may name the profile instead: then its ARN is the instance's to tell.
            iam_instance_profile: data.iam_instance_profile.map(|profile| ec2::IamInstanceProfile { arn: profile.arn, id: None }),
            security_group_ids: data.security_group_ids.unwrap_or_default(),
            network_interfaces: data.network_interfaces.into_iter().flatten().map(template_interface).collect(),
            user_data,
        }),
    }
}

fn tags(detector: &Detector, from: Option<Vec<types::Tag>>) -> Vec<ec2::Tag> {
    each(from, |tag| {
        let key = tag.key.unwrap_or_default();
        let value = screen::tag_value(detector, &key, tag.value.unwrap_or_default());
        ec2::Tag { key, value }
    })
}

/// A list that AWS leaves out is empty.
fn each<T, U>(from: Option<Vec<T>>, convert: impl FnMut(T) -> U) -> Vec<U> {
    from.unwrap_or_default().into_iter().map(convert).collect()
}

/// A value of one of the SDK's enumerations as AWS writes it.
fn word(from: Option<impl AsRef<str>>) -> Option<String> {
    from.map(|value| value.as_ref().to_owned())
}

fn template_interface(from: types::LaunchTemplateInstanceNetworkInterfaceSpecification) -> ec2::LaunchTemplateNetworkInterface {
    ec2::LaunchTemplateNetworkInterface {
        device_index: from.device_index,
        associate_public_ip_address: from.associate_public_ip_address,
        groups: from.groups.unwrap_or_default(),
    }
}

pub(super) fn metadata_defaults(from: types::InstanceMetadataDefaultsResponse) -> ec2::InstanceMetadataDefaults {
    // What the account does not care for is left out, and so is what it takes back with -1.
    let set = |value: Option<String>| value.filter(|value| value != "no-preference");
    ec2::InstanceMetadataDefaults {
        http_tokens: set(word(from.http_tokens)),
        http_put_response_hop_limit: from.http_put_response_hop_limit.filter(|limit| *limit > 0),
        http_endpoint: set(word(from.http_endpoint)),
    }
}
