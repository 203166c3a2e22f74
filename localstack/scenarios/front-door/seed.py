"""Services behind load balancers: one in the clear on a laxly set up balancer, one behind a good one, one on an NLB."""

from typing import Any

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110012"
OLD_TLS = "ELBSecurityPolicy-TLS-1-0-2015-04"
NEW_TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"
LOGS = f"front-door-logs-{ACCOUNT}"
ELB_ACCOUNT = "127311923021"  # what delivers access logs in us-east-1


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    public = estate.network(session, 120, public=True)
    private = estate.private_subnets(session, public.vpc, 120)
    estate.close_default_group(session, public.vpc)
    estate.flow_log(session, public.vpc)
    estate.cluster(session, "front", capacityProviders=["FARGATE"])
    certificate = session.client("acm").request_certificate(DomainName="shop.example.com")["CertificateArn"]
    open_front(session, public, private, certificate)
    guarded_front(session, public, private, certificate)
    stream(session, public, private)
    internal(session, private)


def balancer_group(session: Session, vpc: str, name: str, ports: tuple[int, ...]) -> str:
    """The group of a balancer that the world may reach."""
    ingress = [estate.port(number, estate.ANYWHERE) for number in ports]
    return estate.security_group(session, vpc, name, ingress=ingress, egress=[estate.port(8080, "10.120.0.0/16")])


def service(session: Session, private: estate.Network, name: str, target_group: str, ingress: dict[str, Any]) -> None:
    """A service of two tasks whose addresses are targets."""
    group = estate.security_group(
        session, private.vpc, name, ingress=[ingress], egress=[estate.port(443, "10.120.0.0/16")]
    )
    target = {"targetGroupArn": target_group, "containerName": name, "containerPort": 8080}
    estate.service(
        session,
        "front",
        name,
        estate.workload_definition(session, name),
        desiredCount=2,
        loadBalancers=[target],
        networkConfiguration=estate.placement(private, [group]),
    )
    estate.register_targets(session, "front", name, target_group)


def from_group(group: str) -> dict[str, Any]:
    """The container's port, for members of a group."""
    return {**estate.port(8080, ""), "IpRanges": [], "UserIdGroupPairs": [{"GroupId": group}]}


def target_group(session: Session, vpc: str, name: str, protocol: str = "HTTP") -> str:
    """A group of addresses."""
    request = {"Name": name, "Protocol": protocol, "Port": 8080, "VpcId": vpc, "TargetType": "ip"}
    return session.client("elbv2").create_target_group(**request)["TargetGroups"][0]["TargetGroupArn"]


def balancer(session: Session, name: str, place: estate.Network, **request: Any) -> str:
    """A load balancer."""
    answer = session.client("elbv2").create_load_balancer(
        Name=name, Subnets=list(place.subnets), Tags=estate.aws_tags(estate.TAGS), **request
    )
    return answer["LoadBalancers"][0]["LoadBalancerArn"]


def set_attributes(session: Session, arn: str, attributes: dict[str, str]) -> None:
    """Attributes of a load balancer."""
    session.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=estate.aws_tags(attributes))


