"""Images and their repositories: sound ones, careless ones, and tasks that run what nobody would push now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110013"
REGISTRY_KEY = "11111111-0013-4000-8000-000000000001"
PARTNER = "111111119998"
BAKED_PASSWORD = "Mult1pass" + "-Leeloo-Dallas"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    place = estate.network(session, 130)
    estate.close_default_group(session, place.vpc)
    estate.flow_log(session, place.vpc)
    estate.cluster(session, "supply", capacityProviders=["FARGATE"])
    registry(session)
    sound, careless, forgotten = sound_repository(session), careless_repository(session), forgotten_repository(session)
    sound_digest = estate.push_image(session, "shop/web", "2026.11.1")
    sign(session, sound_digest)
    estate.push_image(session, "shop/legacy", "latest", careless_image())
    estate.push_image(session, "shop/forgotten", "1.0")
    multi_platform(session)
    run(session, place, "by-digest", f"{sound}@{sound_digest}")
    run(session, place, "by-tag", f"{careless}:latest")
    run(session, place, "outdated", f"{forgotten}:1.0")
    run(session, place, "from-docker-hub", "docker.io/library/nginx:latest")
    run(session, place, "from-gallery", "public.ecr.aws/nginx/nginx:1.27")
    run(session, place, "untagged", sound)
    run(session, place, "cached", f"{sound.partition('/')[0]}/hub/library/redis:7")
    # The tag moved on while the task of before still runs.
    newer = estate.image_configuration(User="root", Labels={"version": "2"})
    estate.push_image(session, "shop/legacy", "latest", newer)
    findings(session_factory)


def registry(session: Session) -> None:
    """Basic scanning on push for most, a partner that may replicate, signing, and a cache of Docker Hub."""
    ecr = session.client("ecr")
    filters = [{"filter": f"shop/{name}", "filterType": "WILDCARD"} for name in ("web", "forgotten", "multi")]
    rules = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}]
    ecr.put_registry_scanning_configuration(scanType="BASIC", rules=rules)
    replicate = {
        "Sid": "Replicate",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{PARTNER}:root"},
        "Action": ["ecr:CreateRepository", "ecr:ReplicateImage"],
        "Resource": f"arn:aws:ecr:{session.region}:{session.account}:repository/*",
    }
    ecr.put_registry_policy(policyText=estate.policy_document([replicate]))
    platform = "Notation-OCI-SHA384-ECDSA"
    profile = session.client("signer").put_signing_profile(profileName="containers", platformId=platform)["arn"]
    web = {"filter": "shop/web", "filterType": "WILDCARD_MATCH"}
    signing = {"rules": [{"signingProfileArn": profile, "repositoryFilters": [web]}]}
    ecr.put_signing_configuration(signingConfiguration=signing)
    ecr.create_pull_through_cache_rule(
        ecrRepositoryPrefix="hub",
        upstreamRegistryUrl="registry-1.docker.io",
        credentialArn=f"arn:aws:secretsmanager:{session.region}:{session.account}:secret:ecr-pullthroughcache/hub-AbCdEf",
    )


def sound_repository(session: Session) -> str:
    """Immutable, scanned, encrypted with a key of our own, open to no one else."""
    key = estate.key(session, REGISTRY_KEY, alias="registry")
    return estate.repository(session, "shop/web", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key})


def careless_repository(session: Session) -> str:
    """Anyone may pull and push; tags may move; nothing is scanned and nothing expires."""
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage"]
    everyone = {"Sid": "Everyone", "Effect": "Allow", "Principal": "*", "Action": actions}
    scanning = {"scanOnPush": False}
    return estate.repository(
        session,
        "shop/legacy",
        [everyone],
        imageTagMutability="MUTABLE",
        imageScanningConfiguration=scanning,
        lifecycle=False,
    )


def forgotten_repository(session: Session) -> str:
    """Shared with a partner, who may push; otherwise in order."""
    partner = {"AWS": f"arn:aws:iam::{PARTNER}:root"}
    statement = {"Sid": "Partner", "Effect": "Allow", "Principal": partner, "Action": "ecr:*"}
    return estate.repository(session, "shop/forgotten", [statement])


def careless_image() -> dict[str, Any]:
    """Runs as root, with a password baked in and SSH to enter by."""
    return estate.image_configuration(
        User="",
        Env=["PATH=/usr/local/bin:/usr/bin", f"DATABASE_PASSWORD={BAKED_PASSWORD}"],
        ExposedPorts={"22/tcp": {}, "8080/tcp": {}},
        Labels={},
    )


def multi_platform(session: Session) -> None:
    """An index over the images of two platforms."""
    estate.repository(session, "shop/multi")
    arm = {**estate.image_configuration(), "architecture": "arm64"}
    digests = [estate.push_image(session, "shop/multi", None), estate.push_image(session, "shop/multi", None, arm)]
    manifests = [
        {
            "mediaType": MANIFEST,
            "digest": digest,
            "size": 700,
            "platform": {"architecture": architecture, "os": "linux"},
        }
        for digest, architecture in zip(digests, ("amd64", "arm64"), strict=True)
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    estate.put_manifest(session, "shop/multi", "3.1", index)


def sign(session: Session, digest: str) -> None:
    """A signature of an image, as Notation stores it."""
    empty = estate.upload(session, "shop/web", b"{}")
    signature = estate.upload(session, "shop/web", b"a signature")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.cncf.notary.signature",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", **empty},
        "layers": [{"mediaType": "application/jose+json", **signature}],
        "subject": {"mediaType": MANIFEST, "digest": digest, "size": 700},
    }
    estate.put_manifest(session, "shop/web", None, manifest)


def run(session: Session, place: estate.Network, name: str, image: str) -> None:
    """A service of one task with an image."""
    group = estate.security_group(session, place.vpc, name, egress=[estate.port(443, "10.130.0.0/16")])
    container = estate.container(session, name, image=image)
    definition = estate.workload_definition(session, name, containers=[container])
    estate.service(session, "supply", name, definition, networkConfiguration=estate.placement(place, [group]))


def findings(session_factory: SessionFactory) -> None:
    """The forgotten image was pushed and scanned a year ago, when it already had critical faults."""
    past = (datetime.now(UTC) - timedelta(days=400)).isoformat()
    counts = {"CRITICAL": 2, "HIGH": 5}
    where = {"account": ACCOUNT, "region": "us-east-1"}
    summary = {"imageScanCompletedAt": past, "vulnerabilitySourceUpdatedAt": past, "findingSeverityCounts": counts}
    changes = {"imagePushedAt": past, "imageScanFindingsSummary": summary}
    image = {"repository": "shop/forgotten", "tag": "1.0"}
    session_factory.control("image", {**where, **image, "changes": changes})
    found = {
        "name": "CVE-2021-44228",
        "severity": "CRITICAL",
        "uri": "https://nvd.nist.gov/vuln/detail/CVE-2021-44228",
        "attributes": [
            {"key": "package_name", "value": "log4j-core"},
            {"key": "package_version", "value": "2.14.1"},
        ],
    }
    answer = {
        "registryId": ACCOUNT,
        "repositoryName": "shop/forgotten",
        "imageId": {"imageTag": "1.0"},
        "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
        "imageScanFindings": {**summary, "findings": [found]},
    }
    operation = {"operation": "ecr:DescribeImageScanFindings", "when": {"repositoryName": "shop/forgotten"}}
    session_factory.control("answer", {**where, **operation, "result": answer})
