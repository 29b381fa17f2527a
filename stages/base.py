"""base: the starting policy -> models/base."""

from __future__ import annotations

from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.base.source import make_base
from proofline.config import load_params
from proofline.launch.work import quieten
from proofline.tracking import track


def main() -> None:
    params = load_params()
    quieten()
    with track("base", sections={"base": params.base, "prompts": params.prompts, "seed": params.seed}) as run:
        facts = make_base(params.base, params.prompts, params.seed, Path("models/base"), run)
        run.log_params({"result": facts})


if __name__ == "__main__":
    main()
