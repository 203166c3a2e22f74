//! Reads what Amazon Inspector scans where clusters are, and which repositories and hosts their tasks use. Yields one verdict
//! for each account and Region that holds a cluster.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node};
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::inspector2::AccountState;
use plimsoll_model::{AccountId, Region, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::hosts::place_reference;

pub(crate) const CHECK: Check = Check {
    id: "inspector-container-scanning-disabled",
    title: "Inspector scans neither images nor container hosts",
    severity: Severity::Medium,
    resource: "AWS::InspectorV2::Account",
    area: Area::Image,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "eks:ListClusters",
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "inspector2:BatchGetAccountStatus",
    ],
    shades: &[],
    compliance: &[fsbp("Inspector.1"), fsbp("Inspector.2"), nist("RA-5"), pci("11.3.1")],
    fails_when: "resourceState.ecr.status is not ENABLED while repositories hold images (medium), or \
                 resourceState.ec2.status is not ENABLED while EC2 hosts run containers (low). A third-party scanner can \
                 be declared in configuration.",
    why: "Known vulnerabilities in images and hosts stay where they are, because nobody is told of them.",
    remediation: Remediation { text: "Enable Inspector for ECR and EC2.", cli: "aws inspector2 enable --resource-types ECR EC2" },
    evaluate,
};

/// What is there to scan in a place.
#[derive(Default)]
struct Scannable<'e> {
    repositories: BTreeSet<&'e str>,
    hosts: BTreeSet<&'e str>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    // Another scanner does the work, by the word of the configuration.
    if estate.thresholds().third_party_scanner.is_some() {
        return;
    }
    let mut places: BTreeMap<(&AccountId, &Region), Scannable<'e>> =
        estate.container_places().iter().map(|place| ((place.account, place.region), Scannable::default())).collect();
    for definition in estate.definitions_in_scope() {
        if let Some(place) = places.get_mut(&(definition.account(), definition.region())) {
            place.repositories.extend(repositories(definition));
        }
    }
    for host in estate.hosts() {
        if let Some(place) = places.get_mut(&(host.account(), host.region())) {
            place.hosts.extend(host.data().ec2_instance_id.as_deref());
        }
    }
    for ((account, region), scannable) in places {
        match estate.inspector(account, region) {
            Ok(Some(state)) => verdicts.judge(state, judge(state.data(), &scannable)),
            Ok(None) => {
                let absent = place_reference(account, region, &AccountState::default(), "Amazon Inspector");
                verdicts.judge_reference(absent, judge(&AccountState::default(), &scannable));
            }
            // Where the call failed, the gap is reported for the place.
            Err(_) => {}
        }
    }
}

/// The repositories of the definition's own account and Region that its containers name.
fn repositories(definition: Node<'_, TaskDefinition>) -> impl Iterator<Item = &str> {
    let registry = format!("{}.dkr.ecr.{}.", definition.account(), definition.region());
    let images = definition.data().container_definitions.iter().map(|container| container.image.as_str());
    images.filter(move |image| image.starts_with(&registry)).filter_map(|image| {
        let path = image.split_once('/')?.1;
        path.split(['@', ':']).next()
    })
}

fn judge(state: &AccountState, scannable: &Scannable<'_>) -> Judgement {
    let (ecr, ec2) = (state.resource_state.ecr.status.as_str(), state.resource_state.ec2.status.as_str());
    let images = !matches!(ecr, "ENABLED" | "ENABLING") && !scannable.repositories.is_empty();
    let hosts = !matches!(ec2, "ENABLED" | "ENABLING") && !scannable.hosts.is_empty();
    if scannable.repositories.is_empty() && scannable.hosts.is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    if !images && !hosts {
        return Ok(Verdict::Pass);
    }
    let message = match (images, hosts) {
        (true, true) => "Amazon Inspector scans neither the images nor the hosts that tasks use".to_owned(),
        (true, false) => {
            format!("Amazon Inspector does not scan the images of {}", count(scannable.repositories.len(), "repository", "repositories"))
        }
        (false, _) => format!("Amazon Inspector does not scan {}", count(scannable.hosts.len(), "container host", "container hosts")),
    };
    let severity = if images { Severity::Medium } else { Severity::Low };
    fail(message, evidence(state, scannable)).severity(severity).verdict()
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn evidence(state: &AccountState, scannable: &Scannable<'_>) -> Value {
    json!({
        "state": state.state.status,
        "resourceState": {"ecr": state.resource_state.ecr.status, "ec2": state.resource_state.ec2.status},
        "repositoryCount": scannable.repositories.len(),
        "hostCount": scannable.hosts.len(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::inspector2::{AccountState, ResourceState};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn images() -> Fixture {
        fixture().cluster("shop", |_| {}).task_definition("web", |_| {})
    }

    fn hosts() -> Fixture {
        fixture().cluster("shop", |_| {}).container_instance("shop", "h1", |_| {}).instance("h1", |_| {})
    }

    fn off(state: &mut AccountState) {
        state.resource_state = ResourceState::default();
    }

    #[test]
    fn fails_when_images_are_not_scanned_and_weighs_less_for_hosts() {
        assert_eq!(outcome(&CHECK, images().inspector(off)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, hosts().inspector(off)), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_what_is_used_is_scanned() {
        assert_eq!(outcome(&CHECK, images().inspector(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, images().inspector(|state| state.resource_state.ec2.status = "DISABLED".to_owned())), Pass);
        assert_eq!(outcome(&CHECK, hosts().inspector(|state| state.resource_state.ecr.status = "DISABLED".to_owned())), Pass);
    }

    #[test]
    fn does_not_apply_without_images_and_hosts_of_the_account_or_with_another_scanner() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {}).inspector(off)), NotApplicable);
        let hub = fixture().cluster("shop", |_| {}).task_definition("web", |definition| {
            definition.container_definitions[0].image = "nginx".to_owned();
        });
        assert_eq!(outcome(&CHECK, hub.inspector(off)), NotApplicable);
        let other = images().inspector(off).thresholds(|limits| limits.third_party_scanner = Some("trivy".to_owned()));
        assert_eq!(outcome(&CHECK, other), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_state_or_the_hosts_were_not_readable() {
        assert_eq!(outcome(&CHECK, images().denied("inspector2:BatchGetAccountStatus")), Unknown);
        assert_eq!(outcome(&CHECK, images().inspector(|_| {}).denied("ecs:ListContainerInstances")), Unknown);
    }
}
