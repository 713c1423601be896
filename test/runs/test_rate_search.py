"""The search for the highest rate, on nodes that are only imagined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.runs.rate_search import PRECISION, burst_frames, holds, search
from ovseg_ros.runs.results import RateTrial


class Imagined:
    """A node that takes `service` seconds for each frame, keeping the newest, and a clock that runs with the
    bursts; the sender manages `fastest` Hz."""

    def __init__(self, service: float, fastest: float = 1e9) -> None:
        self.now = 0.0
        self.bursts = 0
        self._service = service
        self._fastest = fastest

    def burst(self, rate: float) -> RateTrial:
        self.bursts += 1
        sent_rate = min(rate, self._fastest)
        frames = burst_frames(rate)
        times = [number / sent_rate for number in range(frames)]
        answered, free = 0, 0.0
        for arrived, following in zip(times, [*times[1:], float("inf")], strict=True):
            if following > max(free, arrived):  # not overtaken before the node is free
                free = max(free, arrived) + self._service
                answered += 1
        self.now += frames / sent_rate
        return RateTrial(rate, sent_rate, frames, answered)


@given(service=st.floats(0.002, 1.0), guess=st.floats(0.1, 10.0))
def test_what_is_found_is_the_rate_that_the_node_manages(service: float, guess: float) -> None:
    node = Imagined(service)
    found = search(node.burst, guess / service, 1e9, clock=lambda: node.now)
    assert found.held is not None
    assert found.failed is not None
    assert found.held < found.failed <= found.held * PRECISION
    # Up to one frame of forty may be dropped, and the one that waits at the end is answered.
    assert 0.95 / service <= found.held <= 1.1 / service
    assert len(found.bursts) == node.bursts <= 30


def test_time_ends_the_search_with_what_is_known() -> None:
    node = Imagined(1.0)
    found = search(node.burst, 1.5, 60.0, clock=lambda: node.now)
    assert found.bursts
    assert node.now < 60.0 + burst_frames(0.5) / 0.5
    assert found.failed == 1.5


def test_the_user_ends_the_search() -> None:
    node = Imagined(0.1)
    found = search(node.burst, 5.0, 1e9, lambda: node.bursts == 2, clock=lambda: node.now)
    assert (found.held, found.failed, len(found.bursts)) == (7.5, None, 2)


def test_a_sender_that_is_too_slow_is_not_taken_for_the_node() -> None:
    node = Imagined(0.001, fastest=100.0)
    found = search(node.burst, 50.0, 1e9, clock=lambda: node.now)
    assert (found.held, found.failed) == (100.0, None)


def test_a_node_that_never_answers_holds_no_rate() -> None:
    now = 0.0

    def burst(rate: float) -> RateTrial:
        nonlocal now
        now += 1.0
        return RateTrial(rate, rate, 40, 0)

    found = search(burst, 8.0, 5.0, clock=lambda: now)
    assert found.held is None
    assert found.failed == pytest.approx(8.0 / 1.5**4)


@pytest.mark.parametrize(("answered", "held"), [(40, True), (39, True), (38, False), (0, False)])
def test_fewer_than_five_percent_may_be_dropped(answered: int, held: bool) -> None:
    assert holds(RateTrial(1.0, 1.0, 40, answered)) is held
