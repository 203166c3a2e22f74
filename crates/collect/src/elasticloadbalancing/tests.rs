#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::aws::elasticloadbalancing::{Action, Listener, LoadBalancer, TargetGroup};
use plimsoll_model::{Gap, Inventory};
use serde_json::{Value, json};

const WEB: &str = "arn:aws:elasticloadbalancing:eu-west-3:111111111111:loadbalancer/app/web/1";
const HAND: &str = "arn:aws:elasticloadbalancing:eu-west-3:111111111111:loadbalancer/net/hand/2";
const PODS: &str = "arn:aws:elasticloadbalancing:eu-west-3:111111111111:loadbalancer/net/pods/3";
const DOOR: &str = "arn:aws:elasticloadbalancing:eu-west-3:111111111111:loadbalancer/net/door/4";
const OTHER: &str = "arn:aws:elasticloadbalancing:eu-west-3:111111111111:loadbalancer/app/other/5";
const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-3:111111111111:targetgroup/";
const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-west-3:111111111111:listener/app/web/1/a";

fn containers() -> Inventory {
    let mut inventory = Inventory::default();
    let place = (&"111111111111".into(), &"eu-west-3".into());
    let service = json!({"serviceArn": "s", "loadBalancers": [{"targetGroupArn": format!("{GROUP}web"), "containerName": "web", "containerPort": 80,
        "advancedConfiguration": {"alternateTargetGroupArn": format!("{GROUP}green")}}]});
    inventory.push(place.0, place.1, serde_json::from_value::<plimsoll_model::aws::ecs::Service>(service).unwrap());
    let task = json!({"taskArn": "t", "containers": [{"name": "web", "networkInterfaces": [{"privateIpv4Address": "10.0.0.7"}]}]});
    inventory.push(place.0, place.1, serde_json::from_value::<plimsoll_model::aws::ecs::Task>(task).unwrap());
    inventory
}

fn balancer(arn: &str, kind: &str) -> String {
    let name = arn.rsplit('/').nth(1).unwrap();
    format!(
        "<member><LoadBalancerArn>{arn}</LoadBalancerArn><LoadBalancerName>{name}</LoadBalancerName><Type>{kind}</Type>\
         <Scheme>internet-facing</Scheme><VpcId>vpc-1</VpcId><State><Code>active</Code></State><IpAddressType>ipv4</IpAddressType>\
         <SecurityGroups><member>sg-1</member></SecurityGroups><CreatedTime>2026-01-02T03:04:05.670Z</CreatedTime>\
         <AvailabilityZones><member><ZoneName>eu-west-3a</ZoneName><SubnetId>subnet-1</SubnetId><LoadBalancerAddresses><member>\
         <IpAddress>203.0.113.7</IpAddress><AllocationId>eipalloc-1</AllocationId></member></LoadBalancerAddresses></member>\
         <member><ZoneName>eu-west-3b</ZoneName><SubnetId>subnet-2</SubnetId><LoadBalancerAddresses/></member></AvailabilityZones></member>"
    )
}

fn group(name: &str, kind: &str, balancer: Option<&str>) -> String {
    let balancers = balancer.map_or(String::new(), |arn| format!("<member>{arn}</member>"));
    format!(
        "<member><TargetGroupArn>{GROUP}{name}</TargetGroupArn><TargetGroupName>{name}</TargetGroupName><Protocol>HTTP</Protocol>\
         <Port>8080</Port><VpcId>vpc-1</VpcId><TargetType>{kind}</TargetType><HealthCheckEnabled>true</HealthCheckEnabled>\
         <LoadBalancerArns>{balancers}</LoadBalancerArns></member>"
    )
}

fn target(id: &str) -> Answer {
    Answer::Xml(format!(
        "<TargetHealthDescriptions><member><Target><Id>{id}</Id><Port>8080</Port></Target><HealthCheckPort>8080</HealthCheckPort>\
         <TargetHealth><State>healthy</State></TargetHealth></member></TargetHealthDescriptions>"
    ))
}

