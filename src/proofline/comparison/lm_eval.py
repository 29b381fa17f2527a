"""A `samples_*.jsonl` of lm-evaluation-harness (`--log_samples`): one row for each document and filter.

Fields as `lm_eval.result_schema.SampleResult` (0.4.13) has them. Older files lack `filter` and `metrics`, and a row
then has the metrics beside its other fields. A metric is named as in the harness's own results:
`exact_match,strict-match`.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proofline.comparison.results import ComparisonError, Item, Results, counted, described, keyed, source

FIELDS = {
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash",
    "target_hash",
}  # fmt: skip
"""Everything of a row that is no metric."""
NO_FILTER = "none"
Row = Mapping[str, Any]


def read_lm_eval(path: Path) -> Results:
    """The results of one task. Raises ComparisonError where the file is something else."""
    rows = _rows(path)
    documents: dict[int, Row] = {}
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for row in rows:
        documents.setdefault(row["doc_id"], row)
        for name in row.get("metrics", [field for field in row if field not in FIELDS]):
            metric = f"{name},{row.get('filter', NO_FILTER)}"
            if row["doc_id"] in values[metric]:
                raise ComparisonError(
                    f"{path}: document {row['doc_id']} has {metric} twice: two runs in one file; give each its own "
                    "file, separated by a comma"
                )
            values[metric][row["doc_id"]] = _number(row[name])
    order = sorted(documents)
    keys = keyed([documents[number]["doc"], documents[number]["target"]] for number in order)
    key_of = dict(zip(order, (key for key, _ in keys), strict=True))
    undefined = {name: sum(map(math.isnan, by_id.values())) for name, by_id in values.items()}
    return Results(
        name=str(path),
        origin=f"lm-evaluation-harness, {path.name}",
        items={
            key: Item(_text(documents[number]), cluster, documents[number].get("prompt_hash", ""))
            for number, (key, cluster) in zip(order, keys, strict=True)
        },
        metrics={name: {key_of[number]: value for number, value in by_id.items()} for name, by_id in values.items()},
        sources=(source(path),),
        notes=tuple(
            note for name, count in undefined.items() for note in counted(count, "item", f"without a number for {name}")
        ),
    )


def _rows(path: Path) -> list[Row]:
    rows: list[Row] = []
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ComparisonError(f"{path}:{number}: not JSON ({error}): is the file whole?") from None
            if not isinstance(row, dict) or not {"doc_id", "doc", "target"} <= row.keys():
                raise ComparisonError(
                    f"{path}:{number} is no row of lm-evaluation-harness, which has doc_id, doc and target; name a "
                    "samples_*.jsonl that it wrote with --log_samples"
                )
            rows.append(row)
    if not rows:
        raise ComparisonError(f"{path} has no rows: nothing was evaluated, or --log_samples was not given")
    return rows


def _number(value: object) -> float:
    """What is no number of this item alone (a pair that is summed over all items, for perplexities) is undefined."""
    return float(value) if isinstance(value, int | float) else math.nan


def _text(row: Row) -> str:
    doc = row["doc"]
    question = next((doc[name] for name in ("question", "problem", "query") if name in doc), None)
    return described(str(question or json.dumps(doc, ensure_ascii=False)), row["target"])
