"""What the graph showed during a replay."""

import math
from array import array
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class VocabularyCall:
    """One call of /set_vocabulary: before which frame it was made, how long the reply took, what it said."""

    before_frame: int
    seconds: float
    success: bool
    message: str


@dataclass
class Trace:
    """Every frame that was due, by its number: three columns of eight bytes a frame.

    Attributes:
        sent_s: when it was published, seconds from the start; NaN where it was not: a frame with its header
            stamp was still on the way, so that the answers could not have been told apart.
        late_ms: how long after the moment at which it was due.
        latency_ms: from publishing it to the arrival of its labels; NaN where it was not answered.
        sent, answered: how many frames were.
    """

    sent_s: array = field(default_factory=lambda: array("d"))
    late_ms: array = field(default_factory=lambda: array("d"))
    latency_ms: array = field(default_factory=lambda: array("d"))

    sent: int = 0
    answered: int = 0

    def add(self, sent_s: float, late_ms: float) -> None:
        """The next frame was sent, or left out (NaN)."""
        self.latency_ms.append(math.nan)
        self.late_ms.append(late_ms)
        self.sent_s.append(sent_s)
        self.sent += not math.isnan(sent_s)

    def answer(self, number: int, latency_ms: float) -> None:
        """Frame `number` was answered."""
        self.latency_ms[number] = latency_ms
        self.answered += 1

    def __len__(self) -> int:
        return len(self.sent_s)

    @property
    def arrived_s(self) -> np.ndarray:
        """When the labels arrived, seconds from the start, float64 [frames]; NaN for none."""
        return np.array(self.sent_s) + np.array(self.latency_ms) / 1e3


@dataclass(frozen=True)
class HighestRate:
    """What the search for the highest rate found, in frames a second.

    `held` is the highest rate at which fewer than 5 % were dropped (None: not even the lowest one tried),
    `failed` the lowest above it at which more were (None: none tried); `tried` the bursts in order: rate
    asked for, rate sent, frames sent, frames answered.
    """

    held: float | None
    failed: float | None
    tried: tuple[tuple[float, float, int, int], ...]


@dataclass
class ReplayResult:
    """What the graph showed.

    Attributes:
        trace: the frames.
        pass_starts: number of the first frame of each pass of the bag.
        rate: frames a second that were asked for; None where the recorded spacing was kept.
        seconds: that it took; `held_seconds` of them the frames waited for a reply.
        call: the change of vocabulary on the way, if any.
        service_s: seconds that replies took while frames flowed, by service.
        highest_rate: what a search for it found.
        node: what the node said of itself at the end, and `received` of the frames it says it got.
        failure: why the replay ended early; empty where it did not.
        interrupted: the user ended it early.
    """

    trace: Trace = field(default_factory=Trace)
    pass_starts: list[int] = field(default_factory=list)
    rate: float | None = None
    seconds: float = 0.0
    held_seconds: float = 0.0
    call: VocabularyCall | None = None
    service_s: dict[str, array] = field(default_factory=dict)
    highest_rate: HighestRate | None = None
    node: dict[str, str] = field(default_factory=dict)
    received: int | None = None
    failure: str = ""
    interrupted: bool = False

    @property
    def frames_in(self) -> int:
        """Frames that were sent."""
        return self.trace.sent

    @property
    def frames_out(self) -> int:
        """Frames that were answered."""
        return self.trace.answered

    @property
    def repeated_stamps(self) -> int:
        """Frames that were left out for their header stamp."""
        return len(self.trace) - self.trace.sent
