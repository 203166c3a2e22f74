//! Amazon EC2 and VPC (API version 2016-11-15).

use jiff::Timestamp;

use crate::Seen;
use crate::aws::ecs::Screened;

pub use super::Tag;

aws! {
    "PascalCase"

    /// `Vpc`.
    Vpc {
        pub vpc_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub cidr_block_association_set: Vec<VpcCidrBlockAssociation>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ipv6_cidr_block_association_set: Vec<VpcIpv6CidrBlockAssociation>,
        pub is_default: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub block_public_access_states: Option<BlockPublicAccessStates>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `VpcCidrBlockAssociation`.
    VpcCidrBlockAssociation {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub association_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cidr_block_state: Option<CidrBlockState>,
    }

    /// `VpcIpv6CidrBlockAssociation`.
    VpcIpv6CidrBlockAssociation {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub association_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_cidr_block_state: Option<CidrBlockState>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_address_attribute: Option<String>,
    }

    /// `BlockPublicAccessStates`: what is in force, exclusions counted in.
    BlockPublicAccessStates {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub internet_gateway_block_mode: Option<String>,
    }

    /// `VpcCidrBlockState` and `SubnetCidrBlockState`.
    CidrBlockState {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
    }

    /// `Subnet`.
    Subnet {
        pub subnet_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subnet_arn: Option<String>,
        pub vpc_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ipv6_cidr_block_association_set: Vec<SubnetIpv6CidrBlockAssociation>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub availability_zone: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub availability_zone_id: Option<String>,
        pub map_public_ip_on_launch: bool,
        pub assign_ipv6_address_on_creation: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub block_public_access_states: Option<BlockPublicAccessStates>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `SubnetIpv6CidrBlockAssociation`.
    SubnetIpv6CidrBlockAssociation {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub association_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_cidr_block_state: Option<CidrBlockState>,
    }

    /// `RouteTable`.
    RouteTable {
        pub route_table_id: String,
        pub vpc_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub associations: Vec<RouteTableAssociation>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub routes: Vec<Route>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `RouteTableAssociation`.
    RouteTableAssociation {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub route_table_association_id: Option<String>,
        pub main: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subnet_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub gateway_id: Option<String>,
    }

    /// `Route`.
    Route {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub destination_cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub destination_ipv6_cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub destination_prefix_list_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub gateway_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub nat_gateway_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub egress_only_internet_gateway_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub transit_gateway_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_peering_connection_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_interface_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instance_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub local_gateway_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub carrier_gateway_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub core_network_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub origin: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
    }

    /// `NetworkAcl`.
    NetworkAcl {
        pub network_acl_id: String,
        pub vpc_id: String,
        pub is_default: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub associations: Vec<NetworkAclAssociation>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub entries: Vec<NetworkAclEntry>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `NetworkAclAssociation`.
    NetworkAclAssociation {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_acl_association_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subnet_id: Option<String>,
    }

    /// `NetworkAclEntry`.
    NetworkAclEntry {
        pub rule_number: i32,
        pub rule_action: String,
        pub egress: bool,
        pub protocol: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub port_range: Option<PortRange>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub icmp_type_code: Option<IcmpTypeCode>,
    }

    /// `PortRange`.
    PortRange {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub from: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub to: Option<i32>,
    }

    /// `IcmpTypeCode`.
    IcmpTypeCode {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code: Option<i32>,
        #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
        pub type_: Option<i32>,
    }

    /// `SecurityGroup`.
    SecurityGroup {
        pub group_id: String,
        pub group_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ip_permissions: Vec<IpPermission>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ip_permissions_egress: Vec<IpPermission>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `IpPermission`; protocol `-1` is every protocol and has no ports.
    IpPermission {
        pub ip_protocol: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub from_port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub to_port: Option<i32>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ip_ranges: Vec<IpRange>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ipv6_ranges: Vec<Ipv6Range>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub prefix_list_ids: Vec<PrefixListId>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub user_id_group_pairs: Vec<UserIdGroupPair>,
    }

    /// `IpRange`.
    IpRange {
        pub cidr_ip: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
    }

    /// `Ipv6Range`.
    Ipv6Range {
        pub cidr_ipv6: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
    }

    /// `PrefixListId`.
    PrefixListId {
        pub prefix_list_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
    }

    /// `UserIdGroupPair`.
    UserIdGroupPair {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub group_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_peering_connection_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub peering_status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
    }

    /// `NetworkInterface`.
    NetworkInterface {
        pub network_interface_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub interface_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subnet_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub availability_zone: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub requester_id: Option<String>,
        pub requester_managed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub private_ip_address: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub private_ip_addresses: Vec<NetworkInterfacePrivateIpAddress>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ipv6_addresses: Vec<NetworkInterfaceIpv6Address>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ipv4_prefixes: Vec<Ipv4PrefixSpecification>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ipv6_prefixes: Vec<Ipv6PrefixSpecification>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deny_all_igw_traffic: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub association: Option<NetworkInterfaceAssociation>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attachment: Option<NetworkInterfaceAttachment>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub groups: Vec<GroupIdentifier>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub source_dest_check: Option<bool>,
        #[serde(rename = "TagSet", skip_serializing_if = "Vec::is_empty")]
        pub tag_set: Vec<Tag>,
    }

    /// `NetworkInterfacePrivateIpAddress`.
    NetworkInterfacePrivateIpAddress {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub private_ip_address: Option<String>,
        pub primary: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub association: Option<NetworkInterfaceAssociation>,
    }

    /// `NetworkInterfaceIpv6Address`.
    NetworkInterfaceIpv6Address {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_address: Option<String>,
    }

    /// `Ipv4PrefixSpecification`.
    Ipv4PrefixSpecification {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv4_prefix: Option<String>,
    }

    /// `Ipv6PrefixSpecification`.
    Ipv6PrefixSpecification {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_prefix: Option<String>,
    }

    /// `NetworkInterfaceAssociation`.
    NetworkInterfaceAssociation {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub public_ip: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ip_owner_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub allocation_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub public_dns_name: Option<String>,
    }

    /// `NetworkInterfaceAttachment`.
    NetworkInterfaceAttachment {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attachment_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instance_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub device_index: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_card_index: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
    }

    /// `GroupIdentifier`.
    GroupIdentifier {
        pub group_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub group_name: Option<String>,
    }

    /// `InternetGateway`.
    InternetGateway {
        pub internet_gateway_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attachments: Vec<InternetGatewayAttachment>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `InternetGatewayAttachment`.
    InternetGatewayAttachment {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
    }

    /// `EgressOnlyInternetGateway`.
    EgressOnlyInternetGateway {
        pub egress_only_internet_gateway_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attachments: Vec<InternetGatewayAttachment>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `NatGateway`.
    NatGateway {
        pub nat_gateway_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subnet_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub connectivity_type: Option<String>,
        /// `zonal` or `regional`; a regional one has a route table of its own and no subnet.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub availability_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub route_table_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub nat_gateway_addresses: Vec<NatGatewayAddress>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `NatGatewayAddress`.
    NatGatewayAddress {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_interface_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub private_ip: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub public_ip: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub allocation_id: Option<String>,
    }

    /// `VpcEndpoint`; the policy document is parsed JSON.
    VpcEndpoint {
        pub vpc_endpoint_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_endpoint_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub service_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub policy_document: Option<crate::policy::PolicyDocument>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub route_table_ids: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub subnet_ids: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub groups: Vec<GroupIdentifier>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub network_interface_ids: Vec<String>,
        pub private_dns_enabled: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `VpcPeeringConnection`.
    VpcPeeringConnection {
        pub vpc_peering_connection_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub accepter_vpc_info: Option<VpcPeeringConnectionVpcInfo>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub requester_vpc_info: Option<VpcPeeringConnectionVpcInfo>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<VpcPeeringConnectionStateReason>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `VpcPeeringConnectionVpcInfo`.
    VpcPeeringConnectionVpcInfo {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub region: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cidr_block: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub cidr_block_set: Vec<CidrBlock>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ipv6_cidr_block_set: Vec<Ipv6CidrBlock>,
    }

    /// `CidrBlock`.
    CidrBlock {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cidr_block: Option<String>,
    }

    /// `Ipv6CidrBlock`.
    Ipv6CidrBlock {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_cidr_block: Option<String>,
    }

    /// `VpcPeeringConnectionStateReason`.
    VpcPeeringConnectionStateReason {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub message: Option<String>,
    }

    /// `FlowLog`.
    FlowLog {
        pub flow_log_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub resource_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub flow_log_status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub traffic_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_destination_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_destination: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_group_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_format: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deliver_logs_status: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deliver_logs_error_message: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub max_aggregation_interval: Option<i32>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `ManagedPrefixList`, with its entries where a rule or a route refers to it.
    ManagedPrefixList {
        pub prefix_list_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub prefix_list_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub prefix_list_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub address_family: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub max_entries: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        pub entries: Seen<Vec<PrefixListEntry>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `PrefixListEntry`.
    PrefixListEntry {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cidr: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
    }

    /// `Instance`, with its user data after screening.
    Instance {
        pub instance_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instance_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<InstanceState>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subnet_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub private_ip_address: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub public_ip_address: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub public_dns_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub iam_instance_profile: Option<IamInstanceProfile>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub metadata_options: Option<InstanceMetadataOptions>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub security_groups: Vec<GroupIdentifier>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub network_interfaces: Vec<InstanceNetworkInterface>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub block_device_mappings: Vec<InstanceBlockDeviceMapping>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_time: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub operator: Option<OperatorResponse>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
        pub user_data: Seen<Option<UserData>>,
    }

    /// `OperatorResponse`: the AWS service that runs an instance.
    OperatorResponse {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub managed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub principal: Option<String>,
    }

    /// `InstanceState`.
    InstanceState {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
    }

    /// `IamInstanceProfile`.
    IamInstanceProfile {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id: Option<String>,
    }

    /// `InstanceMetadataOptionsResponse`.
    InstanceMetadataOptions {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_tokens: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_put_response_hop_limit: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_endpoint: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_protocol_ipv6: Option<String>,
    }

    /// `InstanceNetworkInterface`.
    InstanceNetworkInterface {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_interface_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub subnet_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub vpc_id: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ipv6_addresses: Vec<NetworkInterfaceIpv6Address>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub groups: Vec<GroupIdentifier>,
    }

    /// `InstanceBlockDeviceMapping`.
    InstanceBlockDeviceMapping {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub device_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ebs: Option<EbsInstanceBlockDevice>,
    }

    /// `EbsInstanceBlockDevice`.
    EbsInstanceBlockDevice {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub volume_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
    }

    /// What user data says, without its text: screened at collection.
    UserData {
        pub source: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub secrets_in_text: Vec<Screened>,
        pub agent_configuration: std::collections::BTreeMap<String, String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_proxy: Option<Proxy>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub no_proxy: Vec<String>,
        pub bottlerocket: bool,
        /// Whether a packet filter drops what containers on a bridge send to the metadata service.
        pub blocks_bridged_metadata: bool,
        /// Agent settings that are written, but with a value that the script computes.
        #[serde(skip_serializing_if = "std::collections::BTreeSet::is_empty")]
        pub unresolved: std::collections::BTreeSet<String>,
        /// Whether the agent's settings are also fetched or edited in ways that were not followed.
        pub configured_elsewhere: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub unreadable: Option<String>,
    }

    /// The proxy that user data sets; its credentials are not kept.
    Proxy {
        pub host: String,
        pub credentials: bool,
    }

    /// `Image`.
    Image {
        pub image_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_owner_alias: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub owner_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub creation_date: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deprecation_time: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_details: Option<String>,
        /// `v2.0` when instances of it require version 2 of the metadata service unless something else is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub imds_support: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `LaunchTemplateVersion`, with its user data after screening.
    LaunchTemplateVersion {
        pub launch_template_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template_name: Option<String>,
        pub version_number: i64,
        pub default_version: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_template_data: Option<ResponseLaunchTemplateData>,
    }

    /// `ResponseLaunchTemplateData`.
    ResponseLaunchTemplateData {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub metadata_options: Option<InstanceMetadataOptions>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub iam_instance_profile: Option<IamInstanceProfile>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub security_group_ids: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub network_interfaces: Vec<LaunchTemplateNetworkInterface>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user_data: Option<UserData>,
    }

    /// `Volume`.
    Volume {
        pub volume_id: String,
        pub encrypted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub size: Option<i32>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attachments: Vec<VolumeAttachment>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `VolumeAttachment`.
    VolumeAttachment {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub instance_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub device: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
    }

    /// `VpcBlockPublicAccessOptions` of an account and Region, with its exclusions.
    VpcBlockPublicAccessOptions {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub internet_gateway_block_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub exclusions_allowed: Option<String>,
        pub exclusions: Seen<Vec<VpcBlockPublicAccessExclusion>>,
    }

    /// `VpcBlockPublicAccessExclusion`.
    VpcBlockPublicAccessExclusion {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub exclusion_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub internet_gateway_exclusion_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub resource_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub state: Option<String>,
    }

    /// Answers of `GetEbsEncryptionByDefault` and `GetEbsDefaultKmsKeyId` for an account and Region.
    EbsEncryptionDefaults {
        pub ebs_encryption_by_default: Seen<bool>,
        pub ebs_default_kms_key_id: Seen<Option<String>>,
    }

    /// `InstanceMetadataDefaultsResponse`; what is not set leaves the choice to the image.
    InstanceMetadataDefaults {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_tokens: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_put_response_hop_limit: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub http_endpoint: Option<String>,
    }

    /// `LaunchTemplateInstanceNetworkInterfaceSpecification`.
    LaunchTemplateNetworkInterface {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub device_index: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub associate_public_ip_address: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub groups: Vec<String>,
    }
}
