#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::Replay;
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs::Service;
use serde_json::json;

const OURS: &str = "arn:aws:acm-pca:eu-west-3:111111111111:certificate-authority/1";
const ELSEWHERE: &str = "arn:aws:acm-pca:us-east-1:111111111111:certificate-authority/2";

fn services() -> Inventory {
    let mut inventory = Inventory::default();
    let tls = |arn: &str| json!({"portName": "http", "tls": {"issuerCertificateAuthority": {"awsPcaAuthorityArn": arn}}});
    for name in ["web", "api"] {
        let service = json!({"serviceArn": name, "deployments": [
            {"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": true, "services": [tls(OURS), tls(ELSEWHERE), {"portName": "plain"}]}}]});
        inventory.push(&"111111111111".into(), &"eu-west-3".into(), serde_json::from_value::<Service>(service).unwrap());
    }
    inventory
}

#[tokio::test]
async fn an_authority_is_described_once_however_many_services_use_it() {
    let authority = json!({"CertificateAuthority": {"Arn": OURS, "Type": "SUBORDINATE", "Status": "ACTIVE", "NotAfter": 1.8e9}});
    let replay = Replay::new().json("DescribeCertificateAuthority", authority);
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &services()).await;
    assert_eq!(replay.requests(), [("DescribeCertificateAuthority".to_owned(), json!({"CertificateAuthorityArn": OURS}))]);
    assert_eq!(found.certificate_authorities[0].data.status.as_deref(), Some("ACTIVE"));
}

#[tokio::test]
async fn one_that_does_not_exist_is_no_gap_and_a_refusal_is_one() {
    for (code, gaps) in [("ResourceNotFoundException", 0), ("AccessDeniedException", 1)] {
        let api = Api::in_test();
        let found = collect(&api, &Replay::new().error("DescribeCertificateAuthority", code).wire(&SERVICE), &services()).await;
        let told = api.take_gaps();
        assert_eq!((found.len(), told.len()), (0, gaps), "{code}");
        assert!(told.iter().all(|gap| gap.resource.as_deref() == Some(OURS)));
    }
}

#[tokio::test]
async fn a_region_without_service_connect_costs_no_call() {
    let replay = Replay::new();
    collect(&Api::in_test(), &replay.wire(&SERVICE), &Inventory::default()).await;
    assert_eq!(replay.requests(), []);
}
