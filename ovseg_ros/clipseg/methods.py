"""The named methods, as frozen settings of one last block."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache

from ovseg_ros.clipseg.attention import INTEGRATIONS, READINGS, SELF_TERMS, Integration, Reading, SelfTerm
from ovseg_ros.clipseg.baselines.gem import ParallelPath
from ovseg_ros.clipseg.baselines.resclip import CrossCorrelation
from ovseg_ros.clipseg.baselines.rfclip import Refocusing
from ovseg_ros.clipseg.baselines.scclip import SelfCalibration
from ovseg_ros.clipseg.errors import ModelError

TUNABLE = {"gamma": "coherence", "beta": "coherence", "lam": "coherence", "alpha": "deep"}
"""Numbers of CERA and DSI that a model may bring with it, and where they belong."""


BlocksRule = ParallelPath | SelfCalibration | Refocusing
"""Settings of a baseline whose rule spans several blocks, with the rule itself."""


@dataclass(frozen=True)
class Coherence:
    """Settings of coherence enhanced residual attention (CERA).

    Attributes:
        layers: first and last block of M, whose tokens make the coherence map; None: by the model's depth.
        gamma: slope of the enhancement.
        beta: share of the mean below which a pair of patches is cut off.
        lam: weight of the coherence attention in the mix with the self term, 0..1.
        reading: how the self term and the coherence attention come together (`residual_attention`).
    """

    layers: tuple[int, int] | None = None
    gamma: float = 3.0
    beta: float = 1.1
    lam: float = 0.5
    reading: Reading = "mix"


@dataclass(frozen=True)
class Deep:
    """Settings of deep semantic integration (DSI).

    Attributes:
        layers: first and last block of D, whose tokens repair the value; None: by the model's depth.
        alpha: weight of the deep term.
        kind: how the deep term is added (`integrate_deep`).
    """

    layers: tuple[int, int] | None = None
    alpha: float = 0.4
    kind: Integration = "contrast"


@dataclass(frozen=True)
class Method:
    """What the last block does to the patch tokens.

    Attributes:
        name: as users write it.
        self_term: which tokens attend to which.
        coherence: CERA, or None for the self term alone.
        deep: DSI, or None for the last block's own value.
        cross: ResCLIP's average of earlier blocks' attention, or None.
        gaussian_sigma: width in patches of NACLIP's neighbourhood bias; 0 leaves it out.
        residual: add the tokens that entered the block.
        mlp: run the block's MLP.
        cls: the class token takes part in the attention.
        rule: a baseline's rule that spans several blocks and replaces all of the above, or None.
    """

    name: str
    self_term: SelfTerm = "qk"
    coherence: Coherence | None = None
    deep: Deep | None = None
    cross: CrossCorrelation | None = None
    gaussian_sigma: float = 0.0
    residual: bool = False
    mlp: bool = False
    cls: bool = False
    rule: BlocksRule | None = None

    def __post_init__(self) -> None:
        if self.self_term not in SELF_TERMS:
            raise ModelError(f"self term {self.self_term!r} is none of {', '.join(SELF_TERMS)}")
        if self.coherence is not None:
            if self.coherence.reading not in READINGS:
                raise ModelError(f"reading {self.coherence.reading!r} is none of {', '.join(READINGS)}")
            if not 0.0 <= self.coherence.lam <= 1.0:
                raise ModelError(f"lam is {self.coherence.lam}; expected 0..1")
            if self.cls or self.gaussian_sigma or self.cross:
                raise ModelError(
                    "CERA works on the patches alone: it goes with neither cls, gaussian_sigma nor cross"
                )
        if self.deep is not None and self.deep.kind not in INTEGRATIONS:
            raise ModelError(f"integration {self.deep.kind!r} is none of {', '.join(INTEGRATIONS)}")
        if self.cross is not None and not (self.cls and 0.0 <= self.cross.lam <= 1.0):
            raise ModelError(
                "the cross-correlation needs cls, since the class token was part of it, and lam in 0..1"
            )
        others = (field for field in fields(self) if field.name not in ("name", "rule"))
        if self.rule is not None and any(getattr(self, field.name) != field.default for field in others):
            raise ModelError("a baseline's rule replaces the other settings: leave them at their defaults")

    def tuned(self, numbers: Mapping[str, float]) -> "Method":
        """The same with other numbers of CERA and DSI, of those in `TUNABLE`, where it has them."""
        parts = {part: getattr(self, part) for part in ("coherence", "deep") if getattr(self, part)}
        for part, settings in parts.items():
            own = {name: value for name, value in numbers.items() if TUNABLE[name] == part}
            parts[part] = replace(settings, **own)
        return replace(self, **parts)


@dataclass(frozen=True)
class MethodLayers:
    """Blocks that a method reads, numbered from 1.

    `coherence` are M, by default 6-9 of 12, 11-16 of 24, else depth 50-75 %; `deep` are D, by default 8-10 of
    12, 17-22 of 24, else depth 68-88 %; `cross` are those whose q-k attention ResCLIP averages, by default M.
    Of the blocks `kept` tokens are needed besides the last block's own input; 0 is what enters the first.
    """

    coherence: tuple[int, ...]
    deep: tuple[int, ...]
    cross: tuple[int, ...]
    kept: frozenset[int]


@cache
def layers_of(method: Method, depth: int) -> MethodLayers:
    """Blocks that the method reads in a model of `depth` blocks.

    Raises:
        ModelError: layers that the model does not have.
    """
    if method.rule is not None:
        return MethodLayers((), (), (), frozenset(method.rule.kept_blocks(depth)))
    middle = {12: (6, 9), 24: (11, 16)}.get(depth, (round(0.5 * depth), round(0.75 * depth)))
    late = {12: (8, 10), 24: (17, 22)}.get(depth, (round(0.68 * depth), round(0.88 * depth)))
    coherence, deep, cross = (
        () if part is None else _range(what, part.layers or default, depth)
        for what, part, default in (
            ("coherence", method.coherence, middle),
            ("deep", method.deep, late),
            ("cross-correlation", method.cross, middle),
        )
    )
    return MethodLayers(
        coherence, deep, cross, frozenset({*coherence, *deep, *(layer - 1 for layer in cross)})
    )


def _range(what: str, ends: tuple[int, int], depth: int) -> tuple[int, ...]:
    first, last = max(1, ends[0]), min(ends[1], depth - 1)
    if depth < 2 or first > last:
        raise ModelError(
            f"{what} layers {ends[0]}-{ends[1]} do not lie in a model of {depth} blocks; "
            f"expected first <= last within 1-{depth - 1}"
        )
    return tuple(range(first, last + 1))


_METHODS = (
    Method("vanilla", "qk", residual=True, mlp=True, cls=True),
    Method("maskclip", "identity"),
    Method("clearclip", "qq", cls=True),
    Method("sclip", "qq+kk", residual=True, mlp=True, cls=True),
    Method("naclip", "kk", gaussian_sigma=5.0, cls=True),
    Method("gem", rule=ParallelPath()),
    Method("resclip", "kk", cross=CrossCorrelation(), gaussian_sigma=5.0, cls=True),
    Method("scclip", rule=SelfCalibration()),
    Method("rfclip", rule=Refocusing()),
    Method("clipseg", "(qq+kk)/2", coherence=Coherence(), deep=Deep()),
)

METHODS: dict[str, Method] = {method.name: method for method in _METHODS}
"""Every method by name."""


def find_method(name: str) -> Method:
    """The method of that name.

    Raises:
        ModelError: there is none.
    """
    if name not in METHODS:
        raise ModelError(f"method {name!r} is not known; expected one of {', '.join(METHODS)}")
    return METHODS[name]
