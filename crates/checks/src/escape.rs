//! The ways by which a container gets out to its host (escape conditions). A task definition flows in; what each of its
//! containers is given that lets it out flows out.

use plimsoll_graph::Node;
use plimsoll_model::Thresholds;
use plimsoll_model::aws::ecs::{ContainerDefinition, Device, TaskDefinition};

use crate::images::{ImageUser, image_user, is_root};
use crate::reading::{HostMount, holds_runtime_socket, host_mounts, host_path, is_capability, is_within};

/// What lets a container out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Escape<'e> {
    /// The name of the container.
    pub(crate) container: &'e str,
    /// In words, after `the container`.
    pub(crate) how: String,
    /// Whether it is certain: the user of an image may not have been read.
    pub(crate) is_certain: bool,
}

/// The ways out of the containers of a definition, on a host of the customer's.
pub(crate) fn escapes(definition: Node<'_, TaskDefinition>) -> Vec<Escape<'_>> {
    let mut found = Vec::new();
    let mut add = |container, how: String, is_certain| found.push(Escape { container, how, is_certain });
    for container in &definition.data().container_definitions {
        let name = container.name.as_str();
        if container.privileged == Some(true) {
            add(name, "is privileged".to_owned(), true);
        }
        for capability in dangerous_capabilities(definition, container) {
            add(name, format!("adds {capability}"), true);
        }
        if definition.pid_mode.as_deref() == Some("host")
            && let Some(is_certain) = is_root_user(definition, container)
        {
            add(name, "is root among the processes of the host".to_owned(), is_certain);
        }
    }
    for mount in host_mounts(definition.data()).filter(|mount| holds_runtime_socket(&host_path(mount.source_path()))) {
        add(mount.container_name(), format!("mounts {}, which holds the runtime socket", mount.source_path()), true);
    }
    for mount in sensitive_mounts(definition).filter(HostMount::is_writable) {
        add(mount.container_name(), format!("writes to {}", mount.source_path()), true);
    }
    for (container, device) in mapped_devices(definition.data()).filter(|(_, device)| is_takeover(&host_path(&device.host_path))) {
        add(&container.name, format!("is given {}", device.host_path), true);
    }
    found
}

/// Whether a container runs as root, certainly or unless its image says otherwise; `None` if not.
fn is_root_user(definition: Node<'_, TaskDefinition>, container: &ContainerDefinition) -> Option<bool> {
    match container.user.as_deref().filter(|user| !user.is_empty()) {
        Some(user) => is_root(user).then_some(true),
        None => match image_user(definition, container) {
            ImageUser::Root(_) => Some(true),
            ImageUser::Unknown => Some(false),
            ImageUser::Other => None,
        },
    }
}

/// Capabilities that let a container out, whatever else is set.
const DANGEROUS: &[&str] =
    &["ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "SYS_TIME", "DAC_READ_SEARCH", "BPF", "PERFMON", "SYSLOG"];

/// Traces the processes of the host where it shares them; the one that Fargate lets through.
pub(crate) const TRACE: &str = "SYS_PTRACE";

/// Reconfigures the network that the container is in: the host's, in network mode host.
const NETWORK: &str = "NET_ADMIN";

/// What a container adds that lets it out.
pub(crate) fn dangerous_capabilities<'e>(
    definition: Node<'e, TaskDefinition>,
    container: &'e ContainerDefinition,
) -> impl Iterator<Item = &'e str> {
    let compatible = definition.compatible();
    let only_external = compatible.external && !(compatible.ec2 || compatible.managed_instances || compatible.fargate);
    let traces = !only_external || definition.pid_mode.as_deref() == Some("host");
    let host_network = definition.network_mode.as_deref() == Some("host");
    let capabilities = container.linux_parameters.as_ref().and_then(|parameters| parameters.capabilities.as_ref());
    let add = capabilities.map(|capabilities| capabilities.add.as_slice()).unwrap_or_default();
    add.iter().map(String::as_str).filter(move |added| is_dangerous(added, host_network, traces))
}

fn is_dangerous(added: &str, host_network: bool, traces: bool) -> bool {
    DANGEROUS.iter().any(|name| is_capability(added, name))
        || (traces && is_capability(added, TRACE))
        || (host_network && is_capability(added, NETWORK))
}

/// Directories of the host, as [`host_path`] writes them, that hold its configuration, programs, state or secrets.
const DIRECTORIES: &[&str] = &[
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/root",
    "/home",
    "/usr",
    // On most hosts these four are links into /usr.
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/var/lib/docker",
    "/var/lib/ecs",
    "/var/log",
    // State of the ECS agent.
    "/data",
    "c:/programdata/amazon",
];

/// Beginnings of devices that give no way out: FUSE and accelerators.
const HARMLESS_DEVICES: &[&str] = &["/dev/fuse", "/dev/null", "/dev/nvidia", "/dev/neuron"];

/// Beginnings of devices that hold the file systems of the host.
const BLOCK_DEVICES: &[&str] =
    &["/dev/sd", "/dev/xvd", "/dev/nvme", "/dev/vd", "/dev/dm-", "/dev/md", "/dev/loop", "/dev/mapper", "/dev/disk"];

/// Devices that hold the memory or the messages of the kernel, and the directory of all devices.
const KERNEL_DEVICES: &[&str] = &["/dev", "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg"];

/// Mounts of directories that hold what the host is, but for those that the configuration accepts.
pub(crate) fn sensitive_mounts(definition: Node<'_, TaskDefinition>) -> impl Iterator<Item = HostMount<'_>> {
    host_mounts(definition.data()).filter(move |mount| is_sensitive(mount) && !is_accepted(mount, definition.estate().thresholds()))
}

/// The path itself, what lies below it and what contains it: `/var` holds `/var/lib/docker`.
fn is_sensitive(mount: &HostMount<'_>) -> bool {
    let path = host_path(mount.source_path());
    !holds_runtime_socket(&path) && DIRECTORIES.iter().any(|directory| is_within(&path, directory) || is_within(directory, &path))
}

/// Whether the configuration lets this very image mount this very path, as it does for log collectors.
fn is_accepted(mount: &HostMount<'_>, thresholds: &Thresholds) -> bool {
    let accepted = &thresholds.accepted_host_mounts;
    accepted.iter().any(|accepted| accepted.image == mount.image() && host_path(&accepted.path) == host_path(mount.source_path()))
}

/// Devices of the host that containers are given, but for harmless ones.
pub(crate) fn mapped_devices(definition: &TaskDefinition) -> impl Iterator<Item = (&ContainerDefinition, &Device)> {
    definition.container_definitions.iter().flat_map(|container| {
        let devices = container.linux_parameters.iter().flat_map(|parameters| &parameters.devices);
        devices.filter(|device| !starts_with(HARMLESS_DEVICES, &host_path(&device.host_path))).map(move |device| (container, device))
    })
}

/// Whether a device gives the host away.
pub(crate) fn is_takeover(device: &str) -> bool {
    KERNEL_DEVICES.contains(&device) || starts_with(BLOCK_DEVICES, device)
}

fn starts_with(beginnings: &[&str], path: &str) -> bool {
    beginnings.iter().any(|beginning| path.starts_with(beginning))
}
