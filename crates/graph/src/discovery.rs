//! Names under which clients find a service: those that Cloud Map puts into DNS, and the aliases of Service Connect.

use std::collections::BTreeSet;

use plimsoll_model::aws::ecs::{Cluster, Service, ServiceConnectConfiguration};
use plimsoll_model::aws::servicediscovery::{Namespace, Service as CloudMapService};
use plimsoll_model::{Arn, Gap, Holds, Inventory, Resource};
use serde::Serialize;

use crate::estate::Indexed;
use crate::{Estate, Link, Missing, Node, Unknown};

/// A name under which clients find a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveryName {
    /// The name, without a dot at its end.
    pub name: String,
    /// The port that clients connect to, where Service Connect tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// Who finds it.
    pub kind: NameKind,
}

/// Who finds a service by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameKind {
    /// Resources in the VPCs of the private hosted zone (Cloud Map, `DNS_PRIVATE`).
    PrivateDns,
    /// Everybody; what they find is the tasks' private addresses all the same (Cloud Map, `DNS_PUBLIC`; ECS developer
    /// guide, "Service discovery").
    PublicDns,
    /// Tasks of services with Service Connect in the same namespace.
    ServiceConnect,
}

impl<'e> Node<'e, Service> {
    /// The names under which clients find it, and what was not read and may hide others. Cloud Map names what it and its
    /// live task sets register their tasks with, unless only `DiscoverInstances` finds that; Service Connect names what the
    /// PRIMARY deployment offers.
    pub fn discovery_names(self) -> (Vec<DiscoveryName>, Vec<Unknown>) {
        let of_sets = self.task_sets().filter(|set| set.is_live()).flat_map(|set| &set.data().service_registries);
        let registries = self.data().service_registries.iter().chain(of_sets);
        let arns: BTreeSet<&str> = registries.filter_map(|registry| registry.registry_arn.as_deref()).collect();
        let (mut names, mut unread) = (Vec::new(), Vec::new());
        for arn in arns {
            match self.registered_name(arn) {
                Ok(name) => names.extend(name),
                Err(unknown) => unread.push(unknown),
            }
        }
        if let Some(connect) = self.data().service_connect() {
            let namespace = if connect.names_by_namespace() { self.connect_namespace(connect).map(Some) } else { Ok(None) };
            for offered in &connect.services {
                for alias in &offered.client_aliases {
                    let name = match (alias.name(), &namespace) {
                        (Some(name), _) => name.to_owned(),
                        (None, Ok(Some(namespace))) => format!("{}.{namespace}", offered.discovery()),
                        (None, _) => continue,
                    };
                    names.push(DiscoveryName { name, port: Some(alias.port), kind: NameKind::ServiceConnect });
                }
            }
            unread.extend(namespace.err());
        }
        (names, unread)
    }

    /// The DNS name of a Cloud Map service, if it has one.
    fn registered_name(self, registry: &str) -> Result<Option<DiscoveryName>, Unknown> {
        let Some(registered) = self.cloud_map::<CloudMapService>(registry).exists()?.filter(|service| service.is_in_dns()) else {
            return Ok(None);
        };
        let arn = registered.namespace_arn().ok_or_else(|| self.untold::<CloudMapService>(registry, "the service tells no namespace"))?;
        let namespace = self.cloud_map::<Namespace>(&arn).known()?;
        let kind = match namespace.kind.as_deref() {
            Some("DNS_PRIVATE") => NameKind::PrivateDns,
            Some("DNS_PUBLIC") => NameKind::PublicDns,
            _ => return Ok(None),
        };
        let name = format!("{}.{}", registered.name, namespace.name.trim_end_matches('.'));
        Ok(Some(DiscoveryName { name, port: None, kind }))
    }

