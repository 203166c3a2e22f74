//! Amazon EKS in one account and Region: clusters with their node groups, Fargate profiles, add-ons, access entries, pod
//! identity associations, identity providers and failing insights; the versions of Kubernetes and of add-ons that AWS
//! offers. What runs inside a cluster only its Kubernetes API tells, which is not asked.
//!
//! Calls eks:ListClusters; for each cluster eks:DescribeCluster, a listing of each of these and one description of each
//! thing listed; eks:DescribeClusterVersions once, and eks:DescribeAddonVersions once for each add-on and version of
//! Kubernetes in use.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures::{StreamExt, join, stream};
use plimsoll_model::aws::eks::{
    AccessEntry, Addon, AddonVersion, AssociatedAccessPolicy, Cluster, ClusterVersion, FargateProfile, IdentityProviderConfig, Insight,
    Nodegroup, PodIdentityAssociation,
};
use plimsoll_model::{Holds, Inventory, partition_of};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::api::{Api, Operation, Outcome};
use crate::screen;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "eks",
    id: "EKS",
    host: "eks",
    fips_host: "fips.eks",
    signing_name: "eks",
    protocol: Protocol::RestJson,
    reach: Reach::Regional,
};

macro_rules! operations {
    ($($constant:ident = $name:literal, $why:literal;)*) => {
        $(const $constant: Operation =
            Operation { service: "eks", name: $name, permission: concat!("eks:", $name), why: $why };)*

        /// Every operation that this collector calls.
        pub(crate) const OPERATIONS: &[Operation] = &[$($constant),*];
    };
}

operations! {
    LIST_CLUSTERS = "ListClusters", "finds the Kubernetes clusters";
    DESCRIBE_CLUSTER = "DescribeCluster", "endpoint, encryption, logs and version of a cluster";
    LIST_NODEGROUPS = "ListNodegroups", "finds the node groups of a cluster";
    DESCRIBE_NODEGROUP = "DescribeNodegroup", "image, version and remote access of nodes";
    LIST_FARGATE_PROFILES = "ListFargateProfiles", "finds the Fargate profiles of a cluster";
    DESCRIBE_FARGATE_PROFILE = "DescribeFargateProfile", "which pods run on Fargate, where and as whom";
    LIST_ADDONS = "ListAddons", "finds the add-ons of a cluster";
    DESCRIBE_ADDON = "DescribeAddon", "version and role of an add-on, and whether it enforces network policies";
    LIST_ACCESS_ENTRIES = "ListAccessEntries", "finds the principals that may enter a cluster";
    DESCRIBE_ACCESS_ENTRY = "DescribeAccessEntry", "the Kubernetes groups of a principal";
    LIST_ASSOCIATED_ACCESS_POLICIES = "ListAssociatedAccessPolicies", "what a principal may do in a cluster";
    LIST_POD_IDENTITY_ASSOCIATIONS = "ListPodIdentityAssociations", "finds the service accounts with a role";
    DESCRIBE_POD_IDENTITY_ASSOCIATION = "DescribePodIdentityAssociation", "the role of a service account";
    LIST_IDENTITY_PROVIDER_CONFIGS = "ListIdentityProviderConfigs", "finds the identity providers of a cluster";
    DESCRIBE_IDENTITY_PROVIDER_CONFIG = "DescribeIdentityProviderConfig", "whom a cluster lets in besides IAM";
    LIST_INSIGHTS = "ListInsights", "what stands in the way of an upgrade";
    DESCRIBE_CLUSTER_VERSIONS = "DescribeClusterVersions", "until when AWS supports a version of Kubernetes";
    DESCRIBE_ADDON_VERSIONS = "DescribeAddonVersions", "the default versions of the add-ons in use";
}

/// The largest page of every listing.
const PAGE: &str = "100";
/// The same, in a body.
const PAGE_SIZE: u8 = 100;
/// Clusters that are worked on at a time; requests are bounded by [`Api`].
const CLUSTERS_AT_ONCE: usize = 8;
/// Things of one kind in a cluster that are worked on at a time.
const AT_ONCE: usize = 16;
/// What AWS answers of a thing that is not there.
const NOT_FOUND: &str = "ResourceNotFoundException";

macro_rules! answers {
    ($($name:ident { $field:ident: $type:ty })*) => {$(
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        struct $name {
            $field: $type,
        }
    )*};
}

