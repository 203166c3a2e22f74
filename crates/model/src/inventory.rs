//! Everything that one or more collections read: resources by type, gaps, and the header that says what was asked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::aws::{
    acm_pca, autoscaling, cloudtrail, cloudwatch, ec2, ecr, ecs, eks, elasticfilesystem, elasticloadbalancing, events, guardduty, iam,
    inspector2, kms, logs, network_firewall, organizations, rds, route53resolver, s3, scheduler, secretsmanager, servicediscovery, shield,
    signer, ssm,
};
use crate::{AccountId, Arn, Gap, Region, partition_of};

/// A resource type: how its instances are named, and what AWS calls the type.
pub trait Resource: Serialize + DeserializeOwned {
    /// The kind of its snapshot lines, `service:Type`.
    const KIND: &'static str;
    /// The CloudFormation type, or a plimsoll name in the same style where there is none.
    const TYPE: &'static str;
    /// The operation that lists or describes resources of this type.
    const OPERATION: &'static str;
    /// What identifies it within account and Region: an ARN where AWS gives one, else the id.
    fn id(&self) -> &str;
    /// The name that people use.
    fn name(&self) -> &str;
    /// The ARN; made from the id for types that carry none.
    fn arn(&self, account: &AccountId, region: &Region) -> Cow<'_, str>;
    /// Tags as key and value.
    fn tags(&self) -> Vec<(&str, &str)>;
    /// Tells apart what shares an id: the versions of a launch template.
    fn version(&self) -> i64 {
        0
    }
}

/// A resource and where it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// The account that owns the answer.
    pub account: AccountId,
    /// The Region that answered; `global` for IAM.
    pub region: Region,
    /// The resource.
    pub data: T,
}

/// The first line of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Version of the snapshot format.
    pub schema: u32,
    /// Version of plimsoll that collected.
    pub version: String,
    /// When collection began.
    pub started_at: Timestamp,
    /// When collection ended; checks take this as now.
    pub finished_at: Timestamp,
    /// Whether collection ran to its end (gaps do not count against it, an interrupt does).
    pub complete: bool,
    /// ARN of the principal that collected.
    #[serde(default)]
    pub caller: String,
    /// What was asked.
    #[serde(default)]
    pub scope: Scope,
    /// The operations that the collector knows, `service:Operation`. What is not among them was never asked.
    #[serde(default)]
    pub operations: BTreeSet<String>,
    /// Calls per operation.
    #[serde(default)]
    pub calls: BTreeMap<String, CallStatistics>,
    /// How many lines follow at least: fewer means that the file was cut.
    #[serde(default)]
    pub lines: u64,
}

/// What a collection was asked to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Accounts.
    #[serde(default)]
    pub accounts: BTreeSet<AccountId>,
    /// Regions.
    #[serde(default)]
    pub regions: BTreeSet<Region>,
    /// The Regions of each account, where accounts differ in them; an account that is not here was asked in all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions_by_account: BTreeMap<AccountId, BTreeSet<Region>>,
    /// Accounts of the organization that are suspended or closed: nobody can enter them, and none was asked.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inactive_accounts: BTreeSet<AccountId>,
}

impl Scope {
    /// Adds an account and where it was asked.
    pub fn add(&mut self, account: AccountId, regions: BTreeSet<Region>) {
        self.join(Self { accounts: BTreeSet::from([account]), regions, ..Self::default() });
    }

    /// Whether an account was asked in a Region; `global` belongs to every account.
    pub fn covers(&self, account: &AccountId, region: &Region) -> bool {
        let regions = self.regions_by_account.get(account).unwrap_or(&self.regions);
        self.accounts.contains(account) && (region.is_global() || regions.contains(region))
    }

    /// Adds what another collection was asked: each account keeps its own Regions.
    pub fn join(&mut self, other: Self) {
        let mut all = std::mem::take(self);
        let mut by_account = all.take_regions();
        for (account, regions) in other.clone().take_regions() {
            by_account.entry(account).or_default().extend(regions);
        }
        all.accounts.extend(other.accounts);
        all.regions.extend(other.regions);
        all.inactive_accounts.extend(other.inactive_accounts);
        by_account.retain(|_, regions| *regions != all.regions);
        *self = Self { regions_by_account: by_account, ..all };
    }

    /// The Regions of every account, those that were asked in all of them included.
    fn take_regions(&mut self) -> BTreeMap<AccountId, BTreeSet<Region>> {
        let mut by_account = std::mem::take(&mut self.regions_by_account);
        for account in &self.accounts {
            by_account.entry(account.clone()).or_insert_with(|| self.regions.clone());
        }
        by_account
    }
}

