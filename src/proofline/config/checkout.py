"""Which checkout's package runs: it has to be that of the working directory, whose `src` DVC hashes.

A stage sees to it by importing `stages/_checkout.py` first, the `proofline` command by starting itself again. What
neither has seen to is refused: code of one checkout would make results that DVC files under the other's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
"""The folder that this package was imported from."""


class CheckoutError(ValueError):
    """The package that runs is not that of the working directory."""


def working_source() -> Path:
    """The `src` of the checkout that the working directory lies in; outside of one, where this package is from."""
    here = Path.cwd().resolve()
    folders = (folder / "src" for folder in (here, *here.parents))
    return next((folder for folder in folders if (folder / "proofline/__init__.py").is_file()), SOURCE)


def refuse_other_checkout() -> None:
    """Raises CheckoutError where the working directory has another package than the one that runs."""
    source = working_source()
    if source != SOURCE:
        raise CheckoutError(
            f"{Path.cwd()} has its own package in {source}, but {SOURCE} is running. Nothing was computed. Let the "
            f"script import `_checkout` first, as those in stages/ do, or set PYTHONPATH={source}"
        )


def run_in_own_checkout(module: str) -> None:
    """Start `python -m module` again with the working directory's package where another one runs."""
    source = working_source()
    if source == SOURCE:
        return
    path = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH")]))
    os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], os.environ | {"PYTHONPATH": path})
