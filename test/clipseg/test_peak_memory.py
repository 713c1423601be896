import sys
from pathlib import Path

import pytest
import torch

from ovseg_ros.clipseg import peak_memory
from ovseg_ros.clipseg.peak_memory import start_peak

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak and forgets it on demand")
def test_the_peak_of_a_piece_of_work_is_seen_and_forgotten() -> None:
    before = start_peak(CPU)()
    if before is None:
        pytest.skip("this system does not allow to reset the peak")
    peak = start_peak(CPU)
    block = torch.ones(50_000_000)  # 200 MB
    del block
    highest = peak()
    assert highest > before + 150
    assert start_peak(CPU)() < highest - 100


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_memory, "RESET", Path("/nowhere/clear_refs"))
    assert start_peak(CPU)() is None
