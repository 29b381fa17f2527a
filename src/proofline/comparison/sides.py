"""What a person names becomes results: a file is looked for first, then a version, a run, a commit or experiment.

    samples_gsm8k_….jsonl   of lm-evaluation-harness         proofline-dpo/2, proofline-dpo@champion
    logs/….eval, ….json     of inspect_ai                    8f0c… (32 hex digits)   a run of the tracking store
    HEAD~3, main:dpo, my-experiment:sft, workspace:dpo       commits and experiments, of one policy or of all

Several of a kind, separated by commas, are one side: the same recipe under several seeds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proofline.certificate.stored import Store
from proofline.comparison.results import ComparisonError, Results

READERS = {".jsonl": "lm_eval", ".eval": "inspect_ai", ".json": "inspect_ai"}
VERSION = re.compile(r"(?:models:/)?(proofline-\w+)(?:/(\d+)|(@[\w-]+))")
RUN = re.compile(r"(?:runs:/)?([0-9a-f]{32})")
REVISION = re.compile(r"([^:]+)(?::([\w-]+))?")


@dataclass
class Places:
    """Where results that are no files lie; opened when first asked."""

    root: Path
    scratch: Path

    @cached_property
    def store(self) -> Store:
        from dvc.exceptions import NotDvcRepoError

        from proofline.certificate.stored import open_store

        try:
            return open_store(self.root, self.scratch)
        except NotDvcRepoError:
            raise ComparisonError(
                f"{self.root} is no repository of DVC's: here only files can be compared, or change into a repository"
            ) from None

    @cached_property
    def client(self) -> Any:
        from proofline.registry.store import read_registry

        return read_registry()


@contextmanager
def places(root: Path) -> Iterator[Places]:
    with TemporaryDirectory() as scratch:
        yield Places(root, Path(scratch))


def read_side(text: str, where: Places) -> list[Results]:
    """One side's results: one for each seed."""
    names = [text] if os.path.exists(text) else [name.strip() for name in text.split(",")]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ComparisonError(f"{text}: {', '.join(sorted(doubled))} stands there twice; each seed counts once")
    return [read_results(name, where).named(name) for name in names]


def read_results(name: str, where: Places) -> Results:
    """Raises ComparisonError where the name leads to nothing."""
    if os.path.exists(name):
        return _read_file(Path(name))
    if Path(name).suffix in READERS:
        raise ComparisonError(f"{name}: no such file")
    from proofline.comparison.stored import results_of_revision, results_of_run, results_of_version
    from proofline.registry.store import plain_errors

    with plain_errors():
        if run := RUN.fullmatch(name):
            return results_of_run(where.client, where.store, run[1])
        if version := VERSION.fullmatch(name):
            return results_of_version(where.client, where.store, version[1], version[2] or version[3])
        if revision := REVISION.fullmatch(name):
            return results_of_revision(where.root, where.store, revision[1], revision[2])
    raise ComparisonError(f"{name!r} is no file, version, run, commit or experiment; see `proofline compare --help`")


def _read_file(path: Path) -> Results:
    reader = READERS.get(path.suffix) if path.is_file() else None
    if reader == "lm_eval":
        from proofline.comparison.lm_eval import read_lm_eval

        return read_lm_eval(path)
    if reader == "inspect_ai":
        from proofline.comparison.inspect_log import read_inspect

        return read_inspect(path)
    raise ComparisonError(
        f"{path} is {'a folder' if path.is_dir() else 'no log that is known here'}; name a samples_*.jsonl of "
        "lm-evaluation-harness or an .eval or .json log of inspect_ai"
    )
