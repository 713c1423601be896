"""The baselines' rules written slowly and obviously in float64, to hold the engine against.

As in `twin`: loops over heads, patches and blocks, plain sums and explicit maps. One image at a time.
"""

import math

import torch
from torch import Tensor

from ovseg_ros.clipseg.methods import layers_of

from .. import twin


def outlier_factors(x: Tensor, neighbours: int) -> list[float]:
    """The local outlier factor of each token of [n, c]."""
    count = len(x)
    k = min(neighbours, count - 1)
    squared = [[float(((x[i] - x[j]) ** 2).sum()) for j in range(count)] for i in range(count)]
    nearest = [
        sorted((j for j in range(count) if j != i), key=lambda j: squared[i][j])[:k] for i in range(count)
    ]
    density = [1 / squared[i][nearest[i][-1]] for i in range(count)]
    return [sum(density[j] for j in nearest[i]) / k / density[i] for i in range(count)]


def unusual(scores: list[float], share: float) -> list[bool]:
    """True for the highest scores."""
    count = math.ceil(share * (len(scores) - 1))
    chosen = sorted(range(len(scores)), key=lambda i: -scores[i])[:count]
    return [i in chosen for i in range(len(scores))]


def overactive(x: Tensor, factor: float) -> list[bool]:
    """Tokens of [n, c] that a channel dominates which does not dominate the others."""
    count, channels = x.shape
    shares = torch.stack([(row - row.min()) / (row - row.min()).sum() for row in x])
    usual = [max(1 / channels, float(shares[:, j].sort().values[(count - 1) // 2])) for j in range(channels)]
    return [any(float(row[j]) > factor * usual[j] for j in range(channels)) for row in shares]


def repaired(x: Tensor, broken: list[bool], grid: tuple[int, int]) -> Tensor:
    """Broken tokens of [n, c] replaced by the mean of the sound ones among their eight neighbours."""
    rows, columns = grid
    result = x.clone()
    for row in range(rows):
        for column in range(columns):
            if not broken[row * columns + column]:
                continue
            around = [
                r * columns + c
                for r in range(max(0, row - 1), min(rows, row + 2))
                for c in range(max(0, column - 1), min(columns, column + 2))
                if not broken[r * columns + c]
            ]
            if around:
                result[row * columns + column] = sum(x[i] for i in around) / len(around)
    return result


def averaged(x: Tensor, cosines: Tensor, cutoff: float) -> Tensor:
    """Each token of [n, c] as the weighted mean of those alike."""
    rows = []
    for i in range(len(x)):
        weights = [float(c) if c >= cutoff else 0.0 for c in cosines[i]]
        rows.append(sum(w * x[j] for j, w in enumerate(weights)) / sum(weights))
    return torch.stack(rows)


def self_map(z: Tensor, tau: float) -> Tensor:
    return twin.softmax_rows(tau * twin.unit(z) @ twin.unit(z).T)


def ensemble(q: Tensor, k: Tensor, v: Tensor, tau: float, rounds: int) -> Tensor:
    """GEM's attention of one head applied to v."""
    total = torch.zeros(len(q), len(q), dtype=torch.float64)
    for z in (q, k, v):
        for _ in range(rounds):
            z = self_map(z, tau) @ twin.unit(z)
        total += self_map(z, tau) / 3
    return total @ v


def redistributed(attention: Tensor, sink: float, kept: float) -> Tensor:
    """RF-CLIP's redistribution of one head's map [1 + n, 1 + n]."""
    result = attention.clone()
    count = len(attention) - 1
    drawing = [j for j in range(1, count + 1) if attention[1:, j].sum() / count > sink]
    others = [j for j in range(1, count + 1) if j not in drawing]
    for i in range(1, count + 1):
        freed = sum(float(attention[i, j]) * (1 - kept) for j in drawing)
        left = sum(float(attention[i, j]) for j in others)
        for j in drawing:
            result[i, j] = attention[i, j] * kept
        for j in others:
            result[i, j] = attention[i, j] + freed * attention[i, j] / left
    return result


class BlockTwin:
    """One block of open_clip's vision tower, in float64 and spelled out."""

    def __init__(self, block: torch.nn.Module) -> None:
        self.block = block
        self.heads = block.attn.num_heads
        self.d = block.attn.embed_dim // self.heads
        self.scale_1 = block.ls_1.gamma if hasattr(block.ls_1, "gamma") else 1.0

    def normed(self, x: Tensor) -> Tensor:
        return twin.layer_norm(x, self.block.ln_1)

    def qkv(self, x: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """q, k, v of each head."""
        joined = self.normed(x) @ self.block.attn.in_proj_weight.T + self.block.attn.in_proj_bias
        q, k, v = joined.chunk(3, dim=-1)
        parts = [slice(h * self.d, (h + 1) * self.d) for h in range(self.heads)]
        return [(q[:, p], k[:, p], v[:, p]) for p in parts]

    def out(self, heads: list[Tensor]) -> Tensor:
        y = torch.cat(heads, dim=1) @ self.block.attn.out_proj.weight.T + self.block.attn.out_proj.bias
        return y * self.scale_1

    def softmax_map(self, a: Tensor, b: Tensor, bias: Tensor | float = 0.0) -> Tensor:
        return twin.softmax_rows(a @ b.T / math.sqrt(self.d) + bias)

    def with_mlp(self, x: Tensor) -> Tensor:
        return x + self.block.ls_2(self.block.mlp(twin.layer_norm(x, self.block.ln_2)))

    def whole(self, x: Tensor) -> Tensor:
        return self.with_mlp(x + self.out([self.softmax_map(q, k) @ v for q, k, v in self.qkv(x)]))


def cosines(x: Tensor) -> Tensor:
    return twin.coherence([x])


def last_block(block: BlockTwin, x: Tensor, name: str, grid: tuple[int, int]) -> Tensor:
    """The peers that change the last block alone, by name; x are all tokens that enter it."""
    near = torch.zeros(len(x), len(x), dtype=torch.float64)
    near[1:, 1:] = twin.window(grid, 5.0)
    maps = {
        "vanilla": lambda q, k: block.softmax_map(q, k),
        "clearclip": lambda q, k: block.softmax_map(q, q),
        "sclip": lambda q, k: block.softmax_map(q, q) + block.softmax_map(k, k),
        "naclip": lambda q, k: block.softmax_map(k, k, near),
    }
    y = block.out([maps[name](q, k) @ v for q, k, v in block.qkv(x)])
    if name in ("vanilla", "sclip"):
        y = block.with_mlp(x + y)
    return y[1:]


def gem(blocks: list[BlockTwin], tokens: list[Tensor], settings) -> Tensor:  # type: ignore[no-untyped-def]
    """tokens[l] = X_l of all tokens."""
    first = max(1, len(blocks) - settings.blocks + 1)
    path = tokens[first - 1]
    for number in range(first, len(blocks) + 1):
        block, entering = blocks[number - 1], tokens[number - 1]
        norms = [float(row.norm()) for row in block.normed(entering)]
        tau = sum(norms) / len(norms) / math.sqrt(block.d)
        path = path + block.out([ensemble(q, k, v, tau, settings.rounds) for q, k, v in block.qkv(entering)])
    return path[1:]


def resclip(blocks: list[BlockTwin], tokens: list[Tensor], method, grid: tuple[int, int]) -> Tensor:  # type: ignore[no-untyped-def]
    last, depth = blocks[-1], len(blocks)
    bias = torch.zeros(len(tokens[0]), len(tokens[0]), dtype=torch.float64)
    bias[1:, 1:] = twin.window(grid, method.gaussian_sigma)
    layers = layers_of(method, depth).cross
    heads = []
    for head, (_, k, v) in enumerate(last.qkv(tokens[depth - 1])):
        middle = torch.zeros_like(bias)
        for layer in layers:
            q_l, k_l, _ = blocks[layer - 1].qkv(tokens[layer - 1])[head]
            middle += blocks[layer - 1].softmax_map(q_l, k_l) / len(layers)
        own = last.softmax_map(k, k, bias)
        heads.append(method.cross.gain * ((1 - method.cross.lam) * own + method.cross.lam * middle) @ v)
    return last.out(heads)[1:]


def scclip(blocks: list[BlockTwin], tokens: list[Tensor], settings, grid: tuple[int, int]) -> Tensor:  # type: ignore[no-untyped-def]
    last, depth = blocks[-1], len(blocks)
    cls, patches = tokens[depth - 1][:1], tokens[depth - 1][1:]
    broken = unusual(outlier_factors(patches, settings.neighbours), settings.outliers)
    s = cosines(repaired(tokens[settings.at(settings.attention_layer, depth)][1:], broken, grid))
    alike = cosines(tokens[settings.at(settings.output_layer, depth)][1:])
    middle = twin.softmax_rows(twin.enhancement(s, settings.gamma, 1.0))

    def decode(x: Tensor, class_token: Tensor) -> Tensor:
        heads = [(last.softmax_map(k, k) + middle) / 2 @ v for _, k, v in last.qkv(x)]
        return averaged(last.out(heads) + settings.cls * class_token, alike, settings.cutoff)

    fused = sum(tokens[layer] for layer in settings.fused(depth))
    y = decode(averaged(repaired(patches, broken, grid), s, settings.cutoff), cls)
    return y + decode(fused[1:], fused[:1])


def rfclip(blocks: list[BlockTwin], entering: Tensor, settings, grid: tuple[int, int]) -> Tensor:  # type: ignore[no-untyped-def]
    last, x = blocks[-1], entering

    def mended(x: Tensor) -> Tensor:
        sound = repaired(x[1:], overactive(x[1:], settings.activation), grid)
        return torch.cat([x[:1], (1 - settings.repair) * x[1:] + settings.repair * sound])

    outputs = []
    maps = [torch.zeros(len(x), len(x), dtype=torch.float64) for _ in range(last.heads)]
    for block in blocks[:-1]:
        heads = []
        for head, (q, k, v) in enumerate(block.qkv(x)):
            heads.append(redistributed(block.softmax_map(q, k), settings.sink, settings.kept) @ v)
            maps[head] += block.softmax_map(k, k)
        x = mended(block.with_mlp(x + block.out(heads)))
        outputs.append(x)
    outputs.append(mended(last.whole(x)))
    mean = sum(outputs) / len(outputs)
    s = cosines(mean[1:])

    def decode(x: Tensor) -> Tensor:
        x = torch.cat([x[:1], averaged(x[1:], s, settings.cutoff)])
        heads = []
        for head, (_, k, v) in enumerate(last.qkv(x)):
            attention = (maps[head] + last.softmax_map(k, k)) / len(blocks)
            heads.append(attention[1:, 1:] @ v[1:])
        return last.out(heads)

    return (decode(x) + decode(mean)) / 2
