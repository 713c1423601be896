"""The node's vocabulary: what was asked for, with ids that stay for the node's life."""

import copy
import threading
from collections.abc import Sequence

from ovseg_ros.config import Value
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder, VocabularyError, build_vocabulary
from ovseg_ros.vocabulary.config import VocabularyConfig


class VocabularyState:
    """Builds vocabularies, and remembers the newest.

    A vocabulary is *built* when it passed its checks and has ids, and *in force* from the moment at which the
    worker was given it for its next frame. What was built may still fail to be encoded; then `withdraw` it,
    on any thread. All else is for the executor thread.

    Attributes:
        newest: the one that was built last and not withdrawn; at first an empty one.
    """

    def __init__(self) -> None:
        self.newest = Vocabulary(classes=())
        self._builder = VocabularyBuilder()
        self._lock = threading.Lock()
        self._described: Vocabulary | None = None

    def build(
        self,
        classes: Sequence[str],
        ids: Sequence[int],
        background: Sequence[str],
        threshold: float,
        costs: Sequence[int] = (),
        default_cost: int = 0,
    ) -> Vocabulary:
        """The vocabulary of a service call; a negative threshold keeps the one before.

        `costs`: empty, or one a class, -1 for none. Nothing changes where it raises VocabularyError.
        """
        by_name = _costs_by_name(classes, costs)
        # A 32-bit number is given back the digits that its sender wrote: 0.3, not 0.30000001192092896.
        threshold = self.newest.threshold if threshold < 0 else round(threshold, 6)
        return self._keep(
            self._builder.build(classes, ids, background, threshold, None, by_name, default_cost)
        )

    def build_from(self, config: VocabularyConfig) -> Vocabulary:
        """The vocabulary that the parameters describe. Raises as `build`, and where there is no such file."""
        self._described = self._keep(self._from_config(config, self._builder))
        return self._described

    def check(self, config: VocabularyConfig) -> None:
        """Raise the VocabularyError that `build_from` would raise, and change nothing."""
        self._from_config(config, copy.deepcopy(self._builder))

    def undescribed(self, in_force: Vocabulary | None) -> Vocabulary | None:
        """The newest vocabulary, once nothing is on its way any more, if the parameters describe another one.

        The caller makes the parameters follow it. `in_force` is None where it waits for *configure*.
        """
        newest = self.newest
        if newest is self._described or (in_force is not None and in_force is not newest):
            return None
        self._described = newest
        return newest

    def withdraw(self, vocabulary: Vocabulary, in_force: Vocabulary) -> None:
        """`vocabulary` could not be encoded: what is in force stays."""
        with self._lock:
            if self.newest is vocabulary:
                self.newest = in_force

    def _keep(self, vocabulary: Vocabulary) -> Vocabulary:
        with self._lock:
            self.newest = vocabulary
        return vocabulary

    def _from_config(self, config: VocabularyConfig, builder: VocabularyBuilder) -> Vocabulary:
        return build_vocabulary(config, builder, threshold=self.newest.threshold)


def as_parameters(vocabulary: Vocabulary) -> dict[str, Value]:
    """The parameters that describe `vocabulary`, by the name in their group."""
    return {
        "classes": tuple("; ".join(cls.prompts) for cls in vocabulary.classes),
        "background": vocabulary.background,
        "threshold": vocabulary.threshold,
        "costs": tuple(f"{cls.name}: {cls.cost}" for cls in vocabulary.classes if cls.cost is not None),
        "default_cost": vocabulary.default_cost,
    }


def _costs_by_name(classes: Sequence[str], costs: Sequence[int]) -> dict[str, int]:
    """The costs of a service call by the names of their classes."""
    if len(costs) not in (0, len(classes)):
        raise VocabularyError(
            f"{len(classes)} classes came with {len(costs)} costs, expected one cost a class: give them all "
            "(-1 for none), or none"
        )
    return {entry.split(";")[0]: cost for entry, cost in zip(classes, costs, strict=False) if cost != -1}
