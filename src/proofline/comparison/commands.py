"""`proofline compare A B`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
Each side is one of these, or several of a kind separated by commas (the same recipe under several seeds):
  a file of lm-evaluation-harness (samples_*.jsonl, written with --log_samples) or a log of inspect_ai (.eval, .json)
  NAME/VERSION, NAME@ALIAS       a registered version: proofline-dpo/2, proofline-dpo@champion
  RUN                            the id of a run of `evaluate`, or of a training that was evaluated
  REVISION, REVISION:POLICY      a commit, a branch, an experiment of DVC's, or `workspace`; all its policies or one
"""


def add_compare_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`compare` on the command line."""
    compare = commands.add_parser(
        "compare", help="hold two sets of results against each other, item by item", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    compare.add_argument("a", metavar="A", help="a file, a version, a run, a commit or an experiment: see below")
    compare.add_argument("b", metavar="B", help="another; differences are A - B")
    compare.add_argument(
        "--confidence", type=confidence, metavar="SHARE", default=0.95, help="of intervals and claims (default: 0.95)"
    )
    compare.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON too")
    compare.add_argument("--no-log", action="store_true", help="make no run in the tracking store")
    compare.set_defaults(run=run_compare)


def confidence(text: str) -> float:
    """A level of confidence. Raises ArgumentTypeError."""
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0.5 <= level < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a share from 0.5 to below 1, such as 0.95")
    return level


def run_compare(options: argparse.Namespace) -> None:
    from proofline.comparison.compare import compare
    from proofline.comparison.pairing import pair
    from proofline.comparison.show import as_json, as_text
    from proofline.comparison.sides import places, read_side
    from proofline.config.environment import repository_root
    from proofline.registry.store import is_repository, plain_errors
    from proofline.storage.artifacts import write_json

    root = repository_root()
    with places(root) as where:
        found = compare(pair(read_side(options.a, where), read_side(options.b, where)), options.confidence)
    print(as_text(found), end="", flush=True)
    if options.json:
        write_json(options.json, as_json(found))
    if options.no_log:
        return
    if not is_repository(root):
        print("not logged: this is no repository of the project; change into one, or say --no-log")
        return
    from proofline.comparison.record import record

    with plain_errors():
        print(f"logged as run {record(found)}")
