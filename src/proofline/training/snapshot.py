"""A training's whole state at a step, copied to host memory, as the objects of a checkpoint; and the way back.

Each process has three: `model.safetensors` and `optimizer.safetensors`, its share of the tensors, and `state.json`: its
random states, what it has summed up since the last logged point, and (the first process) where the trainer and its
schedule stand. Nothing of it is code or a pickle. Imports torch; import it late.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.trainer_callback import ExportableState

from proofline.checkpoints.manifest import DamageError
from proofline.checkpoints.place import Chunks
from proofline.training.host_memory import has_room
from proofline.training.layout import (
    group_settings,
    optimizer_pieces,
    put_optimizer,
    put_weights,
    weight_pieces,
)
from proofline.training.tensor_files import Piece, Tensors, encode

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
Objects = dict[str, Callable[[], Chunks]]


class Snapshot:
    """Host memory for a process's share of the state: what the steps wait for is one copy into it.

    On a CPU that is 12 bytes a parameter beside a training's 16. Where they are not to be had there is no copy, and the
    steps wait for the writing.
    """

    def __init__(self) -> None:
        self._hosts: dict[tuple[str, str], torch.Tensor] = {}
        self.num_bytes = 0
        """Of the last one's tensors."""
        self.is_copy = True
        """Whether the last one is a copy. One that is not must be written before the next step."""

    def take(self, trainer: Any) -> Objects:
        """The state as it is now. What the last call gave must not be in use any more."""
        tensors = {MODEL: weight_pieces(trainer), OPTIMIZER: optimizer_pieces(trainer)}
        everything = [piece.tensor for pieces in tensors.values() for piece in pieces]
        self.num_bytes = sum(tensor.nbytes for tensor in everything)
        missing = self.num_bytes - sum(host.nbytes for host in self._hosts.values())
        self.is_copy = missing <= 0 or any(tensor.is_cuda for tensor in everything) or has_room(missing)
        objects: Objects = {
            file: partial(encode, {piece.key: self._content(file, piece) for piece in pieces})
            for file, pieces in tensors.items()
        }
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        state = json.dumps(plain_state(trainer)).encode()
        return objects | {STATE: lambda: [state]}

    def _content(self, file: str, piece: Piece) -> torch.Tensor:
        return self._copy(file, piece) if self.is_copy else piece.tensor.detach().contiguous()

    def _copy(self, file: str, piece: Piece) -> torch.Tensor:
        host = self._hosts.get((file, piece.key))
        if host is None or host.shape != piece.tensor.shape:
            pinned = piece.tensor.is_cuda
            host = torch.empty(piece.tensor.shape, dtype=piece.tensor.dtype, device="cpu", pin_memory=pinned)
            self._hosts[file, piece.key] = host
        return host.copy_(piece.tensor.detach(), non_blocking=True)


def plain_state(trainer: Any) -> dict[str, Any]:
    """All that is no tensor of the model or the optimizer."""
    state: dict[str, Any] = {
        "random": random_states(),
        "loss": trainer._tr_loss.item(),
        "loss_since": trainer._globalstep_last_logged,
        "metrics": getattr(trainer, "_metrics", {}).get("train", {}),
    }
    if trainer.is_world_process_zero():
        for callback in [*trainer.callback_handler.callbacks, trainer.control]:
            if isinstance(callback, ExportableState):
                trainer.state.stateful_callbacks[type(callback).__name__] = callback.state()
        state["trainer"] = dataclasses.asdict(trainer.state)
        state["schedule"] = trainer.lr_scheduler.state_dict()
        state["groups"] = group_settings(trainer)
    return state


def random_states() -> dict[str, Any]:
    """Of every generator that a training may draw from."""
    kind, words, position, has_normal, normal = np.random.get_state()
    on_gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": random.getstate(),
        "numpy": [kind, np.asarray(words).tolist(), position, has_normal, normal],
        "torch": _as_text(torch.get_rng_state()),
        "cuda": [_as_text(one) for one in on_gpu],
    }


def put_random_states(states: Mapping[str, Any]) -> None:
    version, words, normal = states["python"]
    random.setstate((version, tuple(words), normal))
    kind, words, *rest = states["numpy"]
    np.random.set_state((kind, np.array(words, dtype=np.uint32), *rest))
    torch.set_rng_state(_as_tensor(states["torch"]))
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([_as_tensor(one) for one in states["cuda"]])


class Stored:
    """A checkpoint that was read: the shares of all processes that wrote it, in their order."""

    def __init__(self, shares: Sequence[Path]) -> None:
        self._shares = shares
        self._states: list[dict[str, Any]] = [json.loads((share / STATE).read_bytes()) for share in shares]
        missing = {"trainer", "schedule", "groups"} - self._states[0].keys()
        if missing:
            raise DamageError(f"{shares[0] / STATE} has no {', '.join(sorted(missing))}")

    @property
    def trainer_state(self) -> dict[str, Any]:
        return dict(self._states[0]["trainer"])

    def put(self, trainer: Any) -> None:
        """Weights, optimizer and schedule, in a trainer that is ready to take its first step."""
        for put, file in ((put_weights, MODEL), (self._put_optimizer, OPTIMIZER)):
            with ExitStack() as stack:
                put(trainer, Tensors([share / file for share in self._shares], stack))
        trainer.lr_scheduler.load_state_dict(self._states[0]["schedule"])

    def _put_optimizer(self, trainer: Any, tensors: Tensors) -> None:
        put_optimizer(trainer, tensors, self._states[0]["groups"])

    def put_random(self, rank: int) -> None:
        """A process that is new has no state of its own to go on with, and keeps the one it started with."""
        if rank < len(self._states):
            put_random_states(self._states[rank]["random"])

    def put_sums(self, trainer: Any) -> None:
        """What was summed up since the last logged point: of other processes than these, their mean."""
        rank, count = trainer.args.process_index, len(self._states)
        same = count == trainer.args.world_size
        losses = [state["loss"] for state in self._states]
        trainer._tr_loss.fill_(losses[rank] if same else sum(losses) / count)
        trainer._globalstep_last_logged = self._states[0]["loss_since"]
        if hasattr(trainer, "_metrics"):
            _extend(trainer._metrics["train"], self._states[rank if same else 0]["metrics"])


def _extend(sums: dict[str, list[Any]], kept: Mapping[str, Iterable[Any]]) -> None:
    for name, values in kept.items():
        sums[name] = list(values)


def _as_text(state: torch.Tensor) -> str:
    return bytes(state.tolist()).hex()


def _as_tensor(text: str) -> torch.Tensor:
    return torch.tensor(list(bytes.fromhex(text)), dtype=torch.uint8)
