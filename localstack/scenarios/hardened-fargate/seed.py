"""A Fargate estate that does everything right: a scan of it must stay quiet."""

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110002"
STORAGE_KEY = "11111111-0002-4000-8000-000000000001"


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    place = estate.network(session, 20)
    estate.close_default_group(session, place.vpc)
    estate.flow_log(session, place.vpc)
    group = endpoints(session, place)
    key = estate.key(session, STORAGE_KEY, estate.fargate_statements(session, "payments"), alias="payments-storage")
    estate.cluster(session, "payments", capacityProviders=["FARGATE"], configuration=estate.storage_configuration(key))
    watched(session, key)
    for name in ("api", "worker"):
        workload(session, place, name, group)


def watched(session: Session, key: str) -> None:
    """GuardDuty with its agent on Fargate, Inspector on images, and a trail that records all."""
    agent = {"Name": "ECS_FARGATE_AGENT_MANAGEMENT", "Status": "ENABLED"}
    runtime = {"Name": "RUNTIME_MONITORING", "Status": "ENABLED", "AdditionalConfiguration": [agent]}
    session.client("guardduty").create_detector(Enable=True, Features=[runtime])
    session.client("inspector2").enable(accountIds=[session.account], resourceTypes=["ECR", "EC2"])
    bucket = estate.bucket(session, f"trail-{session.account}")
    cloudtrail = session.client("cloudtrail")
    cloudtrail.create_trail(
        Name="main", S3BucketName=bucket, IsMultiRegionTrail=True, EnableLogFileValidation=True, KmsKeyId=key
    )
    cloudtrail.put_event_selectors(TrailName="main", EventSelectors=[{"ReadWriteType": "All"}])
    cloudtrail.start_logging(Name="main")


def endpoints(session: Session, place: estate.Network) -> str:
    """Endpoints for the services that tasks call and for the layers of images, and the group that the former listen in."""
    group = estate.security_group(session, place.vpc, "endpoints", ingress=[estate.port(443, "10.20.0.0/16")])
    for name in ("ecr.api", "ecr.dkr", "logs", "secretsmanager"):
        estate.endpoint(session, place, name, group, estate.own_account(session))
    layers = f"arn:aws:s3:::prod-{session.region}-starport-layer-bucket/*"
    read = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": layers}
    estate.storage_endpoint(session, place, read)
    return group


def storage_list(session: Session) -> str:
    """The prefix list of S3 in the region."""
    name = f"com.amazonaws.{session.region}.s3"
    lists = session.client("ec2").describe_managed_prefix_lists()["PrefixLists"]
    return next(each["PrefixListId"] for each in lists if each["PrefixListName"] == name)


def workload(session: Session, place: estate.Network, name: str, endpoint_group: str) -> None:
    """A service with a security group, roles and secrets of its own."""
    to_endpoints = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "UserIdGroupPairs": [{"GroupId": endpoint_group}],
    }
    to_layers = {**to_endpoints, "UserIdGroupPairs": [], "PrefixListIds": [{"PrefixListId": storage_list(session)}]}
    group = estate.security_group(
        session, place.vpc, name, ingress=[estate.port(8080, "10.20.0.0/16")], egress=[to_endpoints, to_layers]
    )
    estate.log_group(session, f"/ecs/{name}")
    uri = estate.repository(session, name)
    image = f"{uri}@{estate.push_image(session, name, '2026.11.1')}"
    container = estate.container(session, name, image=image, secrets=[estate.secret(session, "DATABASE_PASSWORD", name)])
    definition = estate.workload_definition(session, name, containers=[container])
    estate.service(
        session,
        "payments",
        name,
        definition,
        desiredCount=2,
        platformVersion="LATEST",
        networkConfiguration=estate.placement(place, [group]),
    )
