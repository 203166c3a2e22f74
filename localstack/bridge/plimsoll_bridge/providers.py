"""Entry points: one provider per service that LocalStack's free edition lacks and its bundled moto has."""

from localstack.aws.api import RequestContext, ServiceRequest, ServiceResponse
from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service, aws_provider


def forward(context: RequestContext, _request: ServiceRequest) -> ServiceResponse:
    """Answers a request with whatever moto says."""
    return call_moto(context)


def moto_service(name: str, overrides: DispatchTable | None = None) -> Service:
    """Builds a LocalStack service that forwards every operation to moto, except the overridden ones."""
    model = load_service(name)
    table: DispatchTable = dict.fromkeys(model.operation_names, forward)
    table.update(overrides or {})
    return Service(name=name, skeleton=Skeleton(model, table))


@aws_provider(api="ecs")
def ecs() -> Service:
    """ECS, with the overrides that make its answers complete."""
    from plimsoll_bridge import ecs_models, ecs_operations

    ecs_models.apply()
    return moto_service("ecs", ecs_operations.overrides())


@aws_provider(api="eks")
def eks() -> Service:
    """EKS as moto has it."""
    return moto_service("eks")


@aws_provider(api="ecr")
def ecr() -> Service:
    """ECR as moto has it."""
    return moto_service("ecr")


@aws_provider(api="elbv2")
def elbv2() -> Service:
    """Elastic Load Balancing v2 as moto has it."""
    return moto_service("elbv2")


@aws_provider(api="cloudtrail")
def cloudtrail() -> Service:
    """CloudTrail as moto has it."""
    return moto_service("cloudtrail")


@aws_provider(api="guardduty")
def guardduty() -> Service:
    """GuardDuty as moto has it."""
    return moto_service("guardduty")


@aws_provider(api="organizations")
def organizations() -> Service:
    """Organizations as moto has it."""
    return moto_service("organizations")
