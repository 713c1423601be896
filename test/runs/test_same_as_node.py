"""Offline runs label frames exactly as the node does from the same parameter file."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from ovseg_ros.cli import app
from ovseg_ros.clipseg import EngineConfig
from ovseg_ros.config import from_values, read_params_file
from ovseg_ros.node.engine import Engine
from ovseg_ros.node.settings import Settings
from ovseg_ros.node.vocabulary_state import VocabularyState
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.label_files import LabelFolder
from ovseg_ros.recordings.sources import open_source
from ovseg_ros.runs.predictors import ModelPredictor, warn_of_ignored
from ovseg_ros.runs.prompts import prompts_of_run
from ovseg_ros.vocabulary import VocabularyBuilder, build_vocabulary

PARAMETERS = """
/**:
  ros__parameters:
    model: {name: MODEL, device: cpu, precision: float32}
    method: METHOD
    output: OUTPUT
    vocabulary: VOCABULARY
"""
WORDS = "{classes: ['road; street', sky, 'red box'], background: [wall]}"


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Six frames of a scene that moves on slowly, as a data set without labels."""
    random = np.random.default_rng(11)
    scene = cv2.resize(random.integers(0, 256, (12, 20, 3)).astype(np.uint8), (200, 120))
    folder = tmp_path / "drive" / "images"
    folder.mkdir(parents=True)
    for number in range(6):
        cv2.imwrite(str(folder / f"{number}.png"), scene[:96, 3 * number : 3 * number + 128])
    return tmp_path / "drive"


@pytest.mark.parametrize(
    ("method", "output", "vocabulary"),
    [
        ("{short_side: 96}", "{}", WORDS),
        ("{short_side: 96, window: 64, window_stride: 16, logit_scale: 37.5}", "{}", WORDS),
        ("{short_side: 96, gamma: 2.0, beta: 0.9, lam: 0.3, alpha: 0.7}", "{size: model}", WORDS),
        ("{short_side: 64, name: sclip}", "{smoothing: 0.3}", WORDS[:-1] + ", threshold: 0.34}"),
        ("{short_side: 96, window: 64}", "{smoothing: 0.2}", "{file: indoor, templates: short}"),
        ("{short_side: 80}", "{}", "{file: FILE, threshold: 0.2, background: [tree]}"),
    ],
)
def test_the_labels_are_those_of_the_node(
    method: str, output: str, vocabulary: str, drive: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("classes: [road, {name: sky, threshold: 0.5, id: 9}]\nbackground: [sea]\n")
    text = PARAMETERS.replace("METHOD", method).replace("OUTPUT", output).replace("VOCABULARY", vocabulary)
    file = tmp_path / "segment.yaml"
    file.write_text(text.replace("MODEL", str(tiny_model_dir)).replace("FILE", str(words)), encoding="utf-8")
    values = read_params_file(file)

    settings = from_values(Settings, values)
    engine = Engine(settings.model)
    words_of_node = VocabularyState().build_from(settings.vocabulary)
    node = engine.prepare(settings.method, settings.vocabulary.templates, words_of_node)

    config = from_values(EngineConfig, {"vocabulary.file": "", **values})
    offline = build_vocabulary(prompts_of_run(config.vocabulary, {}), VocabularyBuilder())
    predictor = ModelPredictor(config, offline, warm_up=True)

    seen = set()
    smoothing = None
    with open_source(drive) as source:
        for frame in source.frames(SelectionConfig()):
            smoothing = node.next_smoothing(smoothing, settings.output.smoothing, frame.stamp_ns)
            (theirs,) = node.segment([frame.image()], settings.output.size, [smoothing])
            ours = predictor.predict(frame, predictor.prepare(frame))
            np.testing.assert_array_equal(ours.labels, theirs.labels)
            np.testing.assert_array_equal(ours.confidence, theirs.confidence)
            assert ours.vocabulary == theirs.vocabulary
            seen |= set(np.unique(ours.labels).tolist())
    assert len(seen) > 1


def test_evaluate_with_a_parameter_file_scores_the_labels_of_the_node(
    dataset: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "segment.yaml"
    method = "{short_side: 64, window: 48, window_stride: 16, logit_scale: 20.0}"
    words = "{classes: [road, sky, box; red box], threshold: 0.3}"
    text = PARAMETERS.replace("METHOD", method).replace("OUTPUT", "{}").replace("VOCABULARY", words)
    file.write_text(text.replace("MODEL", str(tiny_model_dir)), encoding="utf-8")
    arguments = ["evaluate", dataset, "--params-file", file, "--write-labels", tmp_path / "labels"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output

    settings = from_values(Settings, read_params_file(file))
    vocabulary = VocabularyState().build_from(settings.vocabulary)
    node = Engine(settings.model).prepare(settings.method, settings.vocabulary.templates, vocabulary)
    written = LabelFolder(tmp_path / "labels")
    with open_source(dataset) as source:
        frames = list(source.frames(SelectionConfig()))
    assert len(frames) == 12
    for frame in frames:
        (theirs,) = node.segment([frame.image()], "input")
        labels = written.find(frame.stamp_ns)
        assert labels is not None
        np.testing.assert_array_equal(written.read(labels), theirs.labels)
        np.testing.assert_array_equal(written.confidence(labels), theirs.confidence)


def test_a_latency_limit_is_warned_of() -> None:
    warnings: list[str] = []

    class Warnings:
        def stage(self, what: str, total: int | None = None) -> object:
            raise AssertionError

        def warn(self, text: str) -> None:
            warnings.append(text)

    config = from_values(EngineConfig, {"model.max_latency_ms": 50.0, "output.smoothing": 0.2})
    warn_of_ignored(config, Warnings())
    assert len(warnings) == 1
    assert "max_latency_ms" in warnings[0]
    warn_of_ignored(config, Warnings(), smoothing=True)
    assert "smoothing" in warnings[2]
    warn_of_ignored(EngineConfig(), Warnings(), smoothing=True)
    assert len(warnings) == 3
