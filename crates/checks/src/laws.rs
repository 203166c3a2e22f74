//! Laws over the whole catalogue: what holds for every check, whoever wrote it.

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll_fixture::{ACCOUNT, Fixture, OPERATIONS, REGION, fixture, gap, large, mounts, role_arn};
use plimsoll_graph::{Estate, KEY_USE_OPERATIONS};
use plimsoll_model::aws::eks::Cluster;
use plimsoll_model::{AccountId, Finding, Gap, Inventory, Region, Severity, Status};

use crate::check::Check;
use crate::engine::{Evaluation, Options, Selection, evaluate};
use crate::framework::{FRAMEWORKS, Framework};
use crate::registry::CHECKS;

/// Operations that the verdicts of a check rest on.
fn rests_on(check: &Check) -> impl Iterator<Item = &'static str> {
    check.needs.iter().copied().filter(|operation| !check.shades.contains(operation))
}

fn run(inventory: &Inventory) -> Evaluation {
    evaluate(&Estate::new(inventory), &Selection::default(), Options { include_passed: true, ..Options::default() })
}

fn denied(mut inventory: Inventory, operation: &str) -> Inventory {
    let region = if operation.starts_with("iam:") { Region::global() } else { Region::new(REGION) };
    inventory.gaps.push(Gap { account: AccountId::new(ACCOUNT), region, ..gap(operation) });
    inventory
}

fn of<'f>(findings: &'f [Finding], check: &str, status: Status) -> impl Iterator<Item = &'f Finding> {
    findings.iter().filter(move |finding| finding.check == check && finding.status == status)
}

/// Of a cluster of Kubernetes only what every one has.
fn bare(cluster: &Cluster) -> Cluster {
    let Cluster { name, arn, status, version, .. } = cluster.clone();
    Cluster { name, arn, status, version, ..Cluster::default() }
}

/// Accounts in which much is right and much is wrong.
fn accounts() -> [Inventory; 4] {
    let faulty = fixture().shop().on_ec2(|definition| {
        mounts("/", false)(definition);
        definition.network_mode = Some("host".to_owned());
        definition.pid_mode = Some("host".to_owned());
        definition.container_definitions[0].privileged = Some(true);
    });
    let faulty = faulty.container_instance("shop", "a", |host| host.attributes.clear()).instance("a", |_| {});
    // Kubernetes with everything, and with nothing right.
    let faulty = faulty.eks_cluster("k", |cluster| *cluster = bare(cluster)).nodegroup("k", "web", |_| {});
    let hardened = fixture().shop().eks_cluster("k", |_| {}).nodegroup("k", "web", |_| {}).node("k", Some("web"), "n1", |_| {});
    let hardened = hardened.addon("k", "vpc-cni", |_| {}).access_entry("k", &role_arn("web-task"), &["AmazonEKSViewPolicy"], |_| {});
    [fixture().shop().behind_load_balancer().build(), faulty.build(), hardened.build(), large(20, 40)]
}

#[test]
fn ids_are_unique_and_kebab_case_and_do_not_change() {
    let ids: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    for id in &ids {
        assert!(id.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())), "{id}");
    }
    // An id, once released, does not change: a new line is fine, a missing one is not.
    insta::assert_snapshot!("ids", ids.join("\n"));
}

#[test]
fn every_control_is_in_the_table_of_its_framework() {
    for check in CHECKS {
        for control in check.compliance {
            let framework = Framework::of(control.framework).unwrap_or_else(|| panic!("{}: {}", check.id, control.framework));
            assert!(framework.title(control.id).is_some(), "{}: {} {}", check.id, control.framework, control.id);
        }
    }
}

#[test]
fn the_tables_hold_no_control_that_no_check_names() {
    for framework in FRAMEWORKS {
        for (id, title) in framework.controls {
            let named = |check: &&Check| check.compliance.iter().any(|c| c.framework == framework.key && c.id.trim_end_matches('?') == *id);
            assert!(CHECKS.iter().copied().any(|check| named(&check)), "{} {id} {title}", framework.key);
        }
    }
}

#[test]
fn no_text_of_a_declaration_is_empty_or_unfinished() {
    for check in CHECKS {
        for text in [check.id, check.title, check.fails_when, check.why, check.remediation.text, check.remediation.cli] {
            assert!(!text.trim().is_empty() && !text.contains("TODO"), "{}: {text:?}", check.id);
        }
        for sentence in [check.why, check.fails_when, check.remediation.text] {
            assert!(sentence.ends_with(['.', ')']), "{}: {sentence:?}", check.id);
        }
        assert!(!check.title.ends_with('.'), "{}: {}", check.id, check.title);
    }
}

#[test]
fn resource_types_look_like_those_of_cloudformation() {
    for check in CHECKS {
        let parts: Vec<&str> = check.resource.split("::").collect();
        assert!(parts.len() == 3 && parts.iter().all(|part| part.starts_with(|c: char| c.is_ascii_uppercase())), "{}", check.resource);
    }
}

#[test]
fn what_shades_is_also_needed_and_nothing_is_named_twice() {
    for check in CHECKS {
        assert!(check.shades.iter().all(|operation| check.needs.contains(operation)), "{}", check.id);
        assert!(rests_on(check).next().is_some(), "{}", check.id);
        let needs: BTreeSet<&&str> = check.needs.iter().collect();
        assert_eq!(needs.len(), check.needs.len(), "{}", check.id);
        assert!(check.needs.iter().all(|operation| operation.contains(':')), "{}", check.id);
    }
}

