"""`dvc.decisions.json`: what every out of `dvc.lock` says, small enough for git.

Of every file: md5 (DVC's), SHA-256 and size. Of JSON Lines also `Rows`: what each row decides, and its measured values.
Of JSON the values themselves, where they give back the file's bytes, and so its md5. A folder's md5 follows from its
files. So the manifest can be held against the lock alone, and a reproduction against the manifest where nobody has the
committed files any more.

The md5s bind the manifest to the lock; digests of rows are bound to nothing but the file they were made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from proofline.certificate.decisions import Rows, summarise
from proofline.certificate.lock import below, folder_md5
from proofline.storage.artifacts import write_text

MANIFEST = "dvc.decisions.json"
VERSION = 1
MAX_BYTES = 2_000_000
WEIGHTS = ".safetensors"


class ManifestError(ValueError):
    """A manifest that cannot be read, or is not that of the lock."""


class Entry(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    md5: str
    sha256: str
    size: int
    rows: Rows | None = None
    values: Any | None = None
    """The content of a JSON file that is written as `storage.write_json` writes."""


class Manifest(BaseModel):
    """All files that the stages wrote, and where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    environment: dict[str, str]
    """Of the machine that made the results."""
    files: dict[str, Entry]

    def under(self, out: str) -> dict[str, Entry]:
        """The files of one out: itself, or those below."""
        return files_under(self.files, out)


def files_under(files: Mapping[str, Entry], out: str) -> dict[str, Entry]:
    return {path: entry for path, entry in files.items() if path == out or below(path, out)}


def describe(file: Path, path: str, *, in_model: bool = False) -> Entry:
    """The entry of a file that the repository knows as `path`; a model's own JSON counts as bytes."""
    with open(file, "rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        content.seek(0)
        md5 = hashlib.file_digest(content, "md5").hexdigest()
    entry = Entry(md5=md5, sha256=sha256, size=file.stat().st_size)
    try:
        if path.endswith(".jsonl"):
            with open(file, encoding="utf-8") as lines:
                return entry.model_copy(update={"rows": summarise(lines)})
        if path.endswith(".json") and not in_model:
            values = json.loads(file.read_text(encoding="utf-8"))
            if json_md5(values) == md5:
                return entry.model_copy(update={"values": values})
    except ValueError:  # not JSON, whatever its name says: its bytes are all there is to compare
        return entry
    return entry


def json_md5(values: object) -> str:
    """Of the file that `storage.write_json` makes of these values."""
    return hashlib.md5((json.dumps(values, ensure_ascii=False, indent=2) + "\n").encode()).hexdigest()


def describe_out(root: Path, out: str) -> dict[str, Entry]:
    """The entries of an out as it lies in a folder; none where it is absent."""
    place = root / out
    if place.is_file():
        return {out: describe(place, out)}
    files = sorted(file for file in place.rglob("*") if file.is_file())
    in_model = any(file.suffix == WEIGHTS for file in files)
    paths = {file: file.relative_to(root).as_posix() for file in files}
    return {path: describe(file, path, in_model=in_model) for file, path in paths.items()}


def describe_outs(root: Path, outs: Iterable[str]) -> dict[str, Entry]:
    """The entries of several outs, absent ones left out."""
    return {path: entry for out in sorted(outs) for path, entry in describe_out(root, out).items()}


def make_manifest(root: Path, outs: Mapping[str, str], environment: Mapping[str, str]) -> Manifest:
    """Of the outs (md5 by path) that lie in the workspace at `root`. Raises ManifestError where one is another."""
    files = describe_outs(root, outs)
    for out, md5 in outs.items():
        if (found := out_md5(files_under(files, out), out)) != md5:
            here = "absent" if found is None else f"another ({found}, not {md5})"
            raise ManifestError(f"{out} is {here} here; make it with `dvc repro`, or fetch it with `dvc pull`")
    return Manifest(version=VERSION, environment=dict(environment), files=files)


def out_md5(files: Mapping[str, Entry], out: str) -> str | None:
    """What DVC writes into the lock for an out with these files; None without any."""
    if out in files:
        return files[out].md5
    return folder_md5({path[len(out) + 1 :]: entry.md5 for path, entry in files.items()}) if files else None


def write_manifest(manifest: Manifest, path: Path) -> int:
    """One line a file, so that git shows which changed; returns the size in bytes. Raises ManifestError above 2 MB."""

    def compact(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    lines = [
        f"{compact(name)}:{compact({key: value for key, value in entry.model_dump().items() if value is not None})}"
        for name, entry in manifest.files.items()
    ]
    head = f'{{"version":{manifest.version},\n"environment":{compact(manifest.environment)},\n"files":{{\n'
    text = head + ",\n".join(lines) + "\n}}\n"
    if (size := len(text.encode())) > MAX_BYTES:
        largest = max(lines, key=len).partition(":")[0]
        raise ManifestError(
            f"the manifest would have {size:,} bytes, {largest} the most of them; git should keep at most "
            f"{MAX_BYTES:,}: push the results to a DVC remote instead, `certify` compares with those"
        )
    write_text(path, text)
    return size


def read_manifest(content: bytes) -> Manifest:
    """Raises ManifestError where it is not one."""
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ManifestError(f"{MANIFEST}: {place}: {first['msg']}; write it anew with `proofline manifest`") from None
    if manifest.version != VERSION:
        raise ManifestError(f"{MANIFEST} is of version {manifest.version}; this release reads version {VERSION}")
    return manifest
