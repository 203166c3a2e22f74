//! Answers of the ECS API flow in as the SDK's types; the model's types flow out.

use aws_sdk_ecs::types;
use plimsoll_model::aws::ecr::CPU_ARCHITECTURE;
use plimsoll_model::aws::ecs;
use plimsoll_secrets::Detector;

use crate::screen::{self, Screen};
use crate::timestamp::timestamp;

pub(super) fn cluster(detector: &Detector, from: types::Cluster) -> ecs::Cluster {
    ecs::Cluster {
        cluster_arn: from.cluster_arn.unwrap_or_default(),
        cluster_name: from.cluster_name.unwrap_or_default(),
        status: from.status.unwrap_or_default(),
        configuration: from.configuration.map(|configuration| ecs::ClusterConfiguration {
            execute_command_configuration: configuration.execute_command_configuration.map(execute_command),
            managed_storage_configuration: configuration.managed_storage_configuration.map(|storage| ecs::ManagedStorageConfiguration {
                kms_key_id: storage.kms_key_id,
                fargate_ephemeral_storage_kms_key_id: storage.fargate_ephemeral_storage_kms_key_id,
            }),
        }),
        settings: each(from.settings, |setting| ecs::KeyValuePair {
            name: word(setting.name).unwrap_or_default(),
            value: setting.value.unwrap_or_default(),
        }),
        capacity_providers: from.capacity_providers.unwrap_or_default(),
        default_capacity_provider_strategy: each(from.default_capacity_provider_strategy, strategy_item),
        service_connect_defaults: from
            .service_connect_defaults
            .map(|defaults| ecs::ClusterServiceConnectDefaults { namespace: defaults.namespace }),
        registered_container_instances_count: from.registered_container_instances_count,
        running_tasks_count: from.running_tasks_count,
        pending_tasks_count: from.pending_tasks_count,
        active_services_count: from.active_services_count,
        tags: tags(detector, from.tags),
    }
}

fn execute_command(from: types::ExecuteCommandConfiguration) -> ecs::ExecuteCommandConfiguration {
    ecs::ExecuteCommandConfiguration {
        kms_key_id: from.kms_key_id,
        logging: word(from.logging),
        log_configuration: from.log_configuration.map(|log| ecs::ExecuteCommandLogConfiguration {
            cloud_watch_log_group_name: log.cloud_watch_log_group_name,
            cloud_watch_encryption_enabled: log.cloud_watch_encryption_enabled,
            s3_bucket_name: log.s3_bucket_name,
            s3_encryption_enabled: log.s3_encryption_enabled,
        }),
    }
}

fn strategy_item(from: types::CapacityProviderStrategyItem) -> ecs::CapacityProviderStrategyItem {
    ecs::CapacityProviderStrategyItem { capacity_provider: from.capacity_provider, weight: from.weight, base: from.base }
}

pub(super) fn capacity_provider(detector: &Detector, from: types::CapacityProvider) -> ecs::CapacityProvider {
    ecs::CapacityProvider {
        capacity_provider_arn: from.capacity_provider_arn.unwrap_or_default(),
        name: from.name.unwrap_or_default(),
        status: word(from.status).unwrap_or_default(),
        auto_scaling_group_provider: from.auto_scaling_group_provider.map(|provider| ecs::AutoScalingGroupProvider {
            auto_scaling_group_arn: provider.auto_scaling_group_arn,
            managed_termination_protection: word(provider.managed_termination_protection),
            managed_draining: word(provider.managed_draining),
            managed_scaling: provider.managed_scaling.map(|scaling| ecs::ManagedScaling { status: word(scaling.status) }),
        }),
        managed_instances_provider: from
            .managed_instances_provider
            .map(|provider| ecs::ManagedInstancesProvider { infrastructure_role_arn: provider.infrastructure_role_arn }),
        tags: tags(detector, from.tags),
    }
}