/// What one operation cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallStatistics {
    /// Requests sent, retries included.
    pub calls: u64,
    /// Answers that said "slow down".
    pub throttled: u64,
    /// Milliseconds for which the API budget held requests back; however many waited at a time, it counts once.
    #[serde(default)]
    pub waited_ms: u64,
    /// Answers that a cache of earlier scans gave instead, without a request.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $kind:literal, $cfn:literal, $operation:literal,
        id: |$i:ident| $id:expr, name: |$n:ident| $name:expr, arn: $arn:expr, tags: |$t:ident| $tags:expr $(, version: |$v:ident| $version:expr)?;)*) => {
        /// Everything that was read. Lists are in the order of account, Region and id once [`Inventory::sort`] ran.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Inventory {
            /// What was asked, by whom, when.
            pub header: Header,
            /// What could not be read.
            pub gaps: Vec<Gap>,
            $($(#[$doc])* pub $field: Vec<Located<$type>>,)*
        }

        $(impl Resource for $type {
            const KIND: &'static str = $kind;
            const TYPE: &'static str = $cfn;
            const OPERATION: &'static str = $operation;

            fn id(&self) -> &str {
                let $i = self;
                $id
            }

            fn name(&self) -> &str {
                let $n = self;
                $name
            }

            fn arn(&self, account: &AccountId, region: &Region) -> Cow<'_, str> {
                let naming: Naming = $arn;
                naming.arn(self.id(), account, region)
            }

            fn tags(&self) -> Vec<(&str, &str)> {
                let $t = self;
                $tags
            }

            $(fn version(&self) -> i64 {
                let $v = self;
                $version
            })?
        }

        impl Holds<$type> for Inventory {
            fn list(&self) -> &Vec<Located<$type>> {
                &self.$field
            }

            fn list_mut(&mut self) -> &mut Vec<Located<$type>> {
                &mut self.$field
            }
        })*

        impl Inventory {
            /// Kinds of snapshot lines that this version knows, with the CloudFormation type of each.
            pub const KINDS: &'static [(&'static str, &'static str)] = &[$(($kind, $cfn)),*];

            /// Takes over another inventory's resources and gaps; the header stays.
            pub fn absorb(&mut self, other: Self) {
                self.gaps.extend(other.gaps);
                $(self.$field.extend(other.$field);)*
            }

            /// Number of resources.
            pub fn len(&self) -> usize {
                0 $(+ self.$field.len())*
            }

            /// Brings everything into the one order that files have, and drops repetitions.
            pub fn sort(&mut self) {
                self.gaps.sort();
                self.gaps.dedup();
                $(sort_located(&mut self.$field);)*
            }

            pub(crate) fn visit_lines<E>(&self, mut visit: impl FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
                $(for item in &self.$field {
                    visit(Line { kind: $kind, account: &item.account, region: &item.region, data: LineData::$field(&item.data) })?;
                })*
                Ok(())
            }

            /// Adds the resource of one snapshot line; `false` when the kind is not known.
            pub(crate) fn push_line(&mut self, kind: &str, account: AccountId, region: Region, data: &str) -> Result<bool, serde_json::Error> {
                match kind {
                    $($kind => self.$field.push(Located { account, region, data: serde_json::from_str(data)? }),)*
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }

        #[derive(Serialize)]
        #[serde(untagged)]
        #[expect(non_camel_case_types, reason = "named after the fields")]
        pub(crate) enum LineData<'a> {
            $($field(&'a $type),)*
        }

        /// The schemas of all resource types, by kind.
        pub fn resource_schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
            vec![$(($kind, generator.subschema_for::<$type>())),*]
        }
    };
}

/// Access to the list of one resource type.
pub trait Holds<T> {
    /// The list.
    fn list(&self) -> &Vec<Located<T>>;
    /// The list, to add to.
    fn list_mut(&mut self) -> &mut Vec<Located<T>>;
}

#[derive(Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) kind: &'static str,
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    pub(crate) data: LineData<'a>,
}

/// How the ARN of a type comes about.
enum Naming {
    /// The id is the ARN.
    Given,
    /// `arn:PARTITION:SERVICE:REGION:ACCOUNT:PREFIX/ID`.
    Made(&'static str, &'static str),
    /// `arn:PARTITION:s3:::ID`.
    Bucket,
}

impl Naming {
    fn arn<'a>(&self, id: &'a str, account: &AccountId, region: &Region) -> Cow<'a, str> {
        match self {
            Self::Made(service, prefix) => {
                let partition = partition_of(region.as_str());
                Cow::Owned(if id.is_empty() {
                    format!("arn:{partition}:{service}:{region}:{account}:{prefix}")
                } else {
                    format!("arn:{partition}:{service}:{region}:{account}:{prefix}/{id}")
                })
            }
            Self::Bucket => Cow::Owned(format!("arn:{}:s3:::{id}", partition_of(region.as_str()))),
            Self::Given => Cow::Borrowed(id),
        }
    }
}

fn sort_located<T: Resource + PartialEq>(list: &mut Vec<Located<T>>) {
    list.sort_by(|a, b| {
        (&a.account, &a.region, a.data.id(), a.data.version()).cmp(&(&b.account, &b.region, b.data.id(), b.data.version()))
    });
    list.dedup_by(|b, a| {
        a.account == b.account && a.region == b.region && a.data.id() == b.data.id() && a.data.version() == b.data.version()
    });
}

fn last_part(arn: &str) -> &str {
    Arn::parse(arn).map_or(arn, |arn| arn.name())
}

/// `shop/50dc6c495c0c9188/f2f7dc8efc522ab2` of `…:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2`.
fn listener_name(arn: &str) -> &str {
    arn.match_indices('/').nth(1).and_then(|(at, _)| arn.get(at + 1..)).unwrap_or(arn)
}

macro_rules! pairs {
    ($tags:expr, $key:ident, $value:ident) => {
        $tags.iter().map(|tag| (tag.$key.as_str(), tag.$value.as_str())).collect()
    };
}

