"""What the graph showed during a replay."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class VocabularyCall:
    """One call of /set_vocabulary: before which frame it was made, how long the reply took, what it said."""

    before_frame: int
    seconds: float
    success: bool
    message: str


@dataclass
class ReplayResult:
    """What the graph showed. Frames are named by their header stamp (ns); latency is in ms, from publishing
    a frame to the arrival of its labels."""

    frames_in: int = 0
    latency_ms: dict[int, float] = field(default_factory=dict)
    sent_s: dict[int, float] = field(default_factory=dict)
    repeated_stamps: int = 0
    rate: float = 0.0
    seconds: float = 0.0
    held_seconds: float = 0.0
    call: VocabularyCall | None = None
    node: dict[str, str] = field(default_factory=dict)

    @property
    def frames_out(self) -> int:
        """Frames that were answered."""
        return len(self.latency_ms)
