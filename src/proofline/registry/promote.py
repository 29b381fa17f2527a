"""Which version is champion: promotion through a gate, roll-back to the one before.

The gate asks the reports of the last reproduction, and first whether they are about this version's weights:

- sft, dpo: more test problems solved greedily than by base, the paired interval above zero;
- genrm: best-of-N by its P(Yes) solves more than a single sample, the paired interval above zero.

Every version that became champion remembers, in its tags, the evidence and the champion it followed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofline.evaluation.statistics import Estimate, compare_shares
from proofline.records import Grade
from proofline.registry.register import CANDIDATE, aliases, model_name, versions
from proofline.storage.records import read_records

CHAMPION = "champion"
EVIDENCE, FOLLOWS = "proofline.evidence", "proofline.follows"


class GateError(ValueError):
    """The version may not become champion."""


class RegistryError(ValueError):
    """There is no such version, or none before it."""


@dataclass(frozen=True)
class Evidence:
    """What the reports say about a version: a gain as a difference of shares, with its interval."""

    claim: str
    gain: Estimate

    def __str__(self) -> str:
        value, low, high = (100 * bound for bound in self.gain)
        return f"{self.claim}: {value:+.1f} points [{low:+.1f}, {high:+.1f}]"


def promote(client: Any, policy: str, version: int | None, reports: Path, because: str | None = None) -> str:
    """Make a version (default: the candidate) champion; returns the evidence.

    `because` is a person's reason to pass the gate without evidence; it is kept in its place.
    """
    chosen = _by_alias(client, policy, CANDIDATE) if version is None else _by_number(client, policy, version)
    if chosen is None:
        remedy = f"run `dvc repro`, or `proofline registry register {policy}`"
        raise RegistryError(f"{model_name(policy)} has no {CANDIDATE}; {remedy}")
    if because is not None:
        said = f"without evidence: {because}"
    else:
        evidence = evidence_for(policy, chosen.tags["proofline.weights"], reports)
        if not evidence.gain.low > 0:
            raise GateError(
                f"{model_name(policy)} version {chosen.version} stays out: {evidence}; the interval must lie above "
                "zero. `--because REASON` promotes it all the same"
            )
        said = str(evidence)
    champion = _by_alias(client, policy, CHAMPION)
    if champion is not None and champion.version != chosen.version:
        client.set_model_version_tag(chosen.name, chosen.version, FOLLOWS, str(champion.version))
    client.set_model_version_tag(chosen.name, chosen.version, EVIDENCE, said)
    client.set_registered_model_alias(chosen.name, CHAMPION, str(chosen.version))
    return said


def rollback(client: Any, policy: str) -> int:
    """Make the champion's predecessor champion again; returns its version."""
    champion = _by_alias(client, policy, CHAMPION)
    if champion is None or FOLLOWS not in champion.tags:
        held = "there is none" if champion is None else f"version {champion.version} is the first one"
        raise RegistryError(f"{model_name(policy)} has no earlier champion to return to: {held}")
    before = _by_number(client, policy, int(champion.tags[FOLLOWS]))
    client.set_registered_model_alias(before.name, CHAMPION, str(before.version))
    return int(before.version)


def evidence_for(policy: str, weights: str, reports: Path) -> Evidence:
    """The gain that the reports show for a policy with these weights. Raises GateError where they show nothing."""
    evaluated = _report(reports / "evaluate" / policy / "metrics.json")["weights"]
    if evaluated != weights:
        raise GateError(
            f"{reports} is about {policy} with weights {evaluated}, the version has {weights}; "
            "reproduce the version's recipe (its commit is in its tags), then promote"
        )
    if policy == "genrm":
        overall = _report(reports / "verify" / "metrics.json")["overall"]
        gain = overall["gains"]["best_of_over_one"]["difference"]
        return Evidence("best-of-N by GenRM over a single sample", Estimate(**gain))
    right = {name: _solved(reports, name) for name in (policy, "base")}
    confidence = _report(reports / "evaluate" / policy / "metrics.json")["confidence"]
    paired = compare_shares(list(right[policy].values()), [right["base"][one] for one in right[policy]], confidence)
    return Evidence(f"{policy} over base in greedy accuracy", paired.difference)


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


def _by_alias(client: Any, policy: str, alias: str) -> Any | None:
    number = aliases(client, policy).get(alias)
    return None if number is None else _by_number(client, policy, number)


def _by_number(client: Any, policy: str, number: int) -> Any:
    known = versions(client, policy)
    for version in known:
        if int(version.version) == number:
            return version
    numbers = ", ".join(str(version.version) for version in reversed(known)) or "none"
    raise RegistryError(f"{model_name(policy)} has no version {number}; there are: {numbers}")
