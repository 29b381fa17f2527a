"""The README's results: `reports/results.md` between two markers, its pictures under `docs/images/`; and what is shown
of a committed document, the certificate.

In: a repository with `reports/`. Out: its README and pictures, rewritten. What is done to the report can be undone
(`as_results`), so a README alone tells whether it is that of the report whose hash `dvc.lock` holds (`check`).
Nobody types a number into the README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from proofline.certificate.document import parse_statement
from proofline.certificate.show import as_markdown

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
PICTURE = re.compile(r"\]\(plots/([\w-]+\.png)\)")
IMAGES = "docs/images"
IMAGE = re.compile(rf"\]\({IMAGES}/([\w-]+\.png)\)")
TITLE = "# Results\n\n"
"""What a report begins with, and the README leaves out."""

CERTIFICATE = "docs/certificate.json"
SHOWN: dict[str, tuple[str, Callable[[bytes], str]]] = {
    CERTIFICATE: ("certificate", lambda content: as_markdown(parse_statement(content, CERTIFICATE))),
}
"""Committed documents: the name of their markers, and how they are shown."""


class ReadmeError(ValueError):
    """The README or the report is not what it should be."""


def write_readme(root: Path) -> None:
    """Put the report's results and the committed certificate into the README, and its pictures beside it."""
    text, images = render(root)
    for _, block, *marks in shown(lambda path: (root / path).read_bytes() if (root / path).is_file() else None):
        text = with_block(text, block, *marks)
    (root / IMAGES).mkdir(parents=True, exist_ok=True)
    for name, content in images.items():
        (root / IMAGES / name).write_bytes(content)
    (root / "README.md").write_text(text, encoding="utf-8")


def render(root: Path) -> tuple[str, dict[str, bytes]]:
    """The README as it should be, and its pictures by name."""
    report = root / "reports" / "results.md"
    if not report.exists():
        raise ReadmeError(f"{report} is absent; make it with `dvc repro`, or fetch it with `dvc pull`")
    results = report.read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    images = {name: (root / "reports" / "plots" / name).read_bytes() for name in pictures(results)}
    return with_block(readme, as_block(results), BEGIN, END), images


def shown(read: Callable[[str], bytes | None]) -> Iterator[tuple[str, str, str, str]]:
    """Of each document that there is: its path, what the README has to say of it, and the two markers around that."""
    for path, (name, show) in SHOWN.items():
        if (content := read(path)) is not None:
            yield path, show(content), f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def with_block(readme: str, block: str, begin: str, end: str) -> str:
    """The README with what stands between two markers replaced. Raises ReadmeError where they are not there."""
    between(readme, begin, end)
    before, _, rest = readme.partition(begin)
    return f"{before}{begin}\n{block}\n{end}{rest.partition(end)[2]}"


def between(readme: str, begin: str, end: str) -> str:
    """What stands between two markers, without the line ends around it."""
    if readme.count(begin) != 1 or readme.count(end) != 1 or readme.index(begin) > readme.index(end):
        raise ReadmeError(f"README.md: expected {begin} and, after it, {end}, once each")
    return readme.partition(begin)[2].partition(end)[0].removeprefix("\n").removesuffix("\n")


def as_block(results: str) -> str:
    """The report without its title, one heading level deeper, its pictures in the README's folder."""
    body = results.removeprefix(TITLE).removesuffix("\n")
    return PICTURE.sub(rf"]({IMAGES}/\1)", re.sub(r"^(#+) ", r"#\1 ", body, flags=re.MULTILINE))


def as_results(readme: str) -> str:
    """The report that a README was made of: `as_block` undone."""
    raised = re.sub(r"^#(#+) ", r"\1 ", between(readme, BEGIN, END), flags=re.MULTILINE)
    return TITLE + IMAGE.sub(r"](plots/\1)", raised) + "\n"


def pictures(results: str) -> list[str]:
    """Names of the pictures that a report shows."""
    return PICTURE.findall(results)
