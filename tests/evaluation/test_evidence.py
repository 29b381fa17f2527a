"""What the registry's gate asks for is what the report finds: over clusters, among look-alikes, in the same words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checkout import REPOSITORY
from invented import Invented, composed, invent, layout_reader, through_json

from proofline.config.schema import TRAINED
from proofline.evaluation.cards import Dataset, Provenance, cards
from proofline.evaluation.evidence import SOLVES, VERIFIES, as_verifier, evidence
from proofline.evaluation.results import results_markdown
from proofline.evaluation.scored import agreement
from proofline.evaluation.study import Study
from proofline.evaluation.study_metrics import all_metrics
from proofline.registry.evidence import evidence_for
from proofline.storage.artifacts import write_json


def told(reports: Path, study: Study) -> dict[str, tuple[str, bool]]:
    """What the gate reads, and decides, of the files that the stages write."""
    for policy in TRAINED:
        write_json(reports / "evaluate" / policy / "metrics.json", study.policies[policy])
    about = {"weights": study.policies["genrm"]["weights"], "policy": study.verified_policy}
    write_json(reports / "verify" / "metrics.json", {**about, **study.verifier})
    write_json(reports / "metrics.json", all_metrics(study))
    found = {policy: evidence_for(policy, study.policies[policy]["weights"], reports) for policy in TRAINED}
    return {policy: (one.said, one.shown) for policy, one in found.items()}


def of_five_templates(study: Invented) -> Invented:
    """dpo solves all problems of three templates, base those of another one."""
    problems = [one.model_copy(update={"cluster": f"template {at % 5}"}) for at, one in enumerate(study.problems)]
    solved = {
        policy: {one.id for one in problems if one.cluster[-1] in templates}
        for policy, templates in (("dpo", "012"), ("base", "3"))
    }
    grades = study.greedy_grades | {
        policy: [
            grade.model_copy(update={"verdict": "correct" if grade.problem_id in ids else "wrong"})
            for grade in study.greedy_grades[policy]
        ]
        for policy, ids in solved.items()
    }
    return replace(study, problems=problems, greedy_grades=grades)


def test_the_gate_the_card_and_the_report_say_the_same(study: Invented, tmp_path: Path) -> None:
    whole = composed(study)
    found = told(tmp_path, whole)
    files = {name: Dataset(name, 2, "0") for name in ("demonstrations", "pairs", "traces", "right_solutions")}
    datasets = {f"data/{name}.jsonl": one for name, one in files.items()}
    shown = cards(whole, Provenance({}, datasets, {name: {} for name in ("demonstrations", "pairs", "traces")}))
    report = results_markdown(whole).replace("**", "")
    for policy, (said, holds) in found.items():
        asked, *expected = evidence(policy, whole)
        assert [said, holds] == expected
        negation = "" if holds else "not "
        assert f"To become champion of the registry, {asked}. It is {negation}shown to: {said}" in shown[policy]
    assert {policy: holds for policy, (_, holds) in found.items()} == {"sft": True, "dpo": False, "genrm": True}
    assert "Promotion" not in shown["base"]
    assert found["sft"][0] in report
    assert all(sentence in report for sentence in found["genrm"][0].split(". ")[:2])
    assert found["genrm"][0].count("single sample") == 1
    assert "the program's check" in found["genrm"][0]


def test_problems_of_one_template_count_once(study: Invented, tmp_path: Path) -> None:
    """72 problems won and 24 lost are beyond doubt; three templates won and one lost are not."""
    kin = of_five_templates(study)
    said, shown = told(tmp_path / "kin", composed(kin))["dpo"]
    assert said.startswith("No difference shown between +SFT+DPO and base in greedy accuracy: +40.0 points (95% CI −")
    assert not shown
    own = [one.model_copy(update={"cluster": one.id}) for one in kin.problems]
    said, shown = told(tmp_path / "none", composed(replace(kin, problems=own)))["dpo"]
    assert said.startswith("+SFT+DPO beats base in greedy accuracy: +40.0 points")
    assert shown


def test_a_reader_of_layouts_is_no_champion(study: Invented, tmp_path: Path) -> None:
    """Its best of 8 is right more often than a single sample, because right ones show their steps more often here."""
    said, shown = told(tmp_path, composed(layout_reader(study)))["genrm"]
    assert said.startswith("GenRM is not shown to tell right from wrong samples of one problem and one layout")
    assert "best-of-8 by GenRM beats a single sample" in said
    assert not shown


def test_who_repeats_what_most_samples_say_is_no_champion(study: Invented) -> None:
    """Right on most problems, and better than guessing where candidates look alike; but so is a count of answers."""
    rows = []
    for start in range(0, len(study.verifications), 8):
        own = study.verifications[start : start + 8]
        counts = agreement([study.appearances[row.solution_id].answer for row in own])
        rows += [row.model_copy(update={"p_yes": count / 8}) for row, count in zip(own, counts, strict=True)]
    verifier = through_json(study.verifier(rows))
    assert verifier["overall"]["auroc_within_layout"]["low"] > 0.5
    _, said, shown = as_verifier(verifier, "dpo")
    assert not shown
    assert "but is not shown to do so better than agreement of the samples" in said


def test_a_verifier_by_chance_is_no_champion(tmp_path: Path) -> None:
    study, rng = invent(60), np.random.default_rng(3)
    rows = [row.model_copy(update={"p_yes": rng.random()}) for row in study.verifications]
    assert not told(tmp_path, composed(replace(study, verifications=rows)))["genrm"][1]


@pytest.mark.parametrize("asked", [SOLVES, VERIFIES])
def test_the_page_of_the_registry_asks_for_the_same(asked: str) -> None:
    page = " ".join((REPOSITORY / "docs/registry.md").read_text(encoding="utf-8").split())
    assert asked in page
