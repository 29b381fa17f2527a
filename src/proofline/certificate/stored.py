"""The committed results themselves, where somebody still has them: DVC's cache, then its remote.

A file is taken only if its bytes have the md5 by which it was asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofline.certificate.manifest import WEIGHTS, Entry, Manifest, describe, out_md5


@dataclass
class Store:
    """The repository's cache and remote."""

    cache: Path
    remote: Any | None
    """DVC's object database of the default remote; None without one."""
    scratch: Path
    """Where files of the remote are put."""
    faults: list[str] = field(default_factory=list)
    """Files that are not what their name says."""
    notes: list[str] = field(default_factory=list)

    def find(self, md5: str) -> tuple[Path, str] | None:
        """A file with this md5 and where it came from."""
        cached, fetched = self.cache / md5[:2] / md5[2:], self.scratch / md5
        if cached.is_file() and self._is(cached, md5, "the cache"):
            return cached, "cache"
        if not fetched.exists():
            self._fetch(md5, fetched)
        return (fetched, "remote") if fetched.is_file() and self._is(fetched, md5, "the remote") else None

    def _fetch(self, md5: str, to: Path) -> None:
        """From the remote; one that does not answer is asked no more."""
        if self.remote is None:
            return
        try:
            key = self.remote.oid_to_path(md5)
            if self.remote.fs.exists(key):
                self.remote.fs.get_file(key, str(to))
        except Exception as error:  # any library's own, by the kind of remote
            self.notes.append(f"the remote does not answer: {(str(error).splitlines() or [repr(error)])[0][:200]}")
            self.remote = None

    def _is(self, file: Path, md5: str, where: str) -> bool:
        with open(file, "rb") as content:
            found = hashlib.file_digest(content, "md5").hexdigest()
        if found != md5.removesuffix(".dir"):
            self.faults.append(f"{where} holds under {md5} a file whose md5 is {found}: it was changed; remove it")
        return found == md5.removesuffix(".dir")


def open_store(root: Path, scratch: Path) -> Store:
    """Of the repository at `root`, as DVC is configured there."""
    from dvc.config import NoRemoteError
    from dvc.repo import Repo

    repository = Repo(str(root))
    try:
        remote = repository.cloud.get_remote_odb()
    except NoRemoteError:
        remote = None
    scratch.mkdir(parents=True, exist_ok=True)
    return Store(Path(repository.cache.local.path), remote, scratch)


@dataclass(frozen=True)
class Committed:
    """What is known of one out of the lock."""

    files: Mapping[str, Entry]
    places: Mapping[str, Path]
    """Files that are at hand."""
    source: str
    """`cache`, `remote`, `manifest`; `nowhere` where a file of it is not to be had."""


def committed_out(store: Store, manifest: Manifest | None, out: str, md5: str) -> Committed:
    """Entries of a locked out; from its files if they can be had, else as the manifest has them, if it is the same."""
    known = {} if manifest is None else manifest.under(out)
    listing = _listing(store, out, md5)
    if listing is None:
        same = out_md5(known, out) == md5
        listing = {path: entry.md5 for path, entry in known.items()} if same else {}
    places: dict[str, Path] = {}
    files: dict[str, Entry] = {}
    sources = set()
    in_model = any(path.endswith(WEIGHTS) for path in listing)
    for path, wanted in listing.items():
        if (found := store.find(wanted)) is not None:
            places[path], source = found
            files[path] = describe(places[path], path, in_model=in_model)
            sources.add(source)
        elif path in known and known[path].md5 == wanted:
            files[path] = known[path]
            sources.add("manifest")
    complete = bool(listing) and len(files) == len(listing)
    weakest = next((one for one in ("manifest", "remote", "cache") if one in sources), "nowhere")
    return Committed(files, places, weakest if complete else "nowhere")


def _listing(store: Store, out: str, md5: str) -> dict[str, str] | None:
    """md5 of each file of an out, as DVC keeps it; None where a folder's listing is not at hand."""
    if not md5.endswith(".dir"):
        return {out: md5}
    found = store.find(md5)
    if found is None:
        return None
    return {f"{out}/{one['relpath']}": one["md5"] for one in json.loads(found[0].read_text(encoding="utf-8"))}
