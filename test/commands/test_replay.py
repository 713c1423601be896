"""`ovseg replay` on the command line: usage, and what is reported. The replay itself: test/runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
import yaml
from typer.testing import Result

from ovseg_ros.commands.replay import finish

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ovseg_ros.graph.pacing import paced
from ovseg_ros.graph.player import Trace
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.report.tables import graph_lines
from ovseg_ros.runs.replay import ReplayOutcome
from ovseg_ros.runs.replay_figures import ReplayRecord, graph_figures
from ovseg_ros.runs.replayed_frames import PlayedRecording
from ovseg_ros.runs.results import Percentiles, RateSearch, RunResult, VocabularyCall

Run = Callable[..., Result]


def outcome_of(record: ReplayRecord, rate: float | None = None) -> ReplayOutcome:
    """The outcome of a replay without scores."""
    latency, graph = Percentiles.of(record.trace.latency_ms), graph_figures(record, rate)
    made = {"model": "m", "method": "n", "device": "d", "frames_left_out": record.left_out}
    return ReplayOutcome(RunResult(latency_ms=latency, graph=graph, **made), record)


def lines_of(record: ReplayRecord, rate: float | None = None) -> list[str]:
    result = outcome_of(record, rate).result
    assert result.graph is not None
    return graph_lines(result, result.graph)


@pytest.fixture
def bag(tmp_path: Path, ovseg: Run) -> Path:
    """A bag of two pictures without truth."""
    (tmp_path / "dataset" / "images").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg"):
        cv2.imwrite(str(tmp_path / "dataset" / "images" / name), np.zeros((8, 8, 3), np.uint8))
    assert ovseg("bag", "make", tmp_path / "dataset", "--output", tmp_path / "bag").exit_code == 0
    return tmp_path / "bag"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--speed", "2", "--rate", "3"], "not both"),
        (["--speed", "0"], "--speed"),
        (["--rate", "-1"], "--rate"),
        (["--then-vocabulary", "indoor", "--then-classes", "road"], "not both"),
        (["--attach", "--then-synonyms"], "for a node that is started"),
        (["--attach", "--model", "ViT-B-16", "--device", "cpu"], "model.name, model.device: for a node that"),
        (["--loop", "-1"], "--loop"),
        (["--every", "0"], "--every"),
    ],
)
def test_wrong_usage_is_reported(tmp_path: Path, ovseg: Run, options: list[str], reason: str) -> None:
    result = ovseg("replay", tmp_path, *options)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_parameters_of_an_attached_node_are_its_own(tmp_path: Path, ovseg: Run) -> None:
    text = "/**: {ros__parameters: {method: {window: 224}}}"
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    result = ovseg("replay", tmp_path, "--attach", "--params-file", tmp_path / "p.yaml")
    assert result.exit_code == 2
    assert "method.window: for a node that is started" in " ".join(result.stderr.split())


def test_what_is_no_recording_is_reported(tmp_path: Path, ovseg: Run) -> None:
    result = ovseg("replay", tmp_path)
    assert result.exit_code == 1
    assert "is no dataset folder" in result.stderr


def test_without_truth_the_words_must_be_given(ovseg: Run, bag: Path, tmp_path: Path) -> None:
    result = ovseg("replay", bag, "--write-params", tmp_path / "node.yaml")
    assert result.exit_code == 1
    assert "give --classes" in result.stderr


def test_the_parameters_for_a_node_are_written(tmp_path: Path, ovseg: Run, bag: Path) -> None:
    file = tmp_path / "node.yaml"
    options = ["--classes", "road, person; pedestrian", "--write-params", str(file)]
    result = ovseg("replay", bag, *options, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    parameters = yaml.safe_load(file.read_text(encoding="utf-8"))["/**"]["ros__parameters"]
    assert parameters == {
        "input.transport": "compressed",
        "input.reliability": "reliable",
        "use_sim_time": True,
        "model.device": "cpu",
        "vocabulary.classes": ["road", "person; pedestrian"],
    }


def test_a_data_set_is_played_as_it_is_evaluated(tmp_path: Path, ovseg: Run) -> None:
    """In the layout of PASCAL VOC; its images go to the node as they are."""
    for folder, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
        (tmp_path / "voc" / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "voc" / folder / f"a.{suffix}"), np.full((8, 8), 3, np.uint8))
    lists = tmp_path / "voc/ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("a", encoding="utf-8")
    file = tmp_path / "node.yaml"
    result = ovseg("replay", tmp_path / "voc", "--window", 224, "--write-params", file)
    assert result.exit_code == 0, result.stderr
    parameters = yaml.safe_load(file.read_text(encoding="utf-8"))["/**"]["ros__parameters"]
    assert parameters["input.transport"] == "compressed"
    assert parameters["method.window"] == 224
    assert "bicycle" in parameters["vocabulary.classes"]
    played = PlayedRecording(tmp_path / "voc", RecordingConfig(), TruthConfig(), SelectionConfig(), 2)
    starts: list[int] = []
    first, again = paced(played.frames(starts))
    assert first.image.data == again.image.data
    assert starts == [0, 1]


def test_the_figures_are_reported_in_lines() -> None:
    trace = Trace()
    for number in range(4):
        trace.add(0.1 * number, 0.2)
        if number != 1:
            trace.answer(number, 50.0 + number)
    record = ReplayRecord(trace, pass_starts=[0, 2], received=3)
    record.highest_rate = RateSearch(9.5, 10.0)
    text = "\n".join(lines_of(record, 10.0))
    assert "4 frames sent, 3 answered, 1 dropped (1 of them never reached the node)" in text
    assert "latency 52.0 ms p50" in text
    assert "sent at 10.00 Hz" in text
    assert "highest rate with fewer than 5 % dropped: 9.50 Hz; 10.00 Hz does not hold" in text
    assert "jumps back to the start: 1, answered again after 1" in text
    assert text.endswith("m, n on d")


def test_a_replay_without_answers_is_reported_too() -> None:
    assert lines_of(ReplayRecord())[0] == "0 frames sent, 0 answered, 0 dropped"


@pytest.mark.parametrize(
    ("record", "status", "message"),
    [
        (ReplayRecord(), 0, ""),
        (ReplayRecord(failure="the node ended"), 1, "the node ended"),
        (ReplayRecord(interrupted=True), 130, "interrupted after 0 frames"),
        (ReplayRecord(call=VocabularyCall(1, 100.0, False, "no such word")), 1, "refused: no such word"),
    ],
)
def test_the_exit_status_says_how_it_went(
    record: ReplayRecord, status: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        finish(outcome_of(record), "", None)
        found = 0
    except typer.Exit as end:
        found = end.exit_code
    assert found == status
    assert message in capfd.readouterr().err


class TestTheDemo:
    @pytest.fixture
    def played(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
        """The arguments of the replays that are asked for; none is played."""
        from ovseg_ros.runs import demo

        calls: list[tuple[Any, ...]] = []

        def replay(*arguments: Any) -> ReplayOutcome:
            calls.append(arguments)
            return outcome_of(ReplayRecord())

        monkeypatch.setattr(demo, "replay", replay)
        return calls

    def test_is_of_the_sample_bag(self, ovseg: Run, played: list[tuple[Any, ...]]) -> None:
        assert ovseg("demo").exit_code == 0
        path, engine, _, _, _, config, params, _ = played[0]
        assert path.name == "sample_bag"
        assert engine.model.name == params["model.name"] == "ovseg-tiny"
        assert config.then_vocabulary == str(path / "colors.yaml")
        assert (config.avoid_drops, config.calls, config.output) == (True, 0, "out/demo")

    def test_is_of_another_recording(self, ovseg: Run, played: list[tuple[Any, ...]], tmp_path: Path) -> None:
        result = ovseg(
            "demo", tmp_path, "--model", "m", "--weights", "w", "--classes", "a, b", "--then-classes", "c",
            "--output", tmp_path / "out", "--device", "cpu", "--speed", 2, "--limit", 7,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        path, engine, _, _, selection, config, params, _ = played[0]
        assert path == tmp_path
        assert engine.vocabulary.classes == ("a", "b")
        assert params == {
            "model.name": "m",
            "model.weights": "w",
            "model.device": "cpu",
            "vocabulary.classes": ("a", "b"),
        }
        assert selection.limit == 7
        assert (config.speed, config.avoid_drops) == (2.0, False)
        assert (config.output, config.then_classes) == (str(tmp_path / "out"), ("c",))
        assert not config.then_synonyms

    def test_says_the_words_of_another_recording_differently(
        self, ovseg: Run, played: list[tuple[Any, ...]], tmp_path: Path
    ) -> None:
        assert ovseg("demo", tmp_path).exit_code == 0
        config, params = played[0][5:7]
        assert config.then_synonyms
        assert params == {}
