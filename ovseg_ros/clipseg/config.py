"""The engine's configuration; the node's parameters and the commands' options are made from it."""

from dataclasses import dataclass, field

from ovseg_ros.config import option
from ovseg_ros.vocabulary.config import VocabularyConfig


@dataclass(frozen=True)
class ModelConfig:
    """Which model is loaded, and where it runs."""

    name: str = option(
        "ViT-B-16",
        "An open_clip architecture, a model that ships with the package, or a folder with "
        "open_clip_config.json and weights.",
        changes="unconfigured",
        flags="--model",
    )
    weights: str = option(
        "openai",
        "An open_clip tag of pretrained weights, or a local file. Has no effect where the model is a folder.",
        changes="unconfigured",
    )
    allow_download: bool = option(
        True,
        "Download weights that are not on this machine.",
        changes="unconfigured",
        flags="--download/--no-download",
    )
    device: str = option(
        "auto",
        "Where the model runs: auto (CUDA where there is a device), cpu, cuda, or cuda:<index>.",
        changes="unconfigured",
    )
    precision: str = option(
        "auto",
        "Arithmetic of the model: auto (half precision on CUDA; on the CPU bfloat16 where it has "
        "instructions for it, else float32), float32, float16 or bfloat16.",
        choices=("auto", "float32", "float16", "bfloat16"),
        changes="unconfigured",
    )
    max_latency_ms: float = option(
        0.0,
        "Time that an image may take, from pixels to labels; for a batch, the time of the batch. The node "
        "works at the largest short side up to method.short_side that meets it, and diagnostics tell which. "
        "0: always method.short_side.",
        bounds=(0, 60000),
        unit="ms",
        changes="unconfigured",
        flags="",
    )


@dataclass(frozen=True)
class MethodConfig:
    """How dense class scores come out of the model."""

    name: str = option(
        "clipseg",
        "The method: clipseg, or a baseline to compare it with.",
        choices=(
            *("clipseg", "vanilla", "maskclip", "clearclip", "sclip", "naclip"),
            *("gem", "resclip", "scclip", "rfclip"),
        ),
        flags="--method",
    )
    short_side: int = option(
        336,
        "Short side of the image as the model sees it. Smaller is faster and coarser. Small images are "
        "enlarged by a third at most.",
        bounds=(32, 2048),
        unit="pixels",
    )
    window: int = option(
        0,
        "Side of the sliding windows in which the image goes through the model (usually 224); 0: the whole "
        "image in one pass. Slightly better labels for about twice the time.",
        bounds=(0, 2048),
        unit="pixels",
    )
    window_stride: int = option(
        0,
        "Distance from one window to the next; 0: half a window. Where windows overlap, scores are averaged.",
        bounds=(0, 2048),
        unit="pixels",
    )
    logit_scale: float = option(
        0.0,
        "Scale of the cosine similarities before the softmax over classes; 0: the model's own.",
        bounds=(0, 1000),
    )
    gamma: float = option(
        0.0, "CERA: slope of the enhancement; 0: the model's or the method's own.", bounds=(0, 1000)
    )
    beta: float = option(
        -1.0,
        "CERA: share of the mean similarity below which a pair of patches is cut off. Negative: the model's "
        "or the method's own.",
        bounds=(-1, 10),
    )
    lam: float = option(
        -1.0,
        "CERA: weight of the coherence attention beside the self-attention. Negative: the model's or the "
        "method's own.",
        bounds=(-1, 1),
    )
    alpha: float = option(
        -1.0, "DSI: weight of the deep term. Negative: the model's or the method's own.", bounds=(-1, 10)
    )

    @property
    def stride(self) -> int:
        """Pixels from one window to the next."""
        return self.window_stride or self.window // 2

    @property
    def numbers(self) -> dict[str, float]:
        """Those of gamma, beta, lam and alpha that are given."""
        given = {"beta": self.beta, "lam": self.lam, "alpha": self.alpha}
        numbers = {name: value for name, value in given.items() if value >= 0}
        return numbers | ({"gamma": self.gamma} if self.gamma > 0 else {})


@dataclass(frozen=True)
class OutputConfig:
    """What comes out for each image."""

    size: str = option(
        "input",
        "Size of labels and confidence: that of the input image, or the working size that the model saw.",
        choices=("input", "model"),
        flags="",
    )
    smoothing: float = option(
        0.0,
        "Temporal smoothing: class probabilities are averaged over about this time, along the motion of the "
        "image; nothing older than five times this counts. 0: each image alone. 0.2 is a good start.",
        bounds=(0, 5),
        unit="s",
    )
    overlay_alpha: float = option(
        0.5,
        "Opacity of the colours in the overlay, 0 (image) to 1 (colours only).",
        bounds=(0, 1),
    )


@dataclass(frozen=True)
class EngineConfig:
    """Everything that decides what an image's labels are."""

    model: ModelConfig = field(default_factory=ModelConfig)
    method: MethodConfig = field(default_factory=MethodConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
