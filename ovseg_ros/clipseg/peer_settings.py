"""Settings of the peers whose rule spans several blocks; the rules themselves are in `peers`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ParallelPath:
    """GEM: a second path beside the model's own through the last blocks (`parallel_path`).

    Attributes:
        blocks: how many of the last blocks it runs along.
        rounds: how often q, k and v are grouped by their own attention before they weigh the value.
    """

    blocks: int = 6
    rounds: int = 1

    def first(self, depth: int) -> int:
        """The first block that the path runs along."""
        return max(1, depth - self.blocks + 1)

    def kept_blocks(self, depth: int) -> set[int]:
        """The blocks that feed those of the path."""
        return set(range(self.first(depth) - 1, depth))


@dataclass(frozen=True)
class SelfCalibration:
    """SC-CLIP: outlier repair, attention and averaging by a middle block's cosines, a second pass
    (`self_calibrated`). Blocks are given for a model of 12 and scaled to others.

    Attributes:
        neighbours: of the local outlier factor.
        outliers: share of the patches that is repaired.
        attention_layer: block whose cosines make the attention and average the input.
        output_layer: block whose cosines average the output.
        fused_layers: first and last block of the sum that goes through the second pass.
        cutoff: cosines below this have no part in an average.
        gamma: slope of the enhancement of the cosines in the attention.
        cls: weight of the class token that is added to every patch.
    """

    neighbours: int = 30
    outliers: float = 0.05
    attention_layer: int = 9
    output_layer: int = 4
    fused_layers: tuple[int, int] = (4, 10)
    cutoff: float = 0.4
    gamma: float = 3.0
    cls: float = 0.3

    def at(self, layer: int, depth: int) -> int:
        """A block of 12 in a model of `depth` blocks."""
        return min(max(1, round(layer * depth / 12)), depth - 1)

    def fused(self, depth: int) -> range:
        """The blocks of the second pass."""
        first, last = self.fused_layers
        return range(self.at(first, depth), self.at(last, depth) + 1)

    def kept_blocks(self, depth: int) -> set[int]:
        """The blocks that the rule reads."""
        return {self.at(self.attention_layer, depth), self.at(self.output_layer, depth), *self.fused(depth)}


@dataclass(frozen=True)
class Refocusing:
    """RF-CLIP: every block's distracting tokens are damped on the way, and all blocks' k-k attention
    weighs the value (`refocused`).

    Attributes:
        activation: a token distracts where a channel has so many times its usual share (`overactive`).
        repair: share of a distracting token that its neighbours' mean replaces.
        sink: a patch that gets more than this mean attention of a head gives some of it away.
        kept: share of that attention that it keeps.
        cutoff: cosines below this have no part in an average.
    """

    activation: float = 5.0
    repair: float = 0.4
    sink: float = 0.1
    kept: float = 0.6
    cutoff: float = 0.4

    def kept_blocks(self, depth: int) -> set[int]:
        """The way through the blocks is its own: what enters the first is all it needs."""
        del depth
        return {0}
