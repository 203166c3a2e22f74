"""Patches of moto's Elastic Load Balancing: the nodes in the network, ARNs by type, defaults of attributes."""

import threading
from typing import Any

from localstack.utils.patch import patch
from moto.ec2 import ec2_backends
from moto.ec2.utils import random_public_ip
from moto.elbv2 import models
from moto.elbv2.models import ELBv2Backend, FakeListener, FakeLoadBalancer

NETWORK_PARTS = {"application": "app", "gateway": "gwy", "network": "net"}
ENCRYPTED = ("HTTPS", "TLS")
DEFAULTS = {
    "application": {
        "access_logs.s3.enabled": "false",
        "client_keep_alive.seconds": "3600",
        "connection_logs.s3.enabled": "false",
        "idle_timeout.timeout_seconds": "60",
        "ipv6.deny_all_igw_traffic": "false",
        "load_balancing.cross_zone.enabled": "true",
        "routing.http.desync_mitigation_mode": "defensive",
        "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http.preserve_host_header.enabled": "false",
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
        "routing.http.xff_client_port.enabled": "false",
        "routing.http.xff_header_processing.mode": "append",
        "routing.http2.enabled": "true",
        "waf.fail_open.enabled": "false",
        "zonal_shift.config.enabled": "false",
    },
    "network": {
        "access_logs.s3.enabled": "false",
        "dns_record.client_routing_policy": "any_availability_zone",
        "ipv6.deny_all_igw_traffic": "false",
        "zonal_shift.config.enabled": "false",
    },
}
_NEW = threading.local()


def apply() -> None:
    """Patches moto's classes when LocalStack starts."""
    make_arn = models.make_arn_for_load_balancer
    models.make_arn_for_load_balancer = lambda **parts: typed_arn(make_arn(**parts))
    patch(ELBv2Backend.create_load_balancer)(create_load_balancer)
    patch(ELBv2Backend.delete_load_balancer)(delete_load_balancer)
    patch(FakeLoadBalancer.__init__)(complete_load_balancer)
    patch(FakeListener.__init__)(complete_listener)


def create_load_balancer(original: Any, backend: ELBv2Backend, *args: Any, **kwargs: Any) -> Any:
    """Remembers the type, from which the ARN follows; moto takes each for an application load balancer."""
    _NEW.type = kwargs.get("loadbalancer_type") or "application"
    return original(backend, *args, **kwargs)


def delete_load_balancer(original: Any, backend: ELBv2Backend, arn: str) -> None:
    """Takes the nodes away as well."""
    balancer = backend.load_balancers.get(arn)
    original(backend, arn)
    for interface in balancer.nodes if balancer else []:
        interface.delete()


def typed_arn(arn: str) -> str:
    """The ARN with the part that names the type."""
    return arn.replace("loadbalancer/app/", f"loadbalancer/{NETWORK_PARTS[getattr(_NEW, 'type', 'application')]}/")


def complete_load_balancer(init: Any, balancer: FakeLoadBalancer, *args: Any, **kwargs: Any) -> None:
    """Adds the attributes that AWS always names, and a node in each subnet."""
    init(balancer, *args, **kwargs)
    balancer.attrs = {**balancer.attrs, **DEFAULTS.get(balancer.type, {})}
    if balancer.scheme == "internal":
        balancer.attrs["ipv6.deny_all_igw_traffic"] = "true"
    balancer.nodes = [node(balancer, subnet) for subnet in balancer.subnets]


def node(balancer: FakeLoadBalancer, subnet: Any) -> Any:
    """The interface of a load balancer in a subnet, with a public address when the world may reach it."""
    parts = balancer.arn.split(":")
    interface = ec2_backends[parts[4]][parts[3]].create_network_interface(
        subnet,
        None,
        group_ids=list(balancer.security_groups or []),
        description="ELB " + parts[5].removeprefix("loadbalancer/"),
    )
    address = subnet.get_available_subnet_ip(interface)
    interface.private_ip_address = address
    interface.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
    if not balancer.security_groups:
        interface._group_set = []  # moto falls back on the default group
    interface.requester_id = "amazon-elb"
    interface.requester_managed = True
    interface.status = "in-use"
    interface.interface_type = "network_load_balancer" if balancer.type == "network" else "interface"
    if balancer.scheme == "internet-facing":
        interface.public_ip = random_public_ip()
    return interface


def complete_listener(init: Any, listener: FakeListener, *args: Any, **kwargs: Any) -> None:
    """Only a listener that encrypts has a TLS policy; moto gives one to each."""
    init(listener, *args, **kwargs)
    if listener.protocol not in ENCRYPTED:
        listener.ssl_policy = None
