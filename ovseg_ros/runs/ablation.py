"""What each part of the method gives: its variants, one change at a time around the default."""

from dataclasses import replace

from ovseg_ros.clipseg import METHODS, Coherence, Deep, Method
from ovseg_ros.clipseg.attention import READINGS, SELF_TERMS
from ovseg_ros.clipseg.methods import layers_of

LAM = (0.0, 0.25, 0.75, 1.0)
GAMMA = (1.0, 2.0, 5.0, 10.0)
BETA = (0.9, 1.0, 1.2, 1.3)
ALPHA = (0.2, 0.7, 1.0)


def variants(depth: int, method: Method | None = None) -> list[Method]:
    """The default first, then every variant of it, for a model of `depth` blocks.

    CERA and DSI on and off; the blocks of M and D earlier, later, wider and only the middle one; lambda,
    gamma, beta and alpha; the readings of "residual"; DSI's plain reading; the self terms; residual and MLP.
    """
    method = method or METHODS["clipseg"]
    coherence = method.coherence or Coherence()
    deep = method.deep or Deep()
    layers = layers_of(method, depth)

    def named(name: str, **settings: object) -> Method:
        return replace(method, name=name, **settings)  # type: ignore[arg-type]

    def cera(name: str, **settings: object) -> Method:
        return named(name, coherence=replace(coherence, **settings))  # type: ignore[arg-type]

    def dsi(name: str, **settings: object) -> Method:
        return named(name, deep=replace(deep, **settings))  # type: ignore[arg-type]

    found = [
        method,
        named("neither CERA nor DSI", coherence=None, deep=None),
        named("CERA alone", deep=None),
        named("DSI alone", coherence=None),
        *(cera(f"M {a}-{b}", layers=(a, b)) for a, b in _windows(layers.coherence, depth)),
        *(dsi(f"D {a}-{b}", layers=(a, b)) for a, b in _windows(layers.deep, depth)),
        *(cera(f"lambda {value:g}", lam=value) for value in LAM if value != coherence.lam),
        *(cera(f"gamma {value:g}", gamma=value) for value in GAMMA if value != coherence.gamma),
        *(cera(f"beta {value:g}", beta=value) for value in BETA if value != coherence.beta),
        *(dsi(f"alpha {value:g}", alpha=value) for value in ALPHA if value != deep.alpha),
        *(cera(f"reading {value}", reading=value) for value in READINGS if value != coherence.reading),
        dsi("DSI plain, alpha 1", kind="plain", alpha=1.0),
        *(named(f"self term {term}", self_term=term) for term in SELF_TERMS if term != method.self_term),
        named("residual on", residual=True),
        named("MLP on", mlp=True),
        named("residual and MLP on", residual=True, mlp=True),
    ]
    return list({variant.name: variant for variant in found}.values())


def _windows(layers: tuple[int, ...], depth: int) -> list[tuple[int, int]]:
    """Other windows of blocks: earlier, later, wider, only the middle; none that equals the present one."""
    first, last = layers[0], layers[-1]
    step = max(1, round(depth / 6))
    middle = (first + last) // 2
    wanted = [
        (first - step, last - step),
        (first + step, last + step),
        (first - step, last + step),
        (middle, middle),
    ]
    inside = [(max(1, a), min(b, depth - 1)) for a, b in wanted]
    return [ends for ends in dict.fromkeys(inside) if ends[0] <= ends[1] and ends != (first, last)]
