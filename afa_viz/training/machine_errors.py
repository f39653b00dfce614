"""Errors caused by the machine, a full disk or exhausted memory, explained with what to do."""

from __future__ import annotations

import errno

DISK_MESSAGE = "the disk is full; make room and resume: nothing since the last save is kept."
MEMORY_MESSAGE = "memory ran out; close other programs and resume, or begin again with a smaller backbone or batch."
DISK_FULL = ("no space left", "os error 28")
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def explain_machine_error(error: BaseException) -> str | None:
    """One sentence for an error of disk or memory; None for any other."""
    words = str(error).lower()
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(text in words for text in DISK_FULL):
        return DISK_MESSAGE
    if isinstance(error, MemoryError) or any(text in words for text in OUT_OF_MEMORY):
        return MEMORY_MESSAGE
    return None
