//! Laws over accounts and Regions: what nobody could enter is told once and never passes, and several accounts are judged
//! as each would be.

use std::collections::BTreeSet;

use plimsoll_fixture::{ACCOUNT, Fixture, fixture};
use plimsoll_graph::Estate;
use plimsoll_model::{AccountId, Finding, Gap, Inventory, Region, Status};

use crate::engine::{Evaluation, Options, Selection, evaluate};
use crate::registry::CHECKS;

const OTHER: &str = "222222222222";

fn run(inventory: &Inventory) -> Evaluation {
    evaluate(&Estate::new(inventory), &Selection::default(), Options { include_passed: true, ..Options::default() })
}

fn closed_region(account: &str, region: &str) -> Gap {
    Gap {
        account: AccountId::new(account),
        region: Region::new(region),
        operation: "ecs:ListClusters".to_owned(),
        code: Gap::REGION_CLOSED.to_owned(),
        message: "not authorized to perform: ecs:ListClusters with an explicit deny in a service control policy".to_owned(),
        resource: None,
    }
}

fn not_assumed(account: &str) -> Gap {
    Gap {
        account: AccountId::new(account),
        region: Region::global(),
        operation: "sts:AssumeRole".to_owned(),
        code: "AccessDenied".to_owned(),
        message: "not authorized to perform: sts:AssumeRole".to_owned(),
        resource: Some(format!("arn:aws:iam::{account}:role/audit")),
    }
}

fn with_gaps(account: Fixture, gaps: impl IntoIterator<Item = Gap>) -> Inventory {
    account
        .with(|inventory| {
            for gap in gaps {
                let regions = if gap.region.is_global() { BTreeSet::new() } else { BTreeSet::from([gap.region.clone()]) };
                inventory.header.scope.add(gap.account.clone(), regions);
                inventory.gaps.push(gap);
            }
        })
        .build()
}

/// What is said of a place, as check and message.
fn said_of<'f>(evaluation: &'f Evaluation, holds: impl Fn(&Finding) -> bool + 'f) -> Vec<(&'f str, &'f str)> {
    evaluation.findings.iter().filter(move |f| holds(f)).map(|f| (&*f.check, f.message.as_str())).collect()
}

#[test]
fn an_account_that_could_not_be_entered_is_told_by_its_gap_alone() {
    let whole = run(&fixture().shop().build());
    let evaluation = run(&with_gaps(fixture().shop(), [not_assumed(OTHER)]));
    assert_eq!(said_of(&evaluation, |finding| finding.resource.account.as_str() == OTHER), []);
    assert_eq!(evaluation.findings, whole.findings, "the account that was read is judged as before");
}

#[test]
fn closed_regions_make_no_finding_of_their_own() {
    let regions = ["ap-south-2", "eu-central-2", "eu-south-2", "me-south-1"];
    let evaluation = run(&with_gaps(fixture(), regions.map(|region| closed_region(ACCOUNT, region))));
    for region in regions {
        assert_eq!(said_of(&evaluation, |finding| finding.resource.region.as_str() == region), []);
    }
}

#[test]
fn what_a_closed_region_may_contradict_does_not_pass_and_is_told_once_for_each_check() {
    let whole = run(&fixture().shop().build());
    let regions = ["ap-south-2", "eu-central-2", "eu-south-2"];
    let evaluation = run(&with_gaps(fixture().shop(), regions.map(|region| closed_region(ACCOUNT, region))));
    let role_passes = |evaluation: &Evaluation| {
        let regional =
            |f: &Finding| CHECKS.iter().any(|check| *check.id == *f.check && check.needs.iter().any(|need| need.starts_with("ecs:")));
        let of_a_role = |f: &&Finding| f.status == Status::Pass && &*f.resource.kind == "AWS::IAM::Role" && regional(f);
        evaluation.findings.iter().filter(of_a_role).map(|f| f.check.to_string()).collect::<BTreeSet<_>>()
    };
    let withheld = role_passes(&whole);
    assert!(!withheld.is_empty());
    assert!(role_passes(&evaluation).is_empty(), "a task in a closed Region may use the role too");
    let told = said_of(&evaluation, |f| f.status == Status::Unknown && f.message.contains("closed to the scan"));
    assert_eq!(told.iter().map(|(check, _)| (*check).to_owned()).collect::<BTreeSet<_>>(), withheld);
    assert_eq!(told.len(), withheld.len(), "once for each check: {told:#?}");
    assert!(told.iter().all(|(_, message)| regions.iter().all(|region| message.contains(region))), "{told:#?}");
    let regional = |evaluation: &Evaluation| {
        evaluation
            .findings
            .iter()
            .filter(|f| f.resource.region.as_str() == "us-east-1")
            .map(|f| (f.id.clone(), f.status))
            .collect::<Vec<_>>()
    };
    assert_eq!(regional(&evaluation), regional(&whole), "the open Region is judged as before");
}

#[test]
fn two_accounts_are_judged_as_each_alone() {
    let one = || fixture().cluster("shop", |_| {}).role("web-task", |_| {}).task_definition("web", |_| {});
    let other = |account: Fixture| account.account(OTHER).cluster("shop", |_| {}).role("api-task", |_| {}).task_definition("api", |_| {});
    let findings = |inventory: &Inventory| -> BTreeSet<(String, Status)> {
        run(inventory).findings.into_iter().filter(|f| f.resource.region.as_str() != "*").map(|f| (f.id, f.status)).collect()
    };
    let alone = other(fixture().with(|inventory| inventory.header.scope.accounts.clear())).build();
    let mut each = findings(&one().build());
    each.extend(findings(&alone));
    assert_eq!(findings(&other(one()).build()), each);
}
