"""Steps of the decoding loop as CUDA graphs: one for each pair (rows, attended positions), captured when first asked.

A graph replays the kernels of a whole step with one launch; run one by one, the 24 layers of Qwen2.5-0.5B are about a
thousand launches. All inputs and outputs are the rows' own tensors, at fixed addresses, so nothing is copied in or out;
what a step allocates in between comes from one pool that the graphs share, since they never run at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

Step = Callable[[int, int], None]


class Graphs:
    """The graphs of one set of rows. A failing capture is an error: nothing falls back to single kernels.

    The step is handed over with each call and not kept: rows that point at themselves in a circle would hold their
    gigabytes until Python's collector comes by.
    """

    def __init__(self, state: Sequence[torch.Tensor]) -> None:
        if not torch.cuda.is_available():
            raise ValueError("CUDA graphs need a GPU, and this machine has none; use rows.STATIC or rows.EXACT")
        self._state = state
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream()
        self._captured: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}

    def replay(self, step: Step, count: int, length: int) -> None:
        """`step(count, length)`, captured before if this pair is new."""
        if (count, length) not in self._captured:
            self._captured[count, length] = self._capture(step, count, length)
        self._captured[count, length].replay()

    def _capture(self, step: Step, count: int, length: int) -> torch.cuda.CUDAGraph:
        self._warm_up(step, count, length)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            step(count, length)
        return graph

    def _warm_up(self, step: Step, count: int, length: int) -> None:
        """Run the step once, so that libraries set themselves up outside the capture, and undo it.

        Only the rows' state is put back: the keys and values it wrote are those that the replay writes again.
        """
        before = [part.clone() for part in self._state]
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            step(count, length)
        torch.cuda.current_stream().wait_stream(self._stream)
        for part, old in zip(self._state, before, strict=True):
            part.copy_(old)
