"""A log of inspect_ai, `.eval` or `.json`: one sample for each item and epoch.

Read without inspect_ai, which brings dozens of packages and holds back fsspec, which gcsfs needs newer: a `.eval` is a
zip archive of the JSON that `inspect_ai.log.EvalLog` describes. Newer releases (0.3.285) pack it with Zstandard, which
`zipfile` learns in Python 3.14, and from `zipfile_zstd`, inspect's own help, until then. Scores become numbers as
inspect's `value_to_float` makes them; epochs are averaged over those that have a value, as its reducer `mean` does. A
score of several values is one metric each.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import zipfile_zstd  # noqa: F401 - teaches zipfile to unpack Zstandard
from zstandard import ZstdError

from proofline.comparison.results import ComparisonError, Item, Results, counted, described, keyed, source
from proofline.storage.space import spelled

WORDS = {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""Correct, incorrect, partial, no answer; and how others spell the first two."""
ATTACHMENT = re.compile(r"attachment://(\w+)")
Sample = Mapping[str, Any]
MOST_BYTES, MOST_TIMES = 1 << 30, 200
"""A log unpacked, at most: so much, and so many times what it takes; real ones are 5 to 20 times as large."""


def read_inspect(path: Path) -> Results:
    """The results of one log. Raises ComparisonError where the file is something else."""
    header, samples = _read_zip(path) if path.suffix == ".eval" else _read_json(path)
    if not samples:
        raise ComparisonError(
            f"{path} holds no samples (status {header.get('status')}): log_samples was off, or none ran"
        )
    samples.sort(key=lambda sample: (str(sample["id"]).zfill(12), sample["epoch"]))
    contents = {sample["id"]: _content(sample) for sample in samples}
    key_of = dict(zip(contents, keyed(contents.values()), strict=True))
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        for metric, value in _scores(sample):
            values[metric][key_of[sample["id"]][0]].append(value)
    return Results(
        name=str(path),
        origin=f"inspect_ai, {header['eval']['task']} by {header['eval']['model']}",
        items={
            key_of[one][0]: Item(described(str(content[0]), content[2]), key_of[one][1])
            for one, content in contents.items()
        },
        metrics={metric: {key: _mean(epochs) for key, epochs in by_key.items()} for metric, by_key in values.items()},
        sources=(source(path),),
        notes=tuple(_notes(header, samples)),
    )


def _read_zip(path: Path) -> tuple[Mapping[str, Any], list[Sample]]:
    try:
        with ZipFile(path) as archive:
            _refuse_absurd(path, archive)
            names = set(archive.namelist())
            # Without a header the evaluation did not end.
            header = json.loads(archive.read("header.json" if "header.json" in names else "_journal/start.json"))
            samples = [json.loads(archive.read(name)) for name in sorted(names) if name.startswith("samples/")]
    except (BadZipFile, ZstdError, KeyError, ValueError, RecursionError) as error:
        raise ComparisonError(f"{path} is no log of inspect_ai ({error}): is the file whole?") from None
    return header, samples


def _refuse_absurd(path: Path, archive: ZipFile) -> None:
    """A few kilobytes can call themselves terabytes. What is unpacked is never more than the archive says here."""
    size = sum(member.file_size for member in archive.infolist())
    if size > (limit := MOST_BYTES + MOST_TIMES * path.stat().st_size):
        raise ComparisonError(
            f"{path} would be {spelled(size)} unpacked, and a log of its size is at most {spelled(limit)}; nothing of "
            "it was read: is it the file that inspect_ai wrote?"
        )


def _read_json(path: Path) -> tuple[Mapping[str, Any], list[Sample]]:
    try:
        log = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ComparisonError(f"{path}: not JSON ({error}): is the file whole?") from None
    if not isinstance(log, dict) or "eval" not in log:
        raise ComparisonError(
            f"{path} is no log of inspect_ai; of lm-evaluation-harness, name the samples_*.jsonl beside its results"
        )
    return log, list(log.get("samples") or [])


def _content(sample: Sample) -> list[object]:
    """Input, choices, target. A message has an id of its own in each run, so only who says what counts."""
    given, attached = sample["input"], sample.get("attachments") or {}
    if not isinstance(given, str):
        given = json.dumps([[message["role"], message["content"]] for message in given], ensure_ascii=False)
    whole = ATTACHMENT.sub(lambda found: attached.get(found[1], found[0]), given)
    return [whole, sample.get("choices"), sample["target"]]


def _scores(sample: Sample) -> Iterator[tuple[str, float]]:
    """Numbers by metric; of a sample that was marked invalid, none."""
    # Before 0.3.25 or so (version 1 of the format) there was one scorer, whose name stood elsewhere.
    scores = {"score": sample["score"]} if sample.get("score") else sample.get("scores") or {}
    for scorer, score in scores.items():
        for part, value in _parts(score["value"]):
            yield scorer + part, math.nan if sample.get("invalidation") else _number(value)


def _parts(value: object) -> list[tuple[str, object]]:
    """A score's values with what its name gets behind it."""
    if isinstance(value, dict):
        return [(f"/{key}", part) for key, part in value.items()]
    if isinstance(value, list):
        return [(f"/{place}", part) for place, part in enumerate(value)]
    return [("", value)]


def _number(value: object) -> float:
    if isinstance(value, str):
        try:
            return WORDS[value.lower()] if value.lower() in WORDS else float(value)
        except ValueError:
            return math.nan
    return float(value) if isinstance(value, int | float) else math.nan


def _mean(epochs: list[float]) -> float:
    defined = [value for value in epochs if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _notes(header: Mapping[str, Any], samples: list[Sample]) -> Iterator[str]:
    status = header.get("status", "started")
    if status != "success":
        yield f"the log's status is {status}: the evaluation did not end well"
    errors = [sample for sample in samples if sample.get("error")]
    yield from counted(len(errors), "sample", "ended in an error")
    limits = Counter((sample.get("limit") or {}).get("type") for sample in samples)
    for kind, count in limits.items():
        if kind:
            yield from counted(count, "sample", f"hit the {kind} limit; what there was is scored")
    yield from counted(
        sum(bool(sample.get("invalidation")) for sample in samples), "sample", "marked invalid, without a value"
    )
    unscored = Counter(metric for sample in samples for metric, value in _scores(sample) if math.isnan(value))
    for metric, count in unscored.items():
        yield from counted(count, "sample", f"without a number for {metric}")
    epochs = max(sample["epoch"] for sample in samples)
    if epochs > 1:
        yield f"{epochs} epochs, averaged item by item"
