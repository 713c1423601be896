"""The result of a run of `ovseg evaluate`, `replay` or `demo`: the content of metrics.json.

Shares are 0..1, times in ms (s where a name says so), rates in Hz; None where a run does not have the figure.
The fields are the keys of the file, where those of `metrics` and `graph` are on the level of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float64
from pydantic import AllowInfNan

from ovseg_ros.metrics.agreement import Count, Share
from ovseg_ros.metrics.calibration import ReliabilityBin
from ovseg_ros.metrics.segmentation import SegmentationMetrics

Number = Annotated[float, AllowInfNan(False)]

OPTIONAL = {"optional": True}
"""Metadata of a field that is left out of the file where it is None."""


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of times in ms."""

    p50: Number | None = None
    p95: Number | None = None
    p99: Number | None = None
    max: Number | None = None

    @classmethod
    def of(cls, values: "Sequence[float] | Float64[np.ndarray, 'n']") -> "Percentiles":
        """Of those values that are not NaN; None of none."""
        known = np.array(values, np.float64)
        known = known[~np.isnan(known)]
        if not known.size:
            return cls()
        p50, p95, p99 = np.percentile(known, [50, 95, 99]).tolist()
        return cls(p50, p95, p99, float(known.max()))


@dataclass(frozen=True)
class FrameResult:
    """One frame: its number in the order of sending from 0, when it was sent (s) and what came of it.

    `revision` is None for a frame that was dropped, `latency_ms` also where labels were read, the rest
    where there is no truth.
    """

    number: Count
    sent_s: Number | None = None
    revision: Count | None = None
    latency_ms: Number | None = None
    miou: Share | None = None
    pixel_accuracy: Share | None = None


@dataclass(frozen=True)
class VocabularyPhase:
    """The frames labelled in one vocabulary; `classes` as "name; synonym", `ignored` the truth's names that
    no class claims."""

    revision: Count
    classes: tuple[str, ...]
    background: tuple[str, ...]
    ignored: tuple[str, ...]
    metrics: SegmentationMetrics = field(default_factory=SegmentationMetrics)


@dataclass(frozen=True)
class VocabularyCall:
    """One call of /set_vocabulary: before which frame it was made, how long the reply took, what it said."""

    before_frame: Count
    reply_ms: Number
    success: bool
    message: str


@dataclass(frozen=True)
class ServiceCalls(Percentiles):
    """How long the replies of one service took, and how many there were."""

    calls: Count = 0


@dataclass(frozen=True)
class ServiceTimes(Percentiles):
    """How long the replies of all services took while frames flowed, and of each; None: not called."""

    get_vocabulary: ServiceCalls | None = field(default=None, metadata=OPTIONAL)
    set_vocabulary: ServiceCalls | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class FrameRates:
    """Frames a second: of the recording, asked for, sent, and labelled."""

    bag: Number | None = None
    asked: Number | None = None
    sent: Number | None = None
    output: Number | None = None


@dataclass(frozen=True)
class RateTrial:
    """A burst of the search for the highest rate: rates asked for and sent, frames sent and labelled."""

    asked: Number
    sent: Number
    frames_in: Count
    frames_out: Count


@dataclass(frozen=True)
class RateSearch:
    """`held` is the highest rate at which fewer than 5 % were dropped (None: not even the lowest one tried),
    `failed` the lowest above it at which more were (None: none tried); `bursts` in the order tried."""

    held: Number | None = None
    failed: Number | None = None
    bursts: tuple[RateTrial, ...] = ()


@dataclass(frozen=True)
class JumpRecovery:
    """After one jump of the stamps: time to the first labels (None: none came), frames sent before the one
    labelled first, frames sent and labelled until the next jump."""

    first_answer_ms: Number | None
    frames_before_first_answer: Count
    frames_in: Count
    frames_out: Count


@dataclass(frozen=True)
class Recovery:
    """How the node went on after the jumps of the stamps back to the start of a bag that loops."""

    jumps: Count
    recovered: Count
    first_answer_ms: Percentiles = Percentiles()
    frames_in: Count = 0
    frames_out: Count = 0
    by_jump: tuple[JumpRecovery, ...] = ()


@dataclass(frozen=True)
class SendingTimes:
    """How long after they were due the frames were sent."""

    late_ms: Percentiles = Percentiles()


