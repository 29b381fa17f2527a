"""`proofline`: the commands around the experiment. The experiment itself is `dvc repro`.

Each command imports what it needs when it runs, so `proofline check` answers in a fraction of a second.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from proofline.certificate.commands import add_certificate_commands
from proofline.check import add_check_command
from proofline.comparison.commands import add_compare_command
from proofline.config.checkout import run_in_own_checkout
from proofline.config.collector import collect_seldom
from proofline.config.commands import add_profile_commands
from proofline.config.failures import explained
from proofline.explain import add_explain_command
from proofline.registry.commands import add_registry_commands
from proofline.seeds.commands import add_seeds_commands
from proofline.storage.commands import add_storage_commands
from proofline.training.commands import add_checkpoint_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's error is one message on stderr and exit status 1."""
    if arguments is None:
        run_in_own_checkout("proofline.cli")
        collect_seldom()
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        return 128 + signal.SIGPIPE
    except Exception as error:
        message = explained(error)
        if message is None:
            raise
        print(f"proofline: {message}", file=sys.stderr)
        return 1
    return 0


def _nobody_reads() -> bool:
    """Has the reader of our output gone, as `head` goes when it has seen enough? Then nothing more is written to it."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    if not output.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="proofline", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    add_check_command(commands)
    add_profile_commands(commands)

    ui = commands.add_parser("ui", help="open the MLflow UI on this repository's runs")
    ui.add_argument("--port", type=int, default=5000)
    ui.add_argument("--open", action="store_true", help="open a browser on the runs of the last reproduction")
    ui.set_defaults(run=run_ui)

    runs = commands.add_parser("runs", help="the runs behind the present results: which stage ran, which was restored")
    runs.add_argument("--send", action="store_true", help="send the runs that wait because their store was lost")
    runs.set_defaults(run=run_runs)

    readme = commands.add_parser("readme", help="put the report's results into README.md")
    readme.add_argument("--check", action="store_true", help="change nothing; fail where the committed one is stale")
    readme.set_defaults(run=run_readme)

    pretrain = commands.add_parser("pretrain", help="make the bundled base anew by the recipe base.pretraining")
    pretrain.set_defaults(run=run_pretrain)

    add_registry_commands(commands)
    add_certificate_commands(commands)
    add_checkpoint_commands(commands)
    add_explain_command(commands)
    add_seeds_commands(commands)
    add_compare_command(commands)
    add_storage_commands(commands)

    graph = commands.add_parser("graph", help="draw the stage graph of dvc.yaml")
    graph.add_argument(
        "output", nargs="?", type=Path, default=Path("docs/images/graph.png"), help="a .png or .svg file"
    )
    graph.set_defaults(run=run_graph)
    return parser


def run_ui(options: argparse.Namespace) -> None:
    from proofline.config import load_environment
    from proofline.tracking.ui import serve

    serve(load_environment(), options.port, options.open)


def run_runs(options: argparse.Namespace) -> None:
    from proofline.config import load_environment
    from proofline.config.environment import repository_root
    from proofline.tracking.listing import list_runs, send_waiting

    root = repository_root()
    if options.send:
        send_waiting(root)
    else:
        list_runs(load_environment().tracking_uri, root)


def run_readme(options: argparse.Namespace) -> None:
    from proofline.certificate.check import check_readme
    from proofline.certificate.readme import write_readme
    from proofline.config.environment import repository_root

    (check_readme if options.check else write_readme)(repository_root())


def run_pretrain(options: argparse.Namespace) -> None:
    from tempfile import TemporaryDirectory

    from proofline.base.pretraining import pretrain
    from proofline.base.source import BUNDLED, bundle
    from proofline.config import load_params
    from proofline.config.environment import repository_root

    params = load_params(repository_root() / "params.yaml")
    section, prompts, seed = params.base.pretraining, params.prompts, params.seed
    # Beside the bundle: a place that cannot be written is found out before the training.
    with TemporaryDirectory(dir=BUNDLED.parent, suffix=".partial") as folder:
        pretrain(section, prompts, seed, Path(folder), lambda metrics, step: print(step, metrics, flush=True))
        bundle(Path(folder), {"pretraining": section.model_dump(), "prompts": prompts.model_dump(), "seed": seed})
    print(BUNDLED)


def run_graph(options: argparse.Namespace) -> None:
    from proofline.graph import draw_graph

    draw_graph(options.output)
    print(options.output)


if __name__ == "__main__":
    sys.exit(main())
