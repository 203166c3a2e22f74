//! Which Regions are chosen, and what is said of those that are not.

use super::{check_names, first, perhaps_mistyped, to_scan};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use crate::{CollectError, RegionChoice};

const REGIONS: &str = "<regionInfo>
    <item><regionName>us-east-1</regionName><optInStatus>opt-in-not-required</optInStatus></item>
    <item><regionName>eu-west-3</regionName><optInStatus>opt-in-not-required</optInStatus></item>
    <item><regionName>eu-south-2</regionName><optInStatus>opted-in</optInStatus></item>
    <item><regionName>ap-east-1</regionName><optInStatus>not-opted-in</optInStatus></item>
    <item><regionName>zz-moon-1</regionName></item>
</regionInfo>";

fn named(names: &[&str]) -> RegionChoice {
    RegionChoice::Named(names.iter().map(|name| (*name).to_owned()).collect())
}

async fn chosen(replay: &Replay, choice: &RegionChoice, configured: Option<&str>) -> (Result<Vec<String>, CollectError>, Vec<String>) {
    let api = Api::in_test();
    let regions = to_scan(&api, &replay.ec2(), choice, configured).await;
    (regions, api.take_gaps().into_iter().map(|gap| format!("{} {} {}", gap.region, gap.operation, gap.code)).collect())
}

#[tokio::test]
async fn all_means_every_enabled_region() {
    let replay = Replay::new().on("DescribeRegions", |request| {
        assert_eq!(request["AllRegions"], "true");
        Answer::Xml(REGIONS.to_owned())
    });
    let (regions, gaps) = chosen(&replay, &RegionChoice::All, Some("eu-west-3")).await;
    assert_eq!(regions.unwrap(), ["eu-south-2", "eu-west-3", "us-east-1", "zz-moon-1"]);
    assert!(gaps.is_empty());
    assert_eq!(replay.requests().len(), 1);
}

#[tokio::test]
async fn a_region_that_is_not_enabled_is_a_gap() {
    let replay = Replay::new().xml("DescribeRegions", REGIONS);
    let (regions, gaps) = chosen(&replay, &named(&["us-east-1", "ap-east-1", "eu-west-3", "us-east-1"]), None).await;
    assert_eq!(regions.unwrap(), ["eu-west-3", "us-east-1"]);
    assert_eq!(gaps, ["ap-east-1 ec2:DescribeRegions RegionNotEnabled"]);
}

#[tokio::test]
async fn an_unknown_region_is_an_error_with_the_nearest() {
    let replay = Replay::new().xml("DescribeRegions", REGIONS);
    for (name, wanted) in [("eu-wset-3", Some("eu-west-3")), ("us-east-11", Some("us-east-1")), ("zz-north-77", None)] {
        let (error, _) = chosen(&replay, &named(&[name]), None).await;
        let error = error.unwrap_err();
        assert!(error.is_usage());
        let CollectError::UnknownRegion { name: said, nearest } = error else { panic!("{error}") };
        assert_eq!((said.as_str(), nearest.as_deref()), (name, wanted));
    }
}

#[tokio::test]
async fn without_the_list_named_regions_are_taken_as_they_are() {
    let replay = Replay::new().error("DescribeRegions", "UnauthorizedOperation");
    let (regions, gaps) = chosen(&replay, &named(&["us-east-1", "eu-west-3", "us-east-1"]), None).await;
    assert_eq!(regions.unwrap(), ["eu-west-3", "us-east-1"]);
    assert_eq!(gaps, ["eu-west-3 ec2:DescribeRegions UnauthorizedOperation"]);
}

#[tokio::test]
async fn without_the_list_all_becomes_the_configured_region() {
    let replay = Replay::new().error("DescribeRegions", "UnauthorizedOperation");
    let (regions, gaps) = chosen(&replay, &RegionChoice::All, Some("eu-west-3")).await;
    assert_eq!((regions.unwrap(), gaps.len()), (vec!["eu-west-3".to_owned()], 1));
    let (regions, _) = chosen(&replay, &RegionChoice::All, None).await;
    let error = regions.unwrap_err();
    assert!(matches!(error, CollectError::NoRegion { .. }) && error.hint().contains("--region"), "{error}");
}

#[test]
fn what_cannot_be_a_region_is_refused_before_anything_is_sent() {
    for name in ["", "paris", "eu-west", "eu_west_3", "EU-WEST-3", "eu-west-3/", "eu-west-3.evil.example", "a-b-c-d-e-1", "eu-west-333"] {
        let error = check_names(&named(&["eu-west-3", name])).unwrap_err();
        assert!(matches!(error, CollectError::UnknownRegion { .. }), "{name}");
    }
    for name in ["us-gov-west-1", "cn-northwest-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-7", "mx-central-1"] {
        check_names(&named(&[name])).unwrap();
    }
    let error = check_names(&named(&["eu-west-\u{1b}[31m"])).unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'));
}

#[test]
fn a_region_that_does_not_answer_may_be_mistyped() {
    assert_eq!(perhaps_mistyped("eu-wst-3").unwrap().to_string(), "there is no AWS Region eu-wst-3, did you mean eu-west-3?");
    assert!(perhaps_mistyped("eu-west-3").is_none());
}

#[test]
fn the_first_request_goes_to_the_partition_that_is_asked_for() {
    assert_eq!(first(&RegionChoice::All, None), "us-east-1");
    assert_eq!(first(&RegionChoice::All, Some("eu-west-3")), "eu-west-3");
    assert_eq!(first(&named(&["eu-west-1"]), Some("eu-west-3")), "eu-west-3");
    assert_eq!(first(&named(&["cn-north-1"]), Some("eu-west-3")), "cn-north-1");
}
