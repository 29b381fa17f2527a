"""A text has no decisions of its own: the report's page is judged as its Markdown is, by what both were made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofline.certificate.classes import Classifier, Verdict
from proofline.certificate.compare import Class, Comparison, compare_outs
from proofline.certificate.lock import Lock, Stage
from proofline.certificate.manifest import describe

ROWS, PAGE, MARKDOWN = "reports/evaluate/sft/greedy.jsonl", "reports/report.html", "reports/results.md"
LOCK = Lock(
    {
        "evaluate@sft": Stage("evaluate@sft", "python evaluate.py", {}, {ROWS: "a"}, {}),
        "report": Stage("report", "python report.py", {"reports/evaluate": "b"}, {PAGE: "c", MARKDOWN: "d"}, {}),
    },
    "0" * 64,
)


def judged(folder: Path, rows: Class, committed: str, reproduced: str) -> dict[str, Verdict]:
    """Page and Markdown with these contents, made of rows of this class."""
    comparisons = {ROWS: Comparison(rows, "rows")}
    for path in (PAGE, MARKDOWN):
        entries = []
        for text in (committed, reproduced):
            file = folder / Path(path).name
            file.write_text(text)
            entries.append({path: describe(file, path)})
        comparisons[path] = compare_outs(*entries)
    return Classifier(LOCK, comparisons, set(), {}).classify()


@pytest.mark.parametrize(
    ("rows", "reproduced", "expected"),
    [
        (Class.IDENTICAL, "<p>P(Yes) 0.5</p>", Class.IDENTICAL),
        (Class.IDENTICAL, "<p>P(Yes) 0.6</p>", Class.DIFFERENT),
        (Class.SAME, "<p>P(Yes) 0.6</p>", Class.SAME),
    ],
)
def test_the_page_has_the_class_of_its_markdown(tmp_path: Path, rows: Class, reproduced: str, expected: Class) -> None:
    verdicts = judged(tmp_path, rows, "<p>P(Yes) 0.5</p>", reproduced)
    assert [verdicts[path].rank for path in (PAGE, MARKDOWN)] == [expected] * 2, verdicts
