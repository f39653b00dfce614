"""All threads of a server allocate from a few arenas."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from afa_viz.ui.sessions.memory import ARENAS

ARENAS_OF_THREADS = """
import ctypes, sys, threading
from afa_viz.ui.sessions.memory import limit_arenas
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
limit_arenas()
together = threading.Barrier(12)
def allocate():
    together.wait()
    for _ in range(200):
        libc.malloc(5000)
threads = [threading.Thread(target=allocate) for _ in range(12)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file), libc.fclose(file)
"""


@pytest.mark.parametrize("given", [None, "5"])
def test_threads_share_arenas(tmp_path, given):
    if sys.platform != "linux" or "glibc" not in os.confstr("CS_GNU_LIBC_VERSION"):
        pytest.skip("arenas are glibc's")
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    environment |= {} if given is None else {"MALLOC_ARENA_MAX": given}
    subprocess.run([sys.executable, "-c", ARENAS_OF_THREADS, tmp_path / "arenas"], env=environment, check=True)
    arenas = (tmp_path / "arenas").read_text().count("<heap nr=")
    assert arenas <= ARENAS if given is None else arenas > ARENAS
