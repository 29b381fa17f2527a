"""A grading worker: `python -m proofline.grading.worker SECONDS` compares one answer a line until its input ends.

In: a JSON line `[answer, reference]`. Out: `ready` once math-verify is loaded, then a JSON line `[verdict, reason]`
for each line in. It is a program of its own and not a forked or spawned child, so it inherits no threads, no locks
and none of the caller's imports, and `pool.py` can kill it at any moment. SECONDS is the deadline of one comparison in
CPU time: at that moment the kernel ends this process, however deep in SymPy it is and whether or not its caller lives.
CPU time and not the clock's, so that a busy machine gives no other verdicts than an idle one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys

from proofline.grading.compare import compare, warm_up

MEMORY_BYTES = 4 << 30
"""Address space of a worker: `10^{10^{10}}` must fail here rather than take the machine's memory."""


def main(deadline_seconds: float) -> None:
    """Answer requests on the original standard output; whatever a library prints goes to standard error."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warm_up()
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, deadline_seconds)
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
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps([verdict, reason]), file=replies, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
