"""The parameters of a node that is started for a bag."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovseg_ros.graph.node_process import ReplayError
from ovseg_ros.recordings.frame import TopicInfo
from ovseg_ros.recordings.message_types import COMPRESSED_IMAGE
from ovseg_ros.runs.wording import Words, read_words, truth_words
from ovseg_ros.vocabulary import shipped_vocabularies


def first_words(names: Mapping[int, str], vocabulary: str | None, source: Path) -> Words:
    """The words that are asked for: given, or else the classes of the truth, whose names by id are `names`.

    Raises ReplayError where there are none, and VocabularyError.
    """
    words = read_words(vocabulary) if vocabulary else truth_words(names)
    if not words.classes:
        raise ReplayError(
            f"{source} does not say what is to be seen in it (it has no ground truth); give --vocabulary "
            f"'road, person; pedestrian', a file, or one that ships: {', '.join(shipped_vocabularies())}"
        )
    return words


def input_parameters(topic: TopicInfo, clock: bool) -> dict[str, Any]:
    """How a node takes the images of a bag's topic.

    Reliably: of a best-effort image larger than the middleware's buffers a part is lost whenever the machine
    is busy, and a node is not to be blamed for that.
    """
    return {
        "input.transport": "compressed" if topic.type == COMPRESSED_IMAGE else "raw",
        "input.reliability": "reliable",
        "use_sim_time": clock,
    }


def model_parameters(model: str | None, weights: str | None, device: str | None) -> dict[str, Any]:
    """The parameters of those that are given."""
    # A model given as a folder is meant from here, wherever the node runs.
    name = str(Path(model).resolve()) if model and Path(model).is_dir() else model
    given = {"model.name": name, "model.weights": weights, "model.device": device}
    return {key: value for key, value in given.items() if value}
