"""Clients for the emulator, one account and region at a time, and its control endpoints."""

import json
import urllib.request
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

# One for all sessions: it keeps the models of services that it has read.
_LOADER = botocore.loaders.create_loader()


class NotLoopbackError(ValueError):
    """The endpoint is not on this machine."""

    def __init__(self, endpoint: str) -> None:
        """Keeps the endpoint for the message."""
        super().__init__(f"{endpoint} is not a loopback endpoint: scenarios are for the emulator only, never for AWS")


class Session:
    """One account and region of the emulator."""

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        """A 12-digit access key id selects the account; the secret is not checked."""
        if not is_loopback(endpoint):
            raise NotLoopbackError(endpoint)
        self.account = account
        self.region = region
        self._endpoint = endpoint
        core = botocore.session.Session()
        core.register_component("data_loader", _LOADER)
        self._session: Any = boto3.Session(account, "emulator", region_name=region, botocore_session=core)

    @cache  # noqa: B019 - a session lives as long as the seeding
    def client(self, service: str) -> Any:
        """A client of the service, safe for use by several threads."""
        config = Config(max_pool_connections=16, retries={"total_max_attempts": 2}, proxies={})
        return self._session.client(service, endpoint_url=self._endpoint, config=config)


class SessionFactory:
    """Makes sessions of one endpoint, and speaks to its control endpoints."""

    def __init__(self, endpoint: str) -> None:
        """Refuses any endpoint that is not on this machine."""
        self.endpoint = endpoint.rstrip("/")
        if not is_loopback(self.endpoint):
            raise NotLoopbackError(endpoint)

    @cache  # noqa: B019 - a factory lives as long as the seeding
    def __call__(self, account: str, region: str = "us-east-1") -> Session:
        """The session of an account in a region."""
        return Session(self.endpoint, account, region)

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Posts to a control endpoint, for example `deny`; without a body it gets."""
        request = urllib.request.Request(
            f"{self.endpoint}/_plimsoll/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            return json.load(response)


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint names this machine by a loopback address or as localhost."""
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
