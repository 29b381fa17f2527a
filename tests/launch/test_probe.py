"""A number format without instructions is refused before anything runs, with what it would cost.

A CPU that has instructions for bf16 is kept from using them by the libraries' own limits: its products then take as
long as on one that has none.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from checkout import make_checkout, tried

from proofline.config.load import load_params
from proofline.config.processor import has_gpu, instruction_sets
from proofline.launch.probe import formats, gflops, refuse_slow_format

WITHOUT = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
REFUSAL = (
    r"precision: bf16 has no instructions on this processor \(.+: .*avx2.*\): products take \d+ times as long as in "
    r"fp32 \(\d+\.\d against \d+\.\d GFLOP/s, measured just now\)\. In params\.yaml set precision: fp32"
)

needs_a_cpu = pytest.mark.skipif(
    has_gpu() or "avx2" not in instruction_sets(), reason="a GPU multiplies, or a CPU without limits to set"
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a recipe that trains DPO in bf16."""
    folder = make_checkout(tmp_path_factory.mktemp("slow") / "copy")
    recipe = (folder / "params.yaml").read_text()
    before, dpo, after = re.split(r"(?m)^(dpo:)$", recipe)
    (folder / "params.yaml").write_text(before + dpo + after.replace("precision: fp32", "precision: bf16", 1))
    assert formats(load_params(folder / "params.yaml")) == ["bf16", "fp32"]
    return folder


@needs_a_cpu
@pytest.mark.slow
def test_it_is_refused_with_what_was_found_the_cost_and_the_remedy(copy: Path) -> None:
    done = tried(["proofline", "check"], copy, **WITHOUT)
    assert done.returncode == 1
    assert re.search(REFUSAL, done.stderr)


@needs_a_cpu
@pytest.mark.slow
def test_who_wants_to_wait_may(copy: Path) -> None:
    done = tried(["proofline", "check"], copy, **WITHOUT, PROOFLINE_SLOW_FORMATS="true")
    assert done.returncode == 0, done.stderr


@needs_a_cpu
@pytest.mark.skipif(
    not {"avx512_bf16", "amx_bf16"} & set(instruction_sets()), reason="this processor has no bf16 instructions"
)
def test_a_processor_with_instructions_is_let_through(copy: Path) -> None:
    """Also where another training computes in fp32, whose limits are not bf16's."""
    done = tried(["proofline", "check"], copy)
    assert done.returncode == 0, done.stderr


def test_fp32_is_never_refused_and_the_probe_counts_operations() -> None:
    refuse_slow_format("fp32")
    assert 0.1 < gflops("fp32") < 10_000
