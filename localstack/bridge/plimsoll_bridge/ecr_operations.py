"""ECR operations and facts that moto lacks: layers, signing, pull-through caches, digests and scan states."""

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore import xform_name
from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.spec import load_service
from localstack.http import Request, Response
from localstack.utils.patch import patch
from moto.ecr.models import ECRBackend, Image, ecr_backends

from plimsoll_bridge.answers import typed

Answer = dict[str, Any]
Place = tuple[str, str]

LAYER_PATH = "/_plimsoll/layers"
REGISTRY = ".dkr.ecr."
_LAYERS: dict[str, bytes] = {}
_UPLOADS: dict[str, bytearray] = {}
_SIGNING: dict[Place, Answer] = {}
_CACHES: defaultdict[Place, dict[str, Answer]] = defaultdict(dict)
_SETTINGS = {"BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "REGISTRY_POLICY_SCOPE": "V2", "BLOB_MOUNTING": "DISABLED"}


def apply() -> None:
    """Patches moto's images."""
    Image._create_digest = set_digest
    Image.get_image_size_in_bytes = size
    patch(Image.__init__)(complete_image)
    patch(ECRBackend.put_image)(put_image)
    patch(ECRBackend.batch_get_repository_scanning_configuration)(scanning_configuration)


def set_digest(image: Image) -> None:
    """The digest of the manifest as it was pushed; moto hashes the names of its layers."""
    image._image_digest = "sha256:" + hashlib.sha256(image.image_manifest.encode()).hexdigest()


def size(image: Image) -> int | None:
    """What the layers weigh; moto takes the size of the configuration."""
    layers = json.loads(image.image_manifest).get("layers")
    return sum(layer.get("size", 0) for layer in layers) if layers else None


def complete_image(init: Any, image: Image, *args: Any, **kwargs: Any) -> None:
    """What kind of artifact it is, and the outcome of a scan where the repository scans on push."""
    init(image, *args, **kwargs)
    manifest = json.loads(image.image_manifest)
    image.artifact_media_type = manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType")
    image.subject_manifest_digest = (manifest.get("subject") or {}).get("digest")
    image.image_status = "ACTIVE"
    for regions in ecr_backends.get(image.registry_id, {}).values():
        repository = regions.repositories.get(image.repository_name)
        if repository and repository.image_scanning_configuration.get("scanOnPush"):
            image.image_scan_status = {"status": "COMPLETE", "description": "The scan was completed successfully."}
            image.image_scan_findings_summary = {
                "imageScanCompletedAt": datetime.now(UTC),
                "vulnerabilitySourceUpdatedAt": datetime.now(UTC),
                "findingSeverityCounts": {},
            }


def put_image(
    original: Any, backend: ECRBackend, repository_name: str, image_manifest: str, image_tag: str, *rest: Any
) -> Any:
    """Takes the tag from the image that had it, which stays without one; moto deletes that image."""
    repository = backend.repositories.get(repository_name)
    for image in repository.images if repository and not repository.is_tag_immutable() else []:
        if image_tag in image.image_tags and image.image_manifest != image_manifest:
            image.image_tags.remove(image_tag)
            image.image_tag = image.image_tags[-1] if image.image_tags else None
    return original(backend, repository_name, image_manifest, image_tag, *rest)


def scanning_configuration(original: Any, backend: ECRBackend, names: list[str]) -> Any:
    """Scans on push where a rule of the registry or the repository itself says so; moto never does."""
    configurations, failing = original(backend, names)
    for each in configurations:
        setting = backend.repositories[each["repositoryName"]].image_scanning_configuration
        if each["scanFrequency"] == "MANUAL" and setting.get("scanOnPush"):
            each["scanFrequency"] = "SCAN_ON_PUSH"
        each["scanOnPush"] = each["scanFrequency"] != "MANUAL"
    return configurations, failing


def digest_of(image: str) -> str:
    """The digest that a task gets for an image reference: the pinned one, the pushed one, or one made up."""
    reference, _, pinned = image.partition("@")
    if pinned:
        return pinned
    registry, _, path = reference.partition("/")
    name, _, tag = path.partition(":")
    if REGISTRY in registry:
        account, region = registry.split(".")[0], registry.split(".")[3]
        repository = ecr_backends[account][region].repositories.get(name)
        for pushed in repository.images if repository else []:
            if (tag or "latest") in pushed.image_tags:
                return pushed.image_digest
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()


def change_image(body: Mapping[str, Any]) -> Answer:
    """Sets what AWS finds out by itself about an image: scan states, findings, times."""
    repository = ecr_backends[body["account"]][body["region"]].repositories[body["repository"]]
    image = repository._get_image(body.get("tag"), body.get("digest"))
    shape = load_service("ecr").shape_for("ImageDetail")
    for name, value in typed(body["changes"], shape).items():
        setattr(image, xform_name(name), value)
    return {"imageDigest": image.image_digest}


def list_image_referrers(context: RequestContext) -> Answer:
    """What points at an image: signatures, attestations, bills of materials."""
    request = context.service_request or {}
    repository = ecr_backends[context.account_id][context.region].repositories.get(request["repositoryName"])
    if repository is None:
        message = f"The repository with name '{request['repositoryName']}' does not exist in the registry."
        raise CommonServiceException("RepositoryNotFoundException", message, 400, True)
    wanted = request["subjectId"]["imageDigest"]
    referrers = [
        {
            "digest": image.image_digest,
            "mediaType": image.image_manifest_media_type,
            "artifactType": image.artifact_media_type,
            "size": len(image.image_manifest),
        }
        for image in repository.images
        if image.subject_manifest_digest == wanted
    ]
    return {"referrers": referrers}


# Layers


def initiate_layer_upload(_context: RequestContext) -> Answer:
    """Begins an upload."""
    upload = str(uuid.uuid4())
    _UPLOADS[upload] = bytearray()
    return {"uploadId": upload, "partSize": 20 * 1024 * 1024}


def upload_layer_part(context: RequestContext) -> Answer:
    """Adds to an upload."""
    request = context.service_request or {}
    _UPLOADS[request["uploadId"]] += request["layerPartBlob"]
    return {"uploadId": request["uploadId"], "lastByteReceived": len(_UPLOADS[request["uploadId"]]) - 1}


def complete_layer_upload(context: RequestContext) -> Answer:
    """Keeps an upload under its digest."""
    request = context.service_request or {}
    blob = bytes(_UPLOADS.pop(request["uploadId"]))
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    _LAYERS[digest] = blob
    return {"repositoryName": request["repositoryName"], "uploadId": request["uploadId"], "layerDigest": digest}


def batch_check_layer_availability(context: RequestContext) -> Answer:
    """Which layers are there."""
    digests = (context.service_request or {}).get("layerDigests") or []
    reason = "Requested layer not found"
    return {
        "layers": [
            {"layerDigest": each, "layerAvailability": "AVAILABLE", "layerSize": len(_LAYERS[each])}
            for each in digests
            if each in _LAYERS
        ],
        "failures": [
            {"layerDigest": each, "failureCode": "MissingLayerDigest", "failureReason": reason}
            for each in digests
            if each not in _LAYERS
        ],
    }


def get_download_url_for_layer(context: RequestContext) -> Answer:
    """Where a layer, or the configuration of an image, can be fetched without a signature, as from AWS's S3."""
    digest = (context.service_request or {})["layerDigest"]
    if digest not in _LAYERS:
        raise CommonServiceException("LayersNotFoundException", f"The layer {digest} was not found.", 400, True)
    return {"downloadUrl": f"{context.request.host_url.rstrip('/')}{LAYER_PATH}/{digest}", "layerDigest": digest}


def layer(_request: Request, digest: str) -> Response:
    """GET /_plimsoll/layers/DIGEST returns the bytes of a layer."""
    blob = _LAYERS.get(digest)
    return Response(blob or b"", 200 if blob is not None else 404, mimetype="application/octet-stream")


# Signing, pull-through caches and account settings


def place_of(context: RequestContext) -> Place:
    """The registry of the request."""
    return context.account_id, context.region


def put_signing_configuration(context: RequestContext) -> Answer:
    """Signs pushed images from now on."""
    _SIGNING[place_of(context)] = (context.service_request or {})["signingConfiguration"]
    return {"signingConfiguration": _SIGNING[place_of(context)]}


def get_signing_configuration(context: RequestContext) -> Answer:
    """The rules by which pushed images are signed, or the error of a registry without any."""
    configuration = _SIGNING.get(place_of(context))
    if configuration is None:
        message = "The signing configuration does not exist."
        raise CommonServiceException("SigningConfigurationNotFoundException", message, 400, True)
    return {"registryId": context.account_id, "signingConfiguration": configuration}


def create_pull_through_cache_rule(context: RequestContext) -> Answer:
    """A rule that fills repositories from another registry."""
    request = context.service_request or {}
    rule = {"createdAt": datetime.now(UTC), "registryId": context.account_id, "updatedAt": datetime.now(UTC), **request}
    _CACHES[place_of(context)][request["ecrRepositoryPrefix"]] = rule
    return rule


def describe_pull_through_cache_rules(context: RequestContext) -> Answer:
    """The rules, all or by prefix."""
    asked = (context.service_request or {}).get("ecrRepositoryPrefixes")
    rules = _CACHES[place_of(context)]
    if asked and not set(asked) <= set(rules):
        message = f"The pull through cache rule with prefix '{asked[0]}' was not found."
        raise CommonServiceException("PullThroughCacheRuleNotFoundException", message, 400, True)
    return {"pullThroughCacheRules": [rules[prefix] for prefix in asked or sorted(rules)]}


def describe_repository_creation_templates(context: RequestContext) -> Answer:
    """No templates: the emulator cannot make any."""
    return {"registryId": context.account_id, "repositoryCreationTemplates": []}


def get_account_setting(context: RequestContext) -> Answer:
    """A setting with its default, which the emulator cannot change."""
    name = (context.service_request or {})["name"]
    return {"name": name, "value": _SETTINGS.get(name, "DISABLED")}


OPERATIONS: dict[str, Callable[[RequestContext], Answer]] = {
    "ecr:BatchCheckLayerAvailability": batch_check_layer_availability,
    "ecr:CompleteLayerUpload": complete_layer_upload,
    "ecr:CreatePullThroughCacheRule": create_pull_through_cache_rule,
    "ecr:DescribePullThroughCacheRules": describe_pull_through_cache_rules,
    "ecr:DescribeRepositoryCreationTemplates": describe_repository_creation_templates,
    "ecr:GetAccountSetting": get_account_setting,
    "ecr:GetDownloadUrlForLayer": get_download_url_for_layer,
    "ecr:GetSigningConfiguration": get_signing_configuration,
    "ecr:InitiateLayerUpload": initiate_layer_upload,
    "ecr:ListImageReferrers": list_image_referrers,
    "ecr:PutSigningConfiguration": put_signing_configuration,
    "ecr:UploadLayerPart": upload_layer_part,
}
