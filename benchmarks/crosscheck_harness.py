"""lm-evaluation-harness on given prompts: a task of its own, by its own command line, in an environment of its own.

In: its Python, a model's folder, documents (`id`, `prompt`, `answer`) and what is set. Out: its log, and of each
document the prompt's and the generation's tokens, what each reader took and whether that was right. Readers and metric
are those of the harness's own `gsm8k` task, which the task includes: strict-match wants `#### x`, flexible-extract
takes the last number there is.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proofline.comparison.lm_eval import read_lm_eval
from proofline.comparison.results import Results

WATCHED = Path(__file__).with_name("crosscheck_tokens.py")
ABOUT = """
import importlib.metadata, importlib.util, json, pathlib, platform
lm_eval = pathlib.Path(importlib.util.find_spec("lm_eval").origin).parent
versions = {name: importlib.metadata.version(name) for name in ("lm_eval", "torch", "transformers")}
print(json.dumps([{"python": platform.python_version(), **versions}, str(lm_eval / "tasks/gsm8k/gsm8k.yaml")]))
"""
UNDONE: dict[str, dict[str, Any]] = {
    "bare-text": {"chat_template": False},
    "256-tokens": {"max_gen_toks": 256},
    "gsm8k-stops": {"until": ("Question:", "</s>", "<|im_end|>")},
    "stored-dtype": {"dtype": "auto"},
    "batches-of-4": {"batch_size": 4},
}
"""What it does by default, or its gsm8k task says, in the place of what is set; and other batches."""


class HarnessError(ValueError):
    """The harness is not there, or it failed."""


@dataclass(frozen=True)
class Settings:
    """What is set against the harness's defaults, so that it asks and decodes as Proofline does."""

    max_gen_toks: int
    """Its default is 256."""
    until: tuple[str, ...]
    """The model's end tokens. Its gsm8k task also stops at `Question:`."""
    chat_template: bool = True
    """By default it puts the bare text."""
    dtype: str = "float32"
    """By default what the weights were stored in."""
    batch_size: int = 32
    """Rows of one batch, padded in front to the longest."""


@dataclass(frozen=True)
class Generation:
    """The harness's answer to one document."""

    prompt_ids: list[int]
    token_ids: list[int]
    """All behind the prompt, padding included."""
    text: str
    taken: dict[str, str]
    """What each reader took."""
    right: dict[str, bool]


@dataclass(frozen=True)
class Answered:
    """One run."""

    log: Results
    """As `proofline compare` reads it."""
    generations: list[Generation]
    """In the order of the documents."""


def about(python: str) -> tuple[dict[str, str], str]:
    """Versions in the harness's environment, and the file of its gsm8k task. Raises HarnessError."""
    try:
        out = subprocess.run([python, "-c", ABOUT], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise HarnessError(
            f"{python} has no lm_eval ({error}); name the Python of an environment with it: docs/crosscheck.md"
        ) from None
    versions, gsm8k = json.loads(out)
    return versions, gsm8k


def ask(
    python: str,
    model: Path,
    documents: Sequence[Mapping[str, str]],
    settings: Settings,
    environment: Mapping[str, str],
) -> Answered:
    """Let it answer all documents, with these environment variables. Raises HarnessError."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = "".join(json.dumps(one) + "\n" for one in documents)
        (folder / "documents.jsonl").write_text(lines, encoding="utf-8")
        task = _task(about(python)[1], folder / "documents.jsonl", settings)
        (folder / "crosscheck.yaml").write_text(json.dumps(task), encoding="utf-8")
        command = [
            python, str(WATCHED), str(folder / "tokens.jsonl"), "run", "--model", "hf", "--model_args",
            f"pretrained={model.absolute()},dtype={settings.dtype}", "--tasks", "crosscheck", "--include_path", name,
            "--batch_size", str(settings.batch_size), "--device", "cpu", "--log_samples",
            "--output_path", f"{name}/out", *(["--apply_chat_template"] if settings.chat_template else []),
        ]  # fmt: skip
        offline = {"HF_HOME": f"{name}/hf", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        done = subprocess.run(command, env={**environment, **offline}, capture_output=True, text=True)
        if done.returncode:
            raise HarnessError(f"the harness ended with {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}")
        (samples,) = (folder / "out").rglob("samples_*.jsonl")
        return Answered(read_lm_eval(samples), _generations(samples, folder / "tokens.jsonl"))


def _task(gsm8k: str, documents: Path, settings: Settings) -> dict[str, Any]:
    """A task's YAML, which JSON is too."""
    return {
        "include": gsm8k,
        "task": "crosscheck",
        "tag": None,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(documents)}},
        "training_split": None,
        "fewshot_split": None,
        "num_fewshot": 0,
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {
            "until": list(settings.until),
            "max_gen_toks": settings.max_gen_toks,
            "do_sample": False,
        },
    }


def _generations(samples: Path, tokens: Path) -> list[Generation]:
    watched = {row["prompt"]: row for row in map(json.loads, tokens.read_text(encoding="utf-8").splitlines())}
    found: dict[int, Generation] = {}
    for row in map(json.loads, samples.read_text(encoding="utf-8").splitlines()):
        seen = watched[row["arguments"]["gen_args_0"]["arg_0"]]
        new = Generation(seen["prompt_ids"], seen["token_ids"], row["resps"][0][0], {}, {})
        one = found.setdefault(row["doc_id"], new)
        one.taken[row["filter"]] = row["filtered_resps"][0]
        one.right[row["filter"]] = bool(row["exact_match"])
    return [found[number] for number in sorted(found)]