    /// The name of the namespace of Service Connect: its own or the cluster's default, of which either may be told by ARN.
    fn connect_namespace(self, connect: &'e ServiceConnectConfiguration) -> Result<&'e str, Unknown> {
        let default = || {
            let defaults = self.cluster().known()?.data().service_connect_defaults.as_ref();
            let told = defaults.and_then(|defaults| defaults.namespace.as_deref());
            told.ok_or_else(|| self.untold::<Cluster>(&self.data().cluster_arn, "the cluster tells no default namespace"))
        };
        let namespace = connect.namespace.as_deref().map_or_else(default, Ok)?;
        if Arn::parse(namespace).is_none() {
            return Ok(namespace);
        }
        Ok(self.cloud_map::<Namespace>(namespace).known()?.data().name.trim_end_matches('.'))
    }

    /// Follows an ARN of Cloud Map. What another account or Region has is asked for there only where services of its own
    /// refer to it, so that its absence says nothing.
    fn cloud_map<T: Resource>(self, arn: &str) -> Link<'e, T>
    where
        Inventory: Holds<T>,
        Estate<'e>: Indexed<T>,
    {
        let here = Arn::parse(arn).is_some_and(|arn| (arn.account, arn.region) == (self.account().as_str(), self.region().as_str()));
        match self.estate.link(self.account(), self.region(), arn) {
            Link::Missing(Missing::NotFound { reference }) if !here => Link::Missing(Missing::OutOfScope { reference }),
            link => link,
        }
    }

    fn untold<T: Resource>(self, resource: &str, message: &str) -> Unknown {
        let gap = Gap {
            account: self.account().clone(),
            region: self.region().clone(),
            operation: T::OPERATION.to_owned(),
            code: Gap::INCONCLUSIVE.to_owned(),
            message: message.to_owned(),
            resource: Some(resource.to_owned()),
        };
        gap.into()
    }
}

impl Estate<'_> {
    /// The services that clients find under a name, whoever they are, and what was not read and may hide others. Names
    /// compare as in DNS: without case, and without the dot at their end.
    pub fn services_named(&self, name: &str) -> (Vec<Node<'_, Service>>, Option<Unknown>) {
        let wanted = name.trim_end_matches('.');
        let (mut found, mut missing) = (Vec::new(), None);
        for service in self.all::<Service>() {
            let (names, unread) = service.discovery_names();
            if names.iter().any(|one| one.name.eq_ignore_ascii_case(wanted)) {
                found.push(service);
            }
            missing = missing.or(unread.into_iter().next());
        }
        (found, missing)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, discovery_service_arn, fixture, namespace_arn};
    use plimsoll_model::Inventory;
    use plimsoll_model::aws::ecs::{
        Cluster, ClusterServiceConnectDefaults, Service, ServiceConnectClientAlias, ServiceConnectConfiguration, ServiceConnectService,
        ServiceRegistry, TaskSet,
    };
    use plimsoll_model::aws::servicediscovery::{Namespace, Service as CloudMapService};

    use super::NameKind::{PrivateDns, PublicDns, ServiceConnect};
    use super::{DiscoveryName, NameKind};
    use crate::Estate;

    fn shop() -> Fixture {
        fixture().shop().discoverable()
    }

    /// Names of the only service, and the codes of what is missing.
    fn names(inventory: &Inventory) -> (Vec<DiscoveryName>, Vec<String>) {
        let estate = Estate::new(inventory);
        let (names, unread) = estate.all::<Service>().next().unwrap().discovery_names();
        (names, unread.into_iter().map(|unknown| format!("{} {}", unknown.gap.operation, unknown.gap.code)).collect())
    }

    fn named(name: &str, port: Option<i32>, kind: NameKind) -> (Vec<DiscoveryName>, Vec<String>) {
        (vec![DiscoveryName { name: name.to_owned(), port, kind }], Vec::new())
    }

    fn nameless(missing: &[&str]) -> (Vec<DiscoveryName>, Vec<String>) {
        (Vec::new(), missing.iter().map(|&text| text.to_owned()).collect())
    }

    #[test]
    fn cloud_map_names_what_is_in_dns() {
        assert_eq!(names(&shop().build()), named("web.shop.local", None, PrivateDns));
        let public = |namespace: &mut Namespace| namespace.kind = Some("DNS_PUBLIC".to_owned());
        assert_eq!(names(&shop().each(public).build()), named("web.shop.local", None, PublicDns));
        let http = |namespace: &mut Namespace| namespace.kind = Some("HTTP".to_owned());
        assert_eq!(names(&shop().each(http).build()), nameless(&[]));
        let by_call_only = |service: &mut CloudMapService| service.dns_config = None;
        assert_eq!(names(&shop().each(by_call_only).build()), nameless(&[]));
        assert_eq!(names(&fixture().shop().build()), nameless(&[]));
    }

    #[test]
    fn live_task_sets_register_too() {
        let registry = ServiceRegistry { registry_arn: Some(discovery_service_arn("web")), ..ServiceRegistry::default() };
        let set = |status: &str| {
            let set = TaskSet {
                service_arn: plimsoll_fixture::arn("ecs", "service/shop/web"),
                status: status.to_owned(),
                service_registries: vec![registry.clone()],
                ..TaskSet::default()
            };
            shop().each(|service: &mut Service| service.service_registries.clear()).resource(set).build()
        };
        assert_eq!(names(&set("ACTIVE")), named("web.shop.local", None, PrivateDns));
        assert_eq!(names(&set("DRAINING")), nameless(&[]));
    }

