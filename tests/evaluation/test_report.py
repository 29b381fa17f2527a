"""The stages judge and report on an invented study: tables, plots, cards, and the README made of them."""

import json
import os
import re
import runpy
import shutil
import sys
from contextlib import nullcontext
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pytest
from checkout import EMBEDDED, REPOSITORY
from invented import ABILITY, Invented, composed, invent, write_study
from ruamel.yaml import YAML

from proofline.config.schema import ABLATION, POLICIES
from proofline.evaluation.claims import p_words, points, training_claims
from proofline.evaluation.metrics import scalars
from proofline.evaluation.multiplicity import holm
from proofline.evaluation.pictures import draw_all, plot_rows
from proofline.evaluation.results import results_markdown
from proofline.evaluation.statistics import Estimate
from proofline.evaluation.study import TITLES, Study
from proofline.evaluation.study_metrics import all_metrics, headline
from proofline.evaluation.verifier_plots import calibration
from proofline.records import Judgement
from proofline.storage.records import read_records
from proofline.tracking import NullRun


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which judge and report have run."""
    root = tmp_path_factory.mktemp("repository")
    write_study(invent(), root, EMBEDDED)
    shutil.copytree(REPOSITORY / "stages", root / "stages")
    (root / "docs").mkdir()
    shutil.copy(REPOSITORY / "docs/seeds.json", root / "docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        # A stage makes the package beside it the first on both; there is none here.
        patch.syspath_prepend(root / "stages")
        patch.setenv("PYTHONPATH", os.environ["PYTHONPATH"])
        patch.setattr("proofline.tracking.track", lambda *_, **__: nullcontext(NullRun()))
        for stage in ("judge", "report"):
            runpy.run_path(f"stages/{stage}.py", run_name="__main__")
        sys.modules.pop("_checkout")
    return root


@pytest.fixture(scope="module")
def composed_study() -> Study:
    return composed(invent())


def test_all_outs_are_there(reported: Path) -> None:
    reports = reported / "reports"
    assert {path.stem for path in (reports / "cards").iterdir()} == set(POLICIES)
    pictures = {path.name for path in (reports / "plots").glob("*.png")}
    linked = set(re.findall(r"\(plots/([\w.]+)\)", (reports / "results.md").read_text()))
    assert linked == pictures
    assert all((reports / "plots" / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    page = (reports / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(pictures)
    assert page.count("<details id=") == 120
    judgements = read_records(reports / "judge/judgements.jsonl", Judgement)
    assert len(judgements) == 3 * 120
    assert {row.opponent for row in judgements} == {"base"}


def test_the_table_holds_the_metrics(reported: Path) -> None:
    metrics = json.loads((reported / "reports/metrics.json").read_text())
    results = (reported / "reports/results.md").read_text()
    accuracy = metrics["policies"]["sft"]["accuracy"]
    cell = " [".join(f"{100 * accuracy[key]:.1f}" for key in ("value", "low"))
    row = next(line for line in results.splitlines() if line.startswith("| +SFT |"))
    assert cell in row
    won, lost, tied = map(int, row.split("|")[-2].split(" / "))
    win_rate = metrics["policies"]["sft"]["win_rate_against_base"]["value"]
    assert won + lost + tied == 120
    assert win_rate == pytest.approx((won + tied / 2) / 120)
    assert win_rate == pytest.approx(0.5 + metrics["changes"]["sft_over_base"]["greedy"]["value"] / 2), "so it is said"
    assert metrics["verifier"]["gains"]["best_of_over_one"]["low"] > 0
    assert "**best-of-8 by GenRM beats a single sample**" in results


def test_what_the_genrm_stage_does_is_attributed(reported: Path) -> None:
    """Its right solutions' part and its traces' add up to the whole, in the numbers, the table and the claims."""
    metrics = json.loads((reported / "reports/metrics.json").read_text())
    results = (reported / "reports/results.md").read_text()
    for kind in ("greedy", "sampled"):
        whole, alone, beside = (
            metrics["changes"][name][kind]["value"]
            for name in ("genrm_over_dpo", f"{ABLATION}_over_dpo", f"genrm_over_{ABLATION}")
        )
        assert whole == pytest.approx(alone + beside)
        assert f"{points(alone)} by its right solutions alone" in results
        assert f"{points(beside)} by its traces beside them" in results
    row = next(line for line in results.splitlines() if line.startswith(f"| {TITLES[ABLATION]} |"))
    assert row.endswith("| — |"), "it is not judged"
    assert f"{TITLES[ABLATION]} → {TITLES['genrm']}, greedy" in results
    assert "by its traces beside them" in (reported / "reports/cards/genrm.md").read_text()


def test_it_says_how_many_comparisons_were_made(reported: Path) -> None:
    """Five changes in two measures; the table's p-values are the adjusted ones, and the claims go by them."""
    metrics = json.loads((reported / "reports/metrics.json").read_text())["changes"]
    results = (reported / "reports/results.md").read_text()
    assert "| p (all), of 10 |" in results
    assert "10 comparisons over all problems" in results
    measured = [change[kind] for change in metrics.values() for kind in ("greedy", "sampled")]
    assert [one["p_adjusted"] for one in measured] == pytest.approx(holm([one["p"] for one in measured]))
    table = results.split("| step |")[1].split("\n\n")[0]
    assert [line.split("|")[-2].strip() for line in table.splitlines()[2:]] == [
        p_words(one["p_adjusted"]) for one in measured
    ]
    assert all("would have been shown" in line for line in results.splitlines() if line.startswith("- No difference"))


