"""What data/README.md has to say about files and fields, from `dvc.yaml` and from `records.py`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from checkout import REPOSITORY
from ruamel.yaml import YAML

from proofline import records
from proofline.records import (
    Critique,
    Demonstration,
    Grade,
    PreferencePair,
    Problem,
    Record,
    Solution,
    VerificationTrace,
)

RECORDS: dict[str, type[Record]] = {
    **{f"data/problems/{split}.jsonl": Problem for split in records.SPLITS},
    "data/references.jsonl": Demonstration,
    "data/demonstrations.jsonl": Demonstration,
    "data/published.jsonl": Solution,
    "data/critiques.jsonl": Critique,
    **{f"data/samples/{policy}.jsonl": Solution for policy in ("base", "sft", "dpo")},
    **{f"data/grades/{policy}.jsonl": Grade for policy in ("base", "sft", "dpo", "published")},
    "data/pairs.jsonl": PreferencePair,
    "data/traces.jsonl": VerificationTrace,
    "data/right_solutions.jsonl": Demonstration,
}
"""The record of each file of rows; the pipeline's test reads them so."""


def stages() -> Iterator[tuple[str, dict[str, Any]]]:
    """The stages of `dvc.yaml` by DVC's names, their `foreach` expanded."""
    for name, stage in YAML(typ="safe").load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["stages"].items():
        if "foreach" not in stage:
            yield name, stage
            continue
        items = stage["foreach"]
        for key in items:
            item = items[key] if isinstance(items, dict) else key
            yield (
                f"{name}@{key}",
                {
                    part: [
                        str(path).replace("${key}", key).replace("${item}", item) for path in stage["do"].get(part, [])
                    ]
                    for part in ("deps", "outs", "metrics")
                },
            )


def files_table() -> str:
    """Each file of data/: what it holds, and the stages that write and read it."""
    written = {path: name for name, stage in stages() for path in stage["outs"] if path.startswith("data/")}
    lines = ["| file | rows | written by | read by |", "| --- | --- | --- | --- |"]
    for path, writer in written.items():
        readers = [f"`{name}`" for name, stage in stages() if path in stage["deps"]]
        rows = f"[{RECORDS[path].__name__}](#{RECORDS[path].__name__.lower()})" if path in RECORDS else "counts"
        lines.append(f"| `{path.removeprefix('data/')}` | {rows} | `{writer}` | {', '.join(readers) or '—'} |")
    return "\n".join(lines)


def fields_table(kind: type[Record]) -> str:
    """Each field of a record: its type, and the words of `records.py`."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    lines = ["| field | type | what |", "| --- | --- | --- |"]
    for field, words in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign):
            assert isinstance(words, ast.Expr), f"{kind.__name__}.{ast.unparse(field.target)}: say what it is"
            what = " ".join(str(ast.literal_eval(words.value)).split())
            lines.append(f"| `{ast.unparse(field.target)}` | {_type(field.annotation)} | {what} |")
    return "\n".join(lines)


def _type(annotation: ast.expr) -> str:
    """As a reader of JSON has it."""
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    text = ast.unparse(annotation)
    if text == "dict[str, int | float | str | bool | None]":
        return "knobs and their values"
    if text == "tuple[str, ...]":
        return "list of text"
    if text.endswith(" | None"):
        return f"{_type(ast.parse(text.removesuffix(' | None'), mode='eval').body)} or null"
    if text in ("Split", "Verdict", "Undecided"):
        return ", ".join(f"`{value}`" for value in getattr(records, text).__args__)
    return names.get(text, f"[{text}](#{text.lower()})")
