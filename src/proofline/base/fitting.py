"""Can the study be run with this model? Found out before anything runs, from its folder alone.

In: a Hugging Face folder. Out: what is read of it, in lines for a person; or every reason against it, each with its
remedy. What counts is what the study does: prompts of one user turn (no system role), completions that end the turn, a
verdict read at a token, log-probabilities of the model's own head, which may be tied or not, and an export of it all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from proofline.data.turns import encode_completions, turn_frame, verdict_tokens
from proofline.storage.weights import weight_files

if TYPE_CHECKING:
    from transformers import PretrainedConfig

Look = Callable[[Path, str], list[str]]
WRITTEN = "Half of 84 , or 84/2 , is <<84/2=42>>42 .\n\nSo it's $\\frac{84}{2}$:  42\n#### 42"
"""What solutions are made of; a tokenizer has to give it back as it was."""


class ModelError(ValueError):
    """A model that the study cannot be run with. `problems` has one line each."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join([f"{name} does not fit the study; nothing was run:", *problems]))


def examine(folder: Path, name: str, *, weights: bool = True, longest: int = 0) -> list[str]:
    """What the study reads of the model; without `weights`, of its other files. `name`: how to call it.

    `longest`: tokens of the longest text that the recipe gives it. Raises ModelError with all that is against it.
    """
    looks: list[Look] = [partial(architecture, longest=longest), tokenizer, export]
    answers = [_answered(look, folder, name) for look in ([*looks, stored] if weights else looks)]
    found = [line for lines, _ in answers for line in lines]
    if problems := [reason for _, reason in answers if reason]:
        raise ModelError(name, list(dict.fromkeys(problems)))
    return found


def architecture(folder: Path, name: str, longest: int) -> list[str]:
    """A decoder whose layers the decoding loop steps."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    from proofline.base.trial import ArchitectureError, try_architecture

    config = read_config(folder, name)
    if getattr(config, "quantization_config", None):
        raise ArchitectureError("its weights are quantised, which cannot be trained on; take those it was made from")
    if config.is_encoder_decoder or config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ArchitectureError(f"{config.model_type} is no decoder-only language model; take one")
    if config.get_text_config() is not config:
        raise ArchitectureError(f"{config.model_type} reads more than text; save its language model on its own")
    if longest > (limit := getattr(config, "max_position_embeddings", None) or longest):
        raise ArchitectureError(
            f"it reads {limit} tokens at most, the recipe gives it {longest}; lower max_length and max_new_tokens"
        )
    try_architecture(config)
    window = f", window {config.sliding_window}" if getattr(config, "sliding_window", None) else ""
    head = "tied to the embedding" if config.tie_word_embeddings else "of its own"
    return [f"{config.model_type}, {config.num_hidden_layers} layers{window}, head {head}"]


def tokenizer(folder: Path, name: str) -> list[str]:
    """Prompts, completions and verdicts can be written, and read back."""
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # of whatever library the tokenizer comes from
        raise ModelError(name, [f"its tokenizer cannot be loaded: {_said(error)}"]) from error
    found.name_or_path = name
    size = read_config(folder, name).vocab_size
    if len(found) > size:
        raise ModelError(
            name,
            [f"its tokenizer has {len(found)} tokens, its embedding {size}; take the tokenizer it was trained with"],
        )  # fmt: skip
    _, end = turn_frame(found)
    verdicts = verdict_tokens(found)
    again = found.decode(encode_completions(found, [WRITTEN])[0][:-1])
    if again != WRITTEN:
        raise ModelError(
            name,
            [f"its tokenizer makes {again!r} of {WRITTEN!r}; take one that keeps text as it is, and set "
             "clean_up_tokenization_spaces to false in tokenizer_config.json"],
        )  # fmt: skip
    yes, no = (found.decode([token]) for token in (verdicts.yes, verdicts.no))
    whole = "" if verdicts.whole else ", where the two words part: they are more than one token each"
    return [f"a turn ends with {found.convert_ids_to_tokens(end)!r}", f"P(Yes) is read at {yes!r} and {no!r}{whole}"]


def export(folder: Path, name: str) -> list[str]:
    """What a training starts from can be written again at its end."""
    from transformers import GenerationConfig

    if (folder / "generation_config.json").is_file():
        try:
            GenerationConfig.from_pretrained(folder).validate(strict=True)
        except (OSError, ValueError) as error:
            raise ModelError(
                name, [f"its generation_config.json is refused by transformers when a model is saved: {_said(error)}"]
            ) from error
    return []


def stored(folder: Path, name: str) -> list[str]:
    """All weights of the architecture are there."""
    from transformers import AutoModelForCausalLM

    try:
        weight_files(folder)
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", output_loading_info=True, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:  # a damaged file is told of by whatever reads it
        raise ModelError(name, [f"its weights cannot be loaded: {_said(error)}"]) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            name,
            [f"{len(missing)} of its weights are missing and would be random: {', '.join(missing[:3])}, …; take all "
             "*.safetensors of the folder, and merge an adapter into the model that it adapts"],
        )  # fmt: skip
    return [f"{model.num_parameters():,} parameters in {str(model.dtype).removeprefix('torch.')}"]


def read_config(folder: Path, name: str) -> PretrainedConfig:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # an unknown architecture, code of its own, broken JSON
        raise ModelError(
            name, [f"its config.json is not one of transformers' models, without code of its own: {_said(error)}"]
        ) from error


def _answered(look: Look, folder: Path, name: str) -> tuple[list[str], str]:
    """What a look finds, and what it has against the model."""
    try:
        return look(folder, name), ""
    except ModelError as error:
        return [], error.problems[0]
    except ValueError as error:
        if not type(error).__module__.startswith("proofline."):
            raise
        return [], str(error)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
