"""The README made of a report, and the report read back out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofline.certificate.readme import BEGIN, END, ReadmeError, as_results, write_readme

RESULTS = """\
# Results

- **+SFT beats base**

## Policies

| a | b |
| --- | ---: |

![Accuracy](plots/accuracy.png)

### Details

# is no heading in the middle of a line #
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a report, and a README with a place for it."""
    (tmp_path / "reports/plots").mkdir(parents=True)
    (tmp_path / "reports/results.md").write_text(RESULTS)
    (tmp_path / "reports/plots/accuracy.png").write_bytes(b"picture")
    (tmp_path / "README.md").write_text(f"# Title\n\nBefore.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    return tmp_path


def test_a_readme_gives_its_report_back(root: Path) -> None:
    write_readme(root)
    text = (root / "README.md").read_text()
    assert text.startswith("# Title\n\nBefore.")
    assert text.endswith(f"{END}\n\nAfter.\n")
    assert "\nold\n" not in text
    assert "### Policies" in text
    assert (root / "docs/images/accuracy.png").read_bytes() == b"picture"
    assert as_results(text) == RESULTS
    write_readme(root)
    assert (root / "README.md").read_text() == text


def test_a_report_and_markers_are_needed(root: Path) -> None:
    (root / "README.md").write_text("# Title\n")
    with pytest.raises(ReadmeError, match="once each"):
        write_readme(root)
    (root / "reports/results.md").unlink()
    with pytest.raises(ReadmeError, match="dvc repro"):
        write_readme(root)
