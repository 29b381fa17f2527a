"""`proofline`: the commands around the experiment. The experiment itself is `dvc repro`.

Each command imports what it needs when it runs, so `proofline check` answers in a fraction of a second.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proofline.certificate.commands import add_certificate_commands
from proofline.comparison.commands import add_compare_command
from proofline.config.checkout import run_in_own_checkout
from proofline.config.collector import collect_seldom
from proofline.config.failures import explained
from proofline.config.schema import TRAINED
from proofline.explain import add_explain_command
from proofline.registry.commands import add_registry_commands
from proofline.seeds.commands import add_seeds_commands
from proofline.storage.commands import add_storage_commands
from proofline.training.commands import add_checkpoint_commands

if TYPE_CHECKING:
    from proofline.config import Environment, Params


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's error is one message on stderr and exit status 1."""
    if arguments is None:
        run_in_own_checkout("proofline.cli")
        collect_seldom()
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        message = explained(error)
        if message is None:
            raise
        print(f"proofline: {message}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="proofline", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = commands.add_parser(
        "check", help="check params.yaml, execution settings and DVC's files, and show them in short"
    )
    check.set_defaults(run=run_check)

    profile = commands.add_parser("profile", help="ready-made recipes").add_subparsers(metavar="ACTION", required=True)
    use = profile.add_parser("use", help="merge a profile into params.yaml; refuses to replace hand edits")
    use.add_argument("name")
    use.add_argument(
        "--force", action="store_true", help="replace hand edits, keeping the old file as params.yaml.bak-N"
    )
    use.set_defaults(run=run_profile_use)
    profile.add_parser("list", help="the profiles; * is the one in params.yaml").set_defaults(run=run_profile_list)
    diff = profile.add_parser("diff", help="how params.yaml differs from a profile")
    diff.add_argument("name", nargs="?", help="default: the nearest one")
    diff.set_defaults(run=run_profile_diff)
    save = profile.add_parser("save", help="write params.yaml as a profile of your own")
    save.add_argument("name")
    save.add_argument("--force", action="store_true", help="replace an existing profile, keeping its comments")
    save.set_defaults(run=run_profile_save)

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


def run_check(options: argparse.Namespace) -> None:
    from proofline.config import load_environment, load_params
    from proofline.config.environment import repository_root
    from proofline.config.profiles import PARAMS, nearest_profile
    from proofline.storage.dvc_state import check_dvc_state

    root = repository_root()
    check_dvc_state(root)
    params, environment = load_params(root / PARAMS), load_environment()
    name, edits = nearest_profile(root)
    print(f"params.yaml: {name}" + (f" with {len(edits)} edits" if edits else "") + f", seed {params.seed}")
    print(f"  base {params.base.source}; problems from {', '.join(params.prepare.sources)}")
    for section in TRAINED:
        training = getattr(params, section)
        print(
            f"  {section}: {training.epochs:g} epochs, learning rate {training.learning_rate:g}, {training.precision}"
        )
    for edit in edits:
        print(f"  edited {edit}")
    show_own_problems(params, environment)
    show_model(params)
    show_processor(params, environment, root)
    print("execution:")
    for name, value in environment:
        print(f"  {name}: {value}")


def show_own_problems(params: Params, environment: Environment) -> None:
    """What the user's own files hold, all their rows checked. Raises SourceError with everything wrong in them."""
    sources = [name for name in params.prepare.sources if name in params.prepare.own]
    if not sources:
        return
    from collections import Counter
    from functools import partial

    from proofline.data.own import load_own
    from proofline.records import SPLITS
    from proofline.storage.tables import located

    for name in sources:
        brought = load_own(name, params.prepare.own[name], partial(located, environment.data_root))
        counts = Counter(problem.split for problem in brought.problems)
        without = sum(text is None for text in brought.demonstrations.values())
        print(f"  {name}: {', '.join(f'{counts[split]} {split}' for split in SPLITS)}; {without} have no demonstration")


def show_model(params: Params) -> None:
    """What the study reads of a model of the user's own. Raises ModelError, IdentityError, ReadError."""
    if params.base.source == "folder":
        from proofline.base.folder import check_folder

        drawn = (params.sampling, params.evaluation, params.verification)
        lengths = [getattr(params, name).max_length for name in TRAINED] + [each.max_new_tokens for each in drawn]
        print("\n  ".join([f"model: {params.base.folder}", *check_folder(params.base, max(lengths))]))


def show_processor(params: Params, environment: Environment, root: Path) -> None:
    """What computes here, how long the graph takes on it, and whether it has instructions for the recipe's formats.

    Raises SlowFormatError where it has none.
    """
    from proofline.config.processor import cpu_model, instruction_sets
    from proofline.launch.estimate import estimate
    from proofline.launch.instructions import settle
    from proofline.launch.probe import formats, gflops, refuse_slow_formats

    settle(environment, formats(params)[0])
    print(f"processor: {cpu_model()} ({', '.join(instruction_sets()) or 'instruction sets unknown'})")
    fp32, threads = gflops("fp32"), environment.threads_each
    print(f"  {threads} threads; one multiplies {fp32:.0f} GFLOP/s in fp32, measured just now")
    if known := estimate(params, fp32, threads, root):
        without = f", without {', '.join(known.unmeasured)}" if known.unmeasured else ""
        print(
            f"  the whole graph takes about {known.seconds / 60:.0f} minutes here{without}, "
            f"by the probe and its time on {known.processor}"
        )
    else:
        print("  how long the graph takes is known for the bundled base on generated problems alone")
    refuse_slow_formats(params, environment)


def run_profile_use(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.config.profiles import use_profile

    made, backup = use_profile(repository_root(), options.name, force=options.force)
    if backup:
        print(f"kept the old recipe as {backup.name}")
    print(f"params.yaml is now {options.name}: {len(made)} values changed")
    for change in made:
        print(f"  {change}")


def run_profile_list(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.config.profiles import describe, nearest_profile, profile_names

    root = repository_root()
    nearest, edits = nearest_profile(root)
    for name in profile_names(root):
        mark = "*" if name == nearest else " "
        print(f"{mark} {name:20} {describe(root, name)}")
    for edit in edits:
        print(f"  params.yaml edits {nearest}: {edit}")


def run_profile_diff(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.config.profiles import differences, nearest_profile

    root = repository_root()
    name, edits = (options.name, differences(root, options.name)) if options.name else nearest_profile(root)
    print(f"params.yaml against {name}: {len(edits)} values differ")
    for edit in edits:
        print(f"  {edit}")


def run_profile_save(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.config.profiles import save_profile

    made = save_profile(repository_root(), options.name, force=options.force)
    print(f"profiles/{options.name}.yaml is now params.yaml: {len(made)} values changed")
    for change in made:
        print(f"  {change}")


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
