//! Reads the GuardDuty detector of each account and Region that holds a cluster. Yields one verdict for each of them; a
//! failure tells whether there is no detector or it is suspended.

use plimsoll_graph::{Estate, Place};
use plimsoll_model::aws::guardduty::Detector;
use plimsoll_model::{AccountId, Region, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::hosts::place_reference;

pub(crate) const CHECK: Check = Check {
    id: "guardduty-disabled",
    title: "GuardDuty is off where containers run",
    severity: Severity::High,
    resource: "AWS::GuardDuty::Detector",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &["ecs:ListClusters", "ecs:DescribeClusters", "eks:ListClusters", "guardduty:ListDetectors", "guardduty:GetDetector"],
    shades: &[],
    compliance: &[fsbp("GuardDuty.1"), nist("SI-4"), pci("11.5.1")],
    fails_when: "ListDetectors is empty or Status is DISABLED in a Region with an ACTIVE ECS cluster or EKS cluster.",
    why: "Nobody looks at DNS, network and API activity for signs of attack: stolen credentials and mining go unnoticed until they cost.",
    remediation: Remediation { text: "Enable GuardDuty in every Region in use.", cli: "aws guardduty create-detector --enable" },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for &Place { account, region } in estate.container_places() {
        match estate.detector(account, region) {
            Ok(Some(detector)) => verdicts.judge(detector, judge(detector.data(), account, region)),
            Ok(None) => {
                let evidence = json!({"Region": region, "DetectorIds": []});
                let message = format!("account {account} runs containers in {region}, where GuardDuty has no detector");
                let absent = place_reference(account, region, &Detector::default(), "GuardDuty");
                verdicts.judge_reference(absent, fail(message, evidence).verdict());
            }
            // Where the listing failed, the gap is reported for the place.
            Err(_) => {}
        }
    }
}

fn judge(detector: &Detector, account: &AccountId, region: &Region) -> Judgement {
    let configuration = detector.configuration.known()?;
    if configuration.status == "ENABLED" {
        return Ok(Verdict::Pass);
    }
    let evidence = json!({"Region": region, "DetectorId": detector.detector_id, "Status": configuration.status});
    let message = format!(
        "GuardDuty detector {} of account {account} in {region}, where containers run, is {}",
        detector.detector_id, configuration.status
    );
    fail(message, evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::guardduty::Detector;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn cluster() -> Fixture {
        fixture().cluster("shop", |_| {})
    }

    #[test]
    fn fails_without_detector_and_with_a_suspended_one() {
        assert_eq!(outcome(&CHECK, cluster()), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, cluster().detector(|detector| detector.status = "DISABLED".to_owned())), Fail(Severity::High));
        assert_eq!(findings(&CHECK, cluster())[0].resource.arn, "arn:aws:guardduty:us-east-1:111111111111:detector");
    }

    #[test]
    fn passes_with_an_enabled_detector() {
        assert_eq!(outcome(&CHECK, cluster().detector(|_| {})), Pass);
    }

    #[test]
    fn does_not_apply_where_no_cluster_is_active() {
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().cluster("old", |cluster| cluster.status = "INACTIVE".to_owned())), NotApplicable);
    }

    #[test]
    fn judges_each_region_for_itself() {
        let two = cluster().detector(|_| {}).region("eu-west-3").cluster("shop", |_| {});
        let found = findings(&CHECK, two);
        assert_eq!(found.iter().map(|finding| finding.resource.region.as_str()).collect::<Vec<_>>(), ["eu-west-3"]);
    }

    #[test]
    fn is_unknown_when_the_detector_was_not_readable() {
        assert_eq!(outcome(&CHECK, cluster().denied("guardduty:ListDetectors")), Unknown);
        let unread = Detector { detector_id: "d1".to_owned(), configuration: Seen::from(gap("guardduty:GetDetector")) };
        assert_eq!(outcome(&CHECK, cluster().resource(unread)), Unknown);
    }
}
