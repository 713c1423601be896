"""What an offline evaluation is made of: the recording with its truth, the words, the model."""

from dataclasses import dataclass, field
from pathlib import Path

from ovseg_ros.clipseg import Classifier, MethodConfig, ModelConfig, Segmenter, load_model
from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.metrics import MappingError, read_mapping
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.datasets.layouts import open_dataset
from ovseg_ros.recordings.label_files import LabelFolder
from ovseg_ros.recordings.label_map import LabelMap
from ovseg_ros.recordings.source import BagSource, DatasetSource, FramePart
from ovseg_ros.recordings.storage import SUFFIXES
from ovseg_ros.runs.prompts import prompts_of_run
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder, build_vocabulary
from ovseg_ros.vocabulary.config import VocabularyConfig


@dataclass(frozen=True)
class Recording:
    """A bag or dataset folder, and where its ground truth is.

    Attributes:
        path: of a bag, or of a dataset folder in one of the layouts that `ovseg bag make` knows.
        topic: image topic of a bag; None: its only camera.
        labels_topic: of the ground truth; None: `/ground_truth/labels`.
        labels_folder: label images instead, whose names end in the stamps of their frames.
        label_names: a file with `id: name` lines that says what the ids of the ground truth mean.
        slop_s: seconds by which the stamps of an image and its ground truth may differ, in a bag.
        layout, split: of a dataset folder; None: recognised, and its validation part.
        part: which frames.
    """

    path: Path
    topic: str | None = None
    labels_topic: str | None = None
    labels_folder: Path | None = None
    label_names: Path | None = None
    slop_s: float = 0.0
    layout: str | None = None
    split: str | None = None
    part: FramePart = field(default_factory=FramePart)

    def open(self, *, messages: bool) -> BagSource | DatasetSource:
        """The frames; `messages` as in DatasetSource. Raises OvsegError."""
        label_map = LabelMap.read(self.label_names) if self.label_names else None
        labels = LabelFolder(self.labels_folder, label_map) if self.labels_folder else None
        if self._is_bag():
            return BagSource(
                self.path,
                image_topic=self.topic,
                labels_topic=self.labels_topic,
                labels=labels,
                label_map=label_map,
                slop_s=self.slop_s,
            )
        return DatasetSource(
            open_dataset(self.path, self.layout, self.split), labels=labels, messages=messages
        )

    def _is_bag(self) -> bool:
        if self.path.is_file():
            return True
        names = [entry.name for entry in self.path.iterdir()]
        return "metadata.yaml" in names or any(name.endswith(SUFFIXES) for name in names)


@dataclass(frozen=True)
class WordChoice:
    """The words, and how the truth's names belong to them (a file as `metrics.read_mapping` reads it)."""

    config: VocabularyConfig
    mapping: Path | None = None

    @property
    def given(self) -> bool:
        """Whether there are words beside those of the truth."""
        return bool(self.config.classes or self.config.file)

    def build(self, truth_names: dict[int, str]) -> Vocabulary:
        """The vocabulary. Raises VocabularyError."""
        return build_vocabulary(prompts_of_run(self.config, truth_names), VocabularyBuilder())

    def meter(self, truth_names: dict[int, str], vocabularies: list[Vocabulary]) -> SegmentationAccumulator:
        """The meter for these names. Raises MappingError where they have nothing in common."""
        given = read_mapping(self.mapping) if self.mapping else None
        meter = SegmentationAccumulator(truth_names, given)
        if not any(meter.mapping(vocabulary).groups for vocabulary in vocabularies):
            words = ", ".join(prompt for words in vocabularies for c in words.classes for prompt in c.prompts)
            raise MappingError(
                f"no class of the ground truth ({', '.join(truth_names.values())}) is called like one of the "
                f"vocabulary ({words}); expected synonyms in the vocabulary, or a mapping file (--mapping)"
            )
        return meter


@dataclass(frozen=True)
class ModelChoice:
    """The model and the method, as `load_model` and `Segmenter` take them."""

    model: str = "ViT-B-16"
    weights: str = "openai"
    device: str = "auto"
    precision: str = "auto"
    method: str = "clipseg"
    short_side: int = 336
    templates: str = "auto"
    download: bool = True

    def load(self, vocabulary: Vocabulary) -> tuple[Segmenter, Classifier]:
        """Load the model and encode the words. Raises ModelError."""
        clip = load_model(ModelConfig(self.model, self.weights, self.download, self.device, self.precision))
        config = MethodConfig(name=self.method, short_side=self.short_side)
        segmenter = Segmenter(clip, config, templates=self.templates)
        return segmenter, segmenter.encode(vocabulary)


@dataclass(frozen=True)
class EvaluateOptions:
    """What to measure, with what, and what to write.

    Attributes:
        recording, words, model: what is labelled, in which words, by what.
        predictions: a labels topic of the bag or a folder of label images, to be scored instead of running
            the model.
        smoothing: time constant of `Smoother` in seconds; 0: each frame alone.
        calibrate: fit the confidence on the first half of the frames, and measure the second half.
        parameters: where the fitted parameters go.
        workers: threads beside the model.
        output: folder for page, video, labelled bag and metrics.json; None: figures only.
        write_labels: folder for the label images.
    """

    recording: Recording
    words: WordChoice
    model: ModelChoice
    predictions: str | None = None
    smoothing: float = 0.0
    calibrate: bool = False
    parameters: Path | None = None
    workers: int = 1
    output: Path | None = None
    write_labels: Path | None = None


def recording_of(
    path: Path, recording: RecordingConfig, truth: TruthConfig, selection: SelectionConfig
) -> Recording:
    """The recording that the options describe."""
    return Recording(
        path,
        recording.topic or None,
        truth.labels_topic or None,
        Path(truth.labels_folder) if truth.labels_folder else None,
        Path(truth.label_names) if truth.label_names else None,
        truth.slop,
        recording.layout or None,
        recording.split or None,
        FramePart(selection.every, selection.limit or None, selection.start or None, selection.end or None),
    )


def word_choice(config: VocabularyConfig, truth: TruthConfig) -> WordChoice:
    """The words that the options describe."""
    return WordChoice(config, Path(truth.mapping) if truth.mapping else None)


def model_choice(engine: EngineConfig) -> ModelChoice:
    """The model and the method that the options describe."""
    model, method = engine.model, engine.method
    return ModelChoice(
        model.name,
        model.weights,
        model.device,
        model.precision,
        method.name,
        method.short_side,
        engine.vocabulary.templates,
        model.allow_download,
    )
