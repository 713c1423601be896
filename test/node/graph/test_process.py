"""The executable in a process of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.srv import GetState

START = "import sys; from ovseg_ros.node.segmenter_node import main; sys.exit(main())"


class Process:
    """A running executable whose output is read as it comes."""

    def __init__(self, *arguments: str) -> None:
        self.output = ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line

    def end(self, *signals: int) -> int:
        """Send the signals and return the exit status."""
        for number in signals:
            self._process.send_signal(number)
        status = self._process.wait(30)
        self._reader.join(5)
        return status

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def launch(tiny_model_dir: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def launch_one(*arguments: str) -> Process:
        model = ["--ros-args", "-p", f"model.name:={tiny_model_dir}", "-p", "method.short_side:=64"]
        started.append(Process(*model, *arguments))
        return started[-1]

    yield launch_one
    for process in started:
        process.kill()


@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)])
def test_a_signal_ends_it_cleanly_at_work(
    launch: Callable[..., Process], probe: Any, labels: Any, signals: tuple[int, ...]
) -> None:
    process = launch()
    probe.feed(lambda: labels.messages, "labels from another process", timeout=60)
    assert process.end(*signals) == 0, process.output
    assert "Traceback" not in process.output
    for names in ("inputs: /image, /camera_info", "/set_vocabulary", "outputs: /segmenter/labels"):
        assert names in process.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_while_the_model_loads(
    launch: Callable[..., Process], wait_for: Callable[..., Any], number: int
) -> None:
    process = launch()
    wait_for(lambda: "loading" in process.output, "the start", timeout=60)
    assert process.end(number) == 0, process.output
    assert "Traceback" not in process.output


def test_names_can_be_remapped_and_put_into_a_namespace(launch: Callable[..., Process], probe: Any) -> None:
    process = launch("-r", "__ns:=/front", "-r", "image:=/camera/color/image_raw", "-p", "autostart:=false")
    answer = probe.call(GetState, "front/segmenter/get_state", timeout=60, again=2)
    assert answer.current_state.label == "unconfigured"
    services = [name for name, _ in probe.node.get_service_names_and_types()]
    assert "/front/set_vocabulary" in services
    assert process.end(signal.SIGINT) == 0


def test_a_wrong_parameter_ends_it_with_a_reason(launch: Callable[..., Process]) -> None:
    process = launch("-p", "output.overlay_alpha:=3.5")
    assert process.end() == 1
    assert "output.overlay_alpha must be a number from 0 to 1; got 3.5" in process.output
    assert "Traceback" not in process.output


def test_it_says_which_image_topics_there_are(
    launch: Callable[..., Process], probe: Any, wait_for: Callable[..., Any]
) -> None:
    process = launch("-r", "image:=/wrong/name")
    wait_for(lambda: "nothing publishes on /wrong/name" in process.output, "the hint", timeout=60)
    assert "there are: /image" in process.output
    assert process.end(signal.SIGINT) == 0
