"""Reading ahead on another thread."""

import threading
from collections.abc import Iterator

import pytest

from ovseg_ros.graph.prefetch import Prefetch

TIMEOUT = 20.0


def test_everything_comes_in_order() -> None:
    assert list(Prefetch(range(1000), lambda item: 10, budget=50)) == list(range(1000))


def test_no_more_than_the_budget_is_read_ahead() -> None:
    read = 0
    third = threading.Event()

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(100):
            read += 1
            if read == 6:
                third.set()
            yield number

    ahead = Prefetch(items(), lambda item: 10, budget=40)
    assert next(ahead) == 0
    # Four wait, a fifth is in the reader's hand.
    assert third.wait(TIMEOUT)
    ahead.close()
    assert read == 6


def test_two_items_are_read_ahead_however_large() -> None:
    assert list(Prefetch([1, 2, 3], lambda item: 100, budget=1)) == [1, 2, 3]


def test_an_error_comes_where_the_reader_met_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    ahead = Prefetch(items(), lambda item: 1)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(ahead)


def test_closing_ends_the_reader_and_closes_what_it_reads_on_its_own_thread() -> None:
    closed_by: list[str] = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed_by.append(threading.current_thread().name)

    ahead = Prefetch(items(), lambda item: 1, budget=5)
    next(ahead)
    ahead.close()
    assert closed_by == ["prefetch"]
    assert list(ahead) == []
