"""The base stage: put the starting policy where every later stage finds it, as a Hugging Face folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from proofline.config.schema import Base, Prompts
from proofline.storage.weights import weights_hash
from proofline.tracking import Run

BUNDLED = Path(__file__).parent / "bundled"


class BaseError(ValueError):
    """The starting policy cannot be had as the recipe says."""


def make_base(section: Base, prompts: Prompts, seed: int, out_dir: Path, run: Run) -> dict[str, object]:
    """Write the starting policy to `out_dir`; returns its source and weights hash. Raises BaseError."""
    if section.source == "bundled":
        _copy_bundled(out_dir)
    elif section.source == "hub":
        _download(section.model, section.revision, out_dir)
    else:
        from proofline.base.pretraining import pretrain

        pretrain(section.pretraining, prompts, seed, out_dir, run.log_metrics)
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


def _download(model: str, revision: str, out_dir: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        snapshot_download(
            model, revision=revision, local_dir=out_dir, allow_patterns=["*.json", "*.safetensors", "*.txt", "LICENSE"]
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BaseError(
            f"base.model {model} at revision {revision} cannot be downloaded ({type(error).__name__}); check the two, "
            "the network and HF_TOKEN, or set base.source to bundled"
        ) from error
    shutil.rmtree(out_dir / ".cache", ignore_errors=True)
