"""The harnesses' logs: real ones (`logs/README.md` says how they were made), and real ones that were changed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from proofline.comparison.compare import compare
from proofline.comparison.inspect_log import read_inspect
from proofline.comparison.lm_eval import read_lm_eval
from proofline.comparison.pairing import ItemsDifferError, pair
from proofline.comparison.results import ComparisonError, Results

LOGS = Path(__file__).parent / "logs"
MATH, CHOICE = "samples_tiny_math.jsonl", "samples_tiny_choice.jsonl"


def lm_eval(policy: str, name: str = MATH) -> Path:
    return LOGS / "lm_eval" / policy / name


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def mean(results: Results, metric: str) -> float:
    values = results.metrics[metric].values()
    return sum(values) / len(values)


def rewritten(path: Path, folder: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Path:
    """A copy of a real log whose rows were changed."""
    copy = folder / path.name
    copy.write_text("".join(json.dumps(row) + "\n" for row in change(rows_of(path))), encoding="utf-8")
    return copy


def test_lm_eval_each_filter_has_its_metric_named_as_the_harness_names_it() -> None:
    found = read_lm_eval(lm_eval("sft"))
    told = json.loads((LOGS / "lm_eval/sft/results.json").read_text(encoding="utf-8"))["results"]["tiny_math"]
    assert set(found.metrics) == {"exact_match,strict-match", "exact_match,flexible-extract"}
    for metric in found.metrics:
        assert mean(found, metric) == pytest.approx(told[metric])


def test_lm_eval_a_choice_task_has_two_metrics_of_one_row() -> None:
    found = read_lm_eval(lm_eval("sft", CHOICE))
    told = json.loads((LOGS / "lm_eval/sft/results.json").read_text(encoding="utf-8"))["results"]["tiny_choice"]
    assert {metric: mean(found, metric) for metric in found.metrics} == pytest.approx(
        {"acc,none": told["acc,none"], "acc_norm,none": told["acc_norm,none"]}
    )


def test_lm_eval_two_policies_are_compared() -> None:
    found = compare(pair([read_lm_eval(lm_eval("dpo"))], [read_lm_eval(lm_eval("sft"))]))
    assert len(found.pair.items) == found.clusters == 24
    strict = found.measured[0]
    assert strict.difference.value == pytest.approx(strict.a - strict.b)
    assert strict.a_better + strict.b_better + strict.ties == 24
    assert not found.pair.notes


def test_lm_eval_rows_in_another_order_are_the_same_results(tmp_path: Path) -> None:
    turned = read_lm_eval(rewritten(lm_eval("sft"), tmp_path, lambda rows: rows[::-1]))
    plain = read_lm_eval(lm_eval("sft"))
    assert turned.items == plain.items
    assert {name: dict(values) for name, values in turned.metrics.items()} == dict(plain.metrics)


def test_lm_eval_a_shorter_run_and_a_changed_reference_are_refused(tmp_path: Path) -> None:
    whole = read_lm_eval(lm_eval("sft"))
    shorter = read_lm_eval(rewritten(lm_eval("dpo"), tmp_path, lambda rows: [r for r in rows if r["doc_id"] < 20]))
    with pytest.raises(ItemsDifferError, match="20 in both\n  4 only in"):
        pair([whole], [shorter])

    def corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | ({"target": "0"} if row["doc_id"] == 3 else {}) for row in rows]

    with pytest.raises(ItemsDifferError, match="23 in both\n  1 only in"):
        pair([whole], [read_lm_eval(rewritten(lm_eval("sft"), tmp_path, corrected))])


def test_lm_eval_another_task_on_the_same_questions_is_not_the_same_items() -> None:
    """Its reference is the number of the right choice, which happens to be the answer of one problem."""
    with pytest.raises(ItemsDifferError, match="1 in both\n  23 only in"):
        pair([read_lm_eval(lm_eval("sft"))], [read_lm_eval(lm_eval("sft", CHOICE))])


def test_lm_eval_older_rows_without_filter_and_list_of_metrics(tmp_path: Path) -> None:
    """As 0.4.0 wrote them: arguments as a list, the metrics beside the other fields, no hashes."""

    def older(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        new = ("filter", "metrics", "doc_hash", "prompt_hash", "target_hash")
        kept = [row for row in rows if row["filter"] == "strict-match"]
        return [{name: value for name, value in row.items() if name not in new} for row in kept]

    found = read_lm_eval(rewritten(lm_eval("sft"), tmp_path, older))
    assert found.metrics["exact_match,none"] == read_lm_eval(lm_eval("sft")).metrics["exact_match,strict-match"]


def test_lm_eval_what_is_no_number_is_counted(tmp_path: Path) -> None:
    def summed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [row for row in rows if row["filter"] == "strict-match"]
        return [row | {"metrics": ["exact_match", "word_perplexity"], "word_perplexity": [-3.2, 7]} for row in kept]

    found = read_lm_eval(rewritten(lm_eval("sft"), tmp_path, summed))
    assert found.notes == ("24 items without a number for word_perplexity,strict-match",)
    both = pair([found], [found.named("again")])
    assert both.metrics == ("exact_match,strict-match",)


def test_lm_eval_equal_documents_are_one_cluster(tmp_path: Path) -> None:
    def doubled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [*rows, *(row | {"doc_id": 100 + row["doc_id"]} for row in rows if row["doc_id"] < 4)]

    paths = []
    for policy in ("sft", "dpo"):
        (tmp_path / policy).mkdir()
        paths.append(rewritten(lm_eval(policy), tmp_path / policy, doubled))
    found = compare(pair(*([read_lm_eval(path)] for path in paths)))
    assert len(found.pair.items) == 28
    assert found.clusters == 24


def test_lm_eval_two_runs_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match="twice: two runs in one file"):
        read_lm_eval(rewritten(lm_eval("sft"), tmp_path, lambda rows: rows + rows))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no rows"),
        (b'{"doc_id": 1, "do', ":1: not JSON"),
        (b"\xff\xfe\n", ":1: not JSON"),
        (b"[1]\n", "no row of"),
    ],
)
def test_lm_eval_what_is_no_log_of_it_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "samples.jsonl").write_bytes(content)
    with pytest.raises(ComparisonError, match=said):
        read_lm_eval(tmp_path / "samples.jsonl")


def inspect_ai(name: str) -> Path:
    return LOGS / "inspect_ai" / name


def header_of(path: Path) -> Any:
    import zipfile_zstd  # noqa: F401

    with ZipFile(path) as archive:
        return json.loads(archive.read("header.json"))


@pytest.mark.parametrize("policy", ["sft", "dpo"])
def test_inspect_epochs_are_averaged_as_inspect_does_itself(policy: str) -> None:
    path = inspect_ai(f"{policy}.eval")
    found = read_inspect(path)
    assert len(found.items) == 16
    assert "2 epochs, averaged item by item" in found.notes
    told = {one["name"]: one["metrics"]["accuracy"]["value"] for one in header_of(path)["results"]["scores"]}
    assert {metric: mean(found, metric) for metric in found.metrics} == pytest.approx(told)
    assert set(told) == {"match", "includes"}


def test_inspect_two_policies_are_compared() -> None:
    found = compare(pair([read_inspect(inspect_ai("dpo.eval"))], [read_inspect(inspect_ai("sft.eval"))]))
    assert [one.metric for one in found.measured] == ["match", "includes"]
    assert found.clusters == 16
    assert all(one.is_share for one in found.measured)


def test_inspect_errors_limits_and_missing_scores_are_counted() -> None:
    path = inspect_ai("sft-faulty.eval")
    found, samples = read_inspect(path), inspect_samples(path)
    errors = sum(sample.get("error") is not None for sample in samples)
    limited = sum(sample.get("limit") is not None for sample in samples)
    assert 0 < errors < len(samples)
    assert 0 < limited < len(samples)
    said = "\n".join(found.notes)
    assert f"{errors} sample" in said
    assert "ended in an error" in said
    assert f"{limited} sample" in said
    assert "hit the token limit" in said
    # Every sample is there, those in error without a value.
    assert len(found.items) == len(samples)
    assert len(found.metrics["match"]) == len(samples) - errors


def test_inspect_a_score_of_two_values_is_two_metrics_in_their_own_units() -> None:
    sides = [[read_inspect(inspect_ai(f"{policy}-faulty.eval"))] for policy in ("dpo", "sft")]
    found = {one.metric: one for one in compare(pair(*sides)).measured}
    assert {"match", "shape/characters"} <= set(found)
    assert not found["shape/characters"].is_share
    assert found["match"].left_out > 0
    assert found["match"].left_out + found["match"].a_better + found["match"].b_better + found["match"].ties == 12


def inspect_samples(path: Path) -> list[Any]:
    import zipfile_zstd  # noqa: F401

    with ZipFile(path) as archive:
        return [json.loads(archive.read(name)) for name in archive.namelist() if name.startswith("samples/")]


def test_inspect_an_archive_of_absurd_size_is_refused_unread(tmp_path: Path) -> None:
    """As its directory says it: no more than that is ever unpacked."""
    path = tmp_path / "sft.eval"
    path.write_bytes(inspect_ai("sft.eval").read_bytes())
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (0xFFFF0000).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ComparisonError, match=r"would be 4\.3 GB unpacked"):
        read_inspect(path)


@pytest.mark.parametrize("read", [read_inspect, read_lm_eval])
def test_json_that_is_nested_without_end_is_refused(read: Callable[[Path], Results], tmp_path: Path) -> None:
    path = tmp_path / "samples_deep.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ComparisonError, match="not JSON"):
        read(path)


def test_inspect_the_json_format_says_the_same() -> None:
    found = read_inspect(inspect_ai("sft-faulty.json"))
    assert found.origin == "inspect_ai, tiny_faulty by hf/sft"
    assert found.items.keys() <= read_inspect(inspect_ai("sft-faulty.eval")).items.keys()


def test_inspect_an_older_release_packs_otherwise_and_names_the_same_items() -> None:
    found = read_inspect(inspect_ai("mock-0.3.69.eval"))
    assert found.items.keys() < read_inspect(inspect_ai("sft.eval")).items.keys()
    assert set(found.metrics) == {"match", "includes"}
    assert mean(found, "match") == 0


def test_inspect_an_evaluation_that_failed_compares_with_nothing_and_says_so() -> None:
    failed = read_inspect(inspect_ai("failed-0.3.69.eval"))
    with pytest.raises(ComparisonError, match=r"no metric is in both.*none.*\n.*the log's status is error"):
        pair([failed], [failed])


def json_log(**changes: Any) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(inspect_ai("sft-faulty.json").read_text(encoding="utf-8"))
    return log | changes


def read_changed(folder: Path, log: dict[str, Any]) -> Results:
    (folder / "log.json").write_text(json.dumps(log), encoding="utf-8")
    return read_inspect(folder / "log.json")


def test_inspect_an_evaluation_that_did_not_end_well_is_told(tmp_path: Path) -> None:
    found = read_changed(tmp_path, json_log(status="cancelled"))
    assert "the log's status is cancelled: the evaluation did not end well" in found.notes


def test_inspect_a_sample_that_was_marked_invalid_has_no_value(tmp_path: Path) -> None:
    log = json_log()
    scored = next(sample for sample in log["samples"] if sample.get("scores"))
    before = read_inspect(inspect_ai("sft-faulty.json"))
    scored["invalidation"] = {"timestamp": "2026-11-26T08:00:00+00:00", "author": "a person", "reason": "a bug"}
    found = read_changed(tmp_path, log)
    assert "1 sample marked invalid, without a value" in found.notes
    lost = [key for key in before.metrics["match"] if math.isnan(found.metrics["match"][key])]
    assert len(lost) == 1


def test_inspect_messages_count_by_who_says_what_and_attachments_by_their_content(tmp_path: Path) -> None:
    """Long texts are kept apart in newer logs, and each run gives its messages other ids."""

    def with_input(make: Callable[[int, str], Any], attachments: bool) -> Results:
        log = json_log()
        for at, sample in enumerate(log["samples"]):
            text = sample["input"]
            sample["input"] = make(at, text)
            sample["attachments"] = {f"{at:032x}": text} if attachments else {}
        return read_changed(tmp_path, log)

    plain = with_input(lambda at, text: [{"id": f"one{at}", "role": "user", "content": text}], False)
    other = with_input(lambda at, text: [{"id": "x", "role": "user", "content": f"attachment://{at:032x}"}], True)
    assert plain.items.keys() == other.items.keys()


def test_inspect_words_are_numbers_as_inspect_has_them(tmp_path: Path) -> None:
    values = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "yes": 1.0, "no": 0.0, "0.25": 0.25, "seven": math.nan}
    log, found = json_log(), []
    for value in values:
        for sample in log["samples"]:
            sample["scores"] = {"graded": {"value": value}}
        found.append(next(iter(read_changed(tmp_path, log).metrics["graded"].values())))
    assert found == pytest.approx(list(values.values()), nan_ok=True)


def test_inspect_the_first_format_had_one_score(tmp_path: Path) -> None:
    log = json_log(version=1)
    for sample in log["samples"]:
        sample["score"] = (sample.pop("scores", None) or {"match": {"value": "I"}})["match"]
    assert set(read_changed(tmp_path, log).metrics) == {"score"}


def test_inspect_what_is_no_log_or_has_no_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match="log_samples was off"):
        read_changed(tmp_path, json_log(samples=None))
    with pytest.raises(ComparisonError, match=r"samples_\*\.jsonl beside its results"):
        read_inspect(LOGS / "lm_eval/sft/results.json")
    cut = tmp_path / "cut.eval"
    cut.write_bytes(inspect_ai("sft.eval").read_bytes()[:-2000])
    with pytest.raises(ComparisonError, match="is the file whole"):
        read_inspect(cut)
