//! Reads the trails that record each account and Region with containers, and where they leave something out the stores of
//! CloudTrail Lake. Yields one verdict per account and Region; a failure tells of each trail what it lacks.

use plimsoll_graph::{Estate, Node, Place, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::cloudtrail::{AdvancedEventSelector, EventDataStore, Trail, record_all_management};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::reading::each_place;

pub(crate) const CHECK: Check = Check {
    id: "cloudtrail-not-recording-all-regions",
    title: "API calls of the container platform are not all recorded",
    severity: Severity::High,
    resource: "AWS::CloudTrail::Trail",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "cloudtrail:GetEventSelectors",
        "cloudtrail:ListEventDataStores",
        "cloudtrail:GetEventDataStore",
    ],
    shades: &["cloudtrail:ListEventDataStores", "cloudtrail:GetEventDataStore"],
    compliance: &[fsbp("CloudTrail.1"), cis_aws("3.0.0/3.1"), cis_aws("5.0.0/3.1"), nist("AU-2"), nist("AU-12"), pci("10.2.1")],
    fails_when: "No trail has IsMultiRegionTrail true, IsLogging true and management events of ReadWriteType All (event \
                 selectors or advanced selectors with eventCategory Management and no readOnly filter), and no CloudTrail \
                 Lake store records them. An organization trail counts.",
    why: "What nobody records cannot be looked into: who registered a task definition, opened a shell in a container or disabled a \
          key stays unknown.",
    remediation: Remediation {
        text: "Create a multi-Region trail for all management events.",
        cli: "aws cloudtrail create-trail --name org --s3-bucket-name BUCKET --is-multi-region-trail \
             --enable-log-file-validation && aws cloudtrail start-logging --name org",
    },
    evaluate: |estate, verdicts| each_place::<Trail>(estate, verdicts, |place| judge(estate, place)),
};