answers! {
    Clusters { clusters: Vec<String> }
    DescribedCluster { cluster: Cluster }
    Nodegroups { nodegroups: Vec<String> }
    DescribedNodegroup { nodegroup: Nodegroup }
    FargateProfiles { fargate_profile_names: Vec<String> }
    DescribedFargateProfile { fargate_profile: FargateProfile }
    Addons { addons: Vec<String> }
    DescribedAddon { addon: Addon }
    AccessEntries { access_entries: Vec<String> }
    DescribedAccessEntry { access_entry: AccessEntry }
    AccessPolicies { associated_access_policies: Vec<AssociatedAccessPolicy> }
    PodIdentities { associations: Vec<PodIdentity> }
    PodIdentity { association_id: String }
    DescribedPodIdentity { association: PodIdentityAssociation }
    IdentityProviders { identity_provider_configs: Vec<IdentityProvider> }
    DescribedIdentityProvider { identity_provider_config: IdentityProviderResponse }
    IdentityProviderResponse { oidc: Option<IdentityProviderConfig> }
    Insights { insights: Vec<Insight> }
    ClusterVersions { cluster_versions: Vec<ClusterVersion> }
    AddonVersions { addons: Vec<AddonVersion> }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct IdentityProvider {
    r#type: String,
    name: String,
}

/// The clusters of the Region with all that belongs to them, and whether there are any.
pub(crate) async fn collect(api: &Api, wire: &Wire) -> (Inventory, bool) {
    let mut names = Vec::new();
    let ask = Ask::get(&["clusters"]).query("maxResults", PAGE);
    let listing = wire.pages(api, &LIST_CLUSTERS, Token::NEXT, ask, |page: Clusters| names.extend(page.clusters));
    api.or_gap(listing.await);
    if names.is_empty() {
        return (Inventory::default(), false);
    }
    let eks = Eks { api, wire };
    let clusters = stream::iter(&names).map(|name| eks.cluster(name)).buffer_unordered(CLUSTERS_AT_ONCE);
    let mut found: Inventory = clusters.collect().await;
    let (versions, addon_versions) = join!(eks.cluster_versions(&found), eks.addon_versions(&found));
    found.absorb(versions);
    found.absorb(addon_versions);
    (found, true)
}

struct Eks<'a> {
    api: &'a Api,
    wire: &'a Wire,
}

