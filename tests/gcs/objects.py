"""What Google Cloud Storage keeps and how it decides, as its JSON API states it; the HTTP around it is `gcs_server`.

Generations that grow, preconditions, md5 and crc32c that a sender may state, resumable uploads that keep whole
multiples of 256 KiB, listings in pages. One live version a name: no versioning, no access control lists.
Source: cloud.google.com/storage/docs/json_api/v1, docs/resumable-uploads.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import google_crc32c

QUANTUM = 256 * 1024
"""A resumable upload keeps a multiple of it, until its last chunk."""
Query = Mapping[str, str]


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, told: Any) -> None:
        super().__init__(told)
        self.status, self.told = status, told


def md5_of(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def crc32c_of(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


@dataclass
class Object:
    bucket: str
    name: str
    content: bytes
    generation: int
    given: dict[str, Any]
    """What the sender may choose: contentType, metadata, cacheControl, …"""
    components: int = 0
    """Of how many parts it is composed; such an object has no md5."""
    metageneration: int = 1
    created: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))

    @property
    def resource(self) -> dict[str, Any]:
        """As JSON: int64 are text."""
        found = self.given | {
            "kind": "storage#object", "id": f"{self.bucket}/{self.name}/{self.generation}", "name": self.name,
            "bucket": self.bucket, "generation": str(self.generation), "metageneration": str(self.metageneration),
            "size": str(len(self.content)), "crc32c": crc32c_of(self.content), "storageClass": "STANDARD",
            "etag": f"{self.generation:x}.{self.metageneration}", "timeCreated": self.created, "updated": self.created,
        }  # fmt: skip
        return found | ({"componentCount": self.components} if self.components else {"md5Hash": md5_of(self.content)})

    @property
    def hashes(self) -> str:
        """The header X-Goog-Hash."""
        md5 = "" if self.components else f",md5={md5_of(self.content)}"
        return f"crc32c={crc32c_of(self.content)}{md5}"


@dataclass
class Upload:
    """A resumable upload: its conditions are those of its first request, and hold when it ends."""

    bucket: str
    name: str
    query: Query
    given: dict[str, Any]
    content: bytearray = field(default_factory=bytearray)
    done: Object | None = None


def condition(found: Object | None, query: Query, prefix: str = "if") -> None:
    """Raises Refused where a precondition does not hold."""
    for what in ("generation", "metageneration"):
        present = getattr(found, what) if found else 0
        name = f"{prefix}{what.capitalize()}"
        if int(query.get(f"{name}Match", present)) != present:
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")
        if query.get(f"{name}NotMatch") == str(present):
            raise Refused(304, "")


def stated(content: bytes, given: dict[str, Any]) -> dict[str, Any]:
    """`given` without the sender's checksums. Raises Refused where they are not those of the content."""
    for name, spelled, compute in (("md5Hash", "MD5 hash", md5_of), ("crc32c", "CRC32C", crc32c_of)):
        wanted, present = given.get(name), compute(content)
        if wanted is not None and wanted != present:
            raise Refused(400, f'Provided {spelled} "{wanted}" doesn\'t match calculated {spelled} "{present}".')
    chosen = {"contentType", "metadata", "cacheControl", "contentEncoding", "contentDisposition", "customTime"}
    return {key: value for key, value in given.items() if key in chosen}