fn map_pairs(tags: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn name_tag<'a>(tags: &'a [ec2::Tag], id: &'a str) -> &'a str {
    tags.iter().find(|tag| tag.key == "Name" && !tag.value.is_empty()).map_or(id, |tag| tag.value.as_str())
}

kinds! {
    /// ECS clusters.
    clusters: ecs::Cluster = "ecs:Cluster", "AWS::ECS::Cluster", "ecs:DescribeClusters",
        id: |r| &r.cluster_arn, name: |r| &r.cluster_name, arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// ECS services.
    services: ecs::Service = "ecs:Service", "AWS::ECS::Service", "ecs:DescribeServices",
        id: |r| &r.service_arn, name: |r| &r.service_name, arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// ECS task sets.
    task_sets: ecs::TaskSet = "ecs:TaskSet", "AWS::ECS::TaskSet", "ecs:DescribeServices",
        id: |r| &r.task_set_arn, name: |r| &r.id, arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// ECS tasks.
    tasks: ecs::Task = "ecs:Task", "AWS::ECS::Task", "ecs:DescribeTasks",
        id: |r| &r.task_arn, name: |r| last_part(&r.task_arn), arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// ECS task definitions in scope.
    task_definitions: ecs::TaskDefinition = "ecs:TaskDefinition", "AWS::ECS::TaskDefinition", "ecs:DescribeTaskDefinition",
        id: |r| &r.task_definition_arn, name: |r| r.task_definition_arn.rsplit('/').next().unwrap_or(&r.family), arn: Naming::Given,
        tags: |r| pairs!(r.tags, key, value);
    /// ECS container instances.
    container_instances: ecs::ContainerInstance = "ecs:ContainerInstance", "AWS::ECS::ContainerInstance", "ecs:DescribeContainerInstances",
        id: |r| &r.container_instance_arn, name: |r| r.ec2_instance_id.as_deref().unwrap_or_else(|| last_part(&r.container_instance_arn)),
        arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// ECS capacity providers.
    capacity_providers: ecs::CapacityProvider = "ecs:CapacityProvider", "AWS::ECS::CapacityProvider", "ecs:DescribeCapacityProviders",
        id: |r| &r.capacity_provider_arn, name: |r| &r.name, arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// Effective ECS account settings.
    account_settings: ecs::AccountSetting = "ecs:AccountSetting", "AWS::ECS::AccountSetting", "ecs:ListAccountSettings",
        id: |r| &r.name, name: |r| &r.name, arn: Naming::Made("ecs", "account-setting"), tags: |_r| Vec::new();
    /// Load balancers.
    load_balancers: elasticloadbalancing::LoadBalancer = "elasticloadbalancing:LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "elasticloadbalancing:DescribeLoadBalancers", id: |r| &r.load_balancer_arn, name: |r| &r.load_balancer_name, arn: Naming::Given,
        tags: |r| r.tags.known().map_or_else(|_| Vec::new(), |tags| pairs!(tags, key, value));
    /// Listeners of load balancers in front of containers.
    listeners: elasticloadbalancing::Listener = "elasticloadbalancing:Listener", "AWS::ElasticLoadBalancingV2::Listener",
        "elasticloadbalancing:DescribeListeners", id: |r| &r.listener_arn, name: |r| listener_name(&r.listener_arn), arn: Naming::Given,
        tags: |r| r.tags.known().map_or_else(|_| Vec::new(), |tags| pairs!(tags, key, value));
    /// Target groups.
    target_groups: elasticloadbalancing::TargetGroup = "elasticloadbalancing:TargetGroup", "AWS::ElasticLoadBalancingV2::TargetGroup",
        "elasticloadbalancing:DescribeTargetGroups", id: |r| &r.target_group_arn, name: |r| &r.target_group_name, arn: Naming::Given,
        tags: |r| r.tags.known().map_or_else(|_| Vec::new(), |tags| pairs!(tags, key, value));
    /// TLS policies that listeners name.
    ssl_policies: elasticloadbalancing::SslPolicy = "elasticloadbalancing:SslPolicy", "AWS::ElasticLoadBalancingV2::SslPolicy",
        "elasticloadbalancing:DescribeSSLPolicies", id: |r| &r.name, name: |r| &r.name, arn: Naming::Made("elasticloadbalancing", "ssl-policy"),
        tags: |_r| Vec::new();
    /// Subscriptions to Shield Advanced.
    shield_subscriptions: shield::Subscription = "shield:Subscription", "AWS::Shield::Subscription", "shield:DescribeSubscription",
        id: |_r| "", name: |_r| "Shield Advanced", arn: Naming::Made("shield", "subscription"), tags: |_r| Vec::new();
    /// Private certificate authorities that Service Connect refers to.
    certificate_authorities: acm_pca::CertificateAuthority = "acm-pca:CertificateAuthority", "AWS::ACMPCA::CertificateAuthority",
        "acm-pca:DescribeCertificateAuthority", id: |r| &r.arn, name: |r| last_part(&r.arn), arn: Naming::Given, tags: |_r| Vec::new();
    /// Cloud Map services that ECS services register their tasks with.
    discovery_services: servicediscovery::Service = "servicediscovery:Service", "AWS::ServiceDiscovery::Service",
        "servicediscovery:GetService", id: |r| &r.arn, name: |r| &r.name, arn: Naming::Given, tags: |_r| Vec::new();
    /// Cloud Map namespaces that these, or Service Connect, refer to.
    discovery_namespaces: servicediscovery::Namespace = "servicediscovery:Namespace", "AWS::ServiceDiscovery::Namespace",
        "servicediscovery:ListNamespaces", id: |r| &r.arn, name: |r| &r.name, arn: Naming::Given, tags: |_r| Vec::new();
    /// VPCs.
    vpcs: ec2::Vpc = "ec2:Vpc", "AWS::EC2::VPC", "ec2:DescribeVpcs",
        id: |r| &r.vpc_id, name: |r| name_tag(&r.tags, &r.vpc_id), arn: Naming::Made("ec2", "vpc"), tags: |r| pairs!(r.tags, key, value);
    /// Subnets.
    subnets: ec2::Subnet = "ec2:Subnet", "AWS::EC2::Subnet", "ec2:DescribeSubnets",
        id: |r| &r.subnet_id, name: |r| name_tag(&r.tags, &r.subnet_id), arn: Naming::Made("ec2", "subnet"), tags: |r| pairs!(r.tags, key, value);
    /// Route tables.
    route_tables: ec2::RouteTable = "ec2:RouteTable", "AWS::EC2::RouteTable", "ec2:DescribeRouteTables",
        id: |r| &r.route_table_id, name: |r| name_tag(&r.tags, &r.route_table_id), arn: Naming::Made("ec2", "route-table"),
        tags: |r| pairs!(r.tags, key, value);
    /// Network ACLs.
    network_acls: ec2::NetworkAcl = "ec2:NetworkAcl", "AWS::EC2::NetworkAcl", "ec2:DescribeNetworkAcls",
        id: |r| &r.network_acl_id, name: |r| name_tag(&r.tags, &r.network_acl_id), arn: Naming::Made("ec2", "network-acl"),
        tags: |r| pairs!(r.tags, key, value);
    /// Security groups.
    security_groups: ec2::SecurityGroup = "ec2:SecurityGroup", "AWS::EC2::SecurityGroup", "ec2:DescribeSecurityGroups",
        id: |r| &r.group_id, name: |r| &r.group_name, arn: Naming::Made("ec2", "security-group"), tags: |r| pairs!(r.tags, key, value);
    /// Network interfaces.
    network_interfaces: ec2::NetworkInterface = "ec2:NetworkInterface", "AWS::EC2::NetworkInterface", "ec2:DescribeNetworkInterfaces",
        id: |r| &r.network_interface_id, name: |r| name_tag(&r.tag_set, &r.network_interface_id), arn: Naming::Made("ec2", "network-interface"),
        tags: |r| pairs!(r.tag_set, key, value);
    /// Internet gateways.
    internet_gateways: ec2::InternetGateway = "ec2:InternetGateway", "AWS::EC2::InternetGateway", "ec2:DescribeInternetGateways",
        id: |r| &r.internet_gateway_id, name: |r| name_tag(&r.tags, &r.internet_gateway_id), arn: Naming::Made("ec2", "internet-gateway"),
        tags: |r| pairs!(r.tags, key, value);
    /// Egress-only internet gateways.
    egress_only_internet_gateways: ec2::EgressOnlyInternetGateway = "ec2:EgressOnlyInternetGateway", "AWS::EC2::EgressOnlyInternetGateway",
        "ec2:DescribeEgressOnlyInternetGateways", id: |r| &r.egress_only_internet_gateway_id,
        name: |r| name_tag(&r.tags, &r.egress_only_internet_gateway_id), arn: Naming::Made("ec2", "egress-only-internet-gateway"),
        tags: |r| pairs!(r.tags, key, value);
    /// NAT gateways.
    nat_gateways: ec2::NatGateway = "ec2:NatGateway", "AWS::EC2::NatGateway", "ec2:DescribeNatGateways",
        id: |r| &r.nat_gateway_id, name: |r| name_tag(&r.tags, &r.nat_gateway_id), arn: Naming::Made("ec2", "natgateway"),
        tags: |r| pairs!(r.tags, key, value);
    /// VPC endpoints.
    vpc_endpoints: ec2::VpcEndpoint = "ec2:VpcEndpoint", "AWS::EC2::VPCEndpoint", "ec2:DescribeVpcEndpoints",
        id: |r| &r.vpc_endpoint_id, name: |r| name_tag(&r.tags, &r.vpc_endpoint_id), arn: Naming::Made("ec2", "vpc-endpoint"),
        tags: |r| pairs!(r.tags, key, value);
    /// VPC peering connections.
    vpc_peering_connections: ec2::VpcPeeringConnection = "ec2:VpcPeeringConnection", "AWS::EC2::VPCPeeringConnection",
        "ec2:DescribeVpcPeeringConnections", id: |r| &r.vpc_peering_connection_id, name: |r| name_tag(&r.tags, &r.vpc_peering_connection_id),
        arn: Naming::Made("ec2", "vpc-peering-connection"), tags: |r| pairs!(r.tags, key, value);
    /// Flow logs.
    flow_logs: ec2::FlowLog = "ec2:FlowLog", "AWS::EC2::FlowLog", "ec2:DescribeFlowLogs",
        id: |r| &r.flow_log_id, name: |r| name_tag(&r.tags, &r.flow_log_id), arn: Naming::Made("ec2", "vpc-flow-log"),
        tags: |r| pairs!(r.tags, key, value);
    /// Managed prefix lists.
    managed_prefix_lists: ec2::ManagedPrefixList = "ec2:ManagedPrefixList", "AWS::EC2::PrefixList", "ec2:DescribeManagedPrefixLists",
        id: |r| &r.prefix_list_id, name: |r| r.prefix_list_name.as_deref().unwrap_or(&r.prefix_list_id), arn: Naming::Made("ec2", "prefix-list"),
        tags: |r| pairs!(r.tags, key, value);
    /// EC2 instances that are container hosts.
    instances: ec2::Instance = "ec2:Instance", "AWS::EC2::Instance", "ec2:DescribeInstances",
        id: |r| &r.instance_id, name: |r| name_tag(&r.tags, &r.instance_id), arn: Naming::Made("ec2", "instance"), tags: |r| pairs!(r.tags, key, value);
    /// Machine images of container hosts.
    images: ec2::Image = "ec2:Image", "AWS::EC2::Image", "ec2:DescribeImages",
        id: |r| &r.image_id, name: |r| r.name.as_deref().unwrap_or(&r.image_id), arn: Naming::Made("ec2", "image"), tags: |r| pairs!(r.tags, key, value);
    /// Launch template versions of container hosts.
    launch_template_versions: ec2::LaunchTemplateVersion = "ec2:LaunchTemplateVersion", "AWS::EC2::LaunchTemplate", "ec2:DescribeLaunchTemplateVersions",
        id: |r| &r.launch_template_id, name: |r| r.launch_template_name.as_deref().unwrap_or(&r.launch_template_id),
        arn: Naming::Made("ec2", "launch-template"), tags: |_r| Vec::new(), version: |r| r.version_number;
    /// EBS volumes of container hosts.
    volumes: ec2::Volume = "ec2:Volume", "AWS::EC2::Volume", "ec2:DescribeVolumes",
        id: |r| &r.volume_id, name: |r| name_tag(&r.tags, &r.volume_id), arn: Naming::Made("ec2", "volume"), tags: |r| pairs!(r.tags, key, value);
    /// VPC Block Public Access options.
    vpc_block_public_access_options: ec2::VpcBlockPublicAccessOptions = "ec2:VpcBlockPublicAccessOptions", "AWS::EC2::VPCBlockPublicAccessOptions",
        "ec2:DescribeVpcBlockPublicAccessOptions", id: |_r| "", name: |_r| "VPC Block Public Access",
        arn: Naming::Made("ec2", "vpc-block-public-access-options"), tags: |_r| Vec::new();
    /// EBS encryption defaults.
    ebs_encryption_defaults: ec2::EbsEncryptionDefaults = "ec2:EbsEncryptionDefaults", "AWS::EC2::EbsEncryptionDefaults",
        "ec2:GetEbsEncryptionByDefault", id: |_r| "", name: |_r| "EBS encryption defaults",
        arn: Naming::Made("ec2", "ebs-encryption-defaults"), tags: |_r| Vec::new();
    /// Account defaults for the metadata service of new instances.
    instance_metadata_defaults: ec2::InstanceMetadataDefaults = "ec2:InstanceMetadataDefaults", "AWS::EC2::InstanceMetadataDefaults",
        "ec2:GetInstanceMetadataDefaults", id: |_r| "", name: |_r| "instance metadata defaults",
        arn: Naming::Made("ec2", "instance-metadata-defaults"), tags: |_r| Vec::new();
    /// Private registries.
    registries: ecr::Registry = "ecr:Registry", "AWS::ECR::Registry", "ecr:GetRegistryScanningConfiguration",
        id: |_r| "", name: |_r| "private registry", arn: Naming::Made("ecr", "registry"), tags: |_r| Vec::new();
    /// Repositories of private registries.
    repositories: ecr::Repository = "ecr:Repository", "AWS::ECR::Repository", "ecr:DescribeRepositories",
        id: |r| &r.repository_arn, name: |r| &r.repository_name, arn: Naming::Given, tags: |_r| Vec::new();
    /// Container images in use, and the newest of repositories.
    container_images: ecr::Image = "ecr:Image", "AWS::ECR::Image", "ecr:DescribeImages",
        id: |r| &r.image_arn, name: |r| r.image_arn.split_once(":repository/").map_or(r.image_arn.as_str(), |(_, name)| name),
        arn: Naming::Given, tags: |_r| Vec::new();
    /// IAM roles.
    roles: iam::Role = "iam:Role", "AWS::IAM::Role", "iam:GetAccountAuthorizationDetails",
        id: |r| &r.arn, name: |r| &r.role_name, arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// IAM managed policies.
    policies: iam::Policy = "iam:Policy", "AWS::IAM::ManagedPolicy", "iam:GetAccountAuthorizationDetails",
        id: |r| &r.arn, name: |r| &r.policy_name, arn: Naming::Given, tags: |_r| Vec::new();
    /// IAM instance profiles.
    instance_profiles: iam::InstanceProfile = "iam:InstanceProfile", "AWS::IAM::InstanceProfile", "iam:GetAccountAuthorizationDetails",
        id: |r| &r.arn, name: |r| &r.instance_profile_name, arn: Naming::Given, tags: |_r| Vec::new();
    /// IAM users.
    users: iam::User = "iam:User", "AWS::IAM::User", "iam:GetAccountAuthorizationDetails",
        id: |r| &r.arn, name: |r| &r.user_name, arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// IAM groups.
    groups: iam::Group = "iam:Group", "AWS::IAM::Group", "iam:GetAccountAuthorizationDetails",
        id: |r| &r.arn, name: |r| &r.group_name, arn: Naming::Given, tags: |_r| Vec::new();
    /// KMS keys.
    keys: kms::Key = "kms:Key", "AWS::KMS::Key", "kms:DescribeKey",
        id: |r| &r.key_id, name: |r| r.aliases.first().map_or_else(|| last_part(&r.key_id), String::as_str), arn: Naming::Given, tags: |_r| Vec::new();
    /// Auto Scaling groups that container hosts come from.
    auto_scaling_groups: autoscaling::AutoScalingGroup = "autoscaling:AutoScalingGroup", "AWS::AutoScaling::AutoScalingGroup",
        "autoscaling:DescribeAutoScalingGroups", id: |r| &r.auto_scaling_group_arn, name: |r| &r.auto_scaling_group_name, arn: Naming::Given,
        tags: |r| pairs!(r.tags, key, value);
    /// Launch configurations of those groups.
    launch_configurations: autoscaling::LaunchConfiguration = "autoscaling:LaunchConfiguration", "AWS::AutoScaling::LaunchConfiguration",
        "autoscaling:DescribeLaunchConfigurations", id: |r| &r.launch_configuration_arn, name: |r| &r.launch_configuration_name,
        arn: Naming::Given, tags: |_r| Vec::new();
    /// CloudTrail trails that record in a Region.
    trails: cloudtrail::Trail = "cloudtrail:Trail", "AWS::CloudTrail::Trail", "cloudtrail:DescribeTrails",
        id: |r| &r.trail_arn, name: |r| &r.name, arn: Naming::Given, tags: |_r| Vec::new();
    /// Stores of CloudTrail Lake.
    event_data_stores: cloudtrail::EventDataStore = "cloudtrail:EventDataStore", "AWS::CloudTrail::EventDataStore", "cloudtrail:ListEventDataStores",
        id: |r| &r.event_data_store_arn, name: |r| &r.name, arn: Naming::Given, tags: |_r| Vec::new();
    /// What CloudTrail recorded of keys.
    key_events: cloudtrail::KeyEvents = "cloudtrail:KeyEvents", "AWS::CloudTrail::KeyEvents", "cloudtrail:LookupEvents",
        id: |r| &r.key_arn, name: |r| last_part(&r.key_arn), arn: Naming::Given, tags: |_r| Vec::new();
    /// Alarms on the metrics of metric filters.
    metric_alarms: cloudwatch::MetricAlarms = "cloudwatch:MetricAlarms", "AWS::CloudWatch::Alarm", "cloudwatch:DescribeAlarmsForMetric",
        id: |r| &r.metric, name: |r| &r.metric_name, arn: Naming::Made("cloudwatch", "metric"), tags: |_r| Vec::new();
    /// EFS file systems that task definitions mount.
    file_systems: elasticfilesystem::FileSystem = "elasticfilesystem:FileSystem", "AWS::EFS::FileSystem",
        "elasticfilesystem:DescribeFileSystems", id: |r| &r.file_system_id, name: |r| r.name.as_deref().unwrap_or(&r.file_system_id),
        arn: Naming::Made("elasticfilesystem", "file-system"), tags: |r| pairs!(r.tags, key, value);
    /// EKS clusters.
    eks_clusters: eks::Cluster = "eks:Cluster", "AWS::EKS::Cluster", "eks:DescribeCluster",
        id: |r| &r.arn, name: |r| &r.name, arn: Naming::Given, tags: |r| map_pairs(&r.tags);
    /// Managed node groups of EKS clusters.
    nodegroups: eks::Nodegroup = "eks:Nodegroup", "AWS::EKS::Nodegroup", "eks:DescribeNodegroup",
        id: |r| &r.nodegroup_arn, name: |r| &r.nodegroup_name, arn: Naming::Given, tags: |r| map_pairs(&r.tags);
    /// Fargate profiles of EKS clusters.
    fargate_profiles: eks::FargateProfile = "eks:FargateProfile", "AWS::EKS::FargateProfile", "eks:DescribeFargateProfile",
        id: |r| &r.fargate_profile_arn, name: |r| &r.fargate_profile_name, arn: Naming::Given, tags: |r| map_pairs(&r.tags);
    /// Add-ons of EKS clusters.
    addons: eks::Addon = "eks:Addon", "AWS::EKS::Addon", "eks:DescribeAddon",
        id: |r| &r.addon_arn, name: |r| &r.addon_name, arn: Naming::Given, tags: |r| map_pairs(&r.tags);
    /// Access entries of EKS clusters.
    access_entries: eks::AccessEntry = "eks:AccessEntry", "AWS::EKS::AccessEntry", "eks:DescribeAccessEntry",
        id: |r| &r.access_entry_arn, name: |r| last_part(&r.principal_arn), arn: Naming::Given, tags: |r| map_pairs(&r.tags);
    /// Roles that EKS clusters give to service accounts.
    pod_identity_associations: eks::PodIdentityAssociation = "eks:PodIdentityAssociation", "AWS::EKS::PodIdentityAssociation",
        "eks:DescribePodIdentityAssociation", id: |r| &r.association_arn, name: |r| &r.association_id, arn: Naming::Given,
        tags: |r| map_pairs(&r.tags);
    /// Identity providers of EKS clusters.
    identity_provider_configs: eks::IdentityProviderConfig = "eks:IdentityProviderConfig", "AWS::EKS::IdentityProviderConfig",
        "eks:DescribeIdentityProviderConfig", id: |r| &r.identity_provider_config_arn, name: |r| &r.identity_provider_config_name,
        arn: Naming::Given, tags: |r| map_pairs(&r.tags);
    /// What stands in the way of upgrades of EKS clusters.
    insights: eks::Insight = "eks:Insight", "AWS::EKS::Insight", "eks:ListInsights",
        id: |r| &r.id, name: |r| &r.name, arn: Naming::Made("eks", "insight"), tags: |_r| Vec::new();
    /// Versions of Kubernetes that EKS clusters run.
    cluster_versions: eks::ClusterVersion = "eks:ClusterVersion", "AWS::EKS::ClusterVersion", "eks:DescribeClusterVersions",
        id: |r| &r.cluster_version, name: |r| &r.cluster_version, arn: Naming::Made("eks", "cluster-version"), tags: |_r| Vec::new();
    /// Default versions of the add-ons of EKS clusters.
    addon_versions: eks::AddonVersion = "eks:AddonVersion", "AWS::EKS::AddonVersion", "eks:DescribeAddonVersions",
        id: |r| &r.id, name: |r| &r.addon_name, arn: Naming::Made("eks", "addon-version"), tags: |_r| Vec::new();
    /// Rules of EventBridge.
    rules: events::Rule = "events:Rule", "AWS::Events::Rule", "events:ListRules",
        id: |r| &r.arn, name: |r| &r.name, arn: Naming::Given, tags: |_r| Vec::new();
    /// GuardDuty detectors.
    detectors: guardduty::Detector = "guardduty:Detector", "AWS::GuardDuty::Detector", "guardduty:ListDetectors",
        id: |r| &r.detector_id, name: |r| &r.detector_id, arn: Naming::Made("guardduty", "detector"), tags: |_r| Vec::new();
    /// Clusters that GuardDuty covers with runtime monitoring.
    guardduty_coverage: guardduty::CoverageResource = "guardduty:CoverageResource", "AWS::GuardDuty::CoverageResource", "guardduty:ListCoverage",
        id: |r| &r.resource_id, name: |r| &r.resource_id, arn: Naming::Made("guardduty", "coverage"), tags: |_r| Vec::new();
    /// Open GuardDuty findings on container platforms.
    guardduty_findings: guardduty::Finding = "guardduty:Finding", "AWS::GuardDuty::Finding", "guardduty:ListFindings",
        id: |r| &r.arn, name: |r| &r.id, arn: Naming::Given, tags: |_r| Vec::new();
    /// What Amazon Inspector scans.
    inspector_accounts: inspector2::AccountState = "inspector2:AccountState", "AWS::InspectorV2::Account", "inspector2:BatchGetAccountStatus",
        id: |r| &r.account_id, name: |r| &r.account_id, arn: Naming::Made("inspector2", "account"), tags: |_r| Vec::new();
    /// Hosts and images that Amazon Inspector covers.
    inspector_coverage: inspector2::Coverage = "inspector2:Coverage", "AWS::InspectorV2::Coverage", "inspector2:ListCoverage",
        id: |r| &r.resource_id, name: |r| &r.resource_id, arn: Naming::Made("inspector2", "coverage"), tags: |_r| Vec::new();
    /// What Amazon Inspector found in hosts and images.
    inspector_findings: inspector2::ResourceFindings = "inspector2:ResourceFindings", "AWS::InspectorV2::ResourceFindings",
        "inspector2:ListFindings", id: |r| &r.resource_id, name: |r| &r.resource_id, arn: Naming::Made("inspector2", "finding"),
        tags: |_r| Vec::new();
    /// Log groups of CloudWatch Logs that something collected names.
    log_groups: logs::LogGroup = "logs:LogGroup", "AWS::Logs::LogGroup", "logs:DescribeLogGroups",
        id: |r| &r.log_group_name, name: |r| &r.log_group_name, arn: Naming::Made("logs", "log-group"), tags: |_r| Vec::new();
    /// Firewalls of AWS Network Firewall.
    firewalls: network_firewall::Firewall = "network-firewall:Firewall", "AWS::NetworkFirewall::Firewall", "network-firewall:ListFirewalls",
        id: |r| &r.firewall_arn, name: |r| &r.firewall_name, arn: Naming::Given, tags: |_r| Vec::new();
    /// Accounts in their organization.
    organization_accounts: organizations::Account = "organizations:Account", "AWS::Organizations::Account", "organizations:DescribeOrganization",
        id: |r| &r.id, name: |r| &r.id, arn: Naming::Made("organizations", "account"), tags: |_r| Vec::new();
    /// Service and resource control policies.
    organization_policies: organizations::Policy = "organizations:Policy", "AWS::Organizations::Policy", "organizations:ListPoliciesForTarget",
        id: |r| &r.arn, name: |r| &r.name, arn: Naming::Given, tags: |_r| Vec::new();
    /// RDS instances in the VPCs of containers.
    db_instances: rds::DbInstance = "rds:DBInstance", "AWS::RDS::DBInstance", "rds:DescribeDBInstances",
        id: |r| &r.db_instance_arn, name: |r| &r.db_instance_identifier, arn: Naming::Given, tags: |r| pairs!(r.tag_list, key, value);
    /// RDS clusters in the VPCs of containers.
    db_clusters: rds::DbCluster = "rds:DBCluster", "AWS::RDS::DBCluster", "rds:DescribeDBClusters",
        id: |r| &r.db_cluster_arn, name: |r| &r.db_cluster_identifier, arn: Naming::Given, tags: |r| pairs!(r.tag_list, key, value);
    /// Associations of Route 53 Resolver DNS Firewall with VPCs.
    dns_firewall_associations: route53resolver::FirewallRuleGroupAssociation = "route53resolver:FirewallRuleGroupAssociation",
        "AWS::Route53Resolver::FirewallRuleGroupAssociation", "route53resolver:ListFirewallRuleGroupAssociations",
        id: |r| &r.arn, name: |r| r.name.as_deref().unwrap_or(&r.id), arn: Naming::Given, tags: |_r| Vec::new();
    /// Associations of Route 53 Resolver query logging with VPCs.
    query_log_associations: route53resolver::QueryLogConfigAssociation = "route53resolver:ResolverQueryLogConfigAssociation",
        "AWS::Route53Resolver::ResolverQueryLoggingConfigAssociation", "route53resolver:ListResolverQueryLogConfigAssociations",
        id: |r| &r.id, name: |r| &r.id, arn: Naming::Made("route53resolver", "resolver-query-log-config-association"), tags: |_r| Vec::new();
    /// S3 buckets that something collected names.
    buckets: s3::Bucket = "s3:Bucket", "AWS::S3::Bucket", "s3:ListBuckets",
        id: |r| &r.name, name: |r| &r.name, arn: Naming::Bucket, tags: |_r| Vec::new();
    /// The accounts' own blocks of public access to buckets.
    account_public_access_blocks: s3::AccountPublicAccessBlock = "s3:AccountPublicAccessBlock", "AWS::S3::AccountPublicAccessBlock",
        "s3:GetAccountPublicAccessBlock", id: |_r| "", name: |_r| "S3 block public access",
        arn: Naming::Made("s3", "account-public-access-block"), tags: |_r| Vec::new();
    /// Schedules of EventBridge Scheduler that start tasks.
    schedules: scheduler::Schedule = "scheduler:Schedule", "AWS::Scheduler::Schedule", "scheduler:ListSchedules",
        id: |r| &r.arn, name: |r| &r.name, arn: Naming::Given, tags: |_r| Vec::new();
    /// Secrets of AWS Secrets Manager.
    secrets: secretsmanager::Secret = "secretsmanager:Secret", "AWS::SecretsManager::Secret", "secretsmanager:ListSecrets",
        id: |r| &r.arn, name: |r| &r.name, arn: Naming::Given, tags: |r| pairs!(r.tags, key, value);
    /// Parameters that task definitions refer to.
    parameters: ssm::Parameter = "ssm:Parameter", "AWS::SSM::Parameter", "ssm:DescribeParameters",
        id: |r| &r.arn, name: |r| &r.name, arn: Naming::Given, tags: |_r| Vec::new();
    /// Public parameters, by which AWS recommends images.
    /// Signing profiles of AWS Signer.
    signing_profiles: signer::SigningProfile = "signer:SigningProfile", "AWS::Signer::SigningProfile", "signer:ListSigningProfiles",
        id: |r| &r.arn, name: |r| &r.profile_name, arn: Naming::Given, tags: |_r| Vec::new();
    /// Parameters that AWS publishes.
    public_parameters: ssm::PublicParameter = "ssm:PublicParameter", "AWS::SSM::PublicParameter", "ssm:GetParameters",
        id: |r| &r.name, name: |r| &r.name, arn: Naming::Made("ssm", "parameter"), tags: |_r| Vec::new();
    /// Container hosts that Systems Manager manages.
    managed_instances: ssm::InstanceInformation = "ssm:InstanceInformation", "AWS::SSM::ManagedInstance", "ssm:DescribeInstanceInformation",
        id: |r| &r.instance_id, name: |r| &r.instance_id, arn: Naming::Made("ssm", "managed-instance"), tags: |_r| Vec::new();
    /// Patches of container hosts.
    patch_states: ssm::InstancePatchState = "ssm:InstancePatchState", "AWS::SSM::InstancePatchState", "ssm:DescribeInstancePatchStates",
        id: |r| &r.instance_id, name: |r| &r.instance_id, arn: Naming::Made("ssm", "patch-state"), tags: |_r| Vec::new();
}

impl Extend<Self> for Inventory {
    fn extend<T: IntoIterator<Item = Self>>(&mut self, parts: T) {
        parts.into_iter().for_each(|part| self.absorb(part));
    }
}

impl FromIterator<Self> for Inventory {
    fn from_iter<T: IntoIterator<Item = Self>>(parts: T) -> Self {
        let mut all = Self::default();
        all.extend(parts);
        all
    }
}

impl Inventory {
    /// Whether there are clusters, and so something to judge.
    pub fn has_containers(&self) -> bool {
        !self.clusters.is_empty() || !self.eks_clusters.is_empty()
    }

    /// Whether there are no resources.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a resource.
    pub fn push<T>(&mut self, account: &AccountId, region: &Region, data: T)
    where
        Self: Holds<T>,
    {
        self.list_mut().push(Located { account: account.clone(), region: region.clone(), data });
    }

    /// Requests sent, answers that said "slow down", time waited and answers from a cache, over all operations.
    pub fn call_totals(&self) -> CallStatistics {
        self.header.calls.values().fold(CallStatistics::default(), |sum, one| CallStatistics {
            calls: sum.calls + one.calls,
            throttled: sum.throttled + one.throttled,
            cached: sum.cached + one.cached,
            waited_ms: sum.waited_ms + one.waited_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;
    use crate::{AccountId, Region};

    fn scope(account: &str, regions: &[&str]) -> Scope {
        let mut scope = Scope::default();
        scope.add(AccountId::new(account), regions.iter().copied().map(Region::new).collect());
        scope
    }

    fn covers(scope: &Scope, account: &str, region: &str) -> bool {
        scope.covers(&AccountId::new(account), &Region::new(region))
    }

    #[test]
    fn joined_accounts_keep_their_own_regions() {
        let mut both = scope("1", &["eu-west-3"]);
        both.join(scope("2", &["us-east-1", "eu-west-3"]));
        both.add(AccountId::new("3"), [].into());
        assert_eq!((both.accounts.len(), both.regions.len()), (3, 2));
        assert!(covers(&both, "1", "eu-west-3") && !covers(&both, "1", "us-east-1"));
        assert!(covers(&both, "2", "eu-west-3") && covers(&both, "2", "us-east-1"));
        assert!(covers(&both, "3", "global") && !covers(&both, "3", "us-east-1") && !covers(&both, "4", "global"));
        let own: Vec<&str> = both.regions_by_account.keys().map(AccountId::as_str).collect();
        assert_eq!(own, ["1", "3"], "who was asked in all is not listed");
    }

    #[test]
    fn accounts_that_agree_are_told_once() {
        let mut both = scope("1", &["eu-west-3"]);
        both.join(scope("2", &["eu-west-3"]));
        assert!(both.regions_by_account.is_empty());
        let mut again = scope("1", &["eu-west-3"]);
        again.join(scope("1", &["us-east-1"]));
        assert!(covers(&again, "1", "eu-west-3") && covers(&again, "1", "us-east-1") && again.regions_by_account.is_empty());
    }
}
