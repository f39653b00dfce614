"""Provenance of a measurement: commit and hardware."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch


def provenance() -> dict[str, Any]:
    """Commit and hardware."""
    git = ["git", "-C", str(Path(__file__).parent)]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    return {
        "commit": commit.stdout.strip() if commit.returncode == 0 else "none",
        "uncommitted_changes": bool(changed.stdout.strip()),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def cpu_name() -> str:
    """Of the first core, as the system calls it."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())


def heading(machine: dict[str, Any]) -> str:
    """One line above a table."""
    return (
        f"commit {machine['commit'][:12]}{' + changes' if machine['uncommitted_changes'] else ''}, "
        f"{machine['cpu']} ({machine['cpu_capability']}), {machine['threads']} of {machine['cores']} cores, "
        f"{machine['gpu'] + ', ' if machine.get('gpu') else ''}torch {machine['torch']}"
    )


def spread(samples: Sequence[float]) -> tuple[float, float]:
    """Median and interquartile range."""
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return median, high - low
