"""The node's vocabulary: what was asked for, what is in force, and ids that stay for the node's life."""

import copy
import threading
from collections.abc import Sequence

from builtin_interfaces.msg import Time

from ovseg_ros.node.settings import VocabularySettings
from ovseg_ros.node.specification import Value
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder, VocabularyError, build_vocabulary
from ovseg_ros.vocabulary.config import VocabularyConfig

REMEMBERED = 100
"""So many vocabularies may be answered for at a time."""


class VocabularyKeeper:
    """Builds vocabularies and remembers which is in force.

    A vocabulary is *built* when it passed its checks and has ids, and *in force* from the moment at which the
    worker was given it for its next frame. What was built may still fail to be encoded; then `withdraw` it.
    What builds or checks is for the executor thread.
    """

    def __init__(self) -> None:
        self._builder = VocabularyBuilder()
        self._lock = threading.Lock()
        self._newest = Vocabulary(classes=())
        self._in_force: Vocabulary | None = None
        self._described: Vocabulary | None = None
        self._stamps: dict[int, Time] = {}  # revision -> when it came into force

    @property
    def newest(self) -> Vocabulary:
        """The one that was built last and not withdrawn."""
        with self._lock:
            return self._newest

    @property
    def current(self) -> Vocabulary:
        """The one in force; before *configure* the one that waits for it, at first an empty one."""
        with self._lock:
            return self._newest if self._in_force is None else self._in_force

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

        `costs`: empty, or one a class, -1 for none of its own.

        Raises:
            VocabularyError: an entry is wrong; nothing has changed.
        """
        vocabulary = self._builder.build(
            classes,
            ids=ids,
            background=background,
            threshold=self._threshold(threshold),
            costs=_costs_by_name(classes, costs),
            default_cost=default_cost,
        )
        return self._keep(vocabulary)

    def build_from(self, settings: VocabularySettings) -> Vocabulary:
        """The vocabulary that the parameters describe.

        Raises:
            VocabularyError: an entry is wrong, or there is no such file; nothing has changed.
        """
        self._described = self._keep(self._from_settings(settings, self._builder))
        return self._described

    def check(self, settings: VocabularySettings) -> None:
        """Raise the VocabularyError that `build_from` would raise, and change nothing."""
        self._from_settings(settings, copy.deepcopy(self._builder))

    def undescribed(self) -> Vocabulary | None:
        """The newest vocabulary, once nothing is on its way any more, if the parameters tell of another one.

        The caller makes the parameters follow it.
        """
        current = self.current
        if current is not self.newest or current is self._described:
            return None
        self._described = current
        return current

    def enforce(self, vocabulary: Vocabulary, stamp: Time) -> None:
        """`vocabulary` was given to the worker, at this time."""
        with self._lock:
            self._in_force = vocabulary
            self._stamps[vocabulary.revision] = stamp
            for revision in list(self._stamps)[:-REMEMBERED]:
                del self._stamps[revision]

    def since(self, vocabulary: Vocabulary) -> Time:
        """When `vocabulary` came into force; 0 where it did not, or long ago."""
        with self._lock:
            return self._stamps.get(vocabulary.revision, Time())

    def withdraw(self, vocabulary: Vocabulary) -> None:
        """`vocabulary` could not be encoded: what was in force before stays."""
        with self._lock:
            if self._newest is vocabulary and self._in_force is not None:
                self._newest = self._in_force

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

    def _from_settings(self, settings: VocabularySettings, builder: VocabularyBuilder) -> Vocabulary:
        return build_vocabulary(VocabularyConfig(**vars(settings)), builder, threshold=self._threshold(-1))


def as_parameters(vocabulary: Vocabulary) -> dict[str, Value]:
    """The parameters that describe `vocabulary`."""
    return {
        "vocabulary.classes": tuple("; ".join(cls.prompts) for cls in vocabulary.classes),
        "vocabulary.background": vocabulary.background,
        "vocabulary.threshold": vocabulary.threshold,
        "vocabulary.costs": tuple(
            f"{cls.name}: {cls.cost}" for cls in vocabulary.classes if cls.cost is not None
        ),
        "vocabulary.default_cost": vocabulary.default_cost,
    }


def _costs_by_name(classes: Sequence[str], costs: Sequence[int]) -> dict[str, int]:
    """The costs of a service call by the names of their classes."""
    if len(costs) not in (0, len(classes)):
        raise VocabularyError(
            f"{len(classes)} classes came with {len(costs)} costs, expected one cost a class: give them all "
            "(-1 for none), or none"
        )
    return {entry.split(";")[0]: cost for entry, cost in zip(classes, costs, strict=False) if cost != -1}
