"""Evaluates a model on a recording with ground truth: `python examples/evaluate_bag.py`.

Prints the mean IoU and the IoU of every class, as `ovseg evaluate` does. The recording is the sample bag; any
bag or data set with ground truth can take its place. Needs no ROS.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ovseg_ros.clipseg import EngineConfig, MethodConfig, ModelConfig
from ovseg_ros.paths import share_directory
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.config import EvaluateConfig
from ovseg_ros.runs.evaluate import evaluate
from ovseg_ros.runs.progress import Advance
from ovseg_ros.vocabulary.config import VocabularyConfig


class PrintedProgress:
    """Shows the stages of a run as lines."""

    @contextmanager
    def stage(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """Print what begins."""
        print(f"{what} ...")
        yield lambda **step: None

    def warn(self, text: str) -> None:
        """Print a warning."""
        print(f"warning: {text}")


def main() -> None:
    """Evaluate ovseg-tiny on every tenth frame of the sample bag, with the classes of its ground truth."""
    result = evaluate(
        share_directory() / "sample_bag",
        EngineConfig(
            model=ModelConfig("ovseg-tiny"),
            method=MethodConfig("clipseg", short_side=336),
            vocabulary=VocabularyConfig(file=""),
        ),
        RecordingConfig(),
        TruthConfig(),
        SelectionConfig(every=10),
        EvaluateConfig(),
        PrintedProgress(),
    )
    metrics = result.metrics
    print(f"{metrics.frames} frames: mIoU {metrics.miou:.1%}, pixel accuracy {metrics.pixel_accuracy:.1%}")
    for name, iou in metrics.per_class_iou.items():
        print(f"  {name}: {'absent' if iou is None else f'{iou:.1%}'}")


if __name__ == "__main__":
    main()
