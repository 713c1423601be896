"""The node's vocabulary: what was asked for, what is in force, and ids that stay for the node's life."""

import copy
import threading
from collections.abc import Sequence

from ovseg_ros.config import Value
from ovseg_ros.node.frames import VocabularySnapshot
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder, VocabularyError, build_vocabulary
from ovseg_ros.vocabulary.config import VocabularyConfig


class VocabularyState:
    """Builds vocabularies and remembers which is in force.

    A vocabulary is *built* when it passed its checks and has ids, and *in force* from the moment at which the
    worker was given it for its next frame. What was built may still fail to be encoded; then `withdraw` it.
    What builds or checks is for the executor thread.
    """

    def __init__(self) -> None:
        self._builder = VocabularyBuilder()
        self._lock = threading.Lock()
        self._newest = Vocabulary(classes=())
        self._in_force: VocabularySnapshot | None = None
        self._described: Vocabulary | None = None

    @property
    def newest(self) -> Vocabulary:
        """The one that was built last and not withdrawn; at first an empty one."""
        with self._lock:
            return self._newest

    @property
    def in_force(self) -> VocabularySnapshot | None:
        """The one in force; None before *configure*, which `newest` waits for."""
        with self._lock:
            return self._in_force

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
        keep = self._threshold(threshold)
        return self._keep(self._builder.build(classes, ids, background, keep, None, by_name, default_cost))

    def build_from(self, config: VocabularyConfig) -> Vocabulary:
        """The vocabulary that the parameters describe.

        Raises:
            VocabularyError: an entry is wrong, or there is no such file; nothing has changed.
        """
        self._described = self._keep(self._from_config(config, self._builder))
        return self._described

    def check(self, config: VocabularyConfig) -> None:
        """Raise the VocabularyError that `build_from` would raise, and change nothing."""
        self._from_config(config, copy.deepcopy(self._builder))

    def undescribed(self) -> Vocabulary | None:
        """The newest vocabulary, once nothing is on its way any more, if the parameters describe another one.

        The caller makes the parameters follow it.
        """
        with self._lock:
            newest = self._newest
            settled = self._in_force is None or self._in_force.vocabulary is newest
            if not settled or newest is self._described:
                return None
            self._described = newest
            return newest

    def enforce(self, snapshot: VocabularySnapshot) -> None:
        """`snapshot` was given to the worker."""
        with self._lock:
            self._in_force = snapshot

    def withdraw(self, vocabulary: Vocabulary) -> None:
        """`vocabulary` could not be encoded: what was in force before stays."""
        with self._lock:
            if self._newest is vocabulary and self._in_force is not None:
                self._newest = self._in_force.vocabulary

    def release(self) -> None:
        """Nothing is in force any more: the node was cleaned up."""
        with self._lock:
            self._in_force = None

    def _keep(self, vocabulary: Vocabulary) -> Vocabulary:
        with self._lock:
            self._newest = vocabulary
        return vocabulary

    def _threshold(self, asked: float) -> float:
        """`asked`, or where it is negative that of the newest vocabulary that was not withdrawn.

        A 32-bit number is given back the digits that its sender wrote: 0.3, not 0.30000001192092896.
        """
        with self._lock:
            return self._newest.threshold if asked < 0 else round(asked, 6)

    def _from_config(self, config: VocabularyConfig, builder: VocabularyBuilder) -> Vocabulary:
        return build_vocabulary(config, builder, threshold=self._threshold(-1))


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
