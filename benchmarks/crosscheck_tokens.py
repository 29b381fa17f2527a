"""lm-evaluation-harness's own command line, with the tokens of every generation noted. Run by the harness's Python.

    PYTHON benchmarks/crosscheck_tokens.py FILE run --model hf …

The harness keeps texts alone. Its model is watched where it encodes a batch and where it decodes one, and does what it
always does. FILE: JSON lines of `prompt` (as the chat template made it), `prompt_ids` (without padding) and
`token_ids` (all that came behind the prompt, padding included).
"""

from __future__ import annotations

import json
import sys
from typing import Any

from lm_eval.__main__ import cli_evaluate
from lm_eval.models.huggingface import HFLM


def watch(file: str) -> None:
    """From now on each batch is noted when it is done."""
    encode, generate = HFLM.tok_batch_encode, HFLM._model_generate
    batch: list[tuple[str, list[int]]] = []

    def encoded(self: HFLM, strings: list[str], *args: Any, **kwargs: Any) -> Any:
        ids, mask = encode(self, strings, *args, **kwargs)
        batch[:] = [(text, row[kept.bool()].tolist()) for text, row, kept in zip(strings, ids, mask, strict=True)]
        return ids, mask

    def generated(self: HFLM, context: Any, *args: Any, **kwargs: Any) -> Any:
        out = generate(self, context, *args, **kwargs)
        behind = out[:, context.shape[1] :].tolist()
        with open(file, "a", encoding="utf-8") as rows:
            for (prompt, ids), tokens in zip(batch, behind, strict=True):
                rows.write(json.dumps({"prompt": prompt, "prompt_ids": ids, "token_ids": tokens}) + "\n")
        return out

    HFLM.tok_batch_encode, HFLM._model_generate = encoded, generated


if __name__ == "__main__":
    watch(sys.argv[1])
    sys.argv = ["lm_eval", *sys.argv[2:]]
    cli_evaluate()
