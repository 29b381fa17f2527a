"""What the reports show about a version: the gate's evidence, and why there is none.

- sft, dpo: more test problems solved greedily than by base, the paired interval above zero;
- genrm: best-of-N by its P(Yes) solves more than a single sample, the paired interval above zero.

Reports lie in the working directory, or in a commit or experiment of DVC's (`reports_of`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proofline.evaluation.metrics import estimate
from proofline.evaluation.statistics import Estimate, compare_shares
from proofline.records import Grade
from proofline.registry.store import RegistryError, first_line
from proofline.storage.records import read_records


class GateError(ValueError):
    """The version may not become champion."""


@dataclass(frozen=True)
class Evidence:
    """What the reports say about a version: a gain as a difference of shares, with its interval."""

    claim: str
    gain: Estimate

    def __str__(self) -> str:
        value, low, high = (100 * bound for bound in self.gain)
        return f"{self.claim}: {value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def evidence_for(policy: str, weights: str, reports: Path) -> Evidence:
    """The gain that the reports show for a policy with these weights. Raises GateError where they show nothing."""
    try:
        found = weights_in(policy, reports)
        if found != weights:
            raise GateError(f"{reports} is about {policy} with weights {found}, the version has {weights}")
        if policy == "genrm":
            gain = _report(reports / "verify" / "metrics.json")["overall"]["gains"]["best_of_over_one"]["difference"]
            return Evidence("best-of-N by GenRM over a single sample", estimate(gain))
        ours, base = _solved(reports, policy), _solved(reports, "base")
        if not ours or ours.keys() != base.keys():
            raise GateError(
                f"{reports} holds {policy}'s answers to {len(ours)} problems and base's to {len(base)}, of which "
                f"{len(ours.keys() & base.keys())} are the same: reports of other problem sets; run `dvc repro`"
            )
        confidence = _report(reports / "evaluate" / policy / "metrics.json")["confidence"]
        paired = compare_shares(list(ours.values()), [base[one] for one in ours], confidence)
        return Evidence(f"{policy} over base in greedy accuracy", paired.difference)
    except (LookupError, TypeError, json.JSONDecodeError) as error:
        raise GateError(
            f"{reports} is not a report of this release about {policy}: {type(error).__name__} "
            f"{first_line(error)}; run `dvc repro`"
        ) from error


def weights_in(policy: str, reports: Path) -> str:
    """Whose weights the reports are about. Raises GateError where its parts are about different ones."""
    evaluated = str(_report(reports / "evaluate" / policy / "metrics.json")["weights"])
    if policy == "genrm":
        verified = _report(reports / "verify" / "metrics.json").get("weights")
        if verified != evaluated:
            raise GateError(
                f"{reports}/verify is about genrm with weights {verified}, {reports}/evaluate with {evaluated}; "
                "run `dvc repro`"
            )
    return evaluated


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


def _solved(reports: Path, policy: str) -> dict[str, bool]:
    """Whether each test problem was solved greedily, by problem id."""
    path = reports / "evaluate" / policy / "greedy_grades.jsonl"
    if not path.exists():
        raise GateError(f"{path} is absent: nothing shows that the version is better; run `dvc repro`")
    return {grade.problem_id: grade.verdict == "correct" for grade in read_records(path, Grade)}


def _report(path: Path) -> Any:
    if not path.exists():
        raise GateError(f"{path} is absent: nothing shows that the version is better; run `dvc repro`")
    return json.loads(path.read_text(encoding="utf-8"))
