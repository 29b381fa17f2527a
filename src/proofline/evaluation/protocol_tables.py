"""The section of the report on protocols: the matrix, what each step changed in it, levels, and published numbers."""

from __future__ import annotations

from collections.abc import Sequence

from proofline.evaluation.claims import DASH, percent, points
from proofline.evaluation.markdown import share, table
from proofline.evaluation.metrics import Metrics, estimate, paired
from proofline.evaluation.protocols import FORM
from proofline.evaluation.published import PublishedResult
from proofline.evaluation.readings import READERS
from proofline.evaluation.study import OVERALL, TITLES, Study
from proofline.evaluation.tally import benchmark_title

EXPLAINED = r"""The same greedy solutions, read in three ways. Strict: the answer in the form that the prompt asks for
(`#### x` or `\boxed{x}`), spelled like the reference. Flexible: the last number of the text, as flexible-extract of
lm-evaluation-harness's gsm8k reads it. Equivalence: any stated answer, by value, as everywhere else here. Examples
("4-shot") are training demonstrations of the problem's own benchmark. Braces: what the share would be if all solutions
that were cut off were wrong, and if all were right; a solution whose prompt left the model no room counts as cut off.
Each reading is a row of `reports/evaluate/<policy>/readings.jsonl`."""
CHANGED = """What each step changed, in percentage points over all problems. The last column is strict's change less
equivalence's: how many more of the answers that are right stand in the form, which is no gain in ability. No claim is
made of these numbers, and none is adjusted for the others; bold where the interval excludes zero:"""


def protocol_section(study: Study, published: Sequence[PublishedResult]) -> list[str]:
    """Its blocks of Markdown."""
    blocks = ["## Protocols", EXPLAINED, *_no_numbers(study)]
    blocks += [_matrix(study, benchmark) for benchmark in (*study.benchmarks, OVERALL)]
    blocks += [CHANGED, _changes(study)]
    if published:
        blocks += [
            f"{TITLES['base']} beside what is published of it. The protocols differ, so the numbers need not agree:",
            _beside(study, published),
        ]
    splits = [(benchmark, part) for benchmark in study.benchmarks for part in ("levels", "subjects")]
    tables = [_split(study, *one) for one in splits if _names(study, *one)]
    if tables:
        blocks += ["The plain prompt by equivalence, level by level and subject by subject:", *tables]
    return blocks


def _no_numbers(study: Study) -> list[str]:
    """Said where the flexible reader cannot be right."""
    policy, shots = next(iter(study.policies)), _all_shots(study)[0]
    words = [
        f"{benchmark_title(name)} {100 - 100 * numbers:.0f}%"
        for name in study.benchmarks
        if (numbers := _cell(study, policy, shots, name)["numbers"]) < 1
    ]
    return [f"References that are no numbers, which flexible never calls right: {', '.join(words)}."] if words else []


def _all_shots(study: Study) -> list[str]:
    return list(next(iter(study.protocols.values())))


def _cell(study: Study, policy: str, shots: str, benchmark: str) -> Metrics:
    matrix = study.protocols[policy][shots]
    cell: Metrics = matrix[OVERALL] if benchmark == OVERALL else matrix["benchmarks"][benchmark]
    return cell


def _matrix(study: Study, benchmark: str) -> str:
    rows = []
    for shots in _all_shots(study):
        for policy, title in TITLES.items():
            cell = _cell(study, policy, shots, benchmark)
            rows.append([f"{title}, {shots}-shot", *(_bounded(cell, one) for one in READERS), share(cell["cut_off"])])
    corner = "all problems" if benchmark == OVERALL else benchmark_title(benchmark)
    return table([f"{corner}, right by protocol, %", *READERS, "cut off"], rows)


def _bounded(cell: Metrics, reader: str) -> str:
    """`48.2 [44.1, 52.2]`, and ` {47.0, 49.1}` where solutions were cut off."""
    value, words = cell[reader], percent(estimate(cell[reader]))
    return words if value["least"] == value["most"] else f"{words} {{{share(value['least'])}, {share(value['most'])}}}"


def _changes(study: Study) -> str:
    rows = []
    for change in (*study.changes, *study.parts):
        for shots, measured in change.protocols.items():
            differences = [paired(measured[name]).difference for name in (*READERS, FORM)]
            marks = ["**" if low > 0 or high < 0 else "" for _, low, high in differences]
            cells = [
                f"{mark}{points(value)}{mark} [{points(low)}, {points(high)}]"
                for mark, (value, low, high) in zip(marks, differences, strict=True)
            ]
            rows.append([f"{TITLES[change.before]} → {TITLES[change.policy]}, {shots}-shot", *cells])
    return table(["step by protocol", *READERS, "form alone"], rows)


def _names(study: Study, benchmark: str, part: str) -> list[str]:
    return list(_cell(study, next(iter(study.policies)), _all_shots(study)[0], benchmark)[part])


def _split(study: Study, benchmark: str, part: str) -> str:
    shots, names = _all_shots(study)[0], _names(study, benchmark, part)
    cells = {policy: _cell(study, policy, shots, benchmark)[part] for policy in TITLES}
    sizes = {name: cell["problems"] for name, cell in next(iter(cells.values())).items()}
    rows = [
        [TITLES[policy], *(percent(estimate(by_name[name]["equivalence"])) for name in names)]
        for policy, by_name in cells.items()
    ]
    corner = f"{benchmark_title(benchmark)} by {part.removesuffix('s')}, %"
    return table([corner, *(f"{name} (n={sizes[name]})" for name in names)], rows)


def _beside(study: Study, published: Sequence[PublishedResult]) -> str:
    rows = []
    for one in published:
        told = [f"{one.percent:.1f}", str(one.shots), one.prompt, one.reader, one.source]
        known = one.benchmark in study.benchmarks
        cells = [_cell(study, "base", shots, one.benchmark) if known else None for shots in _all_shots(study)]
        here = [
            DASH if cell is None else "; ".join(f"{reader} {_bounded(cell, reader)}" for reader in READERS)
            for cell in cells
        ]
        rows.append([benchmark_title(one.benchmark), *told, *here])
    here = [f"here, {shots}-shot, the recipe's prompt" for shots in _all_shots(study)]
    return table(["published beside measured", "published, %", "shots", "prompt", "reader", "by", *here], rows)
