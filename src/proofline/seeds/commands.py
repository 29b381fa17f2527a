"""`proofline seeds run` and `proofline seeds show`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_seeds_commands(commands: Subparsers) -> None:
    """Add `seeds` to the command line."""
    seeds = commands.add_parser("seeds", help="the recipe under several seeds: does an effect hold?")
    actions = seeds.add_subparsers(metavar="ACTION", required=True)
    run = actions.add_parser("run", help="run the graph under seeds 0 to N-1 as experiments seed-0, …, then show them")
    run.add_argument("number", type=int, metavar="N")
    run.set_defaults(run=run_seeds)
    show = actions.add_parser("show", help="the table of the present commit's seeds, also as a group of runs in MLflow")
    show.set_defaults(run=show_seeds)
    for action in (run, show):
        action.add_argument("--output", type=Path, metavar="FILE", help="write the figures here (JSON)")


def run_seeds(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.seeds.run import SeedsError, run_seed

    if options.number < 2:
        raise SeedsError(f"{options.number} seeds: one run says nothing of another; give 2 or more")
    for seed in range(options.number):
        print(f"seed {seed} of 0 to {options.number - 1}", flush=True)
        run_seed(repository_root(), seed)
    show_seeds(options)


def show_seeds(options: argparse.Namespace) -> None:
    from proofline.config import load_environment, load_params
    from proofline.config.environment import repository_root
    from proofline.config.processor import cpu_model
    from proofline.registry.evidence import reports_of
    from proofline.seeds.measures import measures, weights
    from proofline.seeds.run import SeedsError, finished_seeds
    from proofline.seeds.table import as_markdown, gather
    from proofline.storage.artifacts import write_json
    from proofline.tracking.groups import log_group
    from proofline.tracking.provenance import git_facts

    root = repository_root()
    commits = finished_seeds(root)
    if len(commits) < 2:
        raise SeedsError(f"{len(commits)} experiments seed-N of this commit; `proofline seeds run 5` makes five")
    found, made = {}, []
    for seed, commit in commits.items():
        with reports_of(root, commit) as reports:
            found[seed] = measures(reports)
            made.append(weights(reports))
    confidence = load_params(root / "params.yaml").evaluation.confidence
    commit = git_facts(root)["mlflow.source.git.commit"]
    seeds = gather(found, made, commit, cpu_model(), confidence)
    text = as_markdown(seeds)
    print(text)
    if options.output:
        write_json(options.output, seeds.as_json())
    log_group(
        load_environment().tracking_uri,
        root,
        f"seeds of {commit[:7]}",
        {title: row.mean._asdict() for title, row in seeds.rows.items()},
        {f"seed-{seed}": {one.title: run.estimate.value for one, run in rows.items()} for seed, rows in found.items()},
        text,
    )
