"""`proofline checkpoints list | show | verify | prune | grace`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from proofline.checkpoints.place import Place
    from proofline.checkpoints.trainings import Kept

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

WHICH = "STAGE or STAGE/IDENTITY, of which the beginning is enough; default: all"


def add_checkpoint_commands(commands: Subparsers) -> None:
    """Add `checkpoints` to the command line."""
    group = commands.add_parser("checkpoints", help="what interrupted stages have kept to go on from")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    for name, run, help in (
        (
            "list",
            run_list,
            "every checkpoint and piece: what it holds, how large, and whether the present recipe goes on from it",
        ),
        ("show", run_show, "what decided it, and what it holds"),
        ("verify", run_verify, "read every byte; fail where one is not what was written"),
        ("prune", run_prune, "remove damaged checkpoints, leftovers, and what is beyond keep_last and keep_every"),
        ("grace", run_grace, "whether a training that gets SIGTERM can still write one; fail where it cannot"),
    ):
        action = actions.add_parser(name, help=help)
        action.add_argument("which", nargs="?" if name != "show" else None, metavar="WHICH", help=WHICH)
        action.set_defaults(run=run)
        if name == "prune":
            action.add_argument("--all", action="store_true", help="the whole ones too: those trainings start again")
            action.add_argument("--dry-run", action="store_true", help="say what would go")
        if name == "grace":
            action.add_argument(
                "--parameters", type=float, help="of the model; default: as the newest checkpoint, or base"
            )
            action.add_argument("--machines", type=int, default=1, help="that write a share each (1)")
            action.add_argument("--step-seconds", type=float, default=0.0, help="of an optimizer step (0)")


def run_list(options: argparse.Namespace) -> None:
    from proofline.checkpoints.place import CheckpointError
    from proofline.storage.space import spelled

    stores = stores_of(options.which)
    for store in stores:
        print(f"{store.stage}/{store.identity}: {belongs(store)}")
        committed = store.committed()
        for step in store.steps():
            size = spelled(store.num_bytes(step))
            if step not in committed:
                print(f"  {store.unit} {step:>8}  {size:>9}  cut off while it was written")
                continue
            try:
                manifest = store.manifest(step)
                print(f"  {store.unit} {step:>8}  {size:>9}  {manifest.extent}, written {manifest.written}")
            except CheckpointError as error:
                print(f"  {store.unit} {step:>8}  {size:>9}  damaged: {error}")
    if not stores:
        print(f"no checkpoints in {place_of_all()[0].describe()}: nothing was interrupted, or none are kept")


def run_show(options: argparse.Namespace) -> None:
    import json

    from proofline.checkpoints.trainings import newest_manifest
    from proofline.storage.space import spelled

    for store in stores_of(options.which):
        print(f"{store.place.describe()}: {belongs(store)}")
        manifest = newest_manifest(store)
        if manifest is None:
            print(f"  no {store.unit} of it says what it is")
            continue
        for name, value in manifest.decided_by.items():
            print(f"  {name}: {json.dumps(value) if isinstance(value, dict) else value}")
        print(f"  {store.unit} {manifest.number} {manifest.extent}, {manifest.made}")
        for name, part in manifest.parts.items():
            print(f"    {name}  {spelled(part.num_bytes)}  CRC-32C {part.crc32c}")


def run_verify(options: argparse.Namespace) -> None:
    from proofline.checkpoints.manifest import DamageError

    faults = []
    for store in stores_of(options.which):
        for step in store.steps():
            fault = store.fault(step)
            print(f"{store.stage}/{store.identity} {store.unit} {step}: {fault or 'whole'}")
            faults += [f"{store.stage}/{store.identity} {store.unit} {step}"] if fault else []
    if faults:
        raise DamageError(
            f"{len(faults)} checkpoints cannot be gone on from ({', '.join(faults)}); trainings take the one before, "
            "and what a piece held is computed again. `proofline checkpoints prune` removes them"
        )


def run_prune(options: argparse.Namespace) -> None:
    from proofline.checkpoints.store import Keep
    from proofline.checkpoints.trainings import prune, unused
    from proofline.config import load_environment
    from proofline.storage.space import spelled

    environment = load_environment()
    keep = None if options.all else Keep(environment.keep_last, environment.keep_every)
    for store in stores_of(options.which):
        with unused(store, place_of_all()[1]):
            pruned = prune(store, keep, options.dry_run)
        steps = ", ".join(map(str, pruned.steps)) or "none"
        would = "would remove" if options.dry_run else "removed"
        print(
            f"{store.stage}/{store.identity}: {would} {store.unit}s {steps} and {pruned.num_leftovers} leftovers, "
            f"{spelled(pruned.num_bytes)}"
        )


def run_grace(options: argparse.Namespace) -> None:
    from proofline.checkpoints.grace import BYTES_A_PARAMETER, Grace, bandwidth
    from proofline.checkpoints.manifest import Manifest
    from proofline.checkpoints.trainings import newest_manifest
    from proofline.config import load_environment
    from proofline.config.environment import repository_root

    kept = [] if options.parameters else [newest_manifest(store) for store in stores_of(options.which)]
    sizes = [manifest.num_bytes for manifest in kept if isinstance(manifest, Manifest)]
    if not sizes:
        parameters = options.parameters or num_parameters(repository_root() / "models/base")
        sizes = [int(BYTES_A_PARAMETER * parameters)]
    rate = bandwidth(place_of_all()[0], max(sizes))
    put_off = load_environment().put_off_seconds
    print(Grace(max(sizes), rate, options.machines, options.step_seconds, put_off).says())


def num_parameters(policy_dir: Path) -> int:
    """Of the weights in a folder. Raises CheckpointError where there are none."""
    import math

    from safetensors import safe_open

    from proofline.checkpoints.place import CheckpointError

    count = 0
    for file in policy_dir.glob("*.safetensors"):
        with safe_open(file, "np") as weights:
            count += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    if not count:
        raise CheckpointError(
            f"found no weights in {policy_dir} and no checkpoint: say how large it is, --parameters 7e9"
        )
    return count


def place_of_all() -> tuple[Place, Path]:
    """Where this repository keeps checkpoints, and the folder of this machine that has their locks."""
    from proofline.checkpoints.bucket import Bucket
    from proofline.checkpoints.folder import Folder
    from proofline.config import load_environment
    from proofline.config.environment import repository_root

    environment = load_environment()
    folder = environment.checkpoint_folder(repository_root())
    bucket = environment.checkpoint_bucket
    return (Bucket(bucket) if bucket else Folder(folder)), folder


def stores_of(which: str | None) -> list[Kept]:
    from proofline.checkpoints.trainings import find_kept

    return find_kept(place_of_all()[0], which)


def belongs(store: Kept) -> str:
    """Whether the present recipe and code go on from what is kept, in words. Rows and weights are not compared."""
    from proofline.checkpoints.trainings import differences, newest_manifest
    from proofline.config import load_params
    from proofline.config.environment import repository_root

    manifest = newest_manifest(store)
    if manifest is None:
        return "nothing to go on from"
    params: Any = load_params(repository_root() / "params.yaml")
    found = differences(*compared(store.stage, manifest.decided_by, params))
    if manifest.decided_by.get("software") != present_software(store):
        found.append("other code or library versions")
    return f"not of the present recipe ({'; '.join(found)})" if found else "of the present recipe and code"


def compared(stage: str, decided_by: Mapping[str, Any], params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the recipe that decided something, and the present ones, by their names."""
    from proofline.tracking.spool import leaves

    if "recipe" in decided_by:
        sections = {name.partition(".")[0] for name in decided_by["recipe"]}
        return decided_by["recipe"], dict(leaves({name: getattr(params, name) for name in sections}))
    section = getattr(params, stage.removeprefix("train_"), None) or params.genrm
    before = {**decided_by.get("section", {}), "seed": decided_by.get("seed")}
    return before, section.model_dump(mode="json") | {"seed": params.seed}


def present_software(store: Kept) -> str:
    from proofline.checkpoints.pieces import Pieces
    from proofline.training.identity import DRAWING, DRAWING_LIBRARIES, software_identity

    return software_identity(DRAWING, DRAWING_LIBRARIES) if isinstance(store, Pieces) else software_identity()
