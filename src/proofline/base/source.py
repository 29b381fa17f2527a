"""The base stage: put the starting policy where every later stage finds it, as a Hugging Face folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from proofline.base.folder import bring_folder
from proofline.config.schema import Base, Prompts
from proofline.storage.weights import weights_hash
from proofline.tracking import Run

BUNDLED = Path(__file__).parent / "bundled"


class BaseError(ValueError):
    """The starting policy cannot be had as the recipe says."""


def make_base(section: Base, prompts: Prompts, seed: int, out_dir: Path, run: Run) -> dict[str, object]:
    """Write the starting policy to `out_dir`; returns its source and weights hash.

    Raises BaseError; for a model from elsewhere also ModelError, and IdentityError where it is not the recipe's.
    """
    if section.source == "bundled":
        _copy_bundled(out_dir)
    elif section.source == "scratch":
        from proofline.base.pretraining import pretrain

        pretrain(section.pretraining, prompts, seed, out_dir, run.log_metrics)
    else:
        _bring_examined(section, out_dir)
    return {"source": section.source, "weights": weights_hash(out_dir)}


def bundle(folder: Path, recipe: dict[str, object]) -> None:
    """Make a pre-trained folder the bundled base, its recipe and hash beside it."""
    shutil.rmtree(BUNDLED, ignore_errors=True)
    shutil.copytree(folder, BUNDLED)
    card = {"recipe": recipe, "weights": weights_hash(BUNDLED)}
    (BUNDLED / "recipe.json").write_text(json.dumps(card, indent=2) + "\n")


def _copy_bundled(out_dir: Path) -> None:
    card = json.loads((BUNDLED / "recipe.json").read_text())
    found = weights_hash(BUNDLED)
    if found != card["weights"]:
        raise BaseError(
            f"{BUNDLED}: weights hash {found} is not {card['weights']} as its recipe.json says; restore the folder "
            "from git, or make a new base with `proofline pretrain`"
        )
    shutil.copytree(BUNDLED, out_dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns("recipe.json"))


def _bring_examined(section: Base, out_dir: Path) -> None:
    """A model of the hub or of a folder takes its place only when it is found to be what it should be, and to fit."""
    from proofline.base.fitting import examine

    partial = out_dir.with_name(out_dir.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        if section.source == "hub":
            _download(section.model, section.revision, partial)
        else:
            bring_folder(section, partial)
        print(*examine(partial, section.model if section.source == "hub" else str(section.folder)), sep="\n")
        shutil.rmtree(out_dir, ignore_errors=True)
        os.replace(partial, out_dir)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _download(model: str, revision: str, out_dir: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    from proofline.storage.folders import PATTERNS

    try:
        snapshot_download(
            model, revision=revision, local_dir=out_dir, allow_patterns=list(PATTERNS), ignore_patterns="*/*"
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BaseError(
            f"base.model {model} at revision {revision} cannot be downloaded ({type(error).__name__}); check the two, "
            "the network and HF_TOKEN, or set base.source to bundled"
        ) from error
    shutil.rmtree(out_dir / ".cache", ignore_errors=True)
