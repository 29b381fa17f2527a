"""Which tensors a training's state is, under names that do not depend on how its processes share it out.

`weights` are the parameters that are trained, by their names; the optimizer's are `<quantity>/<parameter>`, such as
`exp_avg/…`. What is frozen is in the policy that the training starts from. Without ZeRO and for what ZeRO leaves whole,
every process has all of it, and each tensor is one process's to write. ZeRO's shares are flat fragments of parameters:
(read in DeepSpeed 0.19) stages 1 and 2 cut the parameters of a group laid end to end, stage 3 every parameter by
itself. The weights are fp32 (`zero.py`), so ZeRO's master copy of them is the same numbers again and is not stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from proofline.training.tensor_files import Piece, Tensors


@dataclass(frozen=True)
class Share:
    """A parameter's part in a flat tensor of this process."""

    name: str
    parameter: torch.Tensor
    start: int
    """In the flat parameter."""
    offset: int
    """In the flat tensor."""
    count: int

    def of(self, flat: torch.Tensor) -> torch.Tensor:
        return flat.narrow(0, self.offset, self.count)


def zero_of(trainer: Any) -> Any | None:
    """DeepSpeed's sharding optimizer, where there is one."""
    return trainer.model_wrapped.optimizer if trainer.is_deepspeed_enabled else None


def flat_shares(zero: Any, names: Mapping[torch.Tensor, str]) -> Iterator[tuple[torch.Tensor, list[Share]]]:
    """ZeRO's flat tensors of this process, and what each holds."""
    if shards_weights(zero):
        for flat, parameters in zip(zero.fp32_partitioned_groups_flat, zero.fp16_groups, strict=True):
            yield flat, [share for one in parameters if (share := _third_stage(zero, one, names[one])).count > 0]
        return
    for flat, parameters in zip(zero.single_partition_of_fp32_groups, zero.bit16_groups, strict=True):
        here = [(one, one._hp_mapping) for one in parameters if one._hp_mapping is not None]
        yield (
            flat,
            [
                Share(
                    names[one], one, mapping.lp_fragment_address.start, mapping.hp_fragment_address.start,
                    mapping.hp_fragment_address.numel,
                )
                for one, mapping in here
            ],
        )  # fmt: skip


def shards_weights(zero: Any) -> bool:
    """Stage 3."""
    return hasattr(zero, "fp32_partitioned_groups_flat")


def _third_stage(zero: Any, parameter: Any, name: str) -> Share:
    _, offset, count = zero.grad_position[zero.get_param_id(parameter)]
    start = torch.distributed.get_rank() * count
    return Share(name, parameter, start, offset, min(count, parameter.ds_numel - start))


def parameter_names(trainer: Any) -> dict[torch.Tensor, str]:
    """Of those that are trained. A tied weight once, under its first name."""
    return {parameter: name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad}


def weight_pieces(trainer: Any) -> list[Piece]:
    """What this process writes of the weights."""
    names, zero = parameter_names(trainer), zero_of(trainer)
    if zero is not None and shards_weights(zero):
        shares = [(flat, share) for flat, shares in flat_shares(zero, names) for share in shares]
        return [Piece(share.name, share.of(flat), share.start) for flat, share in shares]
    stored = trainer.model.state_dict(keep_vars=True)
    buffers = {name: buffer for name, buffer in trainer.model.named_buffers() if name in stored}
    return dealt([Piece(name, tensor) for tensor, name in names.items()] + [Piece(*one) for one in buffers.items()])


def optimizer_pieces(trainer: Any) -> list[Piece]:
    """What this process writes of the optimizer's state."""
    names, zero = parameter_names(trainer), zero_of(trainer)
    if zero is None:
        ordered = [names[one] for group in trainer.optimizer.param_groups for one in group["params"]]
        state = trainer.optimizer.state_dict()["state"]
        return dealt([
            Piece(f"{quantity}/{ordered[index]}", tensor)
            for index, quantities in state.items()
            for quantity, tensor in quantities.items()
        ])  # fmt: skip
    pieces = []
    for flat, shares in flat_shares(zero, names):
        for quantity, tensor in zero.optimizer.state.get(flat, {}).items():
            if tensor.numel() == flat.numel():
                pieces += [Piece(f"{quantity}/{share.name}", share.of(tensor), share.start) for share in shares]
            else:  # one number of all of them, which the process with a parameter's beginning writes
                pieces += [Piece(f"{quantity}/{share.name}", tensor) for share in shares if share.start == 0]
    return pieces