    #[test]
    fn what_was_not_read_is_missing_and_what_does_not_exist_is_not() {
        let gone = shop().without::<CloudMapService>();
        assert_eq!(names(&gone.clone().build()), nameless(&[]));
        let denied = nameless(&["servicediscovery:GetService AccessDeniedException"]);
        assert_eq!(names(&gone.denied("servicediscovery:GetService").build()), denied);
        let denied = nameless(&["servicediscovery:ListNamespaces AccessDeniedException"]);
        assert_eq!(names(&shop().without::<Namespace>().denied("servicediscovery:ListNamespaces").build()), denied);
        let placeless = |service: &mut CloudMapService| service.namespace_id = None;
        assert_eq!(names(&shop().each(placeless).build()), nameless(&["servicediscovery:GetService Inconclusive"]));
    }

    #[test]
    fn the_registry_of_another_account_stays_unknown_though_that_account_was_read() {
        let other = "222222222222";
        let registered = |service: &mut Service| {
            let arn = discovery_service_arn("web").replace("111111111111", other);
            service.service_registries = vec![ServiceRegistry { registry_arn: Some(arn), ..ServiceRegistry::default() }];
        };
        let unknown = nameless(&["servicediscovery:GetService OutOfScope"]);
        assert_eq!(names(&shop().each(registered).build()), unknown);
        assert_eq!(names(&shop().each(registered).account(other).build()), unknown);
        // Where that account's own services refer to it, it was read.
        let read = shop().each(registered).account(other).namespace("corp", |_| {}).discovery_service("web", "corp", |_| {});
        assert_eq!(names(&read.build()), named("web.corp", None, PrivateDns));
    }

    /// The shop with one port offered through Service Connect.
    fn connected(namespace: Option<&str>, discovery_name: Option<&str>, alias: Option<&str>) -> Fixture {
        let text = |text: &str| text.to_owned();
        let offered = ServiceConnectService {
            port_name: "http".to_owned(),
            discovery_name: discovery_name.map(text),
            client_aliases: vec![ServiceConnectClientAlias { port: 80, dns_name: alias.map(text) }],
            ..ServiceConnectService::default()
        };
        let connect = ServiceConnectConfiguration { enabled: true, namespace: namespace.map(text), services: vec![offered] };
        fixture().shop().each(|service: &mut Service| service.deployments[0].service_connect_configuration = Some(connect.clone()))
    }

    #[test]
    fn service_connect_names_its_aliases_else_by_namespace() {
        let alias = |name: &str| named(name, Some(80), ServiceConnect);
        assert_eq!(names(&connected(Some("corp"), Some("api"), Some("web")).build()), alias("web"));
        assert_eq!(names(&connected(Some("corp"), Some("api"), None).build()), alias("api.corp"));
        assert_eq!(names(&connected(Some("corp"), None, None).build()), alias("http.corp"));
        let off = |service: &mut Service| service.deployments[0].service_connect_configuration.as_mut().unwrap().enabled = false;
        assert_eq!(names(&connected(Some("corp"), None, None).each(off).build()), nameless(&[]));
        let old = |service: &mut Service| service.deployments[0].status = "ACTIVE".to_owned();
        assert_eq!(names(&connected(Some("corp"), None, None).each(old).build()), nameless(&[]));
    }

    #[test]
    fn the_namespace_of_service_connect_may_be_an_arn_or_the_cluster_s() {
        let alias = named("http.corp", Some(80), ServiceConnect);
        let by_arn = connected(Some(&namespace_arn("corp")), None, None);
        assert_eq!(names(&by_arn.clone().namespace("corp", |_| {}).build()), alias);
        let denied = by_arn.denied("servicediscovery:ListNamespaces").build();
        assert_eq!(names(&denied), nameless(&["servicediscovery:ListNamespaces AccessDeniedException"]));
        let default = |cluster: &mut Cluster| {
            cluster.service_connect_defaults = Some(ClusterServiceConnectDefaults { namespace: Some(namespace_arn("corp")) });
        };
        let by_cluster = connected(None, None, None);
        assert_eq!(names(&by_cluster.clone().each(default).namespace("corp", |_| {}).build()), alias);
        assert_eq!(names(&by_cluster.build()), nameless(&["ecs:DescribeClusters Inconclusive"]));
    }

    #[test]
    fn names_lead_to_services_as_dns_compares_them() {
        let inventory = shop().build();
        let estate = Estate::new(&inventory);
        for name in ["web.shop.local", "Web.Shop.Local", "web.shop.local."] {
            let (services, unread) = estate.services_named(name);
            assert_eq!((services.len(), unread), (1, None), "{name}");
        }
        assert_eq!(estate.services_named("shop.local").0, []);
    }
}
