"""What a DVC remote holds, against what it should hold: every object of `dvc.lock` and the run cache, by its bytes.

DVC asks a remote which names exist, and takes a folder for whole once its listing is there; its uploads to Google
Cloud Storage are not checksummed. Here each object is asked for the md5 of its bytes: the store's own statement
(`md5Hash`), or, where it makes none (composed objects, folders on a disk), the bytes are read. An object's name is its
md5, so that needs no local copy; with one, a wrong object can be described and uploaded again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from proofline.storage.gcsfs_mended import mend_gcsfs
from proofline.storage.remote import guard_gcsfs
from proofline.storage.remote_objects import Difference, Object, md5_of
from proofline.storage.remote_setting import RemoteError


@dataclass(frozen=True)
class Remote:
    """DVC's remote of a repository, and its cache."""

    repository: Any
    name: str | None = None
    """None: the default one."""

    @cached_property
    def database(self) -> Any:
        return self.repository.cloud.get_remote_odb(self.name)

    @cached_property
    def files(self) -> Any:
        """The file system: fsspec's, not DVC's around it."""
        return self.database.fs.fs

    @cached_property
    def root(self) -> str:
        """`bucket/prefix`, as the file system has it."""
        return str(self.repository.cloud.get_remote(self.name).path)

    @property
    def address(self) -> str:
        """`gs://bucket/prefix`."""
        return str(self.database.fs.unstrip_protocol(self.root))

    @property
    def key(self) -> str | None:
        """The key file that DVC is told of."""
        config = self.repository.config
        found = config["remote"][self.name or config["core"]["remote"]].get("credentialpath")
        return None if found is None else str(found)

    def reach(self) -> None:
        """Raises RemoteError where it does not answer, or its bucket does not exist: gcsfs calls all of it missing."""
        if self.database.fs.protocol != "gs":
            return
        mend_gcsfs()
        bucket = self.root.partition("/")[0]
        try:
            self.files.ls(bucket, max_results=1)
        except FileNotFoundError:
            raise RemoteError(
                f"there is no bucket gs://{bucket}: correct the name (`proofline remote set`), or make it "
                f"(`gcloud storage buckets create gs://{bucket}`)"
            ) from None
        except Exception as error:  # of any library behind gcsfs
            raise self._failed("read", error) from error

    def _failed(self, what: str, error: Exception) -> RemoteError:
        cause = " ".join(str(error).split()) or type(error).__name__
        return RemoteError(f"{self.address} cannot be {what}: {cause}. docs/bucket.md says how to find out")

    def objects(self) -> list[Object]:
        """All that should be there, each once. Raises RemoteError: a listing that is nowhere."""
        found: dict[str, Object] = {}
        for out in self.repository.index.outs:
            if out.use_cache and out.can_push and out.hash_info:
                for one in self._of_out(str(out.def_path), out.hash_info.value):
                    found.setdefault(one.md5, one)
        return [*found.values(), *self._of_runs()]

    def unknown(self) -> list[str]:
        """Outputs of the graph that `dvc.lock` says nothing of."""
        return [str(out.def_path) for out in self.repository.index.outs if out.use_cache and not out.hash_info]

    def _of_out(self, path: str, name: str) -> Iterable[Object]:
        yield (whole := self._object(path, name))
        if not name.endswith(".dir"):
            return
        for entry in json.loads(self._read(whole)):
            yield self._object(f"{path}/{entry['relpath']}", entry["md5"])

    def _object(self, what: str, name: str) -> Object:
        cache = self.repository.cache.local
        listing = name.endswith(".dir")
        return Object(
            what + "/" * listing, name.removesuffix(".dir"), self.database.oid_to_path(name),
            Path(cache.oid_to_path(name)), order=int(listing),
        )  # fmt: skip

    def _of_runs(self) -> Iterable[Object]:
        cache = Path(self.repository.cache.legacy.path)
        for copy in sorted((cache / "runs").rglob("*")):
            if copy.is_file() and not copy.name.endswith(".tmp"):
                path = copy.relative_to(cache).as_posix()
                yield Object(f"run cache {copy.name[:12]}", md5_of(copy), f"{self.root}/{path}", copy, order=2)

    def _read(self, listing: Object) -> bytes:
        """From the cache, else from the remote; never a damaged one."""
        if listing.is_sound:
            return listing.copy.read_bytes()
        try:
            content = bytes(self.files.cat_file(listing.path))
        except FileNotFoundError:
            content = b""
        except Exception as error:  # of any library behind it
            raise self._failed("read", error) from error
        if hashlib.md5(content).hexdigest() != listing.md5:
            raise RemoteError(
                f"which files are in {listing.what} is not known: its listing is whole neither in the cache nor in "
                f"{self.address}. `proofline verify-remote --repair` on a machine that has it, or `dvc repro`"
            )
        return content

    def compare(self, objects: Sequence[Object]) -> list[Difference]:
        """Those that are not there as they should be. Raises RemoteError where that cannot be found out."""
        from dvc.fs.callbacks import TqdmCallback

        self.files.invalidate_cache()  # what was listed before a push
        with TqdmCallback(desc="Comparing", unit="object", size=len(objects)) as bar:
            paths = [one.path for one in objects]
            answers = self.database.fs.info(paths, callback=bar, return_exceptions=True)
        pairs = zip(objects, answers, strict=True)
        return [wrong for one, answer in pairs if (wrong := self._judge(one, answer)) is not None]

    def _judge(self, one: Object, answer: Any) -> Difference | None:
        if isinstance(answer, FileNotFoundError):
            return Difference(one, "missing", None)
        if isinstance(answer, Exception):
            raise self._failed("read", answer)
        size, stated = int(answer["size"]), answer.get("md5Hash")
        md5 = base64.b64decode(stated).hex() if stated else self._hashed(one.path)
        if md5 == one.md5:
            return None
        if one.size is None or size == one.size:
            return Difference(one, "checksum", size)
        return Difference(one, "truncated" if size < one.size else "too long", size)

    def _hashed(self, path: str) -> str:
        with self.files.open(path, "rb") as content:
            return hashlib.file_digest(content, "md5").hexdigest()

    def repair(self, wrong: Sequence[Difference]) -> list[Difference]:
        """Upload again what the cache has; returns what is still wrong. A damaged copy is never uploaded."""
        from dvc.fs.callbacks import TqdmCallback

        objects = sorted((one.object for one in wrong), key=lambda one: one.order)
        with TqdmCallback(desc="Uploading", unit="object", size=len(objects)) as bar:
            for one in bar.wrap(objects):
                if one.is_sound:
                    self._put(one)
        return self.compare(objects)

    def _put(self, one: Object) -> None:
        try:
            self.database.fs.put_file(str(one.copy), one.path)
        except Exception as error:  # of any library behind it
            raise self._failed("written", error) from error


def open_remote(root: Path, name: str | None = None) -> Remote:
    """As DVC is configured in the repository at `root`. Raises RemoteError where that is none, or does not answer."""
    from dvc.config import ConfigError
    from dvc.repo import Repo

    guard_gcsfs()
    try:
        remote = Remote(Repo(str(root)), name)
        remote.reach()
    except ConfigError as error:
        said = " ".join(str(error).split())
        raise RemoteError(f"{said}. `proofline remote set gs://BUCKET/PREFIX` sets one; see docs/bucket.md") from None
    return remote
