"""Patches of moto's Organizations: foretold account ids, and the refusals that AWS has for who must not ask."""

import threading
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.utils.patch import patch
from moto.organizations import utils
from moto.organizations.models import OrganizationsBackend, organizations_backends

CUSTOM_ID = "_custom_id_"
FOR_ANYONE = {"CreateOrganization", "DescribeOrganization"}
_NEW = threading.local()


def apply() -> None:
    """Patches moto's classes when LocalStack starts."""
    original = utils.make_random_account_id
    utils.make_random_account_id = lambda: getattr(_NEW, "account", None) or original()
    patch(OrganizationsBackend.create_account)(create_account)


def create_account(original: Any, backend: OrganizationsBackend, **request: Any) -> Any:
    """Takes the id of the account from the tag `_custom_id_`, as LocalStack's KMS does for keys; AWS makes it up."""
    tags = request.get("Tags") or []
    _NEW.account = next((tag["Value"] for tag in tags if tag["Key"] == CUSTOM_ID), None)
    try:
        return original(backend, **{**request, "Tags": [tag for tag in tags if tag["Key"] != CUSTOM_ID]})
    finally:
        _NEW.account = None


def check_caller(context: RequestContext) -> None:
    """Refuses accounts without an organization, and members most of it; moto shows them an empty one."""
    if context.operation.name in FOR_ANYONE or organizations_backends[context.account_id]["aws"].org:
        return
    if context.account_id in organizations_backends.master_accounts:
        message = "You don't have permissions to access this resource."
        raise CommonServiceException("AccessDeniedException", message, 400, True)
    message = "Your account is not a member of an organization."
    raise CommonServiceException("AWSOrganizationsNotInUseException", message, 400, True)
