"""The README's results: `reports/results.md` between two markers, its pictures under `docs/images/`.

In: a repository with `reports/`. Out: its README and pictures, rewritten; or, with `--check`, whether they are those
of the report. Nobody types a number into the README.

    python -m proofline.evaluation.readme [--check]
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
PICTURE = re.compile(r"\]\(plots/([\w-]+\.png)\)")
IMAGES = "docs/images"


class ReadmeError(ValueError):
    """The README or the report is not what it should be."""


def write_readme(root: Path) -> None:
    """Put the report's results into the README and its pictures beside it."""
    text, pictures = render(root)
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    for name, content in pictures.items():
        (root / IMAGES / name).write_bytes(content)
    (root / "README.md").write_text(text, encoding="utf-8")


def check_readme(root: Path) -> None:
    """Raise ReadmeError where README or pictures differ from the report."""
    text, pictures = render(root)
    stale = [] if (root / "README.md").read_text(encoding="utf-8") == text else ["README.md"]
    for name, content in pictures.items():
        path = root / IMAGES / name
        if not path.exists() or path.read_bytes() != content:
            stale.append(f"{IMAGES}/{name}")
    if stale:
        raise ReadmeError(f"{', '.join(stale)}: not those of the last report; run `proofline readme`")


def render(root: Path) -> tuple[str, dict[str, bytes]]:
    """The README as it should be, and its pictures by name."""
    report = root / "reports" / "results.md"
    if not report.exists():
        raise ReadmeError(f"{report} is absent; make it with `dvc repro`, or fetch it with `dvc pull`")
    results = report.read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ReadmeError(f"README.md: expected {BEGIN} and, after it, {END}, once each")
    pictures = {name: (root / "reports" / "plots" / name).read_bytes() for name in PICTURE.findall(results)}
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{as_block(results)}\n{END}{rest.split(END)[1]}", pictures


def as_block(results: str) -> str:
    """The report without its title, one heading level deeper, its pictures in the README's folder."""
    body = results.partition("\n")[2].strip()
    return PICTURE.sub(rf"]({IMAGES}/\1)", re.sub(r"^(#+) ", r"#\1 ", body, flags=re.MULTILINE))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the README is stale")
    options = parser.parse_args()
    try:
        (check_readme if options.check else write_readme)(Path.cwd())
    except ReadmeError as error:
        print(f"readme: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
