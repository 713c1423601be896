"""Background work, such as text encoding, that hardly delays the frames."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from functools import cache
from typing import TypeVar

import torch

Result = TypeVar("Result")

PATIENCE = 20.0
"""Seconds after which work is done at the frames' expense: other programs may leave no time at all."""


def run_in_background(work: Callable[[], Result], device: torch.device) -> Result:
    """Do `work` in the background and wait for it.

    On a CPU it runs in one thread that takes only time which nobody else wants (Linux's SCHED_IDLE). Low
    priority is not enough: a frame's threads sleep and wake hundreds of times, and would often find the core
    taken for some milliseconds. On CUDA it has a stream of its own.

    Where it is not done within `PATIENCE`, it is done once more in the calling thread.
    """
    if device.type == "cuda":
        return _worker().submit(_in_own_stream, work, device).result()
    done = _worker().submit(work)
    try:
        return done.result(timeout=PATIENCE)
    except NotInTime:
        done.cancel()
        return work()


@cache
def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="ovseg-background", initializer=_yield_to_frames)


def _yield_to_frames() -> None:
    torch.set_num_threads(1)  # of this thread only; the frames' own number stays
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # 0: this thread
    except (AttributeError, OSError):  # not Linux, or forbidden there: the work is done all the same
        return


def _in_own_stream(work: Callable[[], Result], device: torch.device) -> Result:
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.default_stream(device))
    with torch.cuda.stream(stream):
        result = work()
    stream.synchronize()
    return result
