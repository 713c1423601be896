"""Labels that change from frame to frame although the truth does not."""

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.metrics.confusion import share
from ovseg_ros.vocabulary import UNLABELLED_ID


class FlickerCounts:
    """Counts, over pairs of consecutive frames, pixels whose truth stays, and those among them whose label
    changes. A pixel without truth in either frame does not count; moving objects count where they overlap
    their former place."""

    def __init__(self) -> None:
        self.steady = 0
        self.changed = 0

    def update(
        self,
        before: tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]],
        after: tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]],
    ) -> None:
        """Add a pair of frames, each its truth and labels. Frames of two sizes have no common pixel."""
        if before[0].shape != after[0].shape:
            return
        steady = (before[0] == after[0]) & (after[0] != UNLABELLED_ID)
        self.steady += int(np.count_nonzero(steady))
        self.changed += int(np.count_nonzero(steady & (before[1] != after[1])))

    def add(self, other: "FlickerCounts") -> None:
        """Add the counts of other pairs."""
        self.steady += other.steady
        self.changed += other.changed

    def compute(self) -> float | None:
        """The share 0..1 of the steady pixels whose label changes; None where there was no such pixel."""
        return share(self.changed, self.steady)
