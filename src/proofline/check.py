"""`proofline check`: the recipe, what it reads of the user's own, and this machine, before anything runs.

It ends with the first thing that would stop a stage, said with its remedy.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from proofline.answers.forms import FORMS, named_forms
from proofline.config.schema import TRAINED

if TYPE_CHECKING:
    from proofline.config import Environment, Params


def add_check_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the command line."""
    check = commands.add_parser(
        "check", help="check params.yaml, execution settings and DVC's files, and show them in short"
    )
    check.set_defaults(run=run_check)


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
        adapters = f", adapters of rank {training.lora.rank}" if training.lora else ""
        print(
            f"  {section}: {training.epochs:g} epochs, learning rate {training.learning_rate:g}, "
            f"{training.precision}{adapters}"
        )
    for edit in edits:
        print(f"  edited {edit}")
    show_answers(params)
    show_own_problems(params, environment)
    show_model(params)
    show_processor(params, environment, root)
    print("execution:")
    for name, value in environment:
        print(f"  {name}: {value}")


class FormError(ValueError):
    """A recipe by which answers would stand in more than one form."""


def show_answers(params: Params) -> None:
    """The one form of answers that the prompt asks for, demonstrations have and the strict reader reads.

    Raises FormError where the prompt leaves it open.
    """
    forms = sorted(named_forms([params.prompts.solution]))
    source = params.demonstrations.source
    if len(forms) > 1:
        raise FormError(f"prompts.solution asks for answers in the forms {' and '.join(forms)}; name one of them alone")
    if source == "sampled" and not forms and params.base.source in ("hub", "folder"):
        raise FormError(
            f"prompts.solution names no form of answers, and demonstrations are sampled from a base that was told "
            f'none; name {" or ".join(FORMS)}: "{{question}}\\nPut your final answer within \\\\boxed{{}}."'
        )
    asked = f"{forms[0]}, as the prompt asks" if forms else "in the form of each problem's reference"
    print(f"  demonstrations: {source}; answers: {asked}")


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
        # Of test problems nobody asks for one.
        taught = [problem.id for problem in brought.problems if problem.split == "train"]
        without = sum(brought.demonstrations.get(problem_id, "") is None for problem_id in taught)
        print(f"  {name}: {', '.join(f'{counts[split]} {split}' for split in SPLITS)}; {without} have no demonstration")


def show_model(params: Params) -> None:
    """What the study reads of a model of the user's own. Raises ModelError, IdentityError, ReadError."""
    if params.base.source == "folder":
        from proofline.base.folder import check_folder
        from proofline.launch.work import quieten

        quieten()
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
