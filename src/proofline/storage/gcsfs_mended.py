"""What gcsfs does that Google's service takes, and other servers, Google's own storage-testbench among them, do not.

An object under 5 MB, or one that is made only once, goes in one request of two parts, its name and its content. gcsfs
divides them by lines that end in a line feed alone, where RFC 2046 has CRLF, and always by `--==0==`: a content with
that line in it is cut there, or refused. And where the message of a refusal is no text, gcsfs ends with a TypeError
instead of another try.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

GIVEN = b"--==0==\n"
"""What a body of gcsfs begins with; one of another version that begins otherwise is sent as it is."""


def mend_gcsfs() -> None:
    """From now on, in this process; for DVC too. Imports gcsfs, so only where it is about to be used."""
    from gcsfs.core import GCSFileSystem
    from gcsfs.retry import HttpError

    if GCSFileSystem._call.__module__ != __name__:
        GCSFileSystem._call = _with_proper_parts(GCSFileSystem._call)
        HttpError.__init__ = _with_any_message(HttpError.__init__)


def _with_proper_parts(sent: Callable[..., Any]) -> Callable[..., Any]:
    async def _call(self: Any, method: str, path: str, *args: Any, **options: Any) -> Any:
        if options.get("uploadType") == "multipart" and options["data"].startswith(GIVEN):
            mark = uuid4().hex
            options["data"] = divided(options["data"], f"--{mark}".encode())
            options["headers"] = {"Content-Type": f"multipart/related; boundary={mark}"}
        return await sent(self, method, path, *args, **options)

    return _call


def divided(body: bytes, mark: bytes) -> bytes:
    """The same two parts with another dividing line: each is a header, an empty line, and a content."""
    _, about, empty, resource, _, kind, _, content = body.split(b"\n", 7)
    content = content.removesuffix(b"\n" + GIVEN.rstrip() + b"--")
    return b"\r\n".join([mark, about, empty, resource, mark, kind, empty, content, mark + b"--", empty])


def _with_any_message(made: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, error_response: Any = None) -> None:
        if error_response and not isinstance(message := error_response.get("message", ""), str | bytes):
            error_response = error_response | {"message": json.dumps(message)}
        made(self, error_response)

    return __init__
