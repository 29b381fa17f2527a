"""Who a server is: its name and version, as it states them.

vLLM and SGLang name themselves in `owned_by` of their models. vLLM tells its version at `/version`, SGLang at
`/server_info` (once `/get_server_info`), both beside the API and not under `/v1`. Others are known by the header
`Server`, if at all.
"""

from __future__ import annotations

import os
from typing import Any

from proofline.endpoint.question import EndpointError

VERSIONS = ("/version", "/server_info", "/get_server_info")
UNKNOWN = "unknown server"
TIMEOUT_SECONDS = 30.0


def server_name(url: str, remedy: str) -> str:
    """For instance `vllm 0.11.0`. Raises EndpointError where nobody answers there."""
    from httpx2 import Client, HTTPError

    key = os.environ.get("OPENAI_API_KEY") or "none"
    root = url.rstrip("/").removesuffix("/v1")
    try:
        with Client(headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_SECONDS) as client:
            models = client.get(f"{url.rstrip('/')}/models")
            names = {card.get("owned_by") for card in _objects(models, "data")}
            versions = [_text(client.get(root + path), "version") for path in VERSIONS]
    except HTTPError as error:
        raise EndpointError(f"{url} does not answer ({type(error).__name__}: {error}). {remedy}") from None
    owner = names.pop() if len(names) == 1 else None
    name = owner if isinstance(owner, str) and owner else models.headers.get("server", UNKNOWN)
    return " ".join(filter(None, [name, next(filter(None, versions), "")]))


def _json(response: Any) -> dict[str, Any]:
    """The object in a response; empty where there is none."""
    try:
        value = response.json() if response.is_success else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _objects(response: Any, name: str) -> list[dict[str, Any]]:
    found = _json(response).get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(response: Any, name: str) -> str:
    found = _json(response).get(name)
    return found if isinstance(found, str) else ""
