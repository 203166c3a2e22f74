#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ask, Protocol, Reach, Service, Token, endpoint};
use crate::api::{Api, Operation};
use crate::replay::{Answer, Replay};
use crate::secretsmanager;

const JSON: Service = secretsmanager::SERVICE;
const LIST_SECRETS: Operation = secretsmanager::OPERATIONS[0];

/// The protocols with an operation that the guard lets through.
const fn speaking(protocol: Protocol) -> Service {
    Service { protocol, ..JSON }
}
const QUERY: Service = speaking(Protocol::Query("2015-12-01"));
const REST: Service = speaking(Protocol::RestJson);
const S3: Service = Service { signing_name: "s3", ..speaking(Protocol::RestXml) };

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Listing {
    items: Vec<Item>,
    names: Vec<String>,
    next_marker: Option<String>,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Item {
    name: String,
    port: Option<i32>,
    weight: Option<f64>,
    enabled: Option<bool>,
    created: Option<jiff::Timestamp>,
    inner: Option<Inner>,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Inner {
    zones: Vec<Item>,
}

#[tokio::test]
async fn json_is_asked_by_target_and_paged_to_its_end() {
    let replay = Replay::new().on("ListSecrets", |request| match request.get("NextToken").and_then(Value::as_str) {
        None => Answer::Json(json!({"Items": [{"Name": "a", "Created": 1_700_000_000.123_4, "Port": null}], "NextToken": "x"})),
        Some("x") => Answer::Json(json!({"Items": [{"Name": "b"}], "Unknown": {"is": "ignored"}})),
        Some(_) => Answer::Error("ValidationException"),
    });
    let mut names = Vec::new();
    let ask = Ask::members(json!({"MaxResults": 100}));
    let each = |page: Listing| names.extend(page.items.into_iter().map(|item| (item.name, item.created.map(|at| at.to_string()))));
    replay.wire(&JSON).pages(&Api::in_test(), &LIST_SECRETS, Token::NEXT_CAPITAL, ask, each).await.unwrap();
    assert_eq!(names, [("a".to_owned(), Some("2023-11-14T22:13:20.123Z".to_owned())), ("b".to_owned(), None)]);
    assert_eq!(replay.requests()[1].1, json!({"MaxResults": 100, "NextToken": "x"}));
}

#[tokio::test]
async fn a_token_that_repeats_ends_the_listing() {
    let replay = Replay::new().json("ListSecrets", json!({"Items": [], "NextToken": "again"}));
    let ask = Ask::members(Value::Null);
    replay.wire(&JSON).pages(&Api::in_test(), &LIST_SECRETS, Token::NEXT_CAPITAL, ask, |_: Listing| {}).await.unwrap();
    assert_eq!(replay.count("ListSecrets"), 2);
}

#[tokio::test]
async fn xml_becomes_what_the_type_says() {
    let inside = "<Items><member><Name>1</Name><Port>443</Port><Weight>0.5</Weight><Enabled>true</Enabled><Created>2024-05-01T00:00:00Z</Created>\
        <Inner><Zones><member><Name>a</Name></member><member><Name>b &amp; c</Name></member></Zones></Inner></member></Items>\
        <Names><member>7</member></Names>";
    let replay = Replay::new().xml("ListSecrets", inside);
    let ask = Ask::members(json!({"Names": ["a", "b c"], "PageSize": 400, "Filter": {"Key": "x"}}));
    let listing: Listing = replay.wire(&QUERY).ask(&Api::in_test(), &LIST_SECRETS, ask).await.unwrap();
    let item = &listing.items[0];
    assert_eq!((item.name.as_str(), item.port, item.weight, item.enabled), ("1", Some(443), Some(0.5), Some(true)));
    assert_eq!(item.created.unwrap().to_string(), "2024-05-01T00:00:00Z");
    assert_eq!(item.inner.as_ref().unwrap().zones.iter().map(|zone| zone.name.as_str()).collect::<Vec<_>>(), ["a", "b & c"]);
    assert_eq!(listing.names, ["7"]);
    let form = &replay.requests()[0].1;
    assert_eq!((&form["Names.member.2"], &form["PageSize"], &form["Filter.Key"]), (&json!("b c"), &json!("400"), &json!("x")));
}

#[tokio::test]
async fn empty_and_flattened_lists_of_xml_are_lists() {
    let replay = Replay::new().xml("ListSecrets", "<Items/><Names/>");
    let ask = || Ask::members(Value::Null);
    let listing: Listing = replay.wire(&QUERY).ask(&Api::in_test(), &LIST_SECRETS, ask()).await.unwrap();
    assert_eq!(listing, Listing::default());
    let replay = Replay::new().xml("ListSecrets", "");
    let listing: Listing = replay.wire(&QUERY).ask(&Api::in_test(), &LIST_SECRETS, ask()).await.unwrap();
    assert_eq!(listing, Listing::default());
    let replay =
        Replay::new().xml("GET /", "<ListResult><Items><Name>a</Name></Items><Items><Name>b</Name></Items><Names>x</Names></ListResult>");
    let listing: Listing = replay.wire(&S3).ask(&Api::in_test(), &LIST_SECRETS, Ask::get(&[""])).await.unwrap();
    assert_eq!((listing.items.len(), listing.names), (2, vec!["x".to_owned()]));
    let replay = Replay::new().xml("GET /", "<ListResult><Items><Name>a</Name></Items></ListResult>");
    let listing: Listing = replay.wire(&S3).ask(&Api::in_test(), &LIST_SECRETS, Ask::get(&[""])).await.unwrap();
    assert_eq!(listing.items[0].name, "a");
}

#[tokio::test]
async fn rest_has_encoded_paths_and_tokens_in_the_query_or_the_body() {
    let paged = |request: &Value| match request.get("nextToken") {
        None => Answer::Json(json!({"Items": [{"Name": "a"}], "nextToken": "n/2"})),
        Some(_) => Answer::Json(json!({"Items": []})),
    };
    let replay = Replay::new().on("GET /clusters/a%3Ab%2Fc/nodes", paged).on("POST /findings", paged);
    let wire = replay.wire(&REST);
    let ask = Ask::get(&["clusters", "a:b/c", "nodes"]).query("maxResults", "100");
    wire.pages(&Api::in_test(), &LIST_SECRETS, Token::NEXT, ask, |_: Listing| {}).await.unwrap();
    assert_eq!(replay.requests()[1].1, json!({"maxResults": "100", "nextToken": "n/2"}));
    let ask = Ask::post(&["findings"], json!({"sort": 1}));
    wire.pages(&Api::in_test(), &LIST_SECRETS, Token::NEXT, ask, |_: Listing| {}).await.unwrap();
    assert_eq!(replay.requests()[3].1, json!({"sort": 1, "nextToken": "n/2"}));
}

#[tokio::test]
async fn errors_keep_code_and_message_in_every_protocol() {
    for service in [&JSON, &QUERY, &REST, &S3] {
        let (operation, ask) = match service.protocol {
            Protocol::RestJson | Protocol::RestXml => ("GET /x", Ask::get(&["x"])),
            _ => ("ListSecrets", Ask::members(Value::Null)),
        };
        let replay = Replay::new().error(operation, "AccessDeniedException");
        let gap = replay.wire(service).ask_on::<Listing>(&Api::in_test(), &LIST_SECRETS, "r", ask).await.unwrap_err();
        assert_eq!((gap.code.as_str(), gap.message.as_str()), ("AccessDeniedException", "AccessDeniedException in test"), "{service:?}");
        assert_eq!(replay.requests().len(), 1);
    }
    let replay =
        Replay::new().on("GET /x", |_| Answer::Raw(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_owned()));
    let gap = replay.wire(&S3).ask::<Listing>(&Api::in_test(), &LIST_SECRETS, Ask::get(&["x"])).await.unwrap_err();
    assert_eq!((gap.code.as_str(), gap.message.as_str()), ("AccessDenied", "no"));
}

#[tokio::test]
async fn throttling_is_retried_and_counted() {
    let replay = Replay::new().error("ListSecrets", "ThrottlingException");
    let gap = replay.wire(&JSON).ask::<Listing>(&Api::in_test(), &LIST_SECRETS, Ask::members(Value::Null)).await.unwrap_err();
    assert_eq!(gap.code, "ThrottlingException");
    let counted = replay.statistics.calls()["secretsmanager:ListSecrets"];
    assert_eq!((counted.calls, counted.throttled), (8, 8));
}

#[tokio::test]
async fn an_answer_that_is_not_of_the_protocol_is_malformed() {
    let deep = format!("<ListSecretsResponse>{}{}</ListSecretsResponse>", "<a>".repeat(100), "</a>".repeat(100));
    let bombs = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><ListSecretsResponse>&a;</ListSecretsResponse>".to_owned();
    for (service, body) in [
        (&JSON, "<html>sign in</html>".to_owned()),
        (&JSON, "[]".to_owned()),
        (&JSON, "null".to_owned()),
        (&JSON, "{\"Items\": 7.5}".to_owned()),
        (&QUERY, "{}".to_owned()),
        (&QUERY, "<html>sign in</html>".to_owned()),
        (&QUERY, deep),
        (&QUERY, bombs),
    ] {
        let replay = Replay::new().on("ListSecrets", {
            let body = body.clone();
            move |_| Answer::Raw(200, body.clone())
        });
        let gap = replay.wire(service).ask::<Listing>(&Api::in_test(), &LIST_SECRETS, Ask::members(Value::Null)).await.unwrap_err();
        assert_eq!(gap.code, "MalformedResponse", "{body}: {gap:?}");
    }
}

#[tokio::test]
async fn what_writes_is_refused_before_anything_is_sent() {
    static GET_SECRET_VALUE: Operation =
        Operation { service: "secretsmanager", name: "GetSecretValue", permission: "secretsmanager:GetSecretValue", why: "" };
    let replay = Replay::new();
    let gap = replay.wire(&JSON).ask::<Listing>(&Api::in_test(), &GET_SECRET_VALUE, Ask::members(Value::Null)).await.unwrap_err();
    assert_eq!(gap.code, "RefusedByGuard");
    assert_eq!(replay.requests(), []);
}

async fn url(sdk: &SdkConfig, service: &Service, region: &str) -> String {
    endpoint::url(sdk, service, service.region(region), "").await.unwrap()
}

#[tokio::test]
async fn endpoints_are_those_of_the_partition() {
    let sdk = crate::replay::config(Duration::from_secs(1));
    assert_eq!(url(&sdk, &JSON, "eu-west-3").await, "https://secretsmanager.eu-west-3.amazonaws.com");
    assert_eq!(url(&sdk, &JSON, "cn-north-1").await, "https://secretsmanager.cn-north-1.amazonaws.com.cn");
    let control = endpoint::url(&sdk, &JSON, "eu-west-3", "111111111111.").await.unwrap();
    assert_eq!(control, "https://111111111111.secretsmanager.eu-west-3.amazonaws.com");
    let global = Service { reach: Reach::Partition, host: "organizations", ..JSON };
    assert_eq!(url(&sdk, &global, "eu-west-3").await, "https://organizations.us-east-1.amazonaws.com");
    assert_eq!(url(&sdk, &global, "us-gov-east-1").await, "https://organizations.us-gov-west-1.amazonaws.com");
    let fips = sdk.clone().into_builder().use_fips(true).build();
    assert_eq!(url(&fips, &JSON, "us-east-2").await, "https://secretsmanager-fips.us-east-2.amazonaws.com");
    let own = sdk.into_builder().endpoint_url("http://localhost:4566").region(Region::new("eu-west-3")).build();
    assert_eq!(url(&own, &JSON, "eu-west-3").await, "http://localhost:4566");
}
