"""How a training runs here. Nothing in it changes which rows make a step, so it is not part of the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from proofline.config.environment import Environment


@dataclass(frozen=True)
class Execution:
    """Execution settings of one training process."""

    threads: int | None = None
    """CPU threads; None: PyTorch's own choice."""
    micro_batch: int | None = None
    """Rows in one forward pass of one process; None: chosen."""
    checkpoints: Path | None = None
    """Folder under which resumable checkpoints are kept until the training is done; None: none are written."""
    save_steps: int = 100
    """Optimizer steps between two checkpoints."""

    @staticmethod
    def of(environment: Environment) -> Execution:
        """The settings of the environment; it asks for checkpoints by naming their distance in steps."""
        return Execution(
            threads=environment.threads,
            micro_batch=environment.micro_batch,
            checkpoints=Path("checkpoints").absolute() if environment.save_steps else None,
            save_steps=environment.save_steps or 1,
        )


AS_IT_COMES = Execution()