def open_front(session: Session, public: estate.Network, private: estate.Network, certificate: str) -> None:
    """Speaks plain HTTP, and TLS as of 2015; a rule forwards the admin path; no logs, no firewall."""
    elb = session.client("elbv2")
    group = balancer_group(session, public.vpc, "open-balancer", (80, 443))
    arn = balancer(session, "open", public, SecurityGroups=[group], Scheme="internet-facing")
    set_attributes(
        session, arn, {"routing.http.desync_mitigation_mode": "monitor", "routing.http.xff_client_port.enabled": "true"}
    )
    targets = target_group(session, public.vpc, "open")
    forward = [{"Type": "forward", "TargetGroupArn": targets}]
    plain = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    elb.create_listener(
        LoadBalancerArn=arn,
        Protocol="HTTPS",
        Port=443,
        SslPolicy=OLD_TLS,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=forward,
    )
    elb.create_rule(
        ListenerArn=plain["Listeners"][0]["ListenerArn"],
        Priority=10,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/admin/*"]}}],
        Actions=forward,
    )
    service(session, private, "open", targets, from_group(group))


def guarded_front(session: Session, public: estate.Network, private: estate.Network, certificate: str) -> None:
    """Sends plain HTTP to TLS 1.3, drops bad headers, keeps logs, and stands behind a firewall."""
    elb = session.client("elbv2")
    group = balancer_group(session, public.vpc, "guarded-balancer", (80, 443))
    arn = balancer(session, "guarded", public, SecurityGroups=[group], Scheme="internet-facing")
    log_bucket(session)
    set_attributes(
        session,
        arn,
        {
            "deletion_protection.enabled": "true",
            "routing.http.drop_invalid_header_fields.enabled": "true",
            "routing.http.desync_mitigation_mode": "strictest",
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": LOGS,
            "access_logs.s3.prefix": "guarded",
        },
    )
    targets = target_group(session, public.vpc, "guarded")
    forward = [{"Type": "forward", "TargetGroupArn": targets}]
    to_tls = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    redirect = [{"Type": "redirect", "RedirectConfig": to_tls}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=redirect)
    elb.create_listener(
        LoadBalancerArn=arn,
        Protocol="HTTPS",
        Port=443,
        SslPolicy=NEW_TLS,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=forward,
    )
    service(session, private, "guarded", targets, from_group(group))
    firewall(session, arn)


def log_bucket(session: Session) -> None:
    """The bucket for access logs."""
    write = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ELB_ACCOUNT}:root"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{LOGS}/guarded/AWSLogs/{session.account}/*",
    }
    estate.bucket(session, LOGS, [write])


def firewall(session: Session, balancer_arn: str) -> None:
    """A web ACL with a rate limit and a managed rule group."""
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True}
    rate = {
        "Name": "rate",
        "Priority": 0,
        "Statement": {"RateBasedStatement": {"Limit": 2000, "AggregateKeyType": "IP"}},
        "Action": {"Block": {}},
        "VisibilityConfig": {**visible, "MetricName": "rate"},
    }
    common = {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}
    managed = {
        "Name": "common",
        "Priority": 1,
        "Statement": {"ManagedRuleGroupStatement": common},
        "OverrideAction": {"None": {}},
        "VisibilityConfig": {**visible, "MetricName": "common"},
    }
    wafv2 = session.client("wafv2")
    acl = wafv2.create_web_acl(
        Name="guarded",
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        Rules=[rate, managed],
        VisibilityConfig={**visible, "MetricName": "guarded"},
    )["Summary"]["ARN"]
    wafv2.associate_web_acl(WebACLArn=acl, ResourceArn=balancer_arn)


def stream(session: Session, public: estate.Network, private: estate.Network) -> None:
    """A network load balancer without a group: the service itself has to let the world in."""
    elb = session.client("elbv2")
    arn = balancer(session, "stream", public, Type="network", Scheme="internet-facing")
    targets = target_group(session, public.vpc, "stream", "TCP")
    forward = [{"Type": "forward", "TargetGroupArn": targets}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=9000, DefaultActions=forward)
    service(session, private, "stream", targets, estate.port(8080, estate.ANYWHERE))


def internal(session: Session, private: estate.Network) -> None:
    """A balancer that only the network itself reaches."""
    elb = session.client("elbv2")
    group = estate.security_group(
        session,
        private.vpc,
        "internal-balancer",
        ingress=[estate.port(80, "10.120.0.0/16")],
        egress=[estate.port(8080, "10.120.0.0/16")],
    )
    arn = balancer(session, "internal", private, SecurityGroups=[group], Scheme="internal")
    targets = target_group(session, private.vpc, "internal")
    forward = [{"Type": "forward", "TargetGroupArn": targets}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    service(session, private, "internal", targets, from_group(group))
