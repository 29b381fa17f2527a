"""A grading worker: `python -m proofline.grading.worker SECONDS` compares one answer a line until its input ends.

In: a JSON line `[answer, reference]`. Out: `ready` once math-verify is loaded, then a JSON line `[verdict, reason]`
for each line in. It is a program of its own and not a forked or spawned child, so it inherits no threads, no locks
and none of the caller's imports, and `pool.py` can kill it at any moment. SECONDS is the deadline of one comparison:
should `pool.py` itself be gone by then, the alarm's default action ends the worker, however deep in SymPy it is.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import sys

from proofline.grading.compare import compare, warm_up

MEMORY_BYTES = 4 << 30
"""Address space of a worker: `10^{10^{10}}` must fail here rather than take the machine's memory."""
GRACE_SECONDS = 5
"""How much later than the deadline the alarm comes, so that `pool.py` is the one to act while it lives."""


def main(deadline_seconds: float) -> None:
    """Answer requests on the original standard output; whatever a library prints goes to standard error."""
    alarm_seconds = math.ceil(deadline_seconds) + GRACE_SECONDS
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warm_up()
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        signal.alarm(alarm_seconds)
        answer, reference = json.loads(line)
        try:
            verdict, reason = compare(answer, reference)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            verdict, reason = "unparsed", f"math-verify failed: {type(error).__name__}"
        signal.alarm(0)
        print(json.dumps([verdict, reason]), file=replies, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
