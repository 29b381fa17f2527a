"""The history of champions: append-only, one line for all policies, also for two who promote at once.

An entry is a version of the registered model `proofline-promotions`. MLflow gives versions their numbers in order and
never the same one twice, not even a deleted one's, and a version points to the files of the one it promotes. So the
store itself keeps the order, and each entry's evidence, date and author stay, whatever becomes of the aliases.

An entry says up to which number its author had read (`after`). One that another entry of its policy has overtaken
counts for nothing: whoever came second is told, and takes it back.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from proofline.registry.store import CHAMPION, WEIGHTS, RegistryError, aliases, create_model, model_name, point

PROMOTIONS, EVIDENCE = "proofline-promotions", "proofline.evidence"
ABOUT = "The history of champions: a version here is a promotion or a roll-back, in order. Written by `proofline`."
Kind = Literal["promote", "rollback"]


@dataclass(frozen=True)
class Entry:
    """One promotion or roll-back."""

    number: int
    after: int
    """The last entry of the policy that its author knew; 0: none."""
    kind: Kind
    version: int
    """Which became champion."""
    before: int | None
    """Which was champion until then, also where nobody wrote that down."""
    weights: str
    evidence: str
    by: str
    at: datetime

    def __str__(self) -> str:
        verb = {"promote": "promoted", "rollback": "rolled back to"}[self.kind]
        return f"{self.at:%Y-%m-%d %H:%M}  {verb} version {self.version}  by {self.by}: {self.evidence}"


def history(client: Any, policy: str) -> list[Entry]:
    """All that counts, oldest first."""
    valid: list[Entry] = []
    for entry in sorted(_entries(client, policy), key=lambda entry: entry.number):
        if not valid or entry.after >= valid[-1].number:
            valid.append(entry)
    return valid


def last_number(client: Any, policy: str) -> int:
    """Number of the policy's last entry; 0 where there is none."""
    return max((entry.number for entry in history(client, policy)), default=0)


def crown(client: Any, policy: str, version: Any, kind: Kind, evidence: str, after: int) -> Entry:
    """Write the entry, then let the alias `champion` follow the history. Raises RegistryError for the second of two."""
    before = aliases(client, policy).get(CHAMPION)
    tags = {
        "proofline.policy": policy,
        "proofline.kind": kind,
        "proofline.version": str(version.version),
        "proofline.before": "" if before is None else str(before),
        EVIDENCE: evidence,
        "proofline.by": author(),
        "proofline.after": str(after),
        WEIGHTS: version.tags.get(WEIGHTS, ""),
    }
    create_model(client, PROMOTIONS, ABOUT)
    said = f"{version.name} version {version.version} is champion ({kind}). {evidence}"
    source = f"models:/{version.name}/{version.version}"
    made = client.create_model_version(PROMOTIONS, source, tags=tags, description=said)
    valid = {entry.number: entry for entry in history(client, policy)}
    if int(made.version) not in valid:
        client.delete_model_version(PROMOTIONS, made.version)
        other = next(entry for number, entry in sorted(valid.items()) if number > after)
        raise RegistryError(
            f"{version.name} has got another champion meanwhile, nothing was changed by this command: {other}; "
            f"see `proofline registry history {policy}` and decide anew"
        )
    follow_history(client, policy)
    return valid[int(made.version)]


def follow_history(client: Any, policy: str) -> None:
    """Set the alias to what the last entry says; again, if another entry was written meanwhile."""
    while True:
        last = history(client, policy)[-1]
        point(client, model_name(policy), CHAMPION, str(last.version))
        if last_number(client, policy) == last.number:
            return


def champions(entries: Sequence[Entry]) -> list[int]:
    """The versions below the present champion and itself, the way back in order: a roll-back takes from its end."""
    line: list[int] = []
    for entry in entries:
        if entry.before is not None and line[-1:] != [entry.before]:
            line.append(entry.before)
        if entry.kind == "rollback" and entry.version in line:
            line = below(line, entry.version)
        if line[-1:] != [entry.version]:
            line.append(entry.version)
    return line


def below(line: Sequence[int], version: int | None) -> list[int]:
    """What lies below a version in a line of champions; all of it where the version is not in it."""
    for at in reversed(range(len(line))):
        if line[at] == version:
            return list(line[:at])
    return list(line)


def author() -> str:
    """Who is at the keyboard: `user@machine`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _entries(client: Any, policy: str) -> list[Entry]:
    found = client.search_model_versions(f"name = '{PROMOTIONS}'")
    return [_entry(version) for version in found if version.tags.get("proofline.policy") == policy]


def _entry(version: Any) -> Entry:
    tags = version.tags
    return Entry(
        number=int(version.version),
        after=int(tags["proofline.after"]),
        kind=tags["proofline.kind"],
        version=int(tags["proofline.version"]),
        before=int(tags["proofline.before"]) if tags["proofline.before"] else None,
        weights=tags[WEIGHTS],
        evidence=tags[EVIDENCE],
        by=tags["proofline.by"],
        at=datetime.fromtimestamp(version.creation_timestamp / 1000),
    )