fn text<'v>(request: &'v Value, name: &str) -> &'v str {
    request.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn answering() -> Replay {
    let balancers = [balancer(WEB, "application"), balancer(HAND, "network"), balancer(PODS, "network"), balancer(DOOR, "network")];
    let groups = [
        group("web", "ip", Some(WEB)),
        group("green", "ip", None),
        group("hand", "ip", Some(HAND)),
        group("door", "alb", Some(DOOR)),
        group("other", "lambda", Some(OTHER)),
        group("idle", "ip", None),
    ];
    Replay::new()
        .on("DescribeLoadBalancers", move |request| match text(request, "Marker") {
            "" => Answer::Xml(format!("<LoadBalancers>{}</LoadBalancers><NextMarker>2</NextMarker>", balancers.concat())),
            _ => Answer::Xml(format!("<LoadBalancers>{}</LoadBalancers>", balancer(OTHER, "application"))),
        })
        .xml("DescribeTargetGroups", &format!("<TargetGroups>{}</TargetGroups>", groups.concat()))
        .on("DescribeTags", |request| {
            let arns = (1..=20).map(|number| text(request, &format!("ResourceArns.member.{number}"))).filter(|arn| !arn.is_empty());
            let tagged = arns.map(|arn| {
                let key = if arn == PODS { "elbv2.k8s.aws/cluster" } else { "admin-password" };
                format!(
                    "<member><ResourceArn>{arn}</ResourceArn><Tags><member><Key>{key}</Key><Value>Tr0ub4dor&amp;3</Value></member></Tags></member>"
                )
            });
            Answer::Xml(format!("<TagDescriptions>{}</TagDescriptions>", tagged.collect::<String>()))
        })
        .on("DescribeTargetHealth", |request| match text(request, "TargetGroupArn") {
            arn if arn.ends_with("/hand") => target("10.0.0.7"),
            arn if arn.ends_with("/door") => target(WEB),
            _ => Answer::Xml("<TargetHealthDescriptions/>".to_owned()),
        })
        .on("DescribeListeners", |request| match text(request, "LoadBalancerArn") {
            WEB => Answer::Xml(format!(
                "<Listeners><member><ListenerArn>{LISTENER}</ListenerArn><LoadBalancerArn>{WEB}</LoadBalancerArn><Port>443</Port>\
                 <Protocol>HTTPS</Protocol><SslPolicy>ELBSecurityPolicy-2016-08</SslPolicy><Certificates><member>\
                 <CertificateArn>arn:aws:acm:eu-west-3:111111111111:certificate/1</CertificateArn></member></Certificates>\
                 <DefaultActions><member><Type>fixed-response</Type><Order>1</Order><FixedResponseConfig><MessageBody>sesame</MessageBody>\
                 <StatusCode>404</StatusCode></FixedResponseConfig></member></DefaultActions></member></Listeners>"
            )),
            _ => Answer::Xml("<Listeners/>".to_owned()),
        })
        .xml(
            "DescribeRules",
            &format!(
                "<Rules><member><RuleArn>{LISTENER}/r</RuleArn><Priority>1</Priority><IsDefault>false</IsDefault><Conditions><member>\
                 <Field>http-header</Field><HttpHeaderConfig><HttpHeaderName>X-Origin-Verify</HttpHeaderName><Values><member>sesame</member></Values>\
                 </HttpHeaderConfig></member><member><Field>path-pattern</Field><Values><member>/api/*</member></Values><PathPatternConfig><Values>\
                 <member>/api/*</member></Values></PathPatternConfig></member></Conditions><Actions><member><Type>forward</Type>\
                 <TargetGroupArn>{GROUP}web</TargetGroupArn><ForwardConfig><TargetGroups><member><TargetGroupArn>{GROUP}web</TargetGroupArn>\
                 <Weight>1</Weight></member><member><TargetGroupArn>{GROUP}green</TargetGroupArn><Weight>0</Weight></member></TargetGroups>\
                 </ForwardConfig></member></Actions></member></Rules>"
            ),
        )
        .xml(
            "DescribeLoadBalancerAttributes",
            "<Attributes><member><Key>access_logs.s3.enabled</Key><Value>false</Value></member><member>\
             <Key>routing.http.x_amzn_tls_version_and_cipher_suite.enabled</Key><Value>true</Value></member></Attributes>",
        )
        .xml(
            "DescribeTargetGroupAttributes",
            "<Attributes><member><Key>preserve_client_ip.enabled</Key><Value>true</Value></member></Attributes>",
        )
        .xml(
            "DescribeSSLPolicies",
            "<SslPolicies><member><Name>ELBSecurityPolicy-2016-08</Name><SslProtocols><member>TLSv1</member><member>TLSv1.2</member></SslProtocols>\
             <Ciphers><member><Name>AES128-SHA</Name><Priority>1</Priority></member></Ciphers></member>\
             <member><Name>ELBSecurityPolicy-Unused</Name></member></SslPolicies>",
        )
}

fn of<'i>(found: &'i Inventory, name: &str) -> &'i LoadBalancer {
    found.load_balancers.iter().map(|one| &one.data).find(|balancer| balancer.load_balancer_name == name).unwrap()
}

fn group_of<'i>(found: &'i Inventory, name: &str) -> &'i TargetGroup {
    found.target_groups.iter().map(|one| &one.data).find(|group| group.target_group_name == name).unwrap()
}

