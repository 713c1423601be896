import os
import threading

import pytest
import torch

from ovseg_ros.clipseg.background import run_in_background

CPU = torch.device("cpu")


def test_work_is_done_in_one_thread_that_steps_back() -> None:
    threads, policy = torch.get_num_threads(), os.sched_getscheduler(0)
    try:
        torch.set_num_threads(3)
        found = run_in_background(
            lambda: (torch.get_num_threads(), os.sched_getscheduler(0), threading.get_ident()), CPU
        )
        assert found[:2] == (1, os.SCHED_IDLE)
        assert found[2] != threading.get_ident()
        assert torch.get_num_threads() == 3
        assert os.sched_getscheduler(0) == policy
    finally:
        torch.set_num_threads(threads)


def test_its_failure_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        run_in_background(lambda: 1 / 0, CPU)


def test_without_time_left_over_it_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovseg_ros.clipseg.background.PATIENCE", 0.05)
    leave, done_in = threading.Event(), []

    def work() -> str:
        if threading.current_thread().name.startswith("ovseg-background"):
            leave.wait(10)  # as a thread that gets no time
        done_in.append(threading.get_ident())
        return "done"

    try:
        assert run_in_background(work, CPU) == "done"
        assert done_in == [threading.get_ident()]
    finally:
        leave.set()