@dataclass(frozen=True)
class GraphFigures:
    """What only the graph shows.

    Attributes:
        frames_in, frames_out, frames_dropped: sent, labelled, and the difference.
        frames_not_received: sent, but never seen by the node.
        jitter_ms: mean change of the latency from one labelled frame to the next.
        output_interval_ms: between the arrivals of labels.
        failure: why the replay ended early.
    """

    frames_in: Count | None = None
    frames_out: Count | None = None
    frames_dropped: Count | None = None
    frames_not_received: Count | None = None
    jitter_ms: Number | None = None
    output_interval_ms: Percentiles = Percentiles()
    rate: FrameRates = FrameRates()
    service_ms: ServiceTimes = ServiceTimes()
    sustainable_rate: Number | None = None
    rate_search: RateSearch | None = None
    recovery: Recovery | None = None
    sending: SendingTimes = SendingTimes()
    failure: str | None = None


@dataclass(frozen=True)
class CalibrationSample:
    """What the confidence was fitted on."""

    frames: Count
    pixels: Count


@dataclass(frozen=True)
class LogLikelihoods:
    """Mean negative log-likelihood (nats) over the sample before and after the fit."""

    before: Number
    after: Number


@dataclass(frozen=True)
class CalibrationScores:
    """Metrics of the frames that were not fitted on, before or after the fit."""

    ece: Share | None = None
    brier: Share | None = None
    miou: Share | None = None
    pixel_accuracy: Share | None = None
    unlabelled_share: Share | None = None

    @classmethod
    def of(cls, metrics: SegmentationMetrics) -> "CalibrationScores":
        return cls(metrics.ece, metrics.brier, metrics.miou, metrics.pixel_accuracy, metrics.unlabelled_share)


@dataclass(frozen=True)
class CalibrationResult:
    """A fit of the confidence: scale of the logits (`temperature`: scale before / after), threshold, and what
    they change on other frames."""

    logit_scale: Number
    temperature: Number
    threshold: Share
    fitted_on: CalibrationSample
    negative_log_likelihood: LogLikelihoods
    before: CalibrationScores
    after: CalibrationScores
    reliability_after: tuple[ReliabilityBin, ...] = ()


RunKind = Literal["evaluate", "replay", "demo", "compare"]


@dataclass(frozen=True)
class RunResult:
    """A run of `ovseg evaluate`, `replay` or `demo`, or one method of an `ovseg compare`.

    Attributes:
        phases: the vocabularies in force, in order.
        machine: the machine and the versions that figures depend on.
        frames_left_out: that could not be decoded, or repeat the stamp of another.
        latency_ms: from sending to labels; offline, of the inference.
        interrupted: the user ended it early.
        graph: None for an offline run.
        configuration: further settings by name, nested by group.
        notes: what a reader must know to judge the figures.
        set_vocabulary: the change of words on the way.
        held_seconds: that the frames waited for its reply.
    """

    kind: RunKind | None = None
    metrics: SegmentationMetrics = field(default_factory=SegmentationMetrics)
    vocabulary_revisions: tuple[Count, ...] = ()
    phases: tuple[VocabularyPhase, ...] = ()
    model: str | None = None
    method: str | None = None
    device: str | None = None
    bag: str | None = None
    image_topic: str | None = None
    command: str | None = None
    machine: dict[str, str] = field(default_factory=dict)
    per_frame: tuple[FrameResult, ...] = ()
    frames_left_out: Count | None = None
    latency_ms: Percentiles = Percentiles()
    seconds: Number | None = None
    interrupted: bool = False
    graph: GraphFigures | None = None
    frames_with_truth: Count | None = field(default=None, metadata=OPTIONAL)
    frames_per_second: Number | None = field(default=None, metadata=OPTIONAL)
    peak_mb: Number | None = field(default=None, metadata=OPTIONAL)
    configuration: dict[str, object] | None = field(default=None, metadata=OPTIONAL)
    calibration: CalibrationResult | None = field(default=None, metadata=OPTIONAL)
    notes: tuple[str, ...] | None = field(default=None, metadata=OPTIONAL)
    set_vocabulary: VocabularyCall | None = field(default=None, metadata=OPTIONAL)
    held_seconds: Number | None = field(default=None, metadata=OPTIONAL)

    @property
    def offline(self) -> bool:
        """Whether every frame was labelled, without a graph."""
        return self.kind in ("evaluate", "compare")

    @property
    def latencies(self) -> list[float]:
        """The latency of each frame that has one, in ms."""
        return [frame.latency_ms for frame in self.per_frame if frame.latency_ms is not None]
