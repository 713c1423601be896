import threading
from typing import Any

from ovseg_ros.node.worker import Cancelled, SerialQueue


def test_work_keeps_its_order_and_its_results() -> None:
    work_queue = SerialQueue("test")
    results: list[int] = []
    for number in range(20):
        work_queue.submit(lambda number=number: number**2, results.append)
    finished = threading.Event()
    work_queue.submit(lambda: None, lambda _: finished.set())
    assert finished.wait(10)
    assert results == [number**2 for number in range(20)]
    work_queue.close()
    assert work_queue.join(10)


def test_an_exception_is_a_result_and_the_next_work_is_done() -> None:
    work_queue = SerialQueue("test")
    results: list[Any] = []
    finished = threading.Event()
    work_queue.submit(lambda: 1 / 0, results.append)
    work_queue.submit(lambda: "fine", results.append)
    work_queue.submit(lambda: None, lambda _: finished.set())
    assert finished.wait(10)
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] == "fine"
    work_queue.close()


def test_close_answers_everybody() -> None:
    work_queue = SerialQueue("test")
    begun, go_on = threading.Event(), threading.Event()
    answers: dict[str, Any] = {}

    def long_work() -> str:
        begun.set()
        assert go_on.wait(10)
        return "done after all"

    work_queue.submit(long_work, lambda result: answers.update(running=result))
    work_queue.submit(lambda: "never", lambda result: answers.update(waiting=result))
    assert begun.wait(10)
    work_queue.close()
    work_queue.close()
    work_queue.submit(lambda: "too late", lambda result: answers.update(late=result))
    assert set(answers) == {"waiting", "late"}
    assert not work_queue.join(0.01)
    go_on.set()
    assert work_queue.join(10)
    assert set(answers) == {"running", "waiting", "late"}
    assert all(isinstance(answer, Cancelled) for answer in answers.values())
