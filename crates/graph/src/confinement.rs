//! What the hosts of a cluster offer to confine containers with: mandatory access control of the kernel.

use plimsoll_model::aws::ecs::ContainerInstance;
use rustc_hash::FxHashMap;

use crate::{Estate, Node};

/// How many of a cluster's hosts offer AppArmor or SELinux to containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Hosts of the customer, as in [`Estate::hosts`].
    pub hosts: usize,
    /// Those that advertise `ecs.capability.apparmor` (agent variable `ECS_APPARMOR_CAPABLE`).
    pub apparmor: usize,
    /// Those that advertise `ecs.capability.selinux` (agent variable `ECS_SELINUX_CAPABLE`).
    pub selinux: usize,
    /// Those that advertise neither and do not run Bottlerocket, whose own SELinux policy is always enforced.
    pub bare: usize,
}

impl Confinement {
    /// Whether any host offers either.
    pub fn is_offered(self) -> bool {
        self.apparmor + self.selinux > 0
    }
}

impl Estate<'_> {
    /// What the hosts of a cluster offer; nothing when no host of it was read.
    pub fn confinement(&self, cluster_arn: &str) -> Confinement {
        self.confinement.get_or_init(|| self.find_confinement()).get(cluster_arn).copied().unwrap_or_default()
    }

    fn find_confinement(&self) -> FxHashMap<String, Confinement> {
        let mut found: FxHashMap<String, Confinement> = FxHashMap::default();
        for host in self.hosts() {
            let (apparmor, selinux) = (host.is_capable_of("apparmor"), host.is_capable_of("selinux"));
            let entry = found.entry(host.data().cluster_arn.clone()).or_default();
            entry.hosts += 1;
            entry.apparmor += usize::from(apparmor);
            entry.selinux += usize::from(selinux);
            entry.bare += usize::from(!apparmor && !selinux && !host.is_bottlerocket());
        }
        found
    }
}

impl Node<'_, ContainerInstance> {
    /// Whether the host runs Bottlerocket, whose agent registers its variant as an attribute and whose images bear its
    /// name.
    pub fn is_bottlerocket(self) -> bool {
        let image = || self.instance().found()?.image()?.found()?.data().name.as_deref();
        self.has_attribute("bottlerocket.variant") || image().is_some_and(|name| name.to_ascii_lowercase().contains("bottlerocket"))
    }
}