#[tokio::test]
async fn load_balancers_are_kept_as_aws_tells_them() {
    let replay = answering();
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &containers()).await;
    let web = of(&found, "web");
    assert!(web.is_internet_facing() && web.is_application());
    assert_eq!(web.availability_zones[0].load_balancer_addresses[0].ip_address.as_deref(), Some("203.0.113.7"));
    assert_eq!((web.availability_zones.len(), web.security_groups.as_slice()), (2, ["sg-1".to_owned()].as_slice()));
    assert_eq!(web.created_time.unwrap().to_string(), "2026-01-02T03:04:05.67Z");
    assert_eq!(web.tags.known().unwrap()[0].value, "[secret: named-secret]");
    assert_eq!(web.attributes.known().unwrap().iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["false", "true"]);
    let group = group_of(&found, "web");
    assert_eq!(
        (group.port, group.health_check_enabled, group.load_balancer_arns.as_slice()),
        (Some(8080), Some(true), [WEB.to_owned()].as_slice())
    );
    assert_eq!(group.attributes.known().unwrap()[0].key, "preserve_client_ip.enabled");
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn listeners_have_their_rules_and_no_text_that_may_be_secret() {
    let replay = answering();
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &containers()).await;
    let listener: &Listener = &found.listeners[0].data;
    assert_eq!((listener.port, listener.protocol.as_deref()), (Some(443), Some("HTTPS")));
    let rule = &listener.rules.known().unwrap()[0];
    assert_eq!(rule.conditions[0].http_header_config.as_ref().unwrap().http_header_name.as_deref(), Some("X-Origin-Verify"));
    assert_eq!(rule.conditions[1].path_pattern_config.as_ref().unwrap().values, ["/api/*"]);
    let groups: Vec<&str> = listener.actions().unwrap().flat_map(Action::target_groups).collect();
    assert_eq!(groups.last().unwrap(), &format!("{GROUP}green"));
    assert!(!serde_json::to_string(listener).unwrap().contains("sesame"));
    assert_eq!(found.ssl_policies.iter().map(|one| one.data.name.as_str()).collect::<Vec<_>>(), ["ELBSecurityPolicy-2016-08"]);
    assert_eq!(found.ssl_policies[0].data.ssl_protocols, ["TLSv1", "TLSv1.2"]);
}

#[tokio::test]
async fn details_are_read_of_what_leads_to_containers_and_of_nothing_else() {
    let replay = answering();
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &containers()).await;
    // A service's, a task's by hand, Kubernetes' by tag, and the one in front of the first.
    for name in ["web", "hand", "pods", "door"] {
        assert!(of(&found, name).listeners.known().is_ok(), "{name}");
    }
    assert_eq!(of(&found, "other").listeners.known().unwrap_err().code, Gap::NOT_COLLECTED);
    assert_eq!(group_of(&found, "other").target_health_descriptions.known().unwrap_err().code, Gap::NOT_COLLECTED);
    assert_eq!(
        (replay.count("DescribeListeners"), replay.count("DescribeLoadBalancerAttributes"), replay.count("DescribeRules")),
        (4, 4, 1)
    );
    // web, green, hand and door: not the function's, and not the one that nothing uses.
    assert_eq!((replay.count("DescribeTargetHealth"), replay.count("DescribeTargetGroupAttributes")), (4, 4));
    assert_eq!((replay.count("DescribeTags"), replay.count("DescribeSSLPolicies")), (3, 1));
    assert_eq!(text(&replay.requests()[0].1, "PageSize"), "400");
}

#[tokio::test]
async fn what_is_refused_is_a_gap_of_its_load_balancer() {
    let mut replay = answering();
    for operation in ["DescribeListeners", "DescribeTags", "DescribeLoadBalancerAttributes"] {
        replay = replay.error(operation, "AccessDenied");
    }
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &containers()).await;
    let web = of(&found, "web");
    assert_eq!(web.listeners.known().unwrap_err().resource.as_deref(), Some(WEB));
    assert!(web.tags.known().is_err() && web.attributes.known().is_err() && found.listeners.is_empty());
    let gaps = api.take_gaps();
    assert!(gaps.iter().any(|gap| gap.operation == "elasticloadbalancing:DescribeTags" && gap.resource.is_none()), "{gaps:?}");
    assert!(gaps.iter().any(|gap| gap.operation == "elasticloadbalancing:DescribeListeners" && gap.resource.as_deref() == Some(WEB)));
}

#[tokio::test]
async fn refused_listings_are_gaps_and_nothing_more_is_asked() {
    let replay = answering().error("DescribeLoadBalancers", "AccessDenied").error("DescribeTargetGroups", "AccessDenied");
    let api = Api::in_test();
    assert!(collect(&api, &replay.wire(&SERVICE), &containers()).await.is_empty());
    assert_eq!((api.take_gaps().len(), replay.requests().len()), (2, 2));
}

#[tokio::test]
async fn tags_of_the_others_are_told_when_one_has_gone() {
    let replay = answering();
    let replay = replay.on("DescribeTags", |request| {
        let first = text(request, "ResourceArns.member.1");
        if first == HAND || !text(request, "ResourceArns.member.2").is_empty() {
            return Answer::Error("LoadBalancerNotFound");
        }
        Answer::Xml(format!("<TagDescriptions><member><ResourceArn>{first}</ResourceArn><Tags/></member></TagDescriptions>"))
    });
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &containers()).await;
    assert_eq!(of(&found, "web").tags.known().unwrap(), &[]);
    assert!(of(&found, "hand").tags.known().is_err());
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn a_listener_that_has_gone_has_no_rules() {
    let replay = answering().error("DescribeRules", "ListenerNotFound");
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &containers()).await;
    assert_eq!(found.listeners[0].data.rules.known().unwrap(), &[]);
    assert_eq!(api.take_gaps(), []);
}
