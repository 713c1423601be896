"""A vocabulary in the model's terms."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ovseg_ros.vocabulary import BACKGROUND_ID, Vocabulary


@dataclass(frozen=True)
class Classifier:
    """A vocabulary in the model's terms; immutable, so that it can be swapped between two frames.

    A row of scores stands for the background (first, where the vocabulary has background prompts) or a class.
    A row's score is the maximum over its prompts: a class's name and synonyms, or the background prompts.

    Attributes:
        vocabulary: what it was made of.
        embeddings: of all prompts, length 1.
        rows: the row that each prompt belongs to.
        ids: label of each row.
        thresholds: of each row; 0 for the background.
    """

    vocabulary: Vocabulary
    embeddings: Float[Tensor, "q e"]
    rows: Int[Tensor, " q"]
    ids: UInt8[Tensor, " k"]
    thresholds: Float[Tensor, " k"]

    @classmethod
    def of(cls, vocabulary: Vocabulary, embeddings: Float[Tensor, "q e"]) -> "Classifier":
        """From the embeddings of all prompts, in the order of `prompts_of`."""
        background = [vocabulary.background] if vocabulary.background else []
        groups = background + [entry.prompts for entry in vocabulary.classes]
        thresholds = [vocabulary.threshold_of(entry) for entry in vocabulary.classes]
        ids = [BACKGROUND_ID] * len(background) + [entry.id for entry in vocabulary.classes]
        rows = [row for row, group in enumerate(groups) for _ in group]
        device = embeddings.device
        return cls(
            vocabulary=vocabulary,
            embeddings=embeddings,
            rows=torch.tensor(rows, device=device),
            ids=torch.tensor(ids, dtype=torch.uint8, device=device),
            thresholds=torch.tensor([0.0] * len(background) + thresholds, device=device),
        )

    def scores(self, features: Float[Tensor, "b n e"], scale: float) -> Float[Tensor, "b n k"]:
        """Logits in float32: ``scale * max over the row's prompts of cos(feature, prompt)``."""
        if len(self.rows) == len(self.ids):  # no synonyms: the prompts are the rows
            return scale * (features @ self.embeddings.T).float()
        return row_scores(features, self.embeddings, self.rows, len(self.ids), scale)


def prompts_of(vocabulary: Vocabulary) -> list[str]:
    """The prompts of all rows: the background's, then each class's name and synonyms."""
    classes = [prompt for entry in vocabulary.classes for prompt in entry.prompts]
    return [*vocabulary.background, *classes]


def row_scores(
    features: Float[Tensor, "b n e"],
    embeddings: Float[Tensor, "q e"],
    rows: Int[Tensor, " q"],
    count: int,
    scale: float,
) -> Float[Tensor, "b n k"]:
    """`Classifier.scores` for `count` rows; a row without a prompt gets -inf."""
    cosines = scale * (features @ embeddings.T).float()
    scores = cosines.new_full((*cosines.shape[:2], count), -torch.inf)
    return scores.scatter_reduce_(-1, rows.expand_as(cosines), cosines, "amax")
