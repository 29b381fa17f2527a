"""What every benchmark says about itself: where and with what it was measured, as JSON and as a table.

Imports nothing heavy: versions are read from the installed packages' metadata, the card's name only where torch is
already imported.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, settings: Mapping[str, Any], packages: Sequence[str], **measured: Any) -> Path:
    """`results/<name>.json`: date, machine, versions, then the settings and what was measured."""
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(packages),
        "settings": dict(settings),
        **measured,
    }
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def machine() -> dict[str, Any]:
    """The processor, the cores this process may use, and the cards torch has found."""
    facts: dict[str, Any] = {"processor": processor(), "cores": len(os.sched_getaffinity(0))}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        facts["cards"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return facts


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Python's and each installed package's version; an absent package is left out."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, with the columns aligned: names to the left, the rest to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.rjust(width) if column else cell.ljust(width)
                  for column, (cell, width) in enumerate(zip(cells, widths, strict=True))]  # fmt: skip
        return f"| {' | '.join(padded)} |"

    rule = [("-" * (width - 1) + ":") if column else "-" * width for column, width in enumerate(widths)]
    return "\n".join([line(header), line(rule), *(line(row) for row in rows)])
