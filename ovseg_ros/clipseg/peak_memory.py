"""The most memory that a piece of work had at once."""

import sys
from collections.abc import Callable

import torch

_STATUS = "/proc/self/status"
_RESET = "/proc/self/clear_refs"


def start_peak(device: torch.device) -> Callable[[], float | None]:
    """Begin to measure; the function that is returned gives the peak since then, in MB (10^6 bytes).

    On CUDA what torch held on the device; on a CPU under Linux what the process held resident, weights
    included. None where the system does not report it.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return lambda: torch.cuda.max_memory_allocated(device) / 1e6
    if not (sys.platform == "linux" and _reset_resident_peak()):
        return lambda: None
    return _resident_peak


def _reset_resident_peak() -> bool:
    try:
        with open(_RESET, "w") as file:
            file.write("5")  # proc(5): resets the high water mark of the resident set
    except OSError:
        return False
    return True


def _resident_peak() -> float | None:
    with open(_STATUS) as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return None