fn judge(estate: &Estate<'_>, place: Place<'_>) -> Judgement {
    let mut gap = None;
    for trail in estate.trails_at(place) {
        match records_all(trail) {
            Ok(true) => return Ok(Verdict::Pass),
            Ok(false) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    for store in estate.event_data_stores_of(place) {
        match stores_all(store) {
            Ok(true) => return Ok(Verdict::Pass),
            Ok(false) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    if let Some(unknown) = gap {
        return Err(unknown);
    }
    place.was_read(estate, "cloudtrail:DescribeTrails")?;
    // A store that records all Regions is listed in its own only.
    for region in &estate.inventory().header.scope.regions {
        estate.coverage().check(place.account, region, "cloudtrail:ListEventDataStores")?;
    }
    let trails: Vec<Value> = estate.trails_at(place).map(told).collect();
    let told = if trails.is_empty() { "no trail records" } else { "no trail of all Regions records all management events of" };
    let stores: Vec<&str> = estate.event_data_stores_of(place).map(|store| store.data().event_data_store_arn.as_str()).collect();
    let message =
        format!("{told} {} in account {}, and no store of CloudTrail Lake in the scanned Regions does", place.region, place.account);
    fail(message, json!({"trailList": trails, "EventDataStores": stores})).verdict()
}

fn records_all(trail: Node<'_, Trail>) -> Result<bool, Unknown> {
    if trail.is_multi_region_trail != Some(true) {
        return Ok(false);
    }
    Ok(trail.is_logging()? && record_all_management(&trail.data().selectors.known()?.management()))
}

fn stores_all(store: Node<'_, EventDataStore>) -> Result<bool, Unknown> {
    let selectors = store.data().advanced_event_selectors.known()?;
    let recorded: Vec<_> = selectors.iter().filter_map(AdvancedEventSelector::management).collect();
    Ok(store.status.as_deref() == Some("ENABLED") && record_all_management(&recorded))
}

fn told(trail: Node<'_, Trail>) -> Value {
    json!({
        "TrailARN": trail.trail_arn,
        "IsMultiRegionTrail": trail.is_multi_region_trail,
        "IsLogging": trail.status.known().ok().and_then(|status| status.is_logging),
        "Selectors": trail.selectors.known().ok(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::cloudtrail::{EventDataStore, EventSelector, Selectors, Trail, TrailStatus};
    use plimsoll_model::{Seen, Severity};
    use serde_json::json;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn cluster() -> Fixture {
        fixture().cluster("shop", |_| {})
    }

    fn stopped(trail: &mut Trail) {
        trail.status = Seen::Known(TrailStatus { is_logging: Some(false), ..Default::default() });
    }

    fn recording(kind: &str) -> impl Fn(&mut Trail) {
        let selector = EventSelector { read_write_type: Some(kind.to_owned()), ..Default::default() };
        move |trail| trail.selectors = Seen::Known(Selectors { event_selectors: vec![selector.clone()], ..Default::default() })
    }

    fn store(region: &str, multi_region: bool) -> impl Fn(Fixture) -> Fixture {
        let store: EventDataStore = serde_json::from_value(json!({
            "EventDataStoreArn": format!("arn:aws:cloudtrail:{region}:111111111111:eventdatastore/1"), "Name": "lake",
            "Status": "ENABLED", "MultiRegionEnabled": multi_region,
            "AdvancedEventSelectors": {"known": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]},
        }))
        .unwrap();
        let region = region.to_owned();
        move |account| account.region(&region).resource(store.clone())
    }

    #[test]
    fn fails_once_for_each_account_and_region_without_a_whole_trail() {
        let found = findings(&CHECK, cluster().cluster("till", |_| {}).region("eu-west-3").cluster("shop", |_| {}));
        let places: Vec<&str> = found.iter().map(|finding| finding.resource.arn.as_str()).collect();
        assert_eq!(places, ["arn:aws:cloudtrail:eu-west-3:111111111111:trail", "arn:aws:cloudtrail:us-east-1:111111111111:trail"]);
        for change in [stopped as fn(&mut Trail), |trail| trail.is_multi_region_trail = Some(false)] {
            assert_eq!(outcome(&CHECK, cluster().trail("org", change)), Fail(Severity::High));
        }
        assert_eq!(outcome(&CHECK, cluster().trail("org", recording("WriteOnly"))), Fail(Severity::High));
    }

    #[test]
    fn passes_with_one_whole_trail_or_two_selectors_that_make_a_whole() {
        assert_eq!(outcome(&CHECK, cluster().trail("org", |_| {}).trail("old", stopped)), Pass);
        let both = |trail: &mut Trail| {
            recording("WriteOnly")(trail);
            if let Seen::Known(selectors) = &mut trail.selectors {
                selectors.event_selectors.push(EventSelector { read_write_type: Some("ReadOnly".to_owned()), ..Default::default() });
            }
        };
        assert_eq!(outcome(&CHECK, cluster().trail("org", both)), Pass);
    }

    #[test]
    fn a_store_of_all_regions_or_of_this_one_records_as_well() {
        assert_eq!(outcome(&CHECK, store("eu-west-3", true)(cluster())), Pass);
        assert_eq!(outcome(&CHECK, store("us-east-1", false)(cluster())), Pass);
        assert_eq!(outcome(&CHECK, store("eu-west-3", false)(cluster())), Fail(Severity::High));
    }

    #[test]
    fn does_not_apply_where_no_containers_are() {
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().eks_cluster("k8s", |_| {})), Fail(Severity::High), "Kubernetes counts as well");
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |cluster| cluster.status = "INACTIVE".to_owned())), NotApplicable);
    }

    #[test]
    fn is_unknown_when_trail_status_selectors_or_stores_were_not_readable() {
        assert_eq!(outcome(&CHECK, cluster().denied("cloudtrail:DescribeTrails")), Unknown);
        let unread = |trail: &mut Trail| trail.status = gap("cloudtrail:GetTrailStatus").into();
        assert_eq!(outcome(&CHECK, cluster().trail("org", unread)), Unknown);
        let unread = |trail: &mut Trail| trail.selectors = gap("cloudtrail:GetEventSelectors").into();
        assert_eq!(outcome(&CHECK, cluster().trail("org", unread)), Unknown);
        assert_eq!(outcome(&CHECK, cluster().region("eu-west-3").denied("cloudtrail:ListEventDataStores")), Unknown);
        assert_eq!(outcome(&CHECK, cluster().trail("org", |_| {}).denied("cloudtrail:ListEventDataStores")), Pass);
    }
}
