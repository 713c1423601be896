"""Quality figures of label images against ground truth, counted exactly.

The ground truth's classes and the vocabulary's are brought together by name (`TruthMapping`), pixels
are counted in a `ConfusionMatrix`, and `Scorer` keeps the count of a run in which the vocabulary changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary
from ovseg_ros.vocabulary_text import label_key


class ConfusionMatrix:
    """Counts pixels by true id (row) and predicted id (column), int64 [256, 256].

    Pixels whose true id is `ignore_id` are left out.
    """

    def __init__(self, ignore_id: int = UNLABELLED_ID) -> None:
        self.ignore_id = ignore_id
        self.counts = np.zeros((256, 256), np.int64)

    def update(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Add one label image, both uint8 [H, W]. Raises ValueError where the shapes differ."""
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape} and prediction {prediction.shape}; they must be equal")
        pairs = truth.astype(np.uint16) * 256 + prediction
        counts = np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)
        counts[self.ignore_id] = 0
        self.counts += counts

    def add(self, other: "ConfusionMatrix") -> None:
        """Add the counts of another matrix."""
        self.counts += other.counts

    def compute(self, ids: Sequence[int]) -> "Scores":
        """The figures over the classes `ids`."""
        return Scores(
            per_class_iou(self.counts, ids),
            mean_iou(self.counts, ids),
            pixel_accuracy(self.counts),
            int(self.counts.sum()),
        )


@dataclass(frozen=True)
class Scores:
    """IoU by class id (None: the class is neither in the truth nor predicted), their mean, the share of
    right pixels (both None where nothing was counted), and the number of counted pixels."""

    per_class_iou: dict[int, float | None]
    mean_iou: float | None
    pixel_accuracy: float | None
    pixels: int


def intersection_union(counts: np.ndarray, class_id: int) -> tuple[int, int]:
    """Pixels in truth and prediction, and in either: TP and TP + FP + FN, of a matrix [256, 256]."""
    hit = int(counts[class_id, class_id])
    return hit, int(counts[class_id].sum()) + int(counts[:, class_id].sum()) - hit


def per_class_iou(counts: np.ndarray, ids: Sequence[int]) -> dict[int, float | None]:
    """Intersection over union of each class; None for a class neither in the truth nor predicted."""
    pairs = {class_id: intersection_union(counts, class_id) for class_id in ids}
    return {class_id: hit / union if union else None for class_id, (hit, union) in pairs.items()}


def mean_iou(counts: np.ndarray, ids: Sequence[int]) -> float | None:
    """The mean IoU over those classes that occur in the truth or the prediction; None where none does."""
    return mean(per_class_iou(counts, ids).values())


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those values that are there; None where none is."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def pixel_accuracy(counts: np.ndarray) -> float | None:
    """The share of counted pixels whose predicted id is the true one; None where nothing was counted."""
    total = int(counts.sum())
    return int(np.trace(counts)) / total if total else None


@dataclass(frozen=True)
class TruthMapping:
    """Which class of a vocabulary each class of the ground truth belongs to.

    `groups` has, for each vocabulary id that claims a part of the truth, the truth ids that it claims;
    `names` the truth's names by id; `ignored` the names that no class claims: their pixels do not count.
    """

    groups: dict[int, tuple[int, ...]]
    names: dict[int, str]
    ignored: tuple[str, ...]

    @classmethod
    def by_name(cls, names: Mapping[int, str], vocabulary: Vocabulary) -> "TruthMapping":
        """Match by name: a truth class belongs to the vocabulary class whose name or synonym it equals
        (case and white space aside), else to the background where a background prompt equals it."""
        owners = {label_key(prompt): BACKGROUND_ID for prompt in vocabulary.background}
        for entry in vocabulary.classes:
            owners.update({label_key(prompt): entry.id for prompt in entry.prompts})
        groups: dict[int, list[int]] = {}
        ignored = []
        for truth_id, name in sorted(names.items()):
            owner = owners.get(label_key(name))
            if owner is None or truth_id == UNLABELLED_ID:
                ignored.append(name)
            else:
                groups.setdefault(owner, []).append(truth_id)
        return cls({owner: tuple(ids) for owner, ids in groups.items()}, dict(names), tuple(ignored))

    def truth_as_vocabulary(self, truth: np.ndarray) -> np.ndarray:
        """Truth ids uint8 [H, W] as the vocabulary's ids; 255 where no class claims them."""
        table = np.full(256, UNLABELLED_ID, np.uint8)
        for owner, ids in self.groups.items():
            table[list(ids)] = owner
        return table[truth]

    def group_name(self, owner: int) -> str:
        """The truth's words for what a vocabulary id claims: "car", or "car + truck"."""
        return " + ".join(self.names[i] for i in self.groups[owner])


@dataclass(frozen=True)
class NamedScores:
    """As Scores, with the classes by the truth's names."""

    per_class_iou: dict[str, float | None]
    mean_iou: float | None
    pixel_accuracy: float | None
    pixels: int


class Scorer:
    """Counts a run frame by frame, by vocabulary revision and over all.

    A class is what it claims of the truth: "pedestrian" and later "person; pedestrian" are one class
    in the figures over all, since both claim the truth's "pedestrian".
    Predicted background, 255 and classes that claim nothing are wrong wherever the truth counts.
    """

    def __init__(self, truth_names: Mapping[int, str]) -> None:
        self.truth_names = dict(truth_names)
        self._revisions: dict[int, tuple[TruthMapping, ConfusionMatrix]] = {}

    def mapping(self, vocabulary: Vocabulary) -> TruthMapping:
        """How the truth belongs to this vocabulary."""
        return self._revision(vocabulary)[0]

    def update(self, truth: np.ndarray, labels: np.ndarray, vocabulary: Vocabulary) -> NamedScores:
        """Count one answered frame, both uint8 [H, W]; returns the figures of this frame alone."""
        mapping, matrix = self._revision(vocabulary)
        frame = ConfusionMatrix()
        frame.update(mapping.truth_as_vocabulary(truth), labels)
        matrix.add(frame)
        return _pooled([(mapping, frame)])

    def revision_scores(self, vocabulary: Vocabulary) -> NamedScores:
        """The figures of the frames answered in one vocabulary."""
        return _pooled([self._revision(vocabulary)])

    def scores(self) -> NamedScores:
        """The figures over all frames."""
        return _pooled(list(self._revisions.values()))

    def _revision(self, vocabulary: Vocabulary) -> tuple[TruthMapping, ConfusionMatrix]:
        if vocabulary.revision not in self._revisions:
            mapping = TruthMapping.by_name(self.truth_names, vocabulary)
            self._revisions[vocabulary.revision] = (mapping, ConfusionMatrix())
        return self._revisions[vocabulary.revision]


def _pooled(parts: Sequence[tuple[TruthMapping, ConfusionMatrix]]) -> NamedScores:
    """Figures over several matrices, whose classes are brought together by the truth that they claim."""
    hits: dict[str, int] = {}
    unions: dict[str, int] = {}
    for mapping, matrix in parts:
        for owner in mapping.groups:
            name = mapping.group_name(owner)
            hit, union = intersection_union(matrix.counts, owner)
            hits[name] = hits.get(name, 0) + hit
            unions[name] = unions.get(name, 0) + union
    per_class = {name: hits[name] / unions[name] if unions[name] else None for name in hits}
    right = sum(int(np.trace(matrix.counts)) for _, matrix in parts)
    pixels = sum(int(matrix.counts.sum()) for _, matrix in parts)
    return NamedScores(per_class, mean(per_class.values()), right / pixels if pixels else None, pixels)