#[test]
fn checks_of_keys_in_use_need_every_operation_that_shows_a_use() {
    for check in CHECKS.iter().filter(|check| check.id.ends_with("-in-use") || check.id == "kms-key-rotation-disabled") {
        for operation in KEY_USE_OPERATIONS {
            assert!(check.needs.contains(&operation), "{} does not need {operation}", check.id);
        }
    }
}

#[test]
fn where_nothing_was_readable_every_check_is_unknown() {
    let evaluation = run(&OPERATIONS.iter().fold(fixture(), |account, operation| account.denied(operation)).build());
    assert_eq!(evaluation.summary.pass, 0);
    assert_eq!(evaluation.summary.fail.total(), 0);
    for check in CHECKS {
        assert!(of(&evaluation.findings, check.id, Status::Unknown).next().is_some(), "{}", check.id);
    }
}

#[test]
fn an_empty_account_that_was_read_whole_fails_nothing() {
    let failed: Vec<Finding> = run(&fixture().build()).findings.into_iter().filter(|f| f.status == Status::Fail).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_hardened_account_fails_nothing_above_low() {
    let evaluation = run(&fixture().shop().behind_load_balancer().private_paths().build());
    let failed: Vec<&Finding> = evaluation.findings.iter().filter(|f| f.status == Status::Fail && f.severity > Severity::Low).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn evaluating_twice_gives_the_same_findings() {
    for account in accounts() {
        assert_eq!(run(&account).findings, run(&account).findings);
    }
}

#[test]
fn ids_of_findings_are_unique() {
    for account in accounts() {
        for inventory in [account.clone(), denied(account, "ecs:DescribeServices")] {
            let mut ids: Vec<(String, String)> =
                run(&inventory).findings.into_iter().map(|f| (f.id, format!("{} {}", f.check, f.resource.arn))).collect();
            ids.sort();
            for pair in ids.windows(2) {
                assert_ne!(pair[0].0, pair[1].0, "{} and {}", pair[0].1, pair[1].1);
            }
        }
    }
}

#[test]
fn passes_are_reported_as_often_as_they_are_counted() {
    for account in accounts() {
        let evaluation = run(&account);
        assert_eq!(evaluation.findings.iter().filter(|f| f.status == Status::Pass).count(), evaluation.summary.pass);
        assert_eq!(evaluation.findings.iter().filter(|f| f.status == Status::Fail).count(), evaluation.summary.fail.total());
        assert_eq!(evaluation.findings.iter().filter(|f| f.status == Status::Unknown).count(), evaluation.summary.unknown);
    }
}

#[test]
fn a_denied_operation_makes_no_pass_and_is_named() {
    for account in accounts() {
        let passed = passes(&run(&account));
        for operation in OPERATIONS {
            let evaluation = run(&denied(account.clone(), operation));
            let more: Vec<_> = passes(&evaluation).difference(&passed).cloned().collect();
            assert!(more.is_empty(), "without {operation}: {more:?}");
            for check in CHECKS.iter().filter(|check| rests_on(check).any(|needed| needed == *operation)) {
                let named = of(&evaluation.findings, check.id, Status::Unknown).any(|finding| finding.message.contains(operation));
                assert!(named, "{} does not say that {operation} was denied", check.id);
                assert_eq!(of(&evaluation.findings, check.id, Status::Pass).count(), 0, "{} passes without {operation}", check.id);
            }
        }
    }
}

fn passes(evaluation: &Evaluation) -> BTreeSet<(String, String)> {
    let passed = evaluation.findings.iter().filter(|finding| finding.status == Status::Pass);
    passed.map(|finding| (finding.check.to_string(), finding.id.clone())).collect()
}

#[test]
fn hostile_names_do_no_harm() {
    let long = "é".repeat(5_000);
    for name in ["\u{1b}[2J\u{7}\u{202e}\n\r\t\0", "../../*?{}[]%s$(id)`'\"\\", "🦀\u{300}\u{200b}", "", long.as_str()] {
        let quoted = serde_json::to_string(name).unwrap();
        let escaped = quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
        for account in accounts() {
            let mut text = Vec::new();
            plimsoll_model::write(&account, &mut text).unwrap();
            // Clusters, services, groups, definitions and whatever refers to them: links stay whole.
            let text =
                ["shop", "web", "agent", "svc"].iter().fold(String::from_utf8(text).unwrap(), |text, word| text.replace(word, escaped));
            let (inventory, _) = plimsoll_model::read(text.as_bytes(), Path::new("hostile.ndjson")).unwrap();
            assert!(!run(&inventory).findings.is_empty());
        }
    }
}

#[test]
fn references_that_lead_nowhere_do_no_harm() {
    let nothing = |account: Fixture| account.without::<plimsoll_model::aws::ecs::Cluster>().without::<plimsoll_model::aws::iam::Role>();
    let account = nothing(fixture().shop().on_ec2(|_| {}).container_instance("shop", "a", |_| {}));
    let account = account.without::<plimsoll_model::aws::ec2::Subnet>().without::<plimsoll_model::aws::ec2::SecurityGroup>();
    assert_eq!(run(&account.clone().build()).findings, run(&account.build()).findings);
}
