"""A stage as a process, a server as it is run elsewhere, and a gateway before it: each can be killed or go wrong."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from forked import mlflow_server
from live_repository import clean_environment
from shared import empty_database

START_SECONDS = 240  # generous: other work may hold the cores


class Stage:
    """A script running inside `track`, which waits wherever it calls `pause()`. Two of one name in one folder
    would wait for each other: a stage has one writer."""

    def __init__(self, folder: Path, uri: str, body: str, name: str = "train_sft") -> None:
        script = "import os, signal, sys, time\nfrom pathlib import Path\nfrom proofline.tracking import track\n"
        script += "def pause():\n    print('paused', flush=True)\n    sys.stdin.readline()\n"
        script += f"with track({name!r}, sections={{'seed': 0}}) as run:\n" + textwrap.indent(body, "    ")
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], cwd=folder, env=clean_environment(PROOFLINE_TRACKING_URI=uri), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def wait_for_pause(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "paused\n"

    def resume(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """Exit status and stderr, less the signs of life of a stage that is slow because the machine is busy."""
        _, errors = self.process.communicate(timeout=START_SECONDS)
        lines = errors.splitlines(keepends=True)
        return self.process.returncode, "".join(line for line in lines if not line.endswith(": at work\n"))


class Server:
    """An MLflow server on a database, that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        log = self.folder / "server.log"
        store, artifacts = self.folder / "server.db", self.folder / "artifacts"
        if not store.exists():
            store.write_bytes(empty_database())
        self.process = mlflow_server(store, artifacts, self.port, clean_environment(), log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError(log.read_text())

    def start_empty(self) -> None:
        """As after a lost volume: nothing of what it had."""
        for file in self.folder.glob("server.db*"):
            file.unlink()
        self.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


class Gateway:
    """A proxy before a server that, while `answer` is set, answers in its place: a status and a body."""

    def __init__(self, server: Server) -> None:
        gateway = self
        self.answer: tuple[int, str] | None = None
        self.refused = 0

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if gateway.answer:
                    gateway.refused += 1
                    status, text = gateway.answer
                    content = text.encode()
                else:
                    kept = {
                        name: value for name, value in self.headers.items() if name not in ("Host", "Accept-Encoding")
                    }
                    upstream = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
                    upstream.request(self.command, self.path, body, kept)
                    answer = upstream.getresponse()
                    status, content = answer.status, answer.read()
                    upstream.close()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

            def log_message(self, *words: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def wait_for_refusals(self, count: int = 6) -> None:
        wanted, deadline = self.refused + count, time.monotonic() + START_SECONDS
        while self.refused < wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.refused >= wanted
