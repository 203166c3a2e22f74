//! A task definition flows in as the SDK's type; the model's flows out, its texts replaced by verdicts.

use aws_sdk_ecs::types;
use plimsoll_model::aws::ecs;
use plimsoll_secrets::Detector;

use super::convert::{each, environment, tags, word};
use crate::screen::{self, Screen};
use crate::timestamp::timestamp;

pub(super) fn task_definition(detector: &Detector, from: types::TaskDefinition, tag_list: Option<Vec<types::Tag>>) -> ecs::TaskDefinition {
    let mut screen = Screen::new(detector);
    let mut index = 0;
    let volumes = each(from.volumes, |from| {
        let converted = volume(&mut screen, &format!("volumes[{index}]"), from);
        index += 1;
        converted
    });
    let proxy_configuration = from.proxy_configuration.map(|proxy| {
        for property in proxy.properties.unwrap_or_default() {
            let name = property.name.unwrap_or_default();
            screen.named(&format!("proxyConfiguration.properties.{name}"), &name, &property.value.unwrap_or_default());
        }
        ecs::ProxyConfiguration { kind: word(proxy.r#type), container_name: proxy.container_name }
    });
    ecs::TaskDefinition {
        task_definition_arn: from.task_definition_arn.unwrap_or_default(),
        family: from.family.unwrap_or_default(),
        revision: from.revision,
        status: word(from.status).unwrap_or_default(),
        network_mode: word(from.network_mode),
        pid_mode: word(from.pid_mode),
        ipc_mode: word(from.ipc_mode),
        task_role_arn: from.task_role_arn,
        execution_role_arn: from.execution_role_arn,
        requires_compatibilities: words(from.requires_compatibilities),
        compatibilities: words(from.compatibilities),
        cpu: from.cpu,
        memory: from.memory,
        container_definitions: each(from.container_definitions, |container| container_definition(detector, container)),
        volumes,
        proxy_configuration,
        runtime_platform: from.runtime_platform.map(|platform| ecs::RuntimePlatform {
            operating_system_family: word(platform.operating_system_family),
            cpu_architecture: word(platform.cpu_architecture),
        }),
        ephemeral_storage: from
            .ephemeral_storage
            .map(|storage| ecs::EphemeralStorage { size_in_gib: Some(storage.size_in_gib), kms_key_id: None }),
        registered_at: timestamp(from.registered_at),
        secrets_in_text: screen.found(),
        tags: tags(detector, tag_list),
    }
}

fn container_definition(detector: &Detector, from: types::ContainerDefinition) -> ecs::ContainerDefinition {
    let mut screen = Screen::new(detector);
    let entry_point = from.entry_point.unwrap_or_default();
    let command = from.command.unwrap_or_default();
    screen.words("entryPoint", &entry_point);
    screen.words("command", &command);
    if let Some(health_check) = &from.health_check {
        screen.words("healthCheck.command", &health_check.command);
    }
    screen.map("dockerLabels", from.docker_labels);
    for (index, host) in from.extra_hosts.iter().flatten().enumerate() {
        screen.text(&format!("extraHosts[{index}]"), &format!("{} {}", host.hostname, host.ip_address));
    }
    for (index, control) in from.system_controls.into_iter().flatten().enumerate() {
        let name = control.namespace.unwrap_or_default();
        screen.named(&format!("systemControls[{index}]"), &name, &control.value.unwrap_or_default());
    }
    let log_configuration = from.log_configuration.map(|log| ecs::LogConfiguration {
        log_driver: Some(log.log_driver.as_str().to_owned()),
        options: screen.options("logConfiguration.options", log.options),
        secret_options: each(log.secret_options, secret),
    });
    let firelens_configuration = from.firelens_configuration.map(|firelens| {
        screen.map("firelensConfiguration.options", firelens.options);
        ecs::FirelensConfiguration { kind: firelens.r#type.as_str().to_owned() }
    });
    ecs::ContainerDefinition {
        name: from.name.unwrap_or_default(),
        image: from.image.unwrap_or_default(),
        version_consistency: word(from.version_consistency),
        cpu: Some(from.cpu),
        memory: from.memory,
        memory_reservation: from.memory_reservation,
        essential: from.essential,
        privileged: from.privileged,
        readonly_root_filesystem: from.readonly_root_filesystem,
        user: from.user,
        links: from.links.unwrap_or_default(),
        port_mappings: each(from.port_mappings, |mapping| ecs::PortMapping {
            container_port: mapping.container_port,
            host_port: mapping.host_port,
            protocol: word(mapping.protocol),
            name: mapping.name,
            app_protocol: word(mapping.app_protocol),
            container_port_range: mapping.container_port_range,
        }),
        mount_points: each(from.mount_points, |mount| ecs::MountPoint {
            source_volume: mount.source_volume,
            container_path: mount.container_path,
            read_only: mount.read_only,
        }),
        linux_parameters: from.linux_parameters.map(linux_parameters),
        docker_security_options: from.docker_security_options.unwrap_or_default(),
        ulimits: each(from.ulimits, |ulimit| ecs::Ulimit {
            name: ulimit.name.as_str().to_owned(),
            soft_limit: ulimit.soft_limit,
            hard_limit: ulimit.hard_limit,
        }),
        log_configuration,
        firelens_configuration,
        environment: environment(detector, from.environment),
        environment_files: each(from.environment_files, |file| ecs::EnvironmentFile {
            value: file.value,
            kind: file.r#type.as_str().to_owned(),
        }),
        secrets: each(from.secrets, secret),
        repository_credentials: from
            .repository_credentials
            .map(|credentials| ecs::RepositoryCredentials { credentials_parameter: credentials.credentials_parameter }),
        // The API leaves out or sends an empty list for what is the image's own.
        command: (!command.is_empty()).then(|| screen::shape(detector, &entry_point, &command)),
        entry_point: (!entry_point.is_empty()).then(|| screen::shape(detector, &[], &entry_point)),
        secrets_in_text: screen.found(),
    }
}

fn secret(from: types::Secret) -> ecs::Secret {
    ecs::Secret { name: from.name, value_from: from.value_from }
}

fn linux_parameters(from: types::LinuxParameters) -> ecs::LinuxParameters {
    ecs::LinuxParameters {
        capabilities: from.capabilities.map(|capabilities| ecs::KernelCapabilities {
            add: capabilities.add.unwrap_or_default(),
            drop: capabilities.drop.unwrap_or_default(),
        }),
        devices: each(from.devices, |device| ecs::Device {
            host_path: device.host_path,
            container_path: device.container_path,
            permissions: words(device.permissions),
        }),
        init_process_enabled: from.init_process_enabled,
    }
}

fn volume(screen: &mut Screen<'_>, path: &str, from: types::Volume) -> ecs::Volume {
    ecs::Volume {
        name: from.name.unwrap_or_default(),
        host: from.host.map(|host| ecs::HostVolumeProperties { source_path: host.source_path }),
        docker_volume_configuration: from.docker_volume_configuration.map(|docker| {
            screen.map(&format!("{path}.dockerVolumeConfiguration.driverOpts"), docker.driver_opts);
            screen.map(&format!("{path}.dockerVolumeConfiguration.labels"), docker.labels);
            ecs::DockerVolumeConfiguration { driver: docker.driver, scope: word(docker.scope) }
        }),
        efs_volume_configuration: from.efs_volume_configuration.map(|efs| ecs::EfsVolumeConfiguration {
            file_system_id: efs.file_system_id,
            root_directory: efs.root_directory,
            transit_encryption: word(efs.transit_encryption),
            authorization_config: efs.authorization_config.map(|authorization| ecs::EfsAuthorizationConfig {
                access_point_id: authorization.access_point_id,
                iam: word(authorization.iam),
            }),
        }),
        configured_at_launch: from.configured_at_launch,
    }
}

fn words(from: Option<Vec<impl AsRef<str>>>) -> Vec<String> {
    each(from, |value| value.as_ref().to_owned())
}
