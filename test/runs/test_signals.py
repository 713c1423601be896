"""How a run is told to end."""

import os
import signal
from collections.abc import Iterator

import pytest

from ovseg_ros.runs import signals
from ovseg_ros.runs.signals import Interruption, graph_of_our_own, terminated_as_interrupted


@pytest.fixture(autouse=True)
def _ctrl_c_interrupts() -> Iterator[None]:
    """As in a terminal: a shell's background jobs inherit a SIGINT that is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_ctrl_c_is_a_wish() -> None:
    with Interruption() as interruption:
        assert not interruption.requested
        signal.raise_signal(signal.SIGINT)
        assert interruption.requested
        signal.raise_signal(signal.SIGINT)  # the same, passed on by a launch file
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_later_ctrl_c_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_SAME_SIGNAL", -1.0)
    with Interruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_termination_unwinds() -> None:
    with pytest.raises(SystemExit, match="143"), terminated_as_interrupted():
        signal.raise_signal(signal.SIGTERM)


def test_a_graph_of_our_own_is_taken_where_none_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with graph_of_our_own():
        assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 100
    assert "ROS_DOMAIN_ID" not in os.environ
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    with graph_of_our_own():
        assert os.environ["ROS_DOMAIN_ID"] == "7"