def dealt(pieces: Iterable[Piece]) -> list[Piece]:
    """Of tensors that every process has, those that this one writes: about the same bytes each."""
    from accelerate import PartialState

    loads = [0] * PartialState().num_processes
    mine = []
    for piece in sorted(pieces, key=lambda piece: (-piece.tensor.nbytes, piece.name)):
        rank = loads.index(min(loads))
        loads[rank] += piece.tensor.nbytes
        if rank == PartialState().process_index:
            mine.append(piece)
    return mine


def group_settings(trainer: Any) -> list[dict[str, float]]:
    """The numbers of each group of parameters: the learning rate changes as training goes on."""
    return [
        {name: value for name, value in group.items() if isinstance(value, int | float)}
        for group in trainer.optimizer.param_groups
    ]


@torch.no_grad()
def put_weights(trainer: Any, stored: Tensors) -> None:
    """The stored weights, in place of those in memory."""
    names, zero = parameter_names(trainer), zero_of(trainer)
    if zero is not None and shards_weights(zero):
        flats = []
        for flat, shares in flat_shares(zero, names):
            flats.append(flat.clone())
            _fill(flats[-1], shares, stored, "")
        state = zero.state_dict() | {"fp32_flat_groups": flats}
        zero.checkpoint_event_prologue()
        zero.load_state_dict([state] * trainer.args.world_size, load_optimizer_states=False)
        zero.checkpoint_event_epilogue()
        return
    kept = trainer.model.state_dict(keep_vars=True)
    buffers = {name: buffer for name, buffer in trainer.model.named_buffers() if name in kept}
    for name, tensor in [(name, tensor) for tensor, name in names.items()] + list(buffers.items()):
        tensor.data.copy_(stored.whole(name, tensor))
    if zero is not None:
        zero.refresh_fp32_params()


@torch.no_grad()
def put_optimizer(trainer: Any, stored: Tensors, settings: Sequence[Mapping[str, float]]) -> None:
    """The optimizer's stored state and its groups' settings, in place of what it has."""
    names, zero = parameter_names(trainer), zero_of(trainer)
    quantities: dict[str, list[str]] = {}
    for key in stored.names():
        quantity, _, name = key.partition("/")
        quantities.setdefault(name, []).append(quantity)

    def value(quantity: str, name: str, parameter: torch.Tensor) -> torch.Tensor:
        tensor = stored.whole(f"{quantity}/{name}")
        return tensor if tensor.numel() == 1 else stored.whole(f"{quantity}/{name}", parameter)

    if zero is None:
        parameters = [one for group in trainer.optimizer.param_groups for one in group["params"]]
        state = {
            index: {quantity: value(quantity, names[one], one) for quantity in quantities.get(names[one], [])}
            for index, one in enumerate(parameters)
        }
        fresh = trainer.optimizer.state_dict()["param_groups"]
        groups = [group | kept for group, kept in zip(fresh, settings, strict=True)]
        trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
        return
    for group, kept in zip(zero.optimizer.param_groups, settings, strict=True):
        group.update(kept)
    for flat, shares in flat_shares(zero, names):
        if not shares:
            continue
        held = zero.optimizer.state[flat]
        for quantity in quantities.get(shares[0].name, []):
            if stored.whole(f"{quantity}/{shares[0].name}").numel() == 1:
                held[quantity] = stored.whole(f"{quantity}/{shares[0].name}").to(flat.device)
            else:
                held[quantity] = torch.zeros_like(flat)
                _fill(held[quantity], shares, stored, f"{quantity}/")


def _fill(flat: torch.Tensor, shares: Iterable[Share], stored: Tensors, prefix: str) -> None:
    for share in shares:
        whole = stored.whole(prefix + share.name, share.parameter)
        share.of(flat).copy_(whole.reshape(-1).narrow(0, share.start, share.count))
