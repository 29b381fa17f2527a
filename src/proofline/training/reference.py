"""DPO's reference: the log-probability of each side of each pair under the starting weights, found once.

One forward pass over the plain model in memory, before a trainer or an engine wraps it. Batches are laid out by length
and by nothing else, rank r takes every world_size-th of them from r on, and the numbers are gathered: each is the same
to the bit whatever the number of processes. The first process keeps them in a file that is named by all that decides
them (policy, tokens, arithmetic, code), so a second training from the same start skips the pass, wherever it runs.
Imports torch and accelerate; import it late.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from proofline.records import stable_id
from proofline.training.identity import policy_identity, software_identity
from proofline.training.policy import Policy
from proofline.training.tokens import TokenRow

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKENS_PER_BATCH = 8192
"""Padded tokens of one forward pass; a row that is longer has a pass to itself."""
LOGITS_PER_TILE = 1 << 26
"""Logits in memory at a time: 256 MiB in fp32. A vocabulary of 151,936 would need 5 GB for a whole batch."""
DIGEST_BYTES = 32


def reference_logps(
    policy: Policy, sides: Sequence[Sequence[TokenRow]], precision: str, folder: Path | None
) -> list[list[float]]:
    """Summed log-probability in nats of the completion of every row: one list a side, aligned with `sides`.

    `folder` is where found numbers are kept (None: nowhere). All processes of the training call this together.
    """
    rows = [row for side in sides for row in side]
    state = PartialState()
    path = folder / f"{identity(policy, rows, precision)}.logps" if folder else None
    # Only the first process looks: a folder that the others do not share must not make them take another way.
    found = [read_cache(path, len(rows)) if path and state.is_main_process else None]
    broadcast_object_list(found)
    logps = found[0]
    if logps is None:
        logps = sharded_pass(policy.model, rows, precision, state)
        if path and state.is_main_process:
            write_cache(path, logps)
    ends = np.cumsum([len(side) for side in sides])[:-1]
    return [part.tolist() for part in np.split(logps, ends)]


def identity(policy: Policy, rows: Sequence[TokenRow], precision: str) -> str:
    """A name for the numbers, by all that decides them to the last bit. No path is part of it."""
    tokens = hashlib.sha256()
    for row in rows:
        tokens.update(repr(tuple(row)).encode())
    arithmetic = (
        precision, policy.model.device.type, policy.model.config._attn_implementation, torch.get_num_threads(),
        software_identity(),
    )  # fmt: skip
    return stable_id("reference", policy_identity(policy.folder), tokens.hexdigest(), *map(str, arithmetic))


def sharded_pass(model: PreTrainedModel, rows: Sequence[TokenRow], precision: str, state: PartialState) -> np.ndarray:
    """The log-probabilities of all rows, (rows,) in fp32, computed by all processes together."""
    batches = list(batches_by_length([row.num_tokens for row in rows]))
    model.to(state.device).eval()
    mine = []
    for batch in batches[state.process_index :: state.num_processes]:
        with torch.no_grad(), torch.autocast(state.device.type, torch.bfloat16, enabled=precision != "fp32"):
            mine.append((batch, completion_logps(model, [rows[index] for index in batch]).cpu().numpy()))
    model.train()
    logps = np.full(len(rows), np.nan, dtype=np.float32)
    for batch, values in gather_object(mine):
        logps[batch] = values
    return logps


def batches_by_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Row indices from the longest rows to the shortest, as many at a time as make `TOKENS_PER_BATCH` with padding."""
    ordered = np.argsort(-np.asarray(lengths), kind="stable").tolist()
    start = 0
    while start < len(ordered):
        count = max(1, TOKENS_PER_BATCH // lengths[ordered[start]])
        yield ordered[start : start + count]
        start += count


def completion_logps(model: PreTrainedModel, rows: Sequence[TokenRow]) -> torch.Tensor:
    """Log-probability of each row's completion given its prompt, (rows,) in fp32."""
    device = model.device
    ids_bt = pad_sequence([torch.tensor(row.input_ids) for row in rows], batch_first=True).to(device)
    labels_bt = pad_sequence([torch.tensor(row.labels) for row in rows], batch_first=True, padding_value=-100)
    lengths = torch.tensor([row.num_tokens for row in rows], device=device)
    mask_bt = torch.arange(ids_bt.shape[1], device=device) < lengths[:, None]
    hidden_btd = model.base_model(ids_bt, attention_mask=mask_bt.long(), use_cache=False).last_hidden_state
    targets_bt = labels_bt[:, 1:].to(device)
    scored_bt = targets_bt != -100
    hidden_nd, targets_n = hidden_btd[:, :-1][scored_bt], targets_bt[scored_bt]
    tile = max(1, LOGITS_PER_TILE // model.config.vocab_size)
    logps_n = torch.cat([
        -cross_entropy(logits_of(model, hidden).float(), targets, reduction="none")
        for hidden, targets in zip(hidden_nd.split(tile), targets_n.split(tile), strict=True)
    ])  # fmt: skip
    return torch.zeros_like(targets_bt, dtype=torch.float32).masked_scatter(scored_bt, logps_n).sum(dim=1)


def logits_of(model: PreTrainedModel, hidden_nd: torch.Tensor) -> torch.Tensor:
    """What the model makes of its decoder's output, (n, V): by its head, which is handed it in a pass of one token, and
    by what it does behind the head (Gemma 2 caps the logits, Granite scales them)."""
    with model.get_output_embeddings().register_forward_pre_hook(lambda *_: (hidden_nd,)):
        logits: torch.Tensor = model(torch.zeros(1, 1, dtype=torch.long, device=model.device), use_cache=False).logits
    return logits


def read_cache(path: Path, count: int) -> np.ndarray | None:
    """The numbers of a whole file, (count,) in fp32; a file that is absent, cut off or altered is None."""
    content = path.read_bytes() if path.is_file() else b""
    digest, numbers = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if len(numbers) != 4 * count or hashlib.sha256(numbers).digest() != digest:
        return None
    return np.frombuffer(numbers, dtype="<f4")


def write_cache(path: Path, logps: np.ndarray) -> None:
    """A digest, then the numbers; the file takes its place when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    numbers = logps.astype("<f4").tobytes()
    partial.write_bytes(hashlib.sha256(numbers).digest() + numbers)
    os.replace(partial, path)
