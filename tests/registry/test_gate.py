"""What the gate reads in the reports, and what it refuses: each in a sentence that says why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gate_reports import over, verifier, write_policy, write_verifier

from proofline.evaluation.baselines import CHEAP
from proofline.registry.evidence import GateError, evidence_for
from proofline.storage.artifacts import write_json

REFUSED = {
    "reads the layout, and gains by it": (verifier(0.52), "GenRM is not shown to tell right from wrong samples of one"),
    "lower bound at 0.5": (verifier(0.625, half=0.125), "GenRM is not shown to tell .*95% CI 0.50 to 0.75"),
    "no better than length": (verifier(0.62, length=0.6), "not shown to do so better than length alone: AUROC 0.62"),
    "no better than layout": (verifier(0.62, layout=0.7), "not shown to do so better than layout alone: AUROC 0.62"),
    "no better than agreement": (verifier(agreement=0.75), "so better than agreement of the samples: AUROC"),
    "no better than its sampler": (verifier(logprob=0.79), "better than the sampler's log-probability and"),
    "log-probabilities unknown": (verifier(logprob=float("nan")), "an unknown one by the sampler's log-probab"),
    "too few to say": (verifier(0.9, number=19), "is open: 19 problems have both, of 19 clusters, and fewer than 20"),
    "none with both": (verifier(float("nan"), number=0), "is open: no problem has both"),
    "chooses no better than chance": (verifier(gain=0.03), "No difference shown between best-of-8 by GenRM and a sing"),
    "chooses worse": (verifier(gain=-0.2), "best-of-8 by GenRM loses to a single sample"),
    "undefined gain": (verifier(gain=float("nan")), "No difference shown between best-of-8 by GenRM and a single"),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_a_verifier_that_is_not_shown_to_look_stays_out(tmp_path: Path, why: str) -> None:
    metrics, said = REFUSED[why]
    found = evidence_for("genrm", "one", write_verifier(tmp_path, metrics))
    assert not found.shown
    assert re.search(said, found.said)


@pytest.mark.parametrize("name", CHEAP)
def test_an_undefined_difference_to_a_baseline_shows_nothing(tmp_path: Path, name: str) -> None:
    metrics = verifier()
    metrics["overall"]["baselines"][name]["genrm_over"]["auroc_within_layout"] = over(float("nan"))
    assert not evidence_for("genrm", "one", write_verifier(tmp_path, metrics)).shown


def test_how_far_it_stays_from_the_program_is_said_and_not_asked_for(tmp_path: Path) -> None:
    found = evidence_for("genrm", "one", write_verifier(tmp_path, verifier()))
    assert found.shown
    assert "GenRM stays 0.17 (95% CI 0.12 to 0.22) below the program's check, which reaches 0.95 there." in found.said


@pytest.mark.parametrize("lost", ["auroc_within_layout", "matched_problems", "baselines", "gains"])
def test_a_verifier_of_an_older_run_is_refused_by_what_its_report_lacks(tmp_path: Path, lost: str) -> None:
    metrics = verifier()
    del metrics["overall"][lost]
    said = rf"verify/metrics\.json is not a report of this release about genrm: it has no '{lost}'; run `dvc repro`"
    with pytest.raises(GateError, match=said):
        evidence_for("genrm", "one", write_verifier(tmp_path, metrics))


@pytest.mark.parametrize("part", ["evaluate/dpo/metrics.json", "metrics.json"])
@pytest.mark.parametrize("text", ["", '{"weights": ', "[]", "{}", '{"weights": "one"}', '{"policies": {"dpo": {}}}'])
def test_a_damaged_report_is_refused_in_a_sentence(tmp_path: Path, part: str, text: str) -> None:
    write_policy(tmp_path, "dpo", "one", wins=80)
    (tmp_path / part).write_text(text)
    with pytest.raises(GateError, match=f"{part} is not a report of this release about dpo: .*; run `dvc repro`"):
        evidence_for("dpo", "one", tmp_path)


def test_parts_about_other_weights_are_refused(tmp_path: Path) -> None:
    """Evaluated anew, but not reported or verified yet."""
    write_policy(tmp_path, "dpo", "one", wins=80)
    write_json(tmp_path / "evaluate" / "dpo" / "metrics.json", {"weights": "two", "confidence": 0.95})
    with pytest.raises(GateError, match=r"metrics\.json is about dpo with weights one, evaluated are two; run"):
        evidence_for("dpo", "two", tmp_path)
    write_verifier(tmp_path, verifier() | {"weights": "older"})
    with pytest.raises(GateError, match="verify is about genrm with weights older, evaluated are one; run `dvc repro`"):
        evidence_for("genrm", "one", tmp_path)
