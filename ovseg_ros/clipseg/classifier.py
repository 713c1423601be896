"""A vocabulary in the model's terms."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ovseg_ros.vocabulary import Vocabulary


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

    def scores(self, features: Float[Tensor, "b n e"], scale: float) -> Float[Tensor, "b n k"]:
        """Logits in float32: ``scale * max over the row's prompts of cos(feature, prompt)``."""
        if len(self.rows) == len(self.ids):  # no synonyms: the prompts are the rows
            return scale * (features @ self.embeddings.T).float()
        return row_scores(features, self.embeddings, self.rows, len(self.ids), scale)


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
