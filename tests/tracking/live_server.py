"""A stage as a process, a server as it is run elsewhere, and a gateway before it: each can be killed or go wrong."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from forked import fork, mlflow_server
from forked_recorder import recorders_are_forked
from live_repository import clean_environment
from shared import empty_database

from proofline.tracking import track

START_SECONDS = 240  # generous: other work may hold the cores


class Stage:
    """A script running inside `track` in a process of its own, which waits wherever it calls `pause()`. Two of one
    name in one folder would wait for each other: a stage has one writer."""

    def __init__(self, folder: Path, uri: str, body: str, name: str = "train_sft") -> None:
        with TemporaryDirectory() as pipes:
            hears, out, err = (Path(pipes, name) for name in ("in", "out", "err"))
            for pipe in (hears, out, err):
                os.mkfifo(pipe)
            variables = clean_environment(PROOFLINE_TRACKING_URI=uri)
            self.process = fork(_run, body, name, hears, folder=folder, variables=variables, out=out, err=err)
            # Each waits here for the process at its other end.
            self._out, self._err, self._tells = out.open(), err.open(), hears.open("w")

    def wait_for_pause(self) -> None:
        assert self._out.readline() == "paused\n"

    def resume(self) -> None:
        self._tells.write("\n")
        self._tells.flush()

    def end(self) -> tuple[int | None, str]:
        """Exit status and stderr, less the signs of life of a stage that is slow because the machine is busy. Its
        recorder has ended too."""
        with self._out, self._err, self._tells:
            lines = self._err.readlines()
        self.process.join(START_SECONDS)
        return self.process.exitcode, "".join(line for line in lines if not line.endswith(": at work\n"))


def _run(body: str, name: str, hears: Path, /) -> None:
    recorders_are_forked()
    orders = hears.open()

    def pause() -> None:
        print("paused", flush=True)
        orders.readline()

    with track(name, sections={"seed": 0}) as run:
        exec(body, {"run": run, "pause": pause, "os": os, "signal": signal, "time": time, "Path": Path})


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
