"""Which version is champion: promotion through a gate, roll-back along the history.

The gate asks the reports of the last reproduction, or of an experiment, and first whether they are about this
version's weights (`evidence`). What MLflow does not load becomes champion in no way. Each step is an entry of the
history, which is never overwritten (`history`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from proofline.registry.evidence import GateError, evidence_for, weights_in
from proofline.registry.files import examine
from proofline.registry.history import EVIDENCE, below, champions, crown, history, last_number
from proofline.registry.origin import COMMIT, EXPERIMENT
from proofline.registry.store import (
    CANDIDATE,
    CHAMPION,
    WEIGHTS,
    RegistryError,
    aliases,
    by_number,
    by_weights,
    model_name,
    versions,
)


def promote(client: Any, policy: str, version: int | None, reports: Path, because: str | None = None) -> str:
    """Make a version (default: the candidate) champion; returns the evidence.

    `because` is a person's reason to pass the gate without evidence; it is kept in its place. Raises GateError where
    the reports do not speak for it, RegistryError where it is absent, does not load, or another one was first.
    """
    known = last_number(client, policy)
    chosen = _candidate(client, policy) if version is None else by_number(client, policy, version)
    said = f"without evidence: {because}" if because is not None else _gate(client, policy, chosen, reports)
    if wrong := examine(client, chosen):
        raise RegistryError(
            f"{chosen.name} version {chosen.version} stays out: {wrong}. Where models/{policy} has its weights, "
            f"`proofline registry register {policy}` stores them again"
        )
    crown(client, policy, chosen, "promote", said, known)
    client.set_model_version_tag(chosen.name, chosen.version, EVIDENCE, said)  # for the page; the history has them all
    return said


def rollback(client: Any, policy: str) -> int:
    """Make the champion before this one champion again; returns its version.

    Versions that were deleted since, or no longer load, are passed over. Raises RegistryError where none is left.
    """
    entries = history(client, policy)
    known, current = last_number(client, policy), aliases(client, policy).get(CHAMPION)
    alive = {int(version.version): version for version in versions(client, policy)}
    passed_over: list[tuple[int, str]] = []
    for number in reversed(below(champions(entries), current)):
        wrong = examine(client, alive[number]) if number in alive else "deleted"
        if wrong is None:
            skipped = "".join(f"; passed over version {other}: {reason}" for other, reason in passed_over)
            crown(client, policy, alive[number], "rollback", f"from version {current}{skipped}", known)
            return number
        passed_over.append((number, wrong))
    held = "there is none" if current is None and not entries else f"version {current} is the first one"
    if passed_over:
        held = "; ".join(f"version {number}: {reason}" for number, reason in passed_over)
    raise RegistryError(f"{model_name(policy)} has no earlier champion to return to: {held}")


def version_of(client: Any, policy: str, reports: Path) -> int:
    """The version that reports are about. Raises RegistryError where it is not registered."""
    weights = weights_in(policy, reports)
    version = by_weights(client, policy, weights)
    if version is None:
        raise RegistryError(
            f"{policy} with weights {weights} is not registered; bring it into the workspace (`dvc exp apply NAME`), "
            f"then `proofline registry register {policy}`"
        )
    return int(version.version)


def _candidate(client: Any, policy: str) -> Any:
    number = aliases(client, policy).get(CANDIDATE)
    if number is None:
        remedy = f"run `dvc repro`, or `proofline registry register {policy}`"
        raise RegistryError(f"{model_name(policy)} has no {CANDIDATE}; {remedy}")
    return by_number(client, policy, number)


def _gate(client: Any, policy: str, version: Any, reports: Path) -> str:
    """What the report says for a version. Raises GateError with what would help."""
    weights = version.tags.get(WEIGHTS)
    if weights is None:
        raise GateError(
            f"{version.name} version {version.version} was made by hand and names no weights: no report can be shown "
            "to be about it; `--because REASON` promotes it all the same"
        )
    try:
        evidence = evidence_for(policy, weights, reports)
    except GateError as error:
        raise GateError(f"{error}; {_remedy(client, policy, version, reports)}") from None
    if not evidence.shown:
        raise GateError(
            f"{version.name} version {version.version} stays out: {evidence.asked}. The report: {evidence.said} "
            "`--because REASON` promotes it all the same"
        )
    return evidence.said


def _remedy(client: Any, policy: str, version: Any, reports: Path) -> str:
    """How to get to reports about this version, or to the version that these reports are about."""
    remedies = []
    # No reports, none that can be read, or of weights that are not registered: then there is no such version.
    with suppress(ValueError, LookupError, TypeError):
        if (number := version_of(client, policy, reports)) != int(version.version):
            remedies.append(f"they are about version {number}: `--version` takes a number")
    if experiment := version.tags.get(EXPERIMENT):
        remedies.append(f"version {version.version} has its reports in `--experiment {experiment}`")
    elif commit := version.tags.get(COMMIT):
        remedies.append(f"version {version.version} was made at commit {commit[:12]}: reproduce it, then promote")
    return "; ".join(remedies) or "or `--because REASON`"