def test_every_table_is_rectangular(reported: Path) -> None:
    for path in [reported / "reports/results.md", *(reported / "reports/cards").iterdir()]:
        for block in path.read_text().split("\n\n"):
            widths = {line.count(" |") for line in block.splitlines() if line.startswith("|")}
            assert len(widths) <= 1, (path.name, block)


def test_a_card_names_what_trained_the_policy(reported: Path) -> None:
    card = (reported / "reports/cards/genrm.md").read_text()
    lineage = ("genrm00000000000", "+SFT+DPO, `dpo0000000000000`", "data/traces.jsonl", "data/right_solutions.jsonl")
    for expected in (*lineage, "| solution_weight |"):
        assert expected in card
    assert "639d10ae2df6e11c41b837ab1716b8b6" in card  # md5 of the invented rows
    assert "trained from" not in (reported / "reports/cards/base.md").read_text()


def test_the_same_study_draws_the_same_bytes(composed_study: Study, tmp_path: Path) -> None:
    first, second = (draw_all(composed_study, tmp_path / name) for name in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_rows_for_dvc_have_numbers_in_every_cell(composed_study: Study) -> None:
    rows = plot_rows(composed_study)
    assert [row["n"] for row in rows["best_of_n"]] == [1, 2, 4, 8]
    assert len({row["policy"] for row in rows["accuracy"]}) == 4
    for table in rows.values():
        assert len({tuple(row) for row in table}) == 1
        assert all(value == value for row in table for value in row.values())


def test_dvc_plots_name_columns_that_exist(composed_study: Study) -> None:
    rows = plot_rows(composed_study)
    plots = YAML(typ="safe", pure=True).load((REPOSITORY / "dvc.yaml").read_text())["plots"]
    for name, plot in ((name, plot) for entry in plots for name, plot in entry.items()):
        drawn = plot["y"] if isinstance(plot["y"], dict) else {name: plot["y"]}
        for path, columns in drawn.items():
            table = rows[Path(path).stem]
            assert {plot["x"], *([columns] if isinstance(columns, str) else columns)} <= set(table[0]), name


def test_accuracy_is_told_apart_by_whether_steps_are_shown(study: Invented, composed_study: Study) -> None:
    """What changes the way of writing alone shows as such: here who hides the steps is never right."""
    for policy, steps in composed_study.steps.items():
        right = np.array([grade.verdict == "correct" for grade in study.greedy_grades[policy]])
        shown = np.array(list(study.worked(policy).values()))
        assert steps.shown.value == pytest.approx(shown.mean())
        assert steps.right_shown.value == pytest.approx(right[shown].mean())
        assert (steps.right_hidden.value, steps.right_hidden.low) == (0, 0)
    assert "| +SFT | " in results_markdown(composed_study).split("the way of writing?")[1].split("What each step")[0]
    assert sum("show their steps: base " in claim for claim in training_claims(composed_study)) == 1


def test_what_there_is_none_of_is_left_out_or_a_dash(composed_study: Study) -> None:
    """As of the invented problems, which have no levels and subjects, and of policies that never show steps."""
    steps = {policy: one._replace(right_shown=Estimate(nan, nan, nan)) for policy, one in composed_study.steps.items()}
    text = results_markdown(replace(composed_study, steps=steps))
    assert "nan" not in text
    assert "Right among those that do: base —, +SFT —" in text
    assert "level by level" not in text


def test_all_metrics_can_be_logged(composed_study: Study) -> None:
    flat = scalars(all_metrics(composed_study))
    assert 0 < flat["policies.base.accuracy"] < 1
    assert flat["changes.sft_over_base.greedy"] == pytest.approx(
        flat["policies.sft.accuracy"] - flat["policies.base.accuracy"]
    )
    assert len(flat) < 260


def test_the_headline_is_a_handful_of_numbers(composed_study: Study) -> None:
    names = {"accuracy.base", "accuracy.sft", "accuracy.dpo", "accuracy.genrm"}
    names |= {"verifier.auroc_within_layout", "verifier.gain_over_one", "verifier.gain_over_majority"}
    flat, rest = scalars(headline(composed_study)), scalars(all_metrics(composed_study))
    assert set(flat) == names
    assert flat["accuracy.sft"] == rest["policies.sft.accuracy"]
    assert flat["verifier.gain_over_one"] == rest["verifier.gains.best_of_over_one"]


def test_real_benchmarks_and_hopeless_policies(tmp_path: Path) -> None:
    """Nobody ever right, nothing ever mixed: undefined values are dashes, and nothing is claimed."""
    study = invent(40, sources=("gsm8k", "math"))
    for policy in ABILITY:
        for grades in (study.greedy_grades[policy], study.sample_grades[policy]):
            grades[:] = [grade.model_copy(update={"verdict": "wrong", "extracted": "9"}) for grade in grades]
    hopeless = composed(study)
    text = results_markdown(hopeless)
    assert "| base | 0.0 [0.0, 18.0] | 0.0 [0.0, 18.0] | 0.0 [0.0, 9.3] | — |" in text
    assert "GSM8K (n=20)" in text
    assert "nan" not in text
    assert "beats" not in text
    assert "loses to" not in text
    assert "no problem has both" in text
    draw_all(hopeless, tmp_path)
    assert "verifier.auroc_within_layout" not in scalars(headline(hopeless)), "undefined is no number"


def test_a_verifier_without_verdicts_has_a_picture_that_says_so() -> None:
    study = invent(40)
    study.verifications[:] = [row.model_copy(update={"p_yes": nan}) for row in study.verifications]
    left, right = calibration(composed(study)).axes
    assert [text.get_text() for text in left.texts] == ["no verification reached a verdict"]
    assert right.get_ylim() == (0, 1), "there are no fewer candidates than none"