/// A service and the task sets inside it.
pub(super) fn service(detector: &Detector, from: types::Service) -> (ecs::Service, Vec<ecs::TaskSet>) {
    let service = ecs::Service {
        service_arn: from.service_arn.unwrap_or_default(),
        service_name: from.service_name.unwrap_or_default(),
        cluster_arn: from.cluster_arn.unwrap_or_default(),
        status: from.status.unwrap_or_default(),
        desired_count: from.desired_count,
        running_count: from.running_count,
        launch_type: word(from.launch_type),
        capacity_provider_strategy: each(from.capacity_provider_strategy, strategy_item),
        platform_version: from.platform_version,
        platform_family: from.platform_family,
        task_definition: from.task_definition,
        deployments: each(from.deployments, deployment),
        network_configuration: from.network_configuration.map(network_configuration),
        load_balancers: each(from.load_balancers, load_balancer),
        service_registries: each(from.service_registries, service_registry),
        placement_constraints: each(from.placement_constraints, |constraint| ecs::PlacementConstraint {
            kind: word(constraint.r#type).unwrap_or_default(),
            expression: constraint.expression,
        }),
        role_arn: from.role_arn,
        scheduling_strategy: word(from.scheduling_strategy),
        deployment_controller: from
            .deployment_controller
            .map(|controller| ecs::DeploymentController { kind: controller.r#type.as_str().to_owned() }),
        enable_ecs_managed_tags: from.enable_ecs_managed_tags,
        propagate_tags: word(from.propagate_tags),
        enable_execute_command: from.enable_execute_command,
        created_at: timestamp(from.created_at),
        tags: tags(detector, from.tags),
    };
    let task_sets = each(from.task_sets, |set| task_set(detector, set, &service));
    (service, task_sets)
}

fn deployment(from: types::Deployment) -> ecs::Deployment {
    ecs::Deployment {
        id: from.id.unwrap_or_default(),
        status: from.status.unwrap_or_default(),
        task_definition: from.task_definition,
        desired_count: from.desired_count,
        running_count: from.running_count,
        launch_type: word(from.launch_type),
        capacity_provider_strategy: each(from.capacity_provider_strategy, strategy_item),
        platform_version: from.platform_version,
        platform_family: from.platform_family,
        network_configuration: from.network_configuration.map(network_configuration),
        volume_configurations: each(from.volume_configurations, |volume| ecs::ServiceVolumeConfiguration {
            name: volume.name,
            managed_ebs_volume: volume.managed_ebs_volume.map(|managed| ecs::ServiceManagedEbsVolumeConfiguration {
                encrypted: managed.encrypted,
                kms_key_id: managed.kms_key_id,
                snapshot_id: managed.snapshot_id,
                role_arn: Some(managed.role_arn),
            }),
        }),
        fargate_ephemeral_storage: from.fargate_ephemeral_storage.map(deployment_storage),
        service_connect_configuration: from.service_connect_configuration.map(service_connect),
        vpc_lattice_configurations: each(from.vpc_lattice_configurations, |lattice| ecs::VpcLatticeConfiguration {
            role_arn: lattice.role_arn,
            target_group_arn: lattice.target_group_arn,
            port_name: lattice.port_name,
        }),
        created_at: timestamp(from.created_at),
    }
}

fn service_connect(from: types::ServiceConnectConfiguration) -> ecs::ServiceConnectConfiguration {
    ecs::ServiceConnectConfiguration {
        enabled: from.enabled,
        namespace: from.namespace,
        services: each(from.services, |service| ecs::ServiceConnectService {
            port_name: service.port_name,
            discovery_name: service.discovery_name,
            client_aliases: each(service.client_aliases, |alias| ecs::ServiceConnectClientAlias {
                port: alias.port,
                dns_name: alias.dns_name,
            }),
            ingress_port_override: service.ingress_port_override,
            tls: service.tls.map(|tls| ecs::ServiceConnectTlsConfiguration {
                issuer_certificate_authority: tls
                    .issuer_certificate_authority
                    .map(|authority| ecs::ServiceConnectTlsCertificateAuthority { aws_pca_authority_arn: authority.aws_pca_authority_arn }),
                kms_key: tls.kms_key,
                role_arn: tls.role_arn,
            }),
        }),
    }
}

fn service_registry(from: types::ServiceRegistry) -> ecs::ServiceRegistry {
    ecs::ServiceRegistry {
        registry_arn: from.registry_arn,
        container_name: from.container_name,
        container_port: from.container_port,
        port: from.port,
    }
}

fn network_configuration(from: types::NetworkConfiguration) -> ecs::NetworkConfiguration {
    ecs::NetworkConfiguration {
        awsvpc_configuration: from.awsvpc_configuration.map(|awsvpc| ecs::AwsVpcConfiguration {
            subnets: awsvpc.subnets,
            security_groups: awsvpc.security_groups.unwrap_or_default(),
            assign_public_ip: word(awsvpc.assign_public_ip),
        }),
    }
}

fn load_balancer(from: types::LoadBalancer) -> ecs::LoadBalancer {
    ecs::LoadBalancer {
        target_group_arn: from.target_group_arn,
        load_balancer_name: from.load_balancer_name,
        container_name: from.container_name,
        container_port: from.container_port,
        advanced_configuration: from.advanced_configuration.map(|advanced| ecs::AdvancedConfiguration {
            alternate_target_group_arn: advanced.alternate_target_group_arn,
            production_listener_rule: advanced.production_listener_rule,
            test_listener_rule: advanced.test_listener_rule,
            role_arn: advanced.role_arn,
        }),
    }
}

fn deployment_storage(from: types::DeploymentEphemeralStorage) -> ecs::EphemeralStorage {
    ecs::EphemeralStorage { size_in_gib: None, kms_key_id: from.kms_key_id }
}

fn task_set(detector: &Detector, from: types::TaskSet, service: &ecs::Service) -> ecs::TaskSet {
    ecs::TaskSet {
        id: from.id.unwrap_or_default(),
        task_set_arn: from.task_set_arn.unwrap_or_default(),
        // Inside its service a task set need not repeat where it belongs.
        service_arn: from.service_arn.unwrap_or_else(|| service.service_arn.clone()),
        cluster_arn: from.cluster_arn.unwrap_or_else(|| service.cluster_arn.clone()),
        status: from.status.unwrap_or_default(),
        task_definition: from.task_definition,
        launch_type: word(from.launch_type),
        capacity_provider_strategy: each(from.capacity_provider_strategy, strategy_item),
        platform_version: from.platform_version,
        platform_family: from.platform_family,
        network_configuration: from.network_configuration.map(network_configuration),
        load_balancers: each(from.load_balancers, load_balancer),
        service_registries: each(from.service_registries, service_registry),
        running_count: from.running_count,
        fargate_ephemeral_storage: from.fargate_ephemeral_storage.map(deployment_storage),
        tags: tags(detector, from.tags),
    }
}

pub(super) fn task(detector: &Detector, from: types::Task) -> ecs::Task {
    ecs::Task {
        task_arn: from.task_arn.unwrap_or_default(),
        cluster_arn: from.cluster_arn.unwrap_or_default(),
        task_definition_arn: from.task_definition_arn.unwrap_or_default(),
        group: from.group,
        started_by: from.started_by,
        launch_type: word(from.launch_type),
        capacity_provider_name: from.capacity_provider_name,
        platform_version: from.platform_version,
        platform_family: from.platform_family,
        last_status: from.last_status.unwrap_or_default(),
        desired_status: from.desired_status.unwrap_or_default(),
        created_at: timestamp(from.created_at),
        started_at: timestamp(from.started_at),
        container_instance_arn: from.container_instance_arn,
        availability_zone: from.availability_zone,
        attachments: each(from.attachments, |attachment| ecs::Attachment {
            id: attachment.id,
            kind: attachment.r#type.unwrap_or_default(),
            status: attachment.status.unwrap_or_default(),
            details: each(attachment.details, |detail| ecs::KeyValuePair {
                name: detail.name.unwrap_or_default(),
                value: detail.value.unwrap_or_default(),
            }),
        }),
        attributes: each(from.attributes, |attribute| ecs::Attribute { name: attribute.name, value: attribute.value })
            .into_iter()
            .filter(|attribute| attribute.name == CPU_ARCHITECTURE)
            .collect(),
        containers: each(from.containers, container),
        overrides: from.overrides.map(|overrides| task_override(detector, overrides)),
        fargate_ephemeral_storage: from
            .fargate_ephemeral_storage
            .map(|storage| ecs::EphemeralStorage { size_in_gib: Some(storage.size_in_gib), kms_key_id: storage.kms_key_id }),
        enable_execute_command: from.enable_execute_command,
        tags: tags(detector, from.tags),
    }
}

fn container(from: types::Container) -> ecs::Container {
    ecs::Container {
        name: from.name.unwrap_or_default(),
        image: from.image,
        image_digest: from.image_digest,
        last_status: from.last_status,
        network_bindings: each(from.network_bindings, |binding| ecs::NetworkBinding {
            bind_ip: binding.bind_ip,
            container_port: binding.container_port,
            host_port: binding.host_port,
            protocol: word(binding.protocol),
            container_port_range: binding.container_port_range,
            host_port_range: binding.host_port_range,
        }),
        network_interfaces: each(from.network_interfaces, |interface| ecs::ContainerNetworkInterface {
            attachment_id: interface.attachment_id,
            private_ipv4_address: interface.private_ipv4_address,
            ipv6_address: interface.ipv6_address,
        }),
    }
}

fn task_override(detector: &Detector, from: types::TaskOverride) -> ecs::TaskOverride {
    ecs::TaskOverride {
        task_role_arn: from.task_role_arn,
        execution_role_arn: from.execution_role_arn,
        container_overrides: each(from.container_overrides, |container| {
            let mut screen = Screen::new(detector);
            let command = container.command.map(|command| {
                screen.words("command", &command);
                screen::shape(detector, &[], &command)
            });
            ecs::ContainerOverride {
                name: container.name,
                environment: environment(detector, container.environment),
                command,
                secrets_in_text: screen.found(),
            }
        }),
    }
}

pub(super) fn container_instance(detector: &Detector, cluster_arn: &str, from: types::ContainerInstance) -> ecs::ContainerInstance {
    ecs::ContainerInstance {
        container_instance_arn: from.container_instance_arn.unwrap_or_default(),
        cluster_arn: cluster_arn.to_owned(),
        ec2_instance_id: from.ec2_instance_id,
        capacity_provider_name: from.capacity_provider_name,
        status: from.status.unwrap_or_default(),
        agent_connected: from.agent_connected,
        running_tasks_count: from.running_tasks_count,
        pending_tasks_count: from.pending_tasks_count,
        registered_at: timestamp(from.registered_at),
        version_info: from.version_info.map(|version| ecs::VersionInfo {
            agent_version: version.agent_version,
            agent_hash: version.agent_hash,
            docker_version: version.docker_version,
        }),
        attributes: each(from.attributes, |attribute| ecs::Attribute { name: attribute.name, value: attribute.value }),
        tags: tags(detector, from.tags),
    }
}

pub(super) fn account_setting(from: types::Setting) -> ecs::AccountSetting {
    ecs::AccountSetting {
        name: word(from.name).unwrap_or_default(),
        value: from.value.unwrap_or_default(),
        principal_arn: from.principal_arn,
        kind: word(from.r#type),
    }
}

pub(super) fn environment(detector: &Detector, from: Option<Vec<types::KeyValuePair>>) -> Vec<ecs::Screened> {
    let variables = each(from, |pair| (pair.name.unwrap_or_default(), pair.value.unwrap_or_default()));
    screen::environment(detector, &variables)
}

pub(super) fn tags(detector: &Detector, from: Option<Vec<types::Tag>>) -> Vec<ecs::Tag> {
    each(from, |tag| {
        let key = tag.key.unwrap_or_default();
        let value = screen::tag_value(detector, &key, tag.value.unwrap_or_default());
        ecs::Tag { key, value }
    })
}

/// A list that AWS leaves out is empty.
pub(super) fn each<T, U>(from: Option<Vec<T>>, convert: impl FnMut(T) -> U) -> Vec<U> {
    from.unwrap_or_default().into_iter().map(convert).collect()
}

/// A value of one of the SDK's enumerations as AWS writes it.
pub(super) fn word(from: Option<impl AsRef<str>>) -> Option<String> {
    from.map(|value| value.as_ref().to_owned())
}
