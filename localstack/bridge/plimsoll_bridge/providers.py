"""Entry points: one provider per service that LocalStack's free edition lacks and its bundled moto has."""

from localstack.aws.api import RequestContext, ServiceRequest, ServiceResponse
from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service, aws_provider
from plux import PluginSpec


def forward(context: RequestContext, _request: ServiceRequest) -> ServiceResponse:
    """Answers a request with whatever moto says."""
    return call_moto(context)


def moto_service(name: str, overrides: DispatchTable | None = None) -> Service:
    """Builds a LocalStack service that forwards every operation to moto, except the overridden ones."""
    model = load_service(name)
    table: DispatchTable = dict.fromkeys(model.operation_names, forward)
    table.update(overrides or {})
    return Service(name=name, skeleton=Skeleton(model, table))


def as_moto_has_it(api: str) -> PluginSpec:
    """The provider of a service that moto serves without help."""

    def create() -> Service:
        return moto_service(api)

    return aws_provider(api=api)(create)


@aws_provider(api="acm-pca")
def acm_pca() -> Service:
    """AWS Private CA, whose authorities moto leaves incomplete."""
    from plimsoll_bridge import neighbour_models

    return moto_service("acm-pca", {"CreateCertificateAuthority": neighbour_models.create_authority})


@aws_provider(api="ecs")
def ecs() -> Service:
    """ECS, with the overrides that make its answers complete."""
    from plimsoll_bridge import ecs_models, ecs_operations

    ecs_models.apply()
    return moto_service("ecs", ecs_operations.overrides())


@aws_provider(api="eks")
def eks() -> Service:
    """EKS, whose clusters moto leaves incomplete."""
    from plimsoll_bridge import eks_operations

    return moto_service("eks", eks_operations.overrides())


autoscaling = as_moto_has_it("autoscaling")
cloudtrail = as_moto_has_it("cloudtrail")
ecr = as_moto_has_it("ecr")
efs = as_moto_has_it("efs")
elbv2 = as_moto_has_it("elbv2")
guardduty = as_moto_has_it("guardduty")
inspector2 = as_moto_has_it("inspector2")
network_firewall = as_moto_has_it("network-firewall")
organizations = as_moto_has_it("organizations")
rds = as_moto_has_it("rds")
servicediscovery = as_moto_has_it("servicediscovery")
shield = as_moto_has_it("shield")
signer = as_moto_has_it("signer")
wafv2 = as_moto_has_it("wafv2")
