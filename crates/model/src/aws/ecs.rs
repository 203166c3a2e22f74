//! Amazon ECS (API version 2014-11-13).

use jiff::Timestamp;

aws! {
    "camelCase"

    /// `Tag`.
    Tag {
        pub key: String,
        pub value: String,
    }

    /// `KeyValuePair` and the other name-value pairs (`ClusterSetting`, attachment details).
    KeyValuePair {
        pub name: String,
        pub value: String,
    }

    /// `Cluster`, as `DescribeClusters` answers with CONFIGURATIONS, SETTINGS and TAGS.
    Cluster {
        pub cluster_arn: String,
        pub cluster_name: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub configuration: Option<ClusterConfiguration>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub settings: Vec<KeyValuePair>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub capacity_providers: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub default_capacity_provider_strategy: Vec<CapacityProviderStrategyItem>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub service_connect_defaults: Option<ClusterServiceConnectDefaults>,
        pub registered_container_instances_count: i32,
        pub running_tasks_count: i32,
        pub pending_tasks_count: i32,
        pub active_services_count: i32,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `ClusterServiceConnectDefaults`.
    ClusterServiceConnectDefaults {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
    }

    /// `ClusterConfiguration`.
    ClusterConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub execute_command_configuration: Option<ExecuteCommandConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub managed_storage_configuration: Option<ManagedStorageConfiguration>,
    }

    /// `ExecuteCommandConfiguration`.
    ExecuteCommandConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub logging: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_configuration: Option<ExecuteCommandLogConfiguration>,
    }

    /// `ExecuteCommandLogConfiguration`.
    ExecuteCommandLogConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cloud_watch_log_group_name: Option<String>,
        pub cloud_watch_encryption_enabled: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub s3_bucket_name: Option<String>,
        pub s3_encryption_enabled: bool,
    }

    /// `ManagedStorageConfiguration`.
    ManagedStorageConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fargate_ephemeral_storage_kms_key_id: Option<String>,
    }

    /// `CapacityProviderStrategyItem`.
    CapacityProviderStrategyItem {
        pub capacity_provider: String,
        pub weight: i32,
        pub base: i32,
    }

    /// `CapacityProvider`, as `DescribeCapacityProviders` answers.
    CapacityProvider {
        pub capacity_provider_arn: String,
        pub name: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub auto_scaling_group_provider: Option<AutoScalingGroupProvider>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub managed_instances_provider: Option<ManagedInstancesProvider>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `AutoScalingGroupProvider`.
    AutoScalingGroupProvider {
        pub auto_scaling_group_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub managed_termination_protection: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub managed_draining: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub managed_scaling: Option<ManagedScaling>,
    }

    /// `ManagedScaling`.
    ManagedScaling {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
    }

    /// `ManagedInstancesProvider`.
    ManagedInstancesProvider {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub infrastructure_role_arn: Option<String>,
    }

    /// `Service`, as `DescribeServices` answers with TAGS; its task sets are resources of their own.
    Service {
        pub service_arn: String,
        pub service_name: String,
        pub cluster_arn: String,
        pub status: String,
        pub desired_count: i32,
        pub running_count: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_type: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub capacity_provider_strategy: Vec<CapacityProviderStrategyItem>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_family: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub task_definition: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub deployments: Vec<Deployment>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_configuration: Option<NetworkConfiguration>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub load_balancers: Vec<LoadBalancer>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub service_registries: Vec<ServiceRegistry>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub placement_constraints: Vec<PlacementConstraint>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scheduling_strategy: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deployment_controller: Option<DeploymentController>,
        #[serde(rename = "enableECSManagedTags")]
        pub enable_ecs_managed_tags: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub propagate_tags: Option<String>,
        pub enable_execute_command: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `PlacementConstraint`.
    PlacementConstraint {
        #[serde(rename = "type")]
        pub kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expression: Option<String>,
    }

    /// `DeploymentController`.
    DeploymentController {
        #[serde(rename = "type")]
        pub kind: String,
    }

    /// `Deployment`.
    Deployment {
        pub id: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub task_definition: Option<String>,
        pub desired_count: i32,
        pub running_count: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_type: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub capacity_provider_strategy: Vec<CapacityProviderStrategyItem>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_family: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_configuration: Option<NetworkConfiguration>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub volume_configurations: Vec<ServiceVolumeConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fargate_ephemeral_storage: Option<EphemeralStorage>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub service_connect_configuration: Option<ServiceConnectConfiguration>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub vpc_lattice_configurations: Vec<VpcLatticeConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
    }

    /// `ServiceConnectConfiguration`.
    ServiceConnectConfiguration {
        pub enabled: bool,
        /// Name or ARN of a Cloud Map namespace; without it, the cluster's default.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub namespace: Option<String>,
        /// What the service offers; a mere client offers nothing.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub services: Vec<ServiceConnectService>,
    }

    /// `ServiceConnectService`.
    ServiceConnectService {
        pub port_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub discovery_name: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub client_aliases: Vec<ServiceConnectClientAlias>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ingress_port_override: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub tls: Option<ServiceConnectTlsConfiguration>,
    }

    /// `ServiceConnectClientAlias`.
    ServiceConnectClientAlias {
        pub port: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub dns_name: Option<String>,
    }

    /// `ServiceConnectTlsConfiguration`.
    ServiceConnectTlsConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub issuer_certificate_authority: Option<ServiceConnectTlsCertificateAuthority>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_arn: Option<String>,
    }

    /// `ServiceConnectTlsCertificateAuthority`.
    ServiceConnectTlsCertificateAuthority {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub aws_pca_authority_arn: Option<String>,
    }

    /// `VpcLatticeConfiguration`.
    VpcLatticeConfiguration {
        pub role_arn: String,
        pub target_group_arn: String,
        pub port_name: String,
    }

    /// `NetworkConfiguration`.
    NetworkConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub awsvpc_configuration: Option<AwsVpcConfiguration>,
    }

    /// `AwsVpcConfiguration`.
    AwsVpcConfiguration {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub subnets: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub security_groups: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub assign_public_ip: Option<String>,
    }

    /// `LoadBalancer` of a service or task set.
    LoadBalancer {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub target_group_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub load_balancer_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub advanced_configuration: Option<AdvancedConfiguration>,
    }

    /// `AdvancedConfiguration`: where ECS itself shifts traffic between two target groups.
    AdvancedConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub alternate_target_group_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub production_listener_rule: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub test_listener_rule: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_arn: Option<String>,
    }

    /// `ServiceRegistry`.
    ServiceRegistry {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub registry_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub port: Option<i32>,
    }

    /// `ServiceVolumeConfiguration`.
    ServiceVolumeConfiguration {
        pub name: String,
        #[serde(rename = "managedEBSVolume", skip_serializing_if = "Option::is_none")]
        pub managed_ebs_volume: Option<ServiceManagedEbsVolumeConfiguration>,
    }

    /// `ServiceManagedEBSVolumeConfiguration`.
    ServiceManagedEbsVolumeConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub encrypted: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub snapshot_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub role_arn: Option<String>,
    }

    /// `DeploymentEphemeralStorage` and `TaskEphemeralStorage`.
    EphemeralStorage {
        #[serde(rename = "sizeInGiB", skip_serializing_if = "Option::is_none")]
        pub size_in_gib: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kms_key_id: Option<String>,
    }

    /// `TaskSet`, as `DescribeServices` answers it inside its service.
    TaskSet {
        pub id: String,
        pub task_set_arn: String,
        pub service_arn: String,
        pub cluster_arn: String,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub task_definition: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_type: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub capacity_provider_strategy: Vec<CapacityProviderStrategyItem>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_family: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_configuration: Option<NetworkConfiguration>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub load_balancers: Vec<LoadBalancer>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub service_registries: Vec<ServiceRegistry>,
        pub running_count: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fargate_ephemeral_storage: Option<EphemeralStorage>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `Task`, as `DescribeTasks` answers with TAGS.
    Task {
        pub task_arn: String,
        pub cluster_arn: String,
        pub task_definition_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub group: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub started_by: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub launch_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub capacity_provider_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub platform_family: Option<String>,
        pub last_status: String,
        pub desired_status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub started_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_instance_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub availability_zone: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attachments: Vec<Attachment>,
        /// Of the attributes `ecs.cpu-architecture`.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attributes: Vec<Attribute>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub containers: Vec<Container>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub overrides: Option<TaskOverride>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fargate_ephemeral_storage: Option<EphemeralStorage>,
        pub enable_execute_command: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `Attachment`; of type `ElasticNetworkInterface` its details name the interface and the subnet.
    Attachment {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub id: Option<String>,
        #[serde(rename = "type")]
        pub kind: String,
        pub status: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub details: Vec<KeyValuePair>,
    }

    /// `Container` of a task.
    Container {
        pub name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_digest: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_status: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub network_bindings: Vec<NetworkBinding>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub network_interfaces: Vec<ContainerNetworkInterface>,
    }

    /// `NetworkBinding`.
    NetworkBinding {
        #[serde(rename = "bindIP", skip_serializing_if = "Option::is_none")]
        pub bind_ip: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub host_port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub protocol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_port_range: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub host_port_range: Option<String>,
    }

    /// `NetworkInterface` of a container.
    ContainerNetworkInterface {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub attachment_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub private_ipv4_address: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipv6_address: Option<String>,
    }

    /// `TaskOverride`: texts are screened, see [`Screened`].
    TaskOverride {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub task_role_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub execution_role_arn: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub container_overrides: Vec<ContainerOverride>,
    }

    /// `ContainerOverride`.
    ContainerOverride {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub environment: Vec<Screened>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub command: Option<Words>,
        /// What plimsoll's detector found in the command, by field path.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub secrets_in_text: Vec<Screened>,
    }

    /// What the secret detector said of one value; the value itself is never kept.
    Screened {
        /// The name of the variable, label or option; for other texts the field path, such as `command[2]`.
        pub name: String,
        /// The detector that matched, such as `aws-secret-access-key`; `None` for a harmless value.
        pub looks_like: Option<String>,
        /// Length of the match in bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub length: Option<usize>,
        /// Keyed hash of the match (HMAC-SHA256, 16 hex digits), when a key was given at collection.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fingerprint: Option<String>,
        /// AWS access key ids that the value holds.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub access_keys: Vec<AccessKeyReference>,
    }

    /// An AWS access key id, without the id.
    AccessKeyReference {
        /// The account that the id encodes.
        pub account_id: Option<String>,
        /// The last four characters.
        pub last_four: String,
        /// SHA-256 of the whole id, to find it among the account's keys.
        pub digest: String,
    }

    /// A command line after screening: its shape, not its words.
    Words {
        /// How many words it had.
        pub count: usize,
        /// Base name of the program, when it is a plain name.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub program: Option<String>,
    }

    /// `TaskDefinition`, as `DescribeTaskDefinition` answers with TAGS; texts are screened, see [`Screened`].
    TaskDefinition {
        pub task_definition_arn: String,
        pub family: String,
        pub revision: i32,
        pub status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub pid_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ipc_mode: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub task_role_arn: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub execution_role_arn: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub requires_compatibilities: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub compatibilities: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cpu: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub memory: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub container_definitions: Vec<ContainerDefinition>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub volumes: Vec<Volume>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub proxy_configuration: Option<ProxyConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub runtime_platform: Option<RuntimePlatform>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ephemeral_storage: Option<EphemeralStorage>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub registered_at: Option<Timestamp>,
        /// What plimsoll's detector found outside the containers, by field path.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub secrets_in_text: Vec<Screened>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `RuntimePlatform`.
    RuntimePlatform {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub operating_system_family: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cpu_architecture: Option<String>,
    }

    /// `ProxyConfiguration`.
    ProxyConfiguration {
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
        pub container_name: String,
    }

    /// `ContainerDefinition`.
    ContainerDefinition {
        pub name: String,
        pub image: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version_consistency: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cpu: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub memory: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub memory_reservation: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub essential: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub privileged: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub readonly_root_filesystem: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub links: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub port_mappings: Vec<PortMapping>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub mount_points: Vec<MountPoint>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub linux_parameters: Option<LinuxParameters>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub docker_security_options: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ulimits: Vec<Ulimit>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_configuration: Option<LogConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub firelens_configuration: Option<FirelensConfiguration>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub environment: Vec<Screened>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub environment_files: Vec<EnvironmentFile>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub secrets: Vec<Secret>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub repository_credentials: Option<RepositoryCredentials>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub command: Option<Words>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub entry_point: Option<Words>,
        /// What plimsoll's detector found in command, labels, options and the like, by field path.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub secrets_in_text: Vec<Screened>,
    }

    /// `PortMapping`.
    PortMapping {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub host_port: Option<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub protocol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub app_protocol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_port_range: Option<String>,
    }

    /// `MountPoint`.
    MountPoint {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub source_volume: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_path: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub read_only: Option<bool>,
    }

    /// `LinuxParameters`.
    LinuxParameters {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub capabilities: Option<KernelCapabilities>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub devices: Vec<Device>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub init_process_enabled: Option<bool>,
    }

    /// `KernelCapabilities`.
    KernelCapabilities {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub add: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub drop: Vec<String>,
    }

    /// `Device`.
    Device {
        pub host_path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_path: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub permissions: Vec<String>,
    }

    /// `Ulimit`.
    Ulimit {
        pub name: String,
        pub soft_limit: i32,
        pub hard_limit: i32,
    }

    /// `LogConfiguration`; of the options only harmless, known ones keep their value.
    LogConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub log_driver: Option<String>,
        /// Options with a fixed, harmless vocabulary (`mode`, `awslogs-group`…); other options are only screened.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        pub options: std::collections::BTreeMap<String, String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub secret_options: Vec<Secret>,
    }

    /// `FirelensConfiguration`.
    FirelensConfiguration {
        #[serde(rename = "type")]
        pub kind: String,
    }

    /// `EnvironmentFile`.
    EnvironmentFile {
        pub value: String,
        #[serde(rename = "type")]
        pub kind: String,
    }

    /// `Secret`: the name of the variable and the ARN that its value comes from.
    Secret {
        pub name: String,
        pub value_from: String,
    }

    /// `RepositoryCredentials`.
    RepositoryCredentials {
        pub credentials_parameter: String,
    }

    /// `Volume`.
    Volume {
        pub name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub host: Option<HostVolumeProperties>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub docker_volume_configuration: Option<DockerVolumeConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub efs_volume_configuration: Option<EfsVolumeConfiguration>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub configured_at_launch: Option<bool>,
    }

    /// `HostVolumeProperties`.
    HostVolumeProperties {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub source_path: Option<String>,
    }

    /// `DockerVolumeConfiguration`.
    DockerVolumeConfiguration {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub driver: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scope: Option<String>,
    }

    /// `EFSVolumeConfiguration`.
    EfsVolumeConfiguration {
        pub file_system_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub root_directory: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub transit_encryption: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub authorization_config: Option<EfsAuthorizationConfig>,
    }

    /// `EFSAuthorizationConfig`.
    EfsAuthorizationConfig {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub access_point_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub iam: Option<String>,
    }

    /// `ContainerInstance`, as `DescribeContainerInstances` answers with TAGS.
    ContainerInstance {
        pub container_instance_arn: String,
        /// The cluster that listed it; the API's answer does not repeat it.
        pub cluster_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ec2_instance_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub capacity_provider_name: Option<String>,
        pub status: String,
        pub agent_connected: bool,
        pub running_tasks_count: i32,
        pub pending_tasks_count: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub registered_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub version_info: Option<VersionInfo>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub attributes: Vec<Attribute>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<Tag>,
    }

    /// `VersionInfo`.
    VersionInfo {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub agent_version: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub agent_hash: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub docker_version: Option<String>,
    }

    /// `Attribute`.
    Attribute {
        pub name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub value: Option<String>,
    }

    /// `Setting`, as `ListAccountSettings` answers with `effectiveSettings`.
    AccountSetting {
        pub name: String,
        pub value: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub principal_arn: Option<String>,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
    }
}

impl LoadBalancer {
    /// ARNs of the target groups that it registers tasks with.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        let alternate = self.advanced_configuration.as_ref().and_then(|advanced| advanced.alternate_target_group_arn.as_deref());
        self.target_group_arn.as_deref().into_iter().chain(alternate)
    }
}

