"""A bucket that answers, one that refuses, and one that is silent."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from gcs import Server, Store, serve
from gcs.keys import service_account


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The endpoint of a Google Cloud Storage with one bucket, `shelf`; plain DVC uploads to it too."""
    with serve(Store("shelf", bare_lines=True)) as server:
        yield server.url


@pytest.fixture(scope="session")
def key_of() -> Callable[[Server], dict[str, str]]:
    """A service account's key file, as JSON: its tokens come from this server."""
    account = service_account()
    return lambda server: account | {"token_uri": f"{server.url}/token"}


@pytest.fixture
def silent() -> str:
    """The endpoint of nobody."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def refusing() -> Iterator[Callable[[int, str], str]]:
    """Starts servers that answer every request with one status and Google's form of a message."""
    servers = []

    def start(status: int, message: str) -> str:
        answer = json.dumps({"error": {"code": status, "message": message}}).encode()

        class Refusal(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
