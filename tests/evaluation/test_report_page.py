"""The report's HTML page: no network, right escaping, and from a number to as many items as it counts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from checkout import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import ABILITY, Invented, composed, invent, policy_results
from ruamel.yaml import YAML

from proofline.evaluation.cards import Dataset, Provenance
from proofline.evaluation.item_links import PageError, cell_links
from proofline.evaluation.items import Items, candidates, gather_items
from proofline.evaluation.page import Ledger, report_page
from proofline.evaluation.page_body import page_body
from proofline.evaluation.page_data import as_json, page_data
from proofline.evaluation.results import results_markdown
from proofline.evaluation.study import TITLES, Study

HOSTILE = [
    "Is 3 < 4 && 5 > 4?", "</script><script>alert(1)</script>", "<!-- <script>", r"Let $x \lt \frac{a}{b}$ & y.",
    "']\"; onload=alert(1)", "{{ 7 * 7 }} {% raw %}", "ﷺ \u2028 \u2029 💥", "]]> &lt;b&gt; &amp;amp;",
]  # fmt: skip
PICTURES = {f"plots/{name}.png": b"\x89PNG" + name.encode() for name in
            ("accuracy", "pass_at_k", "best_of_n", "equal_compute", "calibration")}  # fmt: skip
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, texts by the tag that holds them, problems and cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes what is not open"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attributes[name] for found, attributes in self.tags if found == tag and name in attributes]

    def inside(self, tag: str) -> list[str]:
        return [text for holder, text in self.texts if holder == tag]


def items_of(study: Invented) -> Items:
    shown = {name: look.worked for name, look in study.appearances.items()}
    scored = candidates(study.samples["dpo"], study.sample_grades["dpo"], shown, study.verifications)
    results = {policy: policy_results(study, policy) for policy in ABILITY}
    return gather_items(study.problems, results, study.greedy, "dpo", scored)


def page_of(study: Invented, whole: Study, markdown: str | None = None) -> str:
    provenance = Provenance({}, {"data/pairs.jsonl": Dataset("data/pairs.jsonl", 1234, "0" * 32)}, {})
    ledgers = [Ledger("Pairs <&>", "data/pairs.json", {"pairs": 1234, "by_origin": {"a<b": 0.25}})]
    return report_page(markdown or results_markdown(whole), PICTURES, items_of(study), whole, provenance, ledgers)


def with_texts(study: Invented, questions: list[str], answers: list[str]) -> Invented:
    """The same study with other words."""
    problems = [
        one.model_copy(update={"question": questions[at % len(questions)], "solution": answers[at % len(answers)]})
        for at, one in enumerate(study.problems)
    ]
    greedy = {
        policy: [one.model_copy(update={"text": answers[at % len(answers)]}) for at, one in enumerate(rows)]
        for policy, rows in study.greedy.items()
    }
    rows = [one.model_copy(update={"chains": tuple(questions[:1] * 4)}) for one in study.verifications]
    return replace(study, problems=problems, greedy=greedy, verifications=rows)


@pytest.fixture(scope="module")
def small() -> Invented:
    return invent(24, 4)


@pytest.fixture(scope="module")
def whole(small: Invented) -> Study:
    return composed(small)


@pytest.fixture(scope="module")
def page(small: Invented, whole: Study) -> str:
    return page_of(with_texts(small, HOSTILE, HOSTILE), whole)


def test_it_is_a_document_of_its_own(page: str) -> None:
    seen = Page(page)
    assert not seen.open, "every tag is closed"
    addresses = [value for _, attributes in seen.tags for name, value in attributes.items() if name in ("src", "href")]
    assert addresses
    assert all(value.startswith(("data:image/png;base64,", "#")) for value in addresses)
    assert len(seen.attributes("img", "src")) == len(PICTURES)
    assert all(seen.attributes("img", "alt"))
    assert not seen.attributes("td", "style")
    (policy,) = [value for value in seen.attributes("meta", "content") if "default-src" in value]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("style", "script"):  # what a browser hashes is what the policy allows
        text = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[-1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    levels = [int(tag[1]) for tag, _ in seen.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(1 < after <= before + 1 for before, after in pairwise(levels)), levels
    identities = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    anchors = {value for value in seen.attributes("a", "href") if "?" not in value}
    assert anchors
    assert anchors <= {f"#{identity}" for identity in identities}


def test_the_same_inputs_give_the_same_bytes(small: Invented, whole: Study, page: str) -> None:
    assert page_of(with_texts(small, HOSTILE, HOSTILE), whole) == page


def test_texts_stay_texts(small: Invented, page: str) -> None:
    seen = Page(page)
    assert [tag for tag, _ in seen.tags].count("script") == 2
    question = {text for text in seen.inside("span") if text in HOSTILE}
    assert question == set(HOSTILE), "read as they were written"
    data = json.loads("".join(seen.inside("script")).partition('\n"use strict"')[0])
    assert set(HOSTILE) <= set(data["texts"])
    assert [row[1] for item in data["items"] for row in item["c"]] == [one.id for one in small.samples["dpo"]]


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_comes_back_from_a_script_whatever_is_in_it(value: object) -> None:
    text = as_json({"value": value})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"value": value}


@cache
def smallest() -> tuple[Invented, Study]:
    study = invent(4, 2)
    return study, composed(study)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1), min_size=1, max_size=4)
)
def test_any_question_reads_as_it_was_written(questions: list[str]) -> None:
    study, whole = smallest()
    seen = Page(page_of(with_texts(study, questions, questions), whole))
    found = "\n".join(text for holder, text in seen.texts if holder == "span")
    assert all(question in found for question in questions)
    assert [tag for tag, _ in seen.tags].count("script") == 2


def test_seeds_survive_javascript(small: Invented, whole: Study) -> None:
    """Its numbers hold 53 bits."""
    seeds = {
        policy: [row.model_copy(update={"seed": 2**63 + 1}) for row in rows] for policy, rows in small.greedy.items()
    }
    assert f'"{2**63 + 1}"' in page_of(replace(small, greedy=seeds), whole)


def test_chains_that_are_too_long_for_a_page_are_left_out_and_nothing_else(small: Invented, whole: Study) -> None:
    rows = [one.model_copy(update={"chains": (f"chain of {one.solution_id}", "")}) for one in small.verifications]
    items = items_of(replace(small, verifications=rows))
    longest, short = (json.loads(page_data(items, whole, most)) for most in (100_000, 100))
    assert {f"chain of {one.id}" for one in small.samples["dpo"]} <= set(longest["texts"])
    assert not any("chain of" in text for text in short["texts"])
    scores = [[[row[:2] + row[-2:-1] for row in item["c"]] for item in data["items"]] for data in (longest, short)]
    assert scores[0] == scores[1]


def linked_cells(page: str) -> list[tuple[str, str, str, str]]:
    """(corner, row, column, HTML of the cell) of every cell of every table with numbers."""
    found = []
    for table in re.findall(r"<table>.*?</table>", page, re.DOTALL):
        rows = [
            re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
            for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)
        ]
        found += [
            (rows[0][0], row[0], title, cell)
            for row in rows[1:]
            for title, cell in zip(rows[0][1:], row[1:], strict=True)
        ]
    return found


def queries(cell: str) -> list[tuple[tuple[str, str], ...]]:
    hrefs = re.findall(r'href="#items\?([^"]*)"', cell)
    return [tuple(parse_qsl(href.replace("&amp;", "&"))) for href in hrefs]


def test_every_accuracy_leads_to_as_many_items_as_it_counts(small: Invented, page: str) -> None:
    items, right = items_of(small), {}
    for policy in ABILITY:
        right[policy] = {one.problem_id: one.verdict == "correct" for one in small.greedy_grades[policy]}
    families = {"Synthetic word": "word", "Synthetic math": "math"}
    seen = 0
    for corner, row, column, cell in linked_cells(page):
        policy = next((name for name, title in TITLES.items() if title == row), None)
        if corner != "accuracy, % [interval]" or "(n=" not in column or policy is None:
            continue
        family = families.get(column.split(" (")[0])
        scope = [one.id for one in small.problems if family in (None, one.family)]
        (query,) = queries(cell)
        chosen = [item.problem.id for item, _ in items.select(query)]
        assert chosen == [one for one in scope if right[policy][one]]
        assert f"(n={len(scope)})" in column
        assert f">{100 * len(chosen) / len(scope):.1f}<" in cell
        assert f'title="{len(chosen)} of {len(scope)} problems"' in cell
        seen += 1
    assert seen == 3 * len(ABILITY)


def test_every_choice_change_and_error_leads_to_its_items(small: Invented, page: str) -> None:
    items, cells = items_of(small), linked_cells(page)
    unlinked = [
        (corner, row, column)
        for corner, row, column, cell in cells
        if (corner == "step" and not column.startswith("p "))
        or (corner == "verifier" and ("false" in row or row.startswith("… of those") or "right and wrong" in row))
        or (corner.startswith("accuracy, % [") and "best of" in row and "(n=" in column)
        or column == "pass@4"
        if not queries(cell) and "—" not in cell
    ]
    assert not unlinked
    changes = [(row, column, cell) for corner, row, column, cell in cells if corner == "step" and "greedy" in row]
    for _, column, cell in changes:
        if not column.startswith("p "):
            won, lost = (len(items.select(query)) for query in queries(cell))
            scope = len(items.rows) if column == "all" else sum(one.problem.family in column for one in items.rows)
            value = float(re.findall(r"[+−-]?\d+\.\d", cell)[0].replace("−", "-"))
            assert value == pytest.approx(100 * (won - lost) / scope, abs=0.06)
    wrong = sum(one.label != "correct" for one in small.verifications)
    accepted = sum(one.label != "correct" and one.p_yes > 0.5 for one in small.verifications)
    (cell,) = [cell for _, row, column, cell in cells if row.startswith("false accepts") and column == "all"]
    assert f'title="{accepted} of {wrong} samples"' in cell
    (query,) = queries(cell)
    assert sum(len(kept) for _, kept in items.select(query)) == accepted


def test_wins_and_losses_are_linked_by_their_numbers(small: Invented) -> None:
    items = items_of(small)
    right = {policy: [one.verdict == "correct" for one in small.greedy_grades[policy]] for policy in ("base", "sft")}
    won, lost = (
        sum(a > b for a, b in zip(right[x], right[y], strict=True)) for x, y in (("sft", "base"), ("base", "sft"))
    )
    corner, column = "accuracy, % [interval]", "won / lost / tied against base"
    cell = cell_links(items, corner, "+SFT", column, f"{won} / {lost} / {24 - won - lost}")
    assert cell is not None
    assert [len(items.select(link.query)) for link in cell.inside] == [won, lost]
    with pytest.raises(PageError, match="won / lost / tied"):
        cell_links(items, corner, "+SFT", column, f"{won + 1} / {lost} / 0")


def test_a_number_that_its_items_contradict_is_refused(small: Invented, whole: Study) -> None:
    """A column that means something else now must not lead to the old items."""
    markdown = results_markdown(whole)
    first = re.search(r"^\| \+SFT \| (\d+\.\d)", markdown, re.MULTILINE)
    assert first is not None
    changed = markdown[: first.start(1)] + f"{float(first.group(1)) + 0.5:.1f}" + markdown[first.end(1) :]
    with pytest.raises(PageError, match=r"row '\+SFT', column 'Synthetic word.*its items give"):
        page_of(small, whole, changed)


def test_unknown_tables_stay_as_they_are(small: Invented) -> None:
    markdown = "# T\n\n| accuracy, % [interval] | strict |\n| --- | ---: |\n| base | 99.0 [1.0, 2.0] |\n| all | — |\n\n| p | +SFT |\n| --- | ---: |\n| base | 1.0 |\n"  # noqa: E501
    body = page_body(markdown, {}, items_of(small))
    assert "<a " not in body.html
    assert body.html.count('<div class="scroll"') == 2


def test_a_picture_that_is_not_there_is_named(small: Invented) -> None:
    with pytest.raises(PageError, match=r"plots/lost\.png"):
        page_body("# T\n\n![x](plots/lost.png)\n", PICTURES, items_of(small))
    with pytest.raises(PageError, match="begin it with its title"):
        page_body("Results\n", PICTURES, items_of(small))


def test_the_graph_keeps_it_and_a_package_has_its_frame() -> None:
    report = YAML(typ="safe", pure=True).load((REPOSITORY / "dvc.yaml").read_text())["stages"]["report"]
    assert "reports/report.html" in report["outs"]
    assert "reports/verify/verifications.jsonl" in report["deps"]
    packaged = re.findall(r'"(page\.\w+)"', (REPOSITORY / "pyproject.toml").read_text())
    folder = REPOSITORY / "src/proofline/evaluation"
    assert sorted(packaged) == sorted(path.name for path in folder.glob("page.*") if path.suffix != ".py")


# Clicks through the links one after another, and notes what is shown for each.
CLICKS = """
<script>
(() => {
  const found = [];
  const links = [...document.querySelectorAll('a[href*="?"]')].map((link) => link.getAttribute("href"));
  const next = () => {
    if (!links.length) return document.body.append(Object.assign(document.createElement("pre"),
      { id: "found", textContent: JSON.stringify(found) }));
    const href = links.shift();
    history.replaceState(null, "", href);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    const shown = [...document.querySelectorAll("#list > details")].filter((box) => !box.hidden).map((box) => box.id);
    found.push([href, shown, document.getElementById("count").firstChild.textContent]);
    setTimeout(next);
  };
  next();
})();
</script>
"""


@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here to open the page with")
def test_a_browser_shows_the_items_that_python_selects(small: Invented, page: str, tmp_path: Path) -> None:
    """Every link of the page, in one start of the browser; then an item by its own address."""
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    (tmp_path / "clicks.html").write_text(without_policy.replace("</body>", CLICKS + "</body>"), encoding="utf-8")
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    dom = opened(tmp_path / "clicks.html")
    clicked = json.loads("".join(re.findall(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)).replace("&amp;", "&"))
    items = items_of(small)
    assert len(clicked) > 60
    for href, shown, said in clicked:
        selected = items.select(tuple(parse_qsl(href.partition("?")[2])))
        assert shown == [item.problem.id for item, _ in selected], href
        assert f"{len(shown)} of 24 problems" in said
        if "graded=" in href:
            assert said.startswith(f"{sum(len(kept) for _, kept in selected)} samples in ")
    problem, (solution,) = (
        small.problems[3],
        [one for one in small.greedy["sft"] if one.problem_id == small.problems[3].id],
    )
    unfolded = opened(tmp_path / "report.html", f"#{problem.id}")
    assert f"proofline explain sample {solution.id}" in unfolded
    assert unfolded.count("<summary>+SFT+DPO+GenRM (weights genrm") == 4, "its samples, under the page's own policy"
    assert "alert(1)" not in re.findall(r"<script>(.*?)</script>", unfolded, re.DOTALL)


def opened(path: Path, anchor: str = "") -> str:
    """The page as the browser has it after its scripts ran."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent / 'profile'}",
               "--virtual-time-budget=60000", "--dump-dom", f"{path.as_uri()}{anchor}"]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
