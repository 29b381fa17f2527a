"""Trainings of models that are not like the study's: a head of its own, end token for padding, capped logits."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_models import gemma, make_model, small_config, spaced
from test_reference import by_hand
from test_trainings import ONE_THREAD, completion_loss
from training_rows import PROMPTS, SFT, Recorded, some_demonstrations

from proofline.base.fitting import examine
from proofline.data.prompts import solution_messages
from proofline.training.policy import load_policy
from proofline.training.reference import reference_logps
from proofline.training.sft import train_sft
from proofline.training.tokens import encode_rows


def test_an_end_token_that_pads_is_learnt_and_an_untied_head_stays_one(tmp_path: Path) -> None:
    """The end token is in the loss where it ends a completion and nowhere else; what comes out fits as what went in."""
    own = make_model(tmp_path / "own", spaced(), small_config(tie_word_embeddings=False))
    run = Recorded()
    section = SFT.model_copy(update={"epochs": 2.0})
    train_sft(own, some_demonstrations(8), PROMPTS, section, 0, tmp_path / "sft", run, execution=ONE_THREAD)
    assert run.at(1)["loss"] == pytest.approx(completion_loss(own, 8), abs=1e-4)
    assert completion_loss(tmp_path / "sft", 8) < run.at(1)["loss"]
    assert examine(tmp_path / "sft", "sft") == examine(own, "own")


def test_the_reference_reads_capped_logits(tmp_path: Path) -> None:
    """Gemma 2 caps its logits behind the head, and its layers have windows: 4 tokens here."""
    config = small_config("Gemma2Config", head_dim=8, sliding_window=4, final_logit_softcapping=0.5)
    policy = load_policy(make_model(tmp_path / "own", gemma(), config))
    policy.model.get_output_embeddings().weight.data *= 50
    shown = some_demonstrations(2)
    rows = encode_rows(
        policy.tokenizer, [solution_messages(row.question, PROMPTS) for row in shown], [row.solution for row in shown]
    )
    (found,) = reference_logps(policy, [rows], "fp32", None)
    assert found == pytest.approx([by_hand(policy, row) for row in rows], rel=1e-5)
