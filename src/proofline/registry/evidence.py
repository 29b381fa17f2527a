"""The gate's evidence as it lies in the reports, and why there is none. What it has to say is in `evaluation.evidence`.

Reports lie in the working directory, or in a commit or experiment of DVC's (`reports_of`). What is read of them has to
be about the version's weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proofline.evaluation.evidence import Evidence, as_policy, as_verifier
from proofline.evaluation.metrics import paired
from proofline.registry.store import RegistryError, first_line


class GateError(ValueError):
    """The version may not become champion."""


def evidence_for(policy: str, weights: str, reports: Path) -> Evidence:
    """What the reports say of a policy with these weights. Raises GateError where they say nothing of them."""
    evaluated = weights_in(policy, reports)
    if evaluated != weights:
        raise GateError(f"{reports} is about {policy} with weights {evaluated}, the version has {weights}")
    if policy == "genrm":
        with _read(reports / "verify" / "metrics.json", policy) as verifier:
            _refuse_others(reports / "verify", policy, verifier["weights"], weights)
            return as_verifier(verifier, verifier["policy"])
    with _read(_evaluated(policy, reports), policy) as metrics:
        confidence = float(metrics["confidence"])
    with _read(reports / "metrics.json", policy) as study:
        ours = study["policies"][policy]
        _refuse_others(reports / "metrics.json", policy, ours["weights"], weights)
        return as_policy(policy, paired(ours["over_base"]), confidence)


def weights_in(policy: str, reports: Path) -> str:
    """Whose weights the reports are about. Raises GateError where they do not say it."""
    with _read(_evaluated(policy, reports), policy) as metrics:
        return str(metrics["weights"])


@contextmanager
def reports_of(root: Path, revision: str) -> Iterator[Path]:
    """The reports of an experiment, a branch or a commit, from DVC's cache or its remote, in a folder for the time."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError
    from scmrepo.exceptions import SCMError as GitError

    with TemporaryDirectory() as scratch:
        try:
            DVCFileSystem(str(root), rev=revision).get("reports", scratch, recursive=True)
        except (DvcException, SCMError, GitError, OSError) as error:
            raise RegistryError(
                f"no reports of {revision!r}: {first_line(error)}; `dvc exp show` lists the experiments, and "
                "`dvc exp pull` or `dvc fetch` brings what is not in the cache"
            ) from error
        yield Path(scratch, "reports")


def _refuse_others(part: Path, policy: str, found: str, weights: str) -> None:
    """Raises GateError where a part of the reports is about other weights than `evaluate` is."""
    if found != weights:
        raise GateError(f"{part} is about {policy} with weights {found}, evaluated are {weights}; run `dvc repro`")


def _evaluated(policy: str, reports: Path) -> Path:
    return reports / "evaluate" / policy / "metrics.json"


@contextmanager
def _read(path: Path, policy: str) -> Iterator[Any]:
    """A report, to take from it what is needed. Raises GateError where that, or all of it, is not there."""
    if not path.exists():
        raise GateError(f"{path} is absent: nothing shows that the version is better; run `dvc repro`")
    try:
        yield json.loads(path.read_text(encoding="utf-8"))
    except GateError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        found = f"it has no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {first_line(error)}"
        raise GateError(f"{path} is not a report of this release about {policy}: {found}; run `dvc repro`") from error