class Store:
    """Buckets and what is in them. Its methods are to be called under `lock`."""

    def __init__(self, *buckets: str, bare_lines: bool = False) -> None:
        self.buckets: dict[str, dict[str, Object]] = {bucket: {} for bucket in buckets}
        self.bare_lines = bare_lines
        """The parts of an upload in one request may be divided by line feeds alone. Google takes that, and its
        storage-testbench does not."""
        self.uploads: dict[str, Upload] = {}
        self.lock = threading.RLock()
        self._generations = itertools.count(time.time_ns() // 1000)

    def bucket(self, bucket: str) -> dict[str, Object]:
        if bucket not in self.buckets:
            raise Refused(404, "The specified bucket does not exist.")
        return self.buckets[bucket]

    def find(self, bucket: str, name: str, query: Query, prefix: str = "if", generation: str = "generation") -> Object:
        found = self.bucket(bucket).get(name)
        if found is None or query.get(generation, str(found.generation)) != str(found.generation):
            raise Refused(404, f"No such object: {bucket}/{name}")
        condition(found, query, prefix)
        return found

    def insert(self, bucket: str, name: str, content: bytes, query: Query, given: dict[str, Any]) -> Object:
        """A new generation. Raises Refused: its preconditions, its checksums."""
        if not name:
            raise Refused(400, "Required parameter: name")
        condition(self.bucket(bucket).get(name), query)
        made = Object(bucket, name, content, next(self._generations), stated(content, given))
        self.buckets[bucket][name] = made
        return made

    def delete(self, bucket: str, name: str, query: Query) -> None:
        del self.buckets[bucket][self.find(bucket, name, query).name]

    def copy(self, source: Object, bucket: str, name: str, query: Query, given: dict[str, Any]) -> Object:
        made = self.insert(bucket, name, source.content, query, source.given | given)
        made.components = source.components
        return made

    def compose(self, bucket: str, name: str, sources: Sequence[Mapping[str, Any]], query: Query, given: Any) -> Object:
        """One object of up to 32 others."""
        if not 1 <= len(sources) <= 32:
            raise Refused(400, "The number of source components provided must be between 1 and 32.")
        parts = []
        for one in sources:
            wanted = {"generation": one.get("generation"), **one.get("objectPreconditions", {})}
            known = {key: str(value) for key, value in wanted.items() if value is not None}
            parts.append(self.find(bucket, one["name"], known))
        made = self.insert(bucket, name, b"".join(part.content for part in parts), query, given)
        made.components = sum(part.components or 1 for part in parts)
        return made

    def start(self, bucket: str, name: str, query: Query, given: dict[str, Any]) -> str:
        """The id of a new resumable upload."""
        if not name:
            raise Refused(400, "Required parameter: name")
        condition(self.bucket(bucket).get(name), query)
        key = f"upload-{len(self.uploads)}"
        self.uploads[key] = Upload(bucket, name, query, given)
        return key

    def receive(self, upload: Upload, content: bytes, at: int | None, total: int | None, given: Any) -> Object | None:
        """More of it, from byte `at` on (None: it is only asked how far it is); the object once it is whole."""
        if upload.done or (at is None and total != len(upload.content)):
            return upload.done
        kept = len(upload.content)
        if at is not None and at > kept:
            raise Refused(503, f"Bytes from {kept} on are missing.")
        upload.content += content[kept - at :] if at is not None else b""
        if total is None or len(upload.content) < total:
            del upload.content[max(kept, len(upload.content) // QUANTUM * QUANTUM) :]
            return None
        if len(upload.content) > total:
            raise Refused(400, f"Found {len(upload.content)} bytes; {total} were announced.")
        upload.done = self.insert(upload.bucket, upload.name, bytes(upload.content), upload.query, upload.given | given)
        return upload.done

    def list(self, bucket: str, query: Query) -> dict[str, Any]:
        """A page of names, in the order of their bytes."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after, first, end = query.get("pageToken", ""), query.get("startOffset", ""), query.get("endOffset")
        room = min(int(query.get("maxResults", 1000)), 1000)
        items: list[Object] = []
        prefixes: list[str] = []
        last = ""
        for name, one in sorted(self.bucket(bucket).items(), key=lambda item: item[0].encode()):
            cut = name.find(delimiter, len(prefix)) if delimiter else -1
            shown = name if cut < 0 else name[: cut + len(delimiter)]
            outside = not name.startswith(prefix) or name < first or (end is not None and name >= end)
            if outside or shown in prefixes or (after and shown <= base64.b64decode(after).decode()):
                continue
            if len(items) + len(prefixes) == room:
                token = base64.b64encode(last.encode()).decode()
                return {**_page(items, prefixes), "nextPageToken": token}
            items.append(one) if cut < 0 else prefixes.append(shown)
            last = shown
        return _page(items, prefixes)


def _page(items: Sequence[Object], prefixes: Sequence[str]) -> dict[str, Any]:
    page: dict[str, Any] = {"kind": "storage#objects"}
    if items:
        page["items"] = [one.resource for one in items]
    return page | ({"prefixes": list(prefixes)} if prefixes else {})
