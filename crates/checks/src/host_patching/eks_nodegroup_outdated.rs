//! Reads the images, releases and versions of nodes, and the versions of add-ons. Yields one verdict per managed node
//! group, one per node that the customer runs or that EKS Auto Mode keeps, and one per add-on; a failure lists all that is
//! old.

use jiff::Timestamp;
use plimsoll_graph::{Estate, Link, Node, NodeKind, Unknown};
use plimsoll_model::aws::ec2::{Image, Instance};
use plimsoll_model::aws::eks::{Addon, AddonVersion, Nodegroup};
use plimsoll_model::aws::ssm::PublicParameter;
use plimsoll_model::{Gap, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{days_between, kubernetes_minor, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "eks-nodegroup-outdated",
    title: "Nodes run an old AMI, an ended operating system or an older Kubernetes version",
    severity: Severity::Medium,
    resource: "AWS::EKS::Nodegroup",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::NotApplicable, eks: Responsibility::Customer },
    needs: &[
        "eks:ListClusters",
        "eks:DescribeCluster",
        "eks:ListNodegroups",
        "eks:DescribeNodegroup",
        "eks:ListAddons",
        "eks:DescribeAddon",
        "eks:DescribeAddonVersions",
        "ec2:DescribeInstances",
        "ec2:DescribeImages",
        "ssm:GetParameters",
    ],
    // Images, releases and default versions matter to the groups, nodes and add-ons that they belong to.
    shades: &["eks:DescribeAddonVersions", "ec2:DescribeImages", "ssm:GetParameters"],
    compliance: &[cis_eks("3.1.1?"), nist("SI-2"), nist("CM-2"), pci("6.3.3")],
    fails_when: "amiType AL2_* or another ended family (high); releaseVersion differs from the recommended release for \
                 version and amiType and is over 60 days older; nodegroup version behind the cluster version by one minor \
                 or more; for CUSTOM or self-managed nodes compare ImageId CreationDate (90 days). Also low: managed \
                 add-on addonVersion older than the default of its cluster version.",
    why: "Flaws of the kernel, the container runtime and the kubelet that are mended in newer images stay open, and with them \
          the way from a container to its node.",
    remediation: Remediation {
        text: "Update the node group and enable automatic replacement.",
        cli: "aws eks update-nodegroup-version --cluster-name CLUSTER --nodegroup-name NG",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for cluster in estate.eks_clusters() {
        let groups = cluster.nodegroups().filter(|group| matches!(group.status.as_str(), "ACTIVE" | "UPDATING" | "DEGRADED"));
        verdicts.each(groups, judge);
        verdicts.each(cluster.nodes().filter(|node| node.node_kind() == NodeKind::SelfManaged), judge_node);
        verdicts.each(cluster.nodes().filter(|node| node.node_kind() == NodeKind::AutoMode), judge_auto_mode);
        verdicts.each(cluster.addons(), judge_addon);
    }
}

fn judge(group: Node<'_, Nodegroup>) -> Judgement {
    let thresholds = group.estate().thresholds();
    let mut problems = Vec::new();
    let mut gap: Option<Unknown> = None;
    let ami_type = group.data().ami_type.as_deref();
    let ended = ami_type.is_some_and(|kind| kind.starts_with("AL2_"));
    if ended {
        problems.push("run Amazon Linux 2, for which AWS publishes no more images".to_owned());
    }
    let version = |version: Option<&str>| version.and_then(kubernetes_minor);
    match group.cluster().known() {
        Ok(cluster) => {
            if let (Some(of_cluster), Some(of_group)) = (version(cluster.version.as_deref()), version(group.version.as_deref())) {
                let behind = of_cluster.saturating_sub(of_group);
                if behind > thresholds.nodegroup_behind_versions {
                    let versions = if behind == 1 { "version" } else { "versions" };
                    problems.push(format!("are {behind} minor {versions} of Kubernetes behind the cluster"));
                }
            } else {
                gap = Some(undecided(group, "eks:DescribeNodegroup", "NotAnswered", "node group or cluster tells no version"));
            }
        }
        Err(unknown) => gap = Some(unknown),
    }
    let mut recommended = None;
    match ami_type {
        None => gap = Some(undecided(group, "eks:DescribeNodegroup", "NotAnswered", "the node group tells no amiType")),
        Some("CUSTOM") => match oldest_image(group) {
            Ok(Some(days)) if days > i64::from(thresholds.custom_ami_days) => problems.push(format!("run a custom image of {days} days")),
            Ok(_) => {}
            Err(unknown) => gap = Some(unknown),
        },
        Some(_) => match behind_release(group) {
            Ok((release, days)) => {
                if let Some(days) = days.filter(|days| *days > i64::from(thresholds.ami_behind_days)) {
                    problems.push(format!("are {days} days behind release {release}"));
                }
                recommended = Some(release);
            }
            Err(unknown) => gap = Some(unknown),
        },
    }
    if problems.is_empty() {
        return gap.map_or(Ok(Verdict::Pass), Err);
    }
    let issues: Vec<&str> = group.data().health.iter().flat_map(|health| &health.issues).map(|issue| issue.code.as_str()).collect();
    let evidence = json!({
        "clusterName": group.cluster_name,
        "amiType": ami_type,
        "version": group.version,
        "clusterVersion": group.cluster().found().and_then(|cluster| cluster.data().version.as_deref()),
        "releaseVersion": group.release_version,
        "recommendedRelease": recommended,
        "healthIssues": issues,
    });
    let failure = fail(format!("nodes of group {} in cluster {} {}", group.name(), group.cluster_name, listed(&problems)), evidence);
    if ended { failure.severity(Severity::High).verdict() } else { failure.verdict() }
}

/// The release that AWS recommends for a node group, and by how many days the group's is older when it is another one.
fn behind_release(group: Node<'_, Nodegroup>) -> Result<(&str, Option<i64>), Unknown> {
    let untold = |what: &str| undecided(group, "eks:DescribeNodegroup", "NotAnswered", what);
    let Some(link) = group.recommended_release() else {
        return Err(untold("AWS publishes no recommended release for this amiType and version"));
    };
    let parameter = link.known()?.data();
    let recommended = release(parameter);
    let Some(own) = group.data().release_version.as_deref() else {
        return Err(untold("the node group tells no releaseVersion"));
    };
    if own == recommended {
        return Ok((recommended, None));
    }
    // Releases of Amazon Linux and Windows end in their date; of others the nodes' images tell it.
    let (newest, ours) = if let (Some(newest), Some(ours)) = (release_date(recommended), release_date(own)) {
        (newest, Some(ours))
    } else {
        let newest = parameter.last_modified_date;
        let newest = newest.ok_or_else(|| undecided(group, "ssm:GetParameters", "NotAnswered", "the parameter tells no date"))?;
        (newest, oldest_creation(group)?)
    };
    Ok((recommended, ours.map(|ours| days_between(ours, newest))))
}

/// The release in a public parameter: the value, or a member of it where the value is JSON.
fn release(parameter: &PublicParameter) -> &str {
    let member = parameter.value.split_once("\"release_version\"").map(|(_, rest)| rest.trim_start_matches([' ', ':', '"']));
    let member = member.and_then(|rest| rest.split('"').next());
    member.unwrap_or(&parameter.value)
}

/// The date at the end of a release: `1.33.5-20260601`, `1.33-2026.06.01`.
fn release_date(release: &str) -> Option<Timestamp> {
    let (_, date) = release.rsplit_once('-')?;
    let digits: String = date.chars().filter(|character| *character != '.').collect();
    if digits.len() != 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = digits.split_at(4);
    let (month, day) = rest.split_at(2);
    format!("{year}-{month}-{day}T00:00:00Z").parse().ok()
}

/// When the oldest image of the nodes of a group was made; `None` when the group is scaled to nothing.
fn oldest_creation(group: Node<'_, Nodegroup>) -> Result<Option<Timestamp>, Unknown> {
    let mut oldest: Option<Timestamp> = None;
    for node in group.nodes() {
        let created = image_of(node).and_then(creation)?;
        oldest = Some(oldest.map_or(created, |oldest| oldest.min(created)));
    }
    let wanted = group.data().scaling_config.as_ref().and_then(|scaling| scaling.desired_size);
    if oldest.is_none() && wanted != Some(0) {
        group.estate().coverage().check(group.account(), group.region(), "ec2:DescribeInstances")?;
        return Err(undecided(group, "ec2:DescribeInstances", Gap::NOT_FOUND, "no node of the group was found"));
    }
    Ok(oldest)
}

/// How many days ago the oldest image of the nodes of a group was made.
fn oldest_image(group: Node<'_, Nodegroup>) -> Result<Option<i64>, Unknown> {
    let now = group.estate().inventory().header.finished_at;
    Ok(oldest_creation(group)?.map(|created| days_between(created, now)))
}

fn image_of(node: Node<'_, Instance>) -> Result<Node<'_, Image>, Unknown> {
    match node.image() {
        Some(link) => link.known(),
        None => Err(undecided(node, "ec2:DescribeInstances", "NotAnswered", "the instance tells no ImageId")),
    }
}

fn creation(image: Node<'_, Image>) -> Result<Timestamp, Unknown> {
    let date = image.data().creation_date.as_deref().and_then(|date| date.parse().ok());
    date.ok_or_else(|| undecided(image, "ec2:DescribeImages", "NotAnswered", "the image tells no CreationDate"))
}

fn judge_node(node: Node<'_, Instance>) -> Judgement {
    let image = image_of(node)?;
    let now = node.estate().inventory().header.finished_at;
    let ended = image.data().name.as_deref().is_some_and(is_amazon_linux_2);
    let days = creation(image).map(|created| days_between(created, now));
    let old = days.as_ref().is_ok_and(|days| *days > i64::from(node.estate().thresholds().custom_ami_days));
    if !ended && !old {
        return days.map(|_| Verdict::Pass);
    }
    let what = match (&days, ended) {
        (Ok(days), true) => format!("an image of Amazon Linux 2, {days} days old"),
        (Err(_), true) => "an image of Amazon Linux 2".to_owned(),
        (days, false) => format!("an image of {} days", days.as_ref().map_or(0, |days| *days)),
    };
    let cluster = node.eks_cluster().map(|cluster| cluster.name());
    let evidence = json!({
        "cluster": cluster,
        "ImageId": node.image_id,
        "ImageName": image.data().name,
        "CreationDate": image.data().creation_date,
    });
    let failure = fail(format!("node {} of cluster {} runs {what}", node.instance_id, cluster.unwrap_or_default()), evidence);
    if ended { failure.severity(Severity::High).verdict() } else { failure.verdict() }
}

/// Whether an image of AWS for nodes is one of Amazon Linux 2: the names of later ones tell the system.
fn is_amazon_linux_2(name: &str) -> bool {
    let rest = ["amazon-eks-node-", "amazon-eks-gpu-node-", "amazon-eks-arm64-node-"].iter().find_map(|prefix| name.strip_prefix(prefix));
    rest.is_some_and(|rest| rest.starts_with("1."))
}

/// AWS patches nodes of EKS Auto Mode by replacing them: one that stays is not patched.
fn judge_auto_mode(node: Node<'_, Instance>) -> Judgement {
    let Some(launched) = node.data().launch_time else {
        return Err(undecided(node, "ec2:DescribeInstances", "NotAnswered", "the instance tells no LaunchTime"));
    };
    let days = days_between(launched, node.estate().inventory().header.finished_at);
    if days <= i64::from(node.estate().thresholds().auto_mode_node_days) {
        return Ok(Verdict::NotApplicable);
    }
    let cluster = node.eks_cluster().map_or("", |cluster| cluster.name());
    let evidence = json!({"cluster": cluster, "LaunchTime": launched, "ImageId": node.image_id});
    fail(format!("node {} of EKS Auto Mode in cluster {cluster} runs since {days} days", node.instance_id), evidence).verdict()
}

fn judge_addon(addon: Node<'_, Addon>) -> Judgement {
    let Some(kubernetes) = addon.cluster().known()?.data().version.as_deref() else {
        return Err(undecided(addon, "eks:DescribeCluster", "NotAnswered", "the cluster tells no version"));
    };
    let offered: &AddonVersion = match addon.default_versions(kubernetes) {
        Link::Found(offered) => offered.data(),
        missing @ Link::Missing(_) => return missing.exists().map(|_| Verdict::NotApplicable),
    };
    let Some(own) = addon.data().addon_version.as_deref() else {
        return Err(undecided(addon, "eks:DescribeAddon", "NotAnswered", "the add-on tells no addonVersion"));
    };
    let default = offered.addon_versions.iter().map(|version| version.addon_version.as_str()).max_by_key(|version| numbers(version));
    let Some(default) = default.filter(|default| numbers(own) < numbers(default)) else {
        return Ok(Verdict::Pass);
    };
    let evidence: Value =
        json!({"clusterName": addon.cluster_name, "addonVersion": own, "defaultVersion": default, "kubernetesVersion": kubernetes});
    let message =
        format!("add-on {} of cluster {} is {own}; the default for Kubernetes {kubernetes} is {default}", addon.name(), addon.cluster_name);
    fail(message, evidence).severity(Severity::Low).verdict()
}

/// The numbers of a version: `v1.20.4-eksbuild.2` is 1, 20, 4, 2.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|character: char| !character.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture, gap};
    use plimsoll_model::aws::ec2::{Image, Instance, OperatorResponse};
    use plimsoll_model::aws::eks::{Addon, AddonVersion, Nodegroup};
    use plimsoll_model::aws::ssm::PublicParameter;
    use plimsoll_model::{Gap, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn group(change: impl FnOnce(&mut Nodegroup)) -> Fixture {
        fixture().eks_cluster("shop", |_| {}).nodegroup("shop", "web", change)
    }

    fn released(release: &'static str) -> impl Fn(&mut Nodegroup) {
        move |group| group.release_version = Some(release.to_owned())
    }

    fn of_type(kind: &'static str) -> impl Fn(&mut Nodegroup) {
        move |group| group.ami_type = Some(kind.to_owned())
    }

    #[test]
    fn fails_when_the_release_is_far_behind_the_recommended_one() {
        let found = findings(&CHECK, group(released("1.33.1-20260301")));
        assert_eq!(found[0].message, "nodes of group web in cluster shop are 92 days behind release 1.33.5-20260601");
        assert_eq!(outcome(&CHECK, group(released("1.33.1-20260301"))), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_release_is_recommended_or_a_little_older() {
        assert_eq!(outcome(&CHECK, group(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, group(released("1.33.4-20260402"))), Pass);
        let account = group(released("1.33.4-20260402"));
        assert_eq!(outcome(&CHECK, account.thresholds(|thresholds| thresholds.ami_behind_days = 30)), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_more_on_amazon_linux_2() {
        assert_eq!(outcome(&CHECK, group(of_type("AL2_x86_64"))), Fail(Severity::High));
    }

    #[test]
    fn fails_when_the_nodes_are_behind_the_version_of_the_cluster() {
        let behind = || {
            group(|_| {}).each::<Nodegroup>(|group| group.version = Some("1.32".to_owned())).each::<PublicParameter>(|parameter| {
                parameter.name = parameter.name.replace("1.33", "1.32");
            })
        };
        assert_eq!(outcome(&CHECK, behind()), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, behind().thresholds(|thresholds| thresholds.nodegroup_behind_versions = 1)), Pass);
    }

    #[test]
    fn judges_custom_images_by_the_age_of_those_that_run() {
        let custom = || group(of_type("CUSTOM")).node("shop", Some("web"), "n1", |_| {});
        assert_eq!(outcome(&CHECK, custom()), Pass);
        let old = |image: &mut Image| image.creation_date = Some("2026-03-01T00:00:00.000Z".to_owned());
        assert_eq!(findings(&CHECK, custom().each(old))[0].message, "nodes of group web in cluster shop run a custom image of 106 days");
        assert_eq!(outcome(&CHECK, group(of_type("CUSTOM"))), Unknown);
        let nothing = |group: &mut Nodegroup| group.scaling_config.as_mut().unwrap().desired_size = Some(0);
        assert_eq!(outcome(&CHECK, group(of_type("CUSTOM")).each(nothing)), Pass);
    }

    #[test]
    fn dates_a_release_without_date_by_the_images_that_run() {
        let bottlerocket = |released: &'static str| {
            let of_type = of_type("BOTTLEROCKET_x86_64");
            let account = group(|group| {
                of_type(group);
                group.release_version = Some("1.40.0-0a1b2c3d".to_owned());
            });
            account.node("shop", Some("web"), "n1", |_| {}).each::<PublicParameter>(move |parameter| {
                "/aws/service/bottlerocket/aws-k8s-1.33/x86_64/latest/image_version".clone_into(&mut parameter.name);
                "1.50.0-4d5e6f7a".clone_into(&mut parameter.value);
                parameter.last_modified_date = Some(at(released));
            })
        };
        assert_eq!(outcome(&CHECK, bottlerocket("2026-06-10T00:00:00Z")), Pass);
        assert_eq!(outcome(&CHECK, bottlerocket("2026-08-10T00:00:00Z")), Fail(Severity::Medium));
    }

    #[test]
    fn reads_the_release_of_windows_from_json() {
        let account = group(|group| {
            of_type("WINDOWS_CORE_2022_x86_64")(group);
            released("1.33-2026.01.15")(group);
        });
        let account = account.each::<PublicParameter>(|parameter| {
            "/aws/service/ami-windows-latest/Windows_Server-2022-English-Core-EKS_Optimized-1.33".clone_into(&mut parameter.name);
            r#"{"image_id": "ami-1", "release_version": "1.33-2026.06.10"}"#.clone_into(&mut parameter.value);
        });
        assert_eq!(findings(&CHECK, account)[0].evidence["recommendedRelease"], "1.33-2026.06.10");
    }

    #[test]
    fn judges_nodes_that_the_customer_runs_by_their_image() {
        let node = || fixture().eks_cluster("shop", |_| {}).node("shop", None, "n1", |_| {});
        assert_eq!(outcome(&CHECK, node()), Pass);
        let old = |image: &mut Image| image.creation_date = Some("2026-03-01T00:00:00.000Z".to_owned());
        assert_eq!(findings(&CHECK, node().each(old))[0].resource.kind, "AWS::EC2::Instance");
        assert_eq!(outcome(&CHECK, node().each(old)), Fail(Severity::Medium));
        let ended = |image: &mut Image| image.name = Some("amazon-eks-node-1.32-v20260601".to_owned());
        assert_eq!(outcome(&CHECK, node().each(ended)), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, node().without::<Image>().denied("ec2:DescribeImages")), Unknown);
        assert_eq!(outcome(&CHECK, node().each(|image: &mut Image| image.creation_date = None)), Unknown);
    }

    #[test]
    fn of_auto_mode_only_nodes_that_stay_are_reported() {
        let node = |launched: &str| {
            let launched = at(launched);
            fixture().eks_cluster("shop", |_| {}).node("shop", None, "n1", |instance: &mut Instance| {
                instance.operator = Some(OperatorResponse { managed: Some(true), principal: Some("eks.amazonaws.com".to_owned()) });
                instance.launch_time = Some(launched);
            })
        };
        assert_eq!(outcome(&CHECK, node("2026-06-01T00:00:00Z")), NotApplicable);
        assert_eq!(outcome(&CHECK, node("2026-05-20T00:00:00Z")), Fail(Severity::Medium));
    }

    #[test]
    fn add_ons_older_than_the_default_are_low() {
        let addon = |version: &'static str| {
            fixture()
                .eks_cluster("shop", |_| {})
                .addon("shop", "vpc-cni", |addon: &mut Addon| addon.addon_version = Some(version.to_owned()))
        };
        assert_eq!(outcome(&CHECK, addon("v1.20.4-eksbuild.1")), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, addon("v1.9.3-eksbuild.10")), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, addon("v1.21.0-eksbuild.1")), Pass);
        assert_eq!(outcome(&CHECK, addon("v1.20.4-eksbuild.1").without::<AddonVersion>()), NotApplicable);
        let unread = addon("v1.20.4-eksbuild.1").without::<AddonVersion>().with(|inventory| {
            inventory.gaps.push(Gap { resource: Some("vpc-cni/1.33".to_owned()), ..gap("eks:DescribeAddonVersions") });
        });
        assert_eq!(outcome(&CHECK, unread), Unknown);
    }

    #[test]
    fn is_unknown_when_groups_or_the_recommendation_were_not_readable() {
        assert_eq!(outcome(&CHECK, group(|_| {}).without::<PublicParameter>().denied("ssm:GetParameters")), Unknown);
        assert_eq!(outcome(&CHECK, group(|_| {}).without::<PublicParameter>()), Unknown);
        assert_eq!(outcome(&CHECK, group(|_| {}).denied("eks:ListNodegroups")), Unknown);
        assert_eq!(outcome(&CHECK, group(|group| group.ami_type = None)), Unknown);
        let far_behind = group(released("1.33.1-20260301")).denied("ec2:DescribeImages");
        assert_eq!(outcome(&CHECK, far_behind), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_to_groups_that_come_or_go() {
        assert_eq!(outcome(&CHECK, group(|group| "DELETING".clone_into(&mut group.status))), NotApplicable);
    }
}
