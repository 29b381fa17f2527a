"""The README is made of the report, and the report can be had back from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.certificate.readme import BEGIN, END, TITLE, ReadmeError, as_block, as_results, with_block, write_readme

EMPTY = f"# Title\n\nBefore.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n"
PLACES = (
    "![Accuracy](plots/accuracy.png)",
    "## Policies",
    "#### deep",
    "| a | b |",
    "- **x** beats y",
    "",
    "# odd",
    "#hash",
)


@given(
    st.lists(
        st.sampled_from(PLACES) | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")))
    )
)
def test_what_is_done_to_a_report_can_be_undone(lines: list[str]) -> None:
    results = TITLE + "\n".join(lines) + "\n"
    if BEGIN in results or END in results or "](docs/images/" in results:
        return
    assert as_results(with_block(EMPTY, as_block(results), BEGIN, END)) == results


def test_the_committed_readme_gives_a_report_back() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert with_block(readme, as_block(as_results(readme)), BEGIN, END) == readme


def test_only_what_is_between_the_markers_is_written(tmp_path: Path) -> None:
    (tmp_path / "reports/plots").mkdir(parents=True)
    (tmp_path / "reports/results.md").write_text(f"{TITLE}- found\n\n## Policies\n\n![A](plots/a.png)\n")
    (tmp_path / "reports/plots/a.png").write_bytes(b"\x89PNG")
    readme = tmp_path / "README.md"
    readme.write_text(EMPTY)
    write_readme(tmp_path)
    text = readme.read_text()
    assert text.startswith("# Title\n\nBefore.")
    assert text.endswith(f"{END}\n\nAfter.\n")
    assert "old" not in text
    assert "### Policies" in text
    assert all((tmp_path / path).exists() for path in re.findall(r"\((docs/images/[\w.]+)\)", text))
    write_readme(tmp_path)
    assert readme.read_text() == text


def test_it_needs_a_report_and_markers(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Title\n")
    with pytest.raises(ReadmeError, match="dvc repro"):
        write_readme(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/results.md").write_text(f"{TITLE}- found\n")
    with pytest.raises(ReadmeError, match="once each"):
        write_readme(tmp_path)