impl Eks<'_> {
    async fn cluster(&self, name: &str) -> Inventory {
        let (of_cluster, nodegroups, profiles, addons, identities, providers, insights) = join!(
            self.itself(name),
            self.nodegroups(name),
            self.fargate_profiles(name),
            self.addons(name),
            self.pod_identities(name),
            self.identity_providers(name),
            self.insights(name),
        );
        let mut found = of_cluster;
        for part in [nodegroups, profiles, addons, identities, providers, insights] {
            found.absorb(part);
        }
        found
    }

    /// The cluster and its access entries, which only some modes of authentication have.
    async fn itself(&self, name: &str) -> Inventory {
        let described = self.describe(&DESCRIBE_CLUSTER, self.arn(name), Ask::get(&["clusters", name])).await;
        let cluster = described.map(|answer: DescribedCluster| answer.cluster);
        let access = cluster.as_ref().and_then(|cluster| cluster.access_config.as_ref());
        let only_config_map = access.is_some_and(|access| access.authentication_mode.as_deref() == Some("CONFIG_MAP"));
        let mut found = self.all(cluster.into_iter().map(|mut cluster| {
            self.screen(&mut cluster.tags);
            cluster
        }));
        if !only_config_map {
            found.absorb(self.access_entries(name).await);
        }
        found
    }

    async fn nodegroups(&self, cluster: &str) -> Inventory {
        let path = ["clusters", cluster, "node-groups"];
        let names = self.list(&LIST_NODEGROUPS, cluster, Ask::get(&path).query("maxResults", PAGE), |page: Nodegroups| page.nodegroups);
        let described = self.each(names.await, |name| async move {
            let ask = Ask::get(&["clusters", cluster, "node-groups", &name]);
            let answer: DescribedNodegroup = self.describe(&DESCRIBE_NODEGROUP, self.arn_in("nodegroup", cluster, &name), ask).await?;
            let mut group = answer.nodegroup;
            self.screen(&mut group.tags);
            Some(group)
        });
        self.all(described.await)
    }

    async fn fargate_profiles(&self, cluster: &str) -> Inventory {
        let ask = Ask::get(&["clusters", cluster, "fargate-profiles"]).query("maxResults", PAGE);
        let names = self.list(&LIST_FARGATE_PROFILES, cluster, ask, |page: FargateProfiles| page.fargate_profile_names);
        let described = self.each(names.await, |name| async move {
            let ask = Ask::get(&["clusters", cluster, "fargate-profiles", &name]);
            let arn = self.arn_in("fargateprofile", cluster, &name);
            let answer: DescribedFargateProfile = self.describe(&DESCRIBE_FARGATE_PROFILE, arn, ask).await?;
            let mut profile = answer.fargate_profile;
            self.screen(&mut profile.tags);
            profile.selectors.iter_mut().for_each(|selector| self.screen(&mut selector.labels));
            Some(profile)
        });
        self.all(described.await)
    }

    async fn addons(&self, cluster: &str) -> Inventory {
        let ask = Ask::get(&["clusters", cluster, "addons"]).query("maxResults", PAGE);
        let names = self.list(&LIST_ADDONS, cluster, ask, |page: Addons| page.addons);
        let described = self.each(names.await, |name| async move {
            let ask = Ask::get(&["clusters", cluster, "addons", &name]);
            let answer: DescribedAddon = self.describe(&DESCRIBE_ADDON, self.arn_in("addon", cluster, &name), ask).await?;
            let mut addon = answer.addon;
            self.screen(&mut addon.tags);
            Some(addon)
        });
        self.all(described.await)
    }

    async fn access_entries(&self, cluster: &str) -> Inventory {
        let ask = Ask::get(&["clusters", cluster, "access-entries"]).query("maxResults", PAGE);
        let principals = self.list(&LIST_ACCESS_ENTRIES, cluster, ask, |page: AccessEntries| page.access_entries);
        let described = self.each(principals.await, |principal| async move {
            let arn = self.arn_in("access-entry", cluster, &principal);
            let ask = Ask::get(&["clusters", cluster, "access-entries", &principal]);
            let policies = async {
                let mut policies = Vec::new();
                let ask = Ask::get(&["clusters", cluster, "access-entries", &principal, "access-policies"]).query("maxResults", PAGE);
                let each = |page: AccessPolicies| policies.extend(page.associated_access_policies);
                let listing = self.wire.pages(self.api, &LIST_ASSOCIATED_ACCESS_POLICIES, Token::NEXT, ask, each).await;
                listing.map(|()| policies).about(&arn)
            };
            let (answer, policies) = join!(self.describe::<DescribedAccessEntry>(&DESCRIBE_ACCESS_ENTRY, arn.clone(), ask), policies);
            let mut entry = answer?.access_entry;
            self.screen(&mut entry.tags);
            entry.associated_access_policies = self.api.noted(policies);
            Some(entry)
        });
        self.all(described.await)
    }

    async fn pod_identities(&self, cluster: &str) -> Inventory {
        let ask = Ask::get(&["clusters", cluster, "pod-identity-associations"]).query("maxResults", PAGE);
        let ids = self.list(&LIST_POD_IDENTITY_ASSOCIATIONS, cluster, ask, |page: PodIdentities| page.associations);
        let described = self.each(ids.await, |PodIdentity { association_id }| async move {
            let ask = Ask::get(&["clusters", cluster, "pod-identity-associations", &association_id]);
            let arn = self.arn_in("podidentityassociation", cluster, &association_id);
            let answer: DescribedPodIdentity = self.describe(&DESCRIBE_POD_IDENTITY_ASSOCIATION, arn, ask).await?;
            let mut association = answer.association;
            self.screen(&mut association.tags);
            Some(association)
        });
        self.all(described.await)
    }

    async fn identity_providers(&self, cluster: &str) -> Inventory {
        let ask = Ask::get(&["clusters", cluster, "identity-provider-configs"]).query("maxResults", PAGE);
        let configs = self.list(&LIST_IDENTITY_PROVIDER_CONFIGS, cluster, ask, |page: IdentityProviders| page.identity_provider_configs);
        let described = self.each(configs.await, |IdentityProvider { r#type: kind, name }| async move {
            let arn = self.arn_in("identityproviderconfig", cluster, &format!("{kind}/{name}"));
            let body = json!({"identityProviderConfig": {"type": kind, "name": name}});
            let ask = Ask::post(&["clusters", cluster, "identity-provider-configs", "describe"], body);
            let answer: DescribedIdentityProvider = self.describe(&DESCRIBE_IDENTITY_PROVIDER_CONFIG, arn, ask).await?;
            let mut config = answer.identity_provider_config.oidc?;
            self.screen(&mut config.tags);
            Some(config)
        });
        self.all(described.await)
    }

    /// Failing insights only: what passes tells nothing that a check would ask.
    async fn insights(&self, cluster: &str) -> Inventory {
        let filter = json!({"categories": ["UPGRADE_READINESS"], "statuses": ["ERROR"]});
        let ask = Ask::post(&["clusters", cluster, "insights"], json!({"filter": filter, "maxResults": PAGE_SIZE}));
        let insights = self.list(&LIST_INSIGHTS, cluster, ask, |page: Insights| page.insights);
        self.all(insights.await.into_iter().map(|insight| Insight { cluster_name: cluster.to_owned(), ..insight }))
    }

    /// The versions that clusters run, also those without support.
    async fn cluster_versions(&self, found: &Inventory) -> Inventory {
        let used: BTreeSet<&str> = found.eks_clusters.iter().filter_map(|cluster| cluster.data.version.as_deref()).collect();
        if used.is_empty() {
            return Inventory::default();
        }
        let mut versions = Vec::new();
        let ask = Ask::get(&["cluster-versions"]).query("includeAll", "true").query("maxResults", PAGE);
        let each = |page: ClusterVersions| versions.extend(page.cluster_versions);
        self.api.or_gap(self.wire.pages(self.api, &DESCRIBE_CLUSTER_VERSIONS, Token::NEXT, ask, each).await);
        self.all(versions.into_iter().filter(|version| used.contains(version.cluster_version.as_str())))
    }

    /// The default version of each add-on for the version of its cluster.
    async fn addon_versions(&self, found: &Inventory) -> Inventory {
        let versions = found.eks_clusters.iter().map(|cluster| (cluster.data.name.as_str(), cluster.data.version.as_deref()));
        let versions: BTreeMap<&str, Option<&str>> = versions.collect();
        let addons = found.addons.iter().map(|addon| &addon.data);
        let used = addons.filter_map(|addon| Some((addon.addon_name.as_str(), (*versions.get(addon.cluster_name.as_str())?)?)));
        let used: BTreeSet<(&str, &str)> = used.collect();
        let read = self.each(used, |(name, version)| async move {
            let ask = Ask::get(&["addons", "supported-versions"]).query("addonName", name).query("kubernetesVersion", version);
            let id = AddonVersion::id_of(name, version);
            let mut infos = Vec::new();
            let each = |page: AddonVersions| infos.extend(page.addons);
            let listing = self
                .wire
                .pages(self.api, &DESCRIBE_ADDON_VERSIONS, Token::NEXT, ask.query("maxResults", PAGE), each)
                .await
                .absent_on(NOT_FOUND);
            self.api.or_gap(listing.about(&id))??;
            // Pages repeat the add-on with more of its versions.
            let mut info = infos.into_iter().reduce(|mut all, more| {
                all.addon_versions.extend(more.addon_versions);
                all
            })?;
            info.id = id;
            info.retain_defaults(version);
            Some(info)
        });
        self.all(read.await)
    }

    /// A listing about one cluster, as far as it could be read.
    async fn list<P, T>(&self, operation: &'static Operation, cluster: &str, ask: Ask, items: fn(P) -> Vec<T>) -> Vec<T>
    where
        P: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static,
        T: Send,
    {
        let mut found = Vec::new();
        let listing = self.wire.pages(self.api, operation, Token::NEXT, ask, |page| found.extend(items(page))).await;
        // A cluster may be deleted while it is read.
        let listing = listing.absent_on(NOT_FOUND).about(&self.arn(cluster));
        self.api.or_gap(listing);
        found
    }

    /// One thing that was listed; `None` when it is gone or could not be read.
    async fn describe<O>(&self, operation: &'static Operation, arn: String, ask: Ask) -> Option<O>
    where
        O: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static,
    {
        self.api.or_gap(self.wire.ask_on(self.api, operation, &arn, ask).await.absent_on(NOT_FOUND)).flatten()
    }

    async fn each<I, T, F>(&self, items: impl IntoIterator<Item = I>, read: impl Fn(I) -> F) -> Vec<T>
    where
        F: Future<Output = Option<T>>,
    {
        let read: Vec<Option<T>> = stream::iter(items).map(read).buffer_unordered(AT_ONCE).collect().await;
        read.into_iter().flatten().collect()
    }

    fn all<T>(&self, items: impl IntoIterator<Item = T>) -> Inventory
    where
        Inventory: Holds<T>,
    {
        let mut found = Inventory::default();
        for item in items {
            found.push(self.api.account(), self.api.region(), item);
        }
        found
    }

    fn screen(&self, tags: &mut BTreeMap<String, String>) {
        for (key, value) in tags {
            *value = screen::tag_value(self.api.detector(), key, std::mem::take(value));
        }
    }

    fn arn(&self, cluster: &str) -> String {
        let (region, account) = (self.api.region(), self.api.account());
        format!("arn:{}:eks:{region}:{account}:cluster/{cluster}", partition_of(region.as_str()))
    }

    /// How a gap names a thing of a cluster: like its ARN, but without the unique id at its end, which only its
    /// description tells.
    fn arn_in(&self, kind: &str, cluster: &str, name: &str) -> String {
        let (region, account) = (self.api.region(), self.api.account());
        format!("arn:{}:eks:{region}:{account}:{kind}/{cluster}/{name}", partition_of(region.as_str()))
    }
}
