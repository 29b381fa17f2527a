"""Requests of the JSON API as calls of a `Store`: which path asks for what, and what the answer looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import BytesParser
from typing import Any
from urllib.parse import unquote

from gcs.objects import Object, Refused, Store

CANCELLED = 499
Answer = tuple[Any, ...]
"""Status, and where there are any: body (JSON or bytes), headers."""


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    damaged: Callable[[bytes], bytes]
    """What of a content arrives."""
    cut: bool
    """What arrives is taken for all there is."""
    store: Store
    url: str

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)

    def json(self) -> dict[str, Any]:
        return json.loads(self.body) if self.body else {}

    def checksums(self) -> dict[str, str]:
        """Those of the header X-Goog-Hash, under the names that a resource gives them."""
        names = {"md5": "md5Hash", "crc32c": "crc32c"}
        stated = [one.strip().partition("=") for one in (self.header("X-Goog-Hash") or "").split(",")]
        return {names[name]: value for name, _, value in stated if name in names}


def answer(asked: Request) -> Answer:
    """What a request gets. Raises Refused."""
    for method, pattern, do in ROUTES:
        if re.fullmatch(method, asked.method) and (found := re.fullmatch(pattern, asked.path)):
            return do(asked, *map(unquote, found.groups()))
    raise Refused(404, "Not Found")


def content_range(header: str | None) -> tuple[int | None, int | None]:
    """(first byte, all bytes): `bytes 0-9/20` -> (0, 20), `bytes */20` -> (None, 20), `bytes 0-9/*` -> (0, None)."""
    found = re.fullmatch(r"bytes (?:(\d+)-(?:\d+|\*)|\*)/(\d+|\*)", header or "bytes 0-*/*")
    if found is None:
        raise Refused(400, f"Content-Range {header!r} is none.")
    first, total = found.groups()
    return (None if first is None else int(first)), (None if total == "*" else int(total))


def list_buckets(asked: Request) -> Answer:
    return 200, {"kind": "storage#buckets", "items": [_bucket(name) for name in asked.store.buckets]}


def make_bucket(asked: Request) -> Answer:
    name = asked.json()["name"]
    if name in asked.store.buckets:
        raise Refused(409, "Your previous request to create the named bucket succeeded and you already own it.")
    asked.store.buckets[name] = {}
    return 200, _bucket(name)


def get_bucket(asked: Request, bucket: str) -> Answer:
    asked.store.bucket(bucket)
    return 200, _bucket(bucket)


def delete_bucket(asked: Request, bucket: str) -> Answer:
    if asked.store.bucket(bucket):
        raise Refused(409, "The bucket you tried to delete is not empty.")
    del asked.store.buckets[bucket]
    return (204,)


def _bucket(name: str) -> dict[str, Any]:
    return {"kind": "storage#bucket", "id": name, "name": name, "location": "EU", "storageClass": "STANDARD"}


def list_objects(asked: Request, bucket: str) -> Answer:
    return 200, asked.store.list(bucket, asked.query)


def get_object(asked: Request, bucket: str, name: str) -> Answer:
    found = asked.store.find(bucket, name, asked.query)
    if asked.query.get("alt") != "media":
        return 200, found.resource
    headers = {
        "X-Goog-Hash": found.hashes, "X-Goog-Generation": str(found.generation), "ETag": found.resource["etag"],
        "X-Goog-Metageneration": str(found.metageneration), "Content-Type": found.given.get("contentType", ""),
        "X-Goog-Stored-Content-Length": str(len(found.content)), "Accept-Ranges": "bytes",
    }  # fmt: skip
    span = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.header("Range") or "")
    if span is None or span.groups() == ("", ""):
        return 200, found.content, headers
    size, (first, last) = len(found.content), span.groups()
    begin, end = (int(first), int(last or size - 1)) if first else (max(0, size - int(last)), size - 1)
    if begin >= size or begin > end:
        raise Refused(416, "The requested range cannot be satisfied.")
    sent = found.content[begin : end + 1]
    return 206, sent, headers | {"Content-Range": f"bytes {begin}-{begin + len(sent) - 1}/{size}"}


def patch_object(asked: Request, bucket: str, name: str) -> Answer:
    found = asked.store.find(bucket, name, asked.query)
    found.given |= asked.json()
    found.metageneration += 1
    return 200, found.resource


def delete_object(asked: Request, bucket: str, name: str) -> Answer:
    asked.store.delete(bucket, name, asked.query)
    return (204,)


def _copied(asked: Request, bucket: str, name: str, to_bucket: str, to_name: str) -> Object:
    source = asked.store.find(bucket, name, asked.query, "ifSource", "sourceGeneration")
    return asked.store.copy(source, to_bucket, to_name, asked.query, asked.json())


def copy_object(asked: Request, *places: str) -> Answer:
    return 200, _copied(asked, *places).resource


def rewrite_object(asked: Request, *places: str) -> Answer:
    made = _copied(asked, *places)
    sizes = dict.fromkeys(("totalBytesRewritten", "objectSize"), str(len(made.content)))
    return 200, {"kind": "storage#rewriteResponse", "done": True, "resource": made.resource, **sizes}


def move_object(asked: Request, bucket: str, name: str, to_name: str) -> Answer:
    made = _copied(asked, bucket, name, bucket, to_name)
    del asked.store.buckets[bucket][name]
    return 200, made.resource


def compose_objects(asked: Request, bucket: str, name: str) -> Answer:
    body = asked.json()
    made = asked.store.compose(bucket, name, body["sourceObjects"], asked.query, body.get("destination", {}))
    return 200, made.resource


def upload(asked: Request, bucket: str) -> Answer:
    """In one request, or the first one of a resumable upload."""
    kind, name, given = asked.query.get("uploadType"), asked.query.get("name", ""), asked.checksums()
    if "upload_id" in asked.query:
        return _chunk(asked)
    if kind == "resumable":
        given |= {"contentType": asked.header("X-Upload-Content-Type") or "application/octet-stream"} | asked.json()
        key = asked.store.start(bucket, name or given.get("name", ""), asked.query, given)
        place = f"{asked.url}/upload{API}/{bucket}/o?uploadType=resumable&upload_id={key}"
        return 200, b"", {"Location": place, "X-GUploader-UploadID": key}
    if kind == "multipart":
        resource, content = _parts(asked.header("Content-Type") or "", asked.body, asked.store.bare_lines)
        given |= resource
    elif kind == "media":
        given["contentType"], content = asked.header("Content-Type") or "", asked.body
    else:
        raise Refused(400, f"uploadType {kind!r} is none.")
    made = asked.store.insert(bucket, name or given.get("name", ""), asked.damaged(content), asked.query, given)
    return 200, made.resource


def _chunk(asked: Request) -> Answer:
    """The next one of a resumable upload, a question how far it is, or its end."""
    key = asked.query["upload_id"]
    if key not in asked.store.uploads:
        raise Refused(404, "There is no such upload.")
    if asked.method == "DELETE":
        del asked.store.uploads[key]
        return (CANCELLED,)
    found, header, body = asked.store.uploads[key], asked.header("Content-Range"), asked.damaged(asked.body)
    first, total = content_range(header) if header else (0, len(body))
    if asked.cut and first is not None:
        total = first + len(body)
    made = asked.store.receive(found, body, first, total, asked.checksums())
    if made is not None:
        return 200, made.resource
    return 308, b"", ({"Range": f"bytes=0-{len(found.content) - 1}"} if found.content else {})


def _parts(kind: str, body: bytes, bare_lines: bool) -> tuple[dict[str, Any], bytes]:
    """multipart/related: the object's resource, and its content."""
    found = re.search(r'boundary="?([^";]+)"?', kind)
    if found is None:
        raise Refused(400, "A multipart upload without a boundary.")
    end = rb"\r?\n" if bare_lines else rb"\r\n"
    parts = re.split(end + re.escape(b"--" + found[1].encode()), b"\r\n" + body)
    halves = [re.split(end * 2, part, maxsplit=1) for part in parts[1:-1]]
    if len(halves) != 2 or not all(len(half) == 2 for half in halves):
        raise Refused(400, "The multipart body is malformed.")
    (_, resource), (head, content) = halves
    headers = BytesParser().parsebytes(head.strip() + b"\n\n")
    return {"contentType": headers.get("Content-Type", "")} | json.loads(resource), content


API, ONE = "/storage/v1/b", "([^/]+)"
OBJECT = f"{API}/{ONE}/o/{ONE}"
ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", API, list_buckets),
    ("POST", API, make_bucket),
    ("GET", f"{API}/{ONE}", get_bucket),
    ("DELETE", f"{API}/{ONE}", delete_bucket),
    ("GET", f"{API}/{ONE}/o/?", list_objects),
    ("GET", f"(?:/download)?{OBJECT}", get_object),
    ("PATCH|PUT", OBJECT, patch_object),
    ("DELETE", OBJECT, delete_object),
    ("POST", f"{OBJECT}/copyTo/b/{ONE}/o/{ONE}", copy_object),
    ("POST", f"{OBJECT}/rewriteTo/b/{ONE}/o/{ONE}", rewrite_object),
    ("POST", f"{OBJECT}/moveTo/o/{ONE}", move_object),
    ("POST", f"{OBJECT}/compose", compose_objects),
    ("POST|PUT|DELETE", f"/upload{API}/{ONE}/o", upload),
]
