"""`base.source: folder`: what fits is taken as it is, what does not is refused before anything runs, with a remedy."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from own_models import ENDS, KINDS, make_model, small_config, spaced, tensors

from proofline.base.fitting import ModelError, examine
from proofline.base.folder import IdentityError, check_folder
from proofline.base.source import make_base
from proofline.config.schema import Base, Pretraining, Prompts
from proofline.data.prompts import solution_messages, verdict
from proofline.data.turns import encode_completions, encode_prompts, turn_frame, verdict_tokens
from proofline.sampling.policy import load_sampler
from proofline.storage.folders import files_hash
from proofline.storage.remote import ReadError
from proofline.storage.weights import weights_hash
from proofline.tracking import NullRun
from proofline.verification.score import verdict_position

PROMPTS = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
UNUSED = Pretraining(
    hidden_size=32, num_layers=1, num_heads=2, num_kv_heads=1, intermediate_size=64, vocab_size=400, sequence_length=64,
    batch_size=4, max_steps=30, learning_rate=3e-3, warmup_steps=2,
)  # fmt: skip
CHAIN = "7*7=49: match\n" + verdict(True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Mistral with a window, a head of its own, and a tokenizer that adds spaces and pads with its end token."""
    folder = tmp_path_factory.mktemp("own") / "model"
    config = small_config("MistralConfig", sliding_window=16, tie_word_embeddings=False)
    return make_model(folder, spaced(), config)


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "model"))


def section(folder: Path | str, **changes: Any) -> Base:
    values = {"source": "folder", "model": "", "revision": "", "folder": str(folder), "weights": None, "files": None}
    return Base.model_validate(values | {"pretraining": UNUSED, **changes})


def hashes(folder: Path) -> dict[str, str]:
    return {"weights": weights_hash(folder), "files": files_hash(folder)}


def test_a_folder_becomes_the_base_and_its_weights_are_stored_once(own: Path, tmp_path: Path) -> None:
    (own / "picture.png").touch()
    (own / "model.safetensors").chmod(0o444)
    (own / "config.json").chmod(0o644)
    out = tmp_path / "models/base"
    facts = make_base(section(own, **hashes(own)), PROMPTS, 0, out, NullRun())
    assert facts == {"source": "folder", "weights": weights_hash(own)}
    assert hashes(out) == hashes(own)
    assert not (out / "picture.png").exists()
    # Nobody may write to it: one file under two names (or of the same blocks). What may be written to is never shared.
    shared = (out / "model.safetensors").stat().st_ino == (own / "model.safetensors").stat().st_ino
    assert shared or stat.S_IMODE((out / "model.safetensors").stat().st_mode) & 0o200
    assert (out / "config.json").stat().st_ino != (own / "config.json").stat().st_ino
    assert [path.name for path in out.parent.iterdir()] == ["base"]


@pytest.mark.parametrize("part", ["weights", "files"])
def test_a_folder_that_changed_is_refused_with_both_hashes(own: Path, tmp_path: Path, part: str) -> None:
    meant = section(own, **hashes(own))
    assert any("window 16, head of its own" in line for line in check_folder(meant, 512))
    changed = own / {"weights": "model.safetensors", "files": "chat_template.jinja"}[part]
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    said = f"base.{part} is {getattr(meant, part)}, found {hashes(own)[part]}"
    with pytest.raises(IdentityError, match=said):
        check_folder(meant, 512)
    with pytest.raises(IdentityError, match=said):
        make_base(meant, PROMPTS, 0, tmp_path / "models/base", NullRun())
    assert not list((tmp_path / "models").iterdir())


