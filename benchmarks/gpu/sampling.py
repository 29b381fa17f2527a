"""Tokens per second of decoding on one GPU: 512 rows of the Qwen2.5-0.5B shape in bf16, and how far from the limit.

    python benchmarks/gpu/sampling.py [--self-check]

Prompts of 256 random tokens, 512 new tokens each (no token ends a sample). The same static-shaped steps are run as
single kernels and as CUDA graphs. The limit is memory bandwidth: a step has to read the weights and every row's keys
and values once, at the copy bandwidth measured on this card. Goal: 50,000 tokens/s. Capturing the graphs is reported
apart: a stage pays it once. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(1, str(Path(__file__).parents[1]))
from report import table, write_result
from shape import SELF_CHECK, matmul_parameters, need_a_gpu, write_policy

from proofline.records import Decoding
from proofline.sampling.engine import Engine
from proofline.sampling.policy import load_sampler
from proofline.sampling.request import Request
from proofline.sampling.rows import GRAPHS, STATIC, Stepping
from proofline.sampling.seeds import sample_seed

SAMPLES_PER_PROMPT = 8
NO_TOKEN = -1


def requests(rows: int, prompt: int, vocabulary: int) -> list[Request]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (rows // SAMPLES_PER_PROMPT, prompt), generator=generator).tolist()
    return [
        Request(str(i), row, [sample_seed(0, str(i), k) for k in range(SAMPLES_PER_PROMPT)])
        for i, row in enumerate(ids)
    ]


def seconds(engine: Engine, asked: list[Request], decoding: Decoding) -> tuple[float, list[tuple[str, int, int]]]:
    """Time of decoding everything, and what was drawn, as a check that both ways draw the same."""
    synchronise()
    began = time.perf_counter()
    done = [(c.key, c.sample_index, hash(tuple(c.token_ids))) for c in engine.generate(asked, decoding)]
    synchronise()
    return time.perf_counter() - began, sorted(done)


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def copy_bandwidth(device: torch.device) -> float:
    """Bytes per second read and written by a large copy, the best of ten."""
    source = torch.zeros(2**30 if device.type == "cuda" else 2**24, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), float("inf")
    for _ in range(10):
        synchronise()
        began = time.perf_counter()
        target.copy_(source)
        synchronise()
        best = min(best, time.perf_counter() - began)
    return 2 * source.numel() / best


def bytes_read(model: torch.nn.Module, rows: int, prompt: int, new: int) -> float:
    """Of all steps together: the matrices once a step, and the keys and values that each row has by then."""
    config, size = model.config, model.dtype.itemsize
    head_dim = config.hidden_size // config.num_attention_heads
    per_position = 2 * config.num_hidden_layers * config.num_key_value_heads * head_dim * size
    return new * (matmul_parameters(config) * size + rows * (prompt + new / 2) * per_position)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--self-check", action="store_true", help="toy size on a CPU, without graphs; no measurement")
    options = parser.parse_args()
    need_a_gpu(options.self_check)
    rows, prompt, new = (16, 24, 40) if options.self_check else (512, 256, 512)
    with tempfile.TemporaryDirectory() as folder:
        model = load_sampler(write_policy(Path(folder, "policy"), toy=options.self_check), rows).engine.model
    decoding = Decoding(temperature=0.7, top_p=1.0, max_new_tokens=new)
    asked = requests(rows, prompt, model.config.vocab_size)
    ways: dict[str, Stepping] = {"single kernels": STATIC}
    if torch.cuda.is_available() and not options.self_check:
        ways["CUDA graphs"] = GRAPHS
    limit = rows * new / (bytes_read(model, rows, prompt, new) / copy_bandwidth(model.device))
    measured, drawn = {}, []
    for name, stepping in ways.items():
        engine = Engine(model, [NO_TOKEN], rows, stepping)
        first, _ = seconds(engine, asked, decoding)
        again, samples = seconds(engine, asked, decoding)
        drawn.append(samples)
        rate = rows * new / again
        measured[name] = {
            "tokens_per_second": rate, "share_of_limit": rate / limit, "seconds": again,
            "seconds_first_time": first, "peak_gib": peak_gib(),
        }  # fmt: skip
        del engine
    same = sum(a == b for a, b in zip(drawn[0], drawn[-1], strict=True)) / len(drawn[0])
    if options.self_check:
        print(SELF_CHECK)
    print(table(
        ["", "tokens/s", "of the limit", "first time, s", "again, s", "peak, GiB"],
        [[name, f"{row['tokens_per_second']:,.0f}", f"{row['share_of_limit']:.1%}", f"{row['seconds_first_time']:.1f}",
          f"{row['seconds']:.1f}", f"{row['peak_gib']:.1f}"] for name, row in measured.items()],
    ))  # fmt: skip
    print(f"limit by memory bandwidth: {limit:,.0f} tokens/s; samples that both ways draw alike: {same:.1%}")
    write_result(
        "gpu/sampling-self-check" if options.self_check else "gpu/sampling",
        {"rows": rows, "prompt_tokens": prompt, "new_tokens": new, "dtype": str(model.dtype)},
        ["torch", "transformers"],
        self_check=SELF_CHECK if options.self_check else None, ways=measured,
        limit_tokens_per_second=limit, samples_alike=same,
    )  # fmt: skip


def peak_gib() -> float:
    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0


if __name__ == "__main__":
    main()
