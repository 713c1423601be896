"""The most memory that a piece of work had at once."""

import re
from collections.abc import Callable
from pathlib import Path

import torch

RESET = Path("/proc/self/clear_refs")


def start_peak(device: torch.device) -> Callable[[], float | None]:
    """Begin to measure; the function that is returned gives the peak since then, in MB (10^6 bytes).

    On CUDA what torch held on the device; on a CPU under Linux what the process held resident, weights
    included. None where the system does not report it.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return lambda: torch.cuda.max_memory_allocated(device) / 1e6
    try:
        RESET.write_text("5")  # proc(5): resets the high water mark of the resident set
    except OSError:
        return lambda: None
    return _resident_peak


def _resident_peak() -> float | None:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else None
