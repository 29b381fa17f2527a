"""One stage's script in this process, without a model and without a record; prints its peak memory in MiB.

    python benchmarks/memory_stage.py stages/evaluate.py --policy dpo

Started by `memory.py` in the checkout of the code that is measured, whatever its age: it imports of it only what both
have. What a model would write is made up, in the sizes that the default recipe has.
"""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

SHARD_ITEMS = 256
CHAIN = "The step 3*12=36 is right, and so is the one that follows from it. " * 6


class Drawing(NamedTuple):
    function: Callable[[Sequence[Any]], list[Any]]
    shard_size: int = SHARD_ITEMS
    each: str = "machine"


def drawing_by(environment: Any, folder: Path, policy: str, *, num_samples: int, **settings: Any) -> Drawing:
    """In place of `sampling.served`: the reference solution, or one with another answer."""
    from proofline.data.examples import shown_before
    from proofline.records import Solution

    def draw(problems: Sequence[Any]) -> list[Any]:
        return [
            Solution(
                id=f"{problem.id}-{len(shown)}-{index}-{num_samples}", problem_id=problem.id, policy=policy,
                weights="0" * 16, decoding=settings["decoding"], sample_index=index, seed=index,
                text=f"Attempt {index}.\n{problem.solution}{index if index % 2 else ''}", num_tokens=60, logprob=-9.0,
                finished=True, examples=tuple(example.id for example in shown),
            )
            for problem in problems
            for shown in [shown_before(problem, settings.get("examples", {}))]
            for index in range(num_samples)
        ]  # fmt: skip

    return Drawing(draw)


def verify(folder: Path, candidates: Sequence[Any], **settings: Any) -> list[Any]:
    """In place of `verification`."""
    from proofline.records import Verification

    count = settings["section"].num_chains
    return [
        Verification(
            solution_id=solution.id, problem_id=problem.id, label=verdict, p_yes=0.5, p_yes_per_chain=(0.5,) * count,
            chains=(f"{solution.text}\n{CHAIN}",) * count, tokens_per_chain=(120,) * count,
        )
        for problem, solution, verdict in candidates
    ]  # fmt: skip


def scoring_by(environment: Any, folder: Path, prompts: Any, section: Any, run_seed: int) -> Drawing:
    """In place of `verification.served`."""
    return Drawing(partial(verify, folder, section=section))


@contextmanager
def untracked(*_: Any, **__: Any) -> Iterator[Any]:
    """In place of `track`."""
    from proofline.tracking import NullRun

    yield NullRun()


def imitate() -> None:
    """Put these in place of what they imitate, before a stage imports it."""
    import proofline.storage.weights as weights
    import proofline.tracking as tracking

    for name, parts in {
        "proofline.sampling.served": {"drawing_by": drawing_by},
        "proofline.sampling.policy": {
            "decoded_by": lambda folder: "machine", "shard_size": lambda samples, rows: SHARD_ITEMS
        },
        "proofline.verification": {"verify": verify},
        "proofline.verification.served": {"scoring_by": scoring_by},
    }.items():  # fmt: skip
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(parts)
    vars(tracking)["track"] = untracked
    vars(weights)["weights_hash"] = lambda folder: "0" * 16


def main() -> None:
    del sys.argv[0]
    script = sys.argv[0]
    sys.path.insert(0, str(Path(script).parent))
    imitate()
    runpy.run_path(script, run_name="__main__")
    # Not ru_maxrss: that remembers what the process was before it became this program.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    print(int(peak[1]) / 1024)


if __name__ == "__main__":
    main()