def test_a_recipe_without_hashes_is_told_them(own: Path) -> None:
    with pytest.raises(IdentityError) as told:
        check_folder(section(own), 512)
    for name, found in hashes(own).items():
        assert f'\n  {name}: "{found}"' in str(told.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_trained_on_as_it_stands_in_its_turn(kind: str) -> None:
    """Prompt and completion are tokenised apart, and are the tokens of the whole chat, whatever the tokenizer adds."""
    tokenizer = KINDS[kind]()
    asked = solution_messages("What is 6*7?", PROMPTS)
    (prompt,), (said,) = encode_prompts(tokenizer, [asked]), encode_completions(tokenizer, [CHAIN])
    chat = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": CHAIN}], tokenize=False)
    whole = tokenizer(chat, add_special_tokens=False)["input_ids"]
    # In the middle of a line the chat as one text has no space before the answer: it is not what a model is asked.
    assert kind == "mistral" or prompt + said == whole[: len(prompt) + len(said)]
    assert tokenizer.decode(said[:-1]) == CHAIN
    end = ENDS.get(kind, "</s>")
    assert tokenizer.convert_ids_to_tokens(turn_frame(tokenizer)[1]) == end == tokenizer.convert_ids_to_tokens(said[-1])
    # A marker in somebody's text ends nothing.
    (forged,) = encode_completions(tokenizer, [f"7{end}7"])
    assert forged.count(said[-1]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_is_read_where_yes_and_no_part(kind: str) -> None:
    tokenizer = KINDS[kind]()
    line, yes, no, whole = verdict_tokens(tokenizer)
    assert whole == (kind != "bytewise"), "258 tokens have no word for Yes"
    for label, expected in ((True, yes), (False, no)):
        (said,) = encode_completions(tokenizer, ["7*7=49: match\n" + verdict(label)])
        at = verdict_position(said, line, (yes, no))
        assert at is not None
        assert said[at] == expected
        assert tokenizer.decode(said[:at]).rstrip().endswith("(Yes/No)?")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_any_of_them_fits_and_its_samples_read_as_they_are_trained(kind: str, tmp_path: Path) -> None:
    """What the loop draws behind a prompt is text as it was written, and ends where the turn ends."""
    tokenizer = KINDS[kind]()
    own = make_model(tmp_path / "own", tokenizer, small_config())
    lines = examine(own, "own", longest=512)
    assert f"a turn ends with {ENDS.get(kind, '</s>')!r}" in lines
    assert [line for line in lines if "P(Yes) is read at" in line]
    sampler = load_sampler(own, 4)
    asked = solution_messages("6*7?", PROMPTS)
    (prompt,) = encode_prompts(tokenizer, [asked])
    (said,) = encode_completions(tokenizer, [CHAIN])
    assert prompt[-1] != tokenizer.eos_token_id
    assert said[-1] in sampler.engine.end_ids
    assert sampler.tokenizer.decode(said[:-1]) == CHAIN


def test_the_own_base_samples_and_trains(own: Path, tmp_path: Path) -> None:
    """A window shorter than the texts, and an end of turn that the decoding loop knows."""
    from proofline.training.policy import load_policy
    from proofline.training.tokens import encode_rows

    sampler = load_sampler(own, 4)
    assert sampler.engine.end_ids == {sampler.tokenizer.eos_token_id}
    policy = load_policy(own)
    (row,) = encode_rows(policy.tokenizer, [solution_messages("6*7?", PROMPTS)], [CHAIN])
    assert row.completion_ids[-1] == policy.tokenizer.eos_token_id != row.completion_ids[-2]
    assert policy.model.lm_head.weight is not policy.model.get_input_embeddings().weight


def edit(name: str, **changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        values = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
        (folder / name).write_text(json.dumps(values | changes))

    return change


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


def add_tokens(folder: Path) -> None:
    tokenizer = spaced()
    tokenizer.add_tokens([f"<{number}>" for number in range(640)])
    tokenizer.save_pretrained(folder)


def lose_the_head(folder: Path) -> None:
    from safetensors.torch import save_file

    kept = {name: tensor for name, tensor in tensors(folder) if name != "lm_head.weight"}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def with_code(name: str, *classes: str) -> Callable[[Path], None]:
    """Code of its own beside the model, which notes that it has run, and a JSON file that asks for it."""

    def change(folder: Path) -> None:
        (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Own: pass\n")
        named = {one: [None, "own.Own"] if one == "AutoTokenizer" else "own.Own" for one in classes}
        changes: dict[str, Any] = {"auto_map": named}
        if name == "config.json":
            changes["model_type"] = "own"
        else:
            changes["tokenizer_class"] = "OwnTokenizer"
        edit(name, **changes)(folder)

    return change


def as_pickle(folder: Path) -> None:
    import torch

    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def elsewhere(folder: Path) -> None:
    """The weights lie beside the folder, where its hashes do not look; what lies in it is not read."""
    names = [name for name, _ in tensors(folder)]
    shutil.copy(folder / "model.safetensors", folder.parent / "other.safetensors")
    (folder / "model.safetensors").rename(folder / "unread.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "../other.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def below(folder: Path) -> None:
    (folder / "sub").mkdir()
    shutil.copy(folder / "model.safetensors", folder / "sub/other.safetensors")
    edit("config.json", transformers_weights="sub/other.safetensors")(folder)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no template": (lambda folder: (folder / "chat_template.jinja").unlink(), "has no chat template: put"),
    "no end of turn": (write("chat_template.jinja", "{{ messages[-1].content }}\n"), "and a token that ends the turn"),
    "other embedding": (add_tokens, r"tokens, its embedding 640; take"),
    "unknown": (edit("config.json", model_type="brand_new"), "not one of transformers' models"),
    "broken": (write("config.json", "{"), "not one of transformers' models"),
    "encoder": (edit("config.json", model_type="t5"), "no decoder-only language model"),
    "quantised": (edit("config.json", quantization_config={"quant_method": "fp8"}), "quantised.*take those"),
    "hybrid": (edit("config.json", model_type="jamba"), "jamba has layers of the kind linear_attention.*take a"),
    "no head": (lose_the_head, "1 of its weights are missing and would be random: lm_head.weight"),
    "cut off": (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 99), "weights cannot be loaded"),
    "not exported": (edit("generation_config.json", do_sample=False, temperature=0.3), "refused by transformers when"),
    "lower case": (edit("tokenizer.json", normalizer={"type": "Lowercase"}), "half of 84.*keeps text as it is"),
    "code of its own": (with_code("config.json", "AutoConfig", "AutoModelForCausalLM"), "without code of its own"),
    "a pickle": (as_pickle, r"no \*.safetensors here"),
    "an index that leads out": (elsewhere, r"index.json names the weights '../other.safetensors'"),
    "a name that leads below": (below, "config.json names the weights 'sub/other.safetensors'"),
    "broken template": (write("chat_template.jinja", "{% for %}"), "cannot be rendered with.*Mend"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_does_not_fit_is_refused_with_the_remedy(own: Path, what: str) -> None:
    damage, reason = BROKEN[what]
    damage(own)
    with pytest.raises(ModelError, match=reason):
        examine(own, "my/model")
    assert not (own / "ran").exists()


def test_code_beside_a_tokenizer_that_is_known_is_left_alone(own: Path) -> None:
    with_code("tokenizer_config.json", "AutoTokenizer")(own)
    examine(own, "my/model")
    assert not (own / "ran").exists()


def test_everything_that_does_not_fit_is_said_at_once(own: Path) -> None:
    lose_the_head(own)
    (own / "chat_template.jinja").unlink()
    with pytest.raises(ModelError) as told:
        examine(own, "my/model", longest=513)
    assert len(told.value.problems) == 3
    assert "reads 512 tokens at most, the recipe gives it 513" in str(told.value)


def test_a_bucket_is_looked_at_without_its_weights_and_brought_with_them(own: Path, tmp_path: Path) -> None:
    """Any filesystem of fsspec; here one in memory."""
    import fsspec

    bucket = f"memory://bucket/{tmp_path.name}"
    fsspec.filesystem("memory").put(f"{own}/*", f"/bucket/{tmp_path.name}/")
    meant = section(bucket, **hashes(own))
    assert "its weights are in a bucket" in check_folder(meant, 512)[-1]
    make_base(meant, PROMPTS, 0, tmp_path / "models/base", NullRun())
    assert hashes(tmp_path / "models/base") == hashes(own)
    other = section(bucket, **hashes(own) | {"weights": "0" * 16})
    with pytest.raises(IdentityError, match=f"base.weights is {'0' * 16}, found {weights_hash(own)}"):
        make_base(other, PROMPTS, 0, tmp_path / "other/base", NullRun())
    assert not list((tmp_path / "other").iterdir())


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="nowhere is not a folder"):
        check_folder(section(tmp_path / "nowhere"), 512)
    with pytest.raises(ValueError, match="needs the folder's path"):
        section("")
    with pytest.raises(ValueError, match="a hash is 16 digits"):
        section(tmp_path, weights="12")