impl Service {
    /// Service Connect as its PRIMARY deployment has it, where it is on.
    pub fn service_connect(&self) -> Option<&ServiceConnectConfiguration> {
        let primary = self.deployments.iter().filter(|deployment| deployment.status == "PRIMARY");
        primary.filter_map(|deployment| deployment.service_connect_configuration.as_ref()).find(|connect| connect.enabled)
    }
}

impl ServiceConnectConfiguration {
    /// Whether a client alias has no name of its own, so that the namespace is part of it.
    pub fn names_by_namespace(&self) -> bool {
        self.services.iter().flat_map(|service| &service.client_aliases).any(|alias| alias.name().is_none())
    }
}

impl ServiceConnectClientAlias {
    /// The name of its own, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.dns_name.as_deref().filter(|name| !name.is_empty())
    }
}

impl ServiceConnectService {
    /// What stands before the namespace in its name: `discoveryName`, else the name of the port (ECS API,
    /// `ServiceConnectClientAlias`).
    pub fn discovery(&self) -> &str {
        self.discovery_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.port_name)
    }

    /// ARN of the authority that issues its certificates; without one its traffic is not encrypted.
    pub fn certificate_authority(&self) -> Option<&str> {
        let authority = self.tls.as_ref()?.issuer_certificate_authority.as_ref()?;
        authority.aws_pca_authority_arn.as_deref().filter(|arn| !arn.is_empty())
    }
}

impl Container {
    /// What GuardDuty calls the container that it adds to Fargate tasks (GuardDuty user guide, "Runtime Monitoring").
    pub const GUARDDUTY_AGENT: &'static str = "aws-guardduty-agent";
    /// What ECS calls the proxy of Service Connect (ECS developer guide, "Service Connect").
    pub const SERVICE_CONNECT: &'static str = "ecs-service-connect-";

    /// Whether AWS put the container into the task: its image is AWS's affair.
    pub fn is_added_by_aws(&self) -> bool {
        [Self::GUARDDUTY_AGENT, Self::SERVICE_CONNECT].iter().any(|name| self.name.starts_with(name))
    }
}
