"""Errors that the machine is to blame for, in words that say what to do."""

from __future__ import annotations

import errno

DISK = "the disk is full; make room and resume: nothing since the last save is kept."
MEMORY = "memory ran out; close other programs and resume, or begin again with a smaller backbone or batch."
FULL = ("no space left", "os error 28")
OUT = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def sentence(error: BaseException) -> str | None:
    """One sentence for an error of disk or memory; None for any other."""
    words = str(error).lower()
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(text in words for text in FULL):
        return DISK
    if isinstance(error, MemoryError) or any(text in words for text in OUT):
        return MEMORY
    return None
