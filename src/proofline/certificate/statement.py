"""The certificate: an in-toto Statement (v1) about the committed results and the registered versions made of them.

In: an assessment and both machines. Out: a JSON-able dictionary. Its subjects are the *committed* files, by SHA-256;
its predicate says how each came out again, by which recipe, on which machines, and how sure the tests are. The values
of the reproduced metrics are in it, so that what it says about them can be recomputed; see docs/certificate.md.

Specification: https://github.com/in-toto/attestation/tree/main/spec/v1
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from proofline.certificate.assess import Assessment
from proofline.certificate.commit import Commit
from proofline.certificate.compare import TOLERANCE
from proofline.certificate.equivalence import ALPHA, METHODS, POWER, MetricTest
from proofline.certificate.machine import machine_differences

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:proofline:reproduction:v1"


def make_statement(
    commit: Commit, found: Assessment, machines: tuple[Mapping[str, str] | None, Mapping[str, str]],
    digests: Mapping[str, str], stages: Sequence[str], seconds: float,
) -> dict[str, Any]:  # fmt: skip
    """`machines`: the committed results' (None: unknown) and this one. `digests`: SHA-256 by file and by registered
    version. `stages`: those that were asked for, none for all."""
    lock, again = found.lock, found.reproduced_lock
    there, here = machines
    return {
        "_type": TYPE,
        "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(digests.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "verdict": str(found.rank),
            "faults": found.faults,
            "source": {"commit": commit.sha, "lock_sha256": lock.sha256},
            "stages": list(stages) or "all",
            "recipe": {"id": lock.recipe, "params": lock.params},
            "identities": {
                name: {"committed": lock.stages[name].identity, "reproduced": stage.identity}
                for name, stage in again.stages.items()
                if name in lock.stages
            },
            "environment": {
                "committed": there,
                "reproduced": here,
                "differences": machine_differences(there or {}, here) if there else "unknown",
            },
            "tolerance": TOLERANCE,
            "artefacts": _artefacts(found),
            "metrics": metrics_block(found.tests),
            "reproduced_metrics": {
                out: files[out].values for out, files in found.reproduced.items() if out.endswith("/metrics.json")
            },
            "weight_distances": found.distances,
            "seconds": round(seconds, 1),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }


def subjects(found: Assessment) -> dict[str, str]:
    """Committed files whose SHA-256 is known: of the file itself, its manifest entry, or an identical reproduction."""
    digests = {path: entry.sha256 for one in found.committed.values() for path, entry in one.files.items()}
    for out, files in found.reproduced.items():
        if found.lock.outs[out] == found.reproduced_lock.outs[out]:
            digests |= {path: entry.sha256 for path, entry in files.items()}
    return digests


def _artefacts(found: Assessment) -> list[dict[str, Any]]:
    return [
        {
            "path": out,
            "stage": verdict.stage,
            "class": str(verdict.rank),
            "reason": verdict.reason,
            "committed_md5": found.lock.outs[out],
            "reproduced_md5": found.reproduced_lock.outs[out],
            "compared_with": found.committed[out].source,
        }
        for out, verdict in found.verdicts.items()
    ]


def metrics_block(tests: Sequence[MetricTest]) -> dict[str, Any]:
    """The tests and what they are worth."""
    return {
        "alpha": ALPHA,
        "power": POWER,
        "count": len(tests),
        "correction": "Bonferroni",
        "methods": {method: METHODS[method] for method in dict.fromkeys(test.method for test in tests)},
        "tests": [
            {**{key: _json(value) for key, value in asdict(test).items()}, "passed": test.passed} for test in tests
        ],
    }


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
