"""What a person is told where something cannot go on: one message; a bug keeps its traceback.

The project's own errors are ValueErrors that say what, the value found and the remedy. What the system says about a
file (no permission, a read-only disk, a full one) names the file; the remedy is added here. All else is a bug.
"""

from __future__ import annotations

import errno
import getpass
import os
import sys
from types import TracebackType

DENIED = "{user} may not do that. Work in a copy that is yours (`git clone`), or let its owner change the permissions"
REMEDIES = {
    errno.EACCES: DENIED,
    errno.EPERM: DENIED,
    errno.EROFS: "Work in a copy of the repository on a disk that can be written to (`git clone`)",
    errno.ENOSPC: "Make room and start again",
    errno.EDQUOT: "Make room and start again",
}


def explained(error: BaseException) -> str | None:
    """The message for a person; None where the error is a bug."""
    if isinstance(error, ValueError) and type(error).__module__.startswith("proofline."):
        return str(error)
    if isinstance(error, OSError) and error.errno in REMEDIES:
        where = f"{os.path.abspath(os.fsdecode(error.filename))}: " if error.filename else ""
        return f"{where}{error.strerror}. {REMEDIES[error.errno].format(user=_user())}"
    return None


def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook` of the stages: the message alone where there is one."""
    message = explained(error)
    if message is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)


def _user() -> str:
    try:
        return f"The user {getpass.getuser()}"
    except (KeyError, OSError):  # a number without a name, as in containers
        return f"The user with the number {os.getuid()}"
