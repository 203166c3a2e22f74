"""Pages of a listing: moto answers everything at once, AWS does not."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any


def page[T](
    items: Sequence[T], request: Mapping[str, Any], default: int = 100, most: int = 100
) -> tuple[list[T], dict[str, str]]:
    """Returns the page that the request asks for, and `nextToken` when more is left."""
    start = _offset(request.get("nextToken"))
    end = start + min(int(request.get("maxResults") or default), most)
    token = {"nextToken": _token(end)} if end < len(items) else {}
    return list(items[start:end]), token


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def _offset(token: str | None) -> int:
    if not token:
        return 0
    return int(base64.urlsafe_b64decode(token).decode().removeprefix("offset:"))
