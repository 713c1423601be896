"""The method written slowly and obviously in float64, to hold the engine against.

Of the engine only the choice of layers is used: loops over images, heads, patches and blocks, plain sums and
explicit maps.
"""

import math

import torch
from torch import Tensor

from ovseg_ros.clipseg.methods import layers_of


def unit(x: Tensor) -> Tensor:
    return x / x.pow(2).sum(-1, keepdim=True).sqrt()


def softmax_row(row: Tensor) -> Tensor:
    weights = (row - row.max()).exp()
    return weights / weights.sum()


def softmax_rows(logits: Tensor) -> Tensor:
    return torch.stack([softmax_row(row) for row in logits])


def coherence(tokens: list[Tensor]) -> Tensor:
    """S of one image: tokens is a list over blocks of [n, c]."""
    count = tokens[0].shape[0]
    s = torch.zeros(count, count, dtype=torch.float64)
    for block in tokens:
        for i in range(count):
            for j in range(count):
                s[i, j] += unit(block[i]) @ unit(block[j]) / len(tokens)
    return s


def enhancement(s: Tensor, gamma: float, beta: float) -> Tensor:
    """Z of one image."""
    mean = s.sum() / s.numel()
    z = torch.empty_like(s)
    for i in range(s.shape[0]):
        for j in range(s.shape[1]):
            value = gamma * (s[i, j] - beta * mean)
            z[i, j] = -math.inf if value < 0 and i != j else value
    return z


def self_map(q: Tensor, k: Tensor, v: Tensor, term: str) -> Tensor:
    """Attention map of one head; q, k, v are [n, d]."""
    scale = math.sqrt(q.shape[1])
    if term == "identity":
        return torch.eye(q.shape[0], dtype=torch.float64)
    maps = {
        "qk": [q @ k.T],
        "qq": [q @ q.T],
        "kk": [k @ k.T],
        "vv": [v @ v.T],
        "qq+kk": [q @ q.T, k @ k.T],
        "(qq+kk)/2": [q @ q.T, k @ k.T],
    }
    total = torch.stack([softmax_rows(m / scale) for m in maps[term]]).sum(0)
    return total / 2 if term == "(qq+kk)/2" else total


def self_logits(q: Tensor, k: Tensor, v: Tensor, term: str) -> list[Tensor]:
    scale = math.sqrt(q.shape[1])
    pairs = {"qk": [(q, k)], "qq": [(q, q)], "kk": [(k, k)], "vv": [(v, v)], "qq+kk": [(q, q), (k, k)]}
    pairs["(qq+kk)/2"] = pairs["qq+kk"]
    return [a @ b.T / scale for a, b in pairs[term]]


def residual(q: Tensor, k: Tensor, v: Tensor, z: Tensor, term: str, lam: float, reading: str) -> Tensor:
    """CERA of one head applied to v."""
    middle = softmax_rows(z)
    if reading == "identity":
        return (middle + torch.eye(len(z), dtype=torch.float64)) @ v
    if reading == "logits":
        total = sum(softmax_rows(own + z) for own in self_logits(q, k, v, term)) @ v
        return total / 2 if term == "(qq+kk)/2" else total
    own = self_map(q, k, v, term)
    if reading == "sum":
        return (own + middle) @ v
    return ((1 - lam) * own + lam * middle) @ v


def integrated(value: Tensor, deep: Tensor, alpha: float, kind: str) -> Tensor:
    """DSI of one image: value and deep are [n, c] with all heads side by side."""
    if kind == "plain":
        return value + alpha * deep
    contrast = deep - deep.mean(0)
    reference = value - value.mean(0)
    size = sum(row.norm() for row in reference) / sum(row.norm() for row in contrast)
    return value + alpha * size * contrast


def window(grid: tuple[int, int], sigma: float) -> Tensor:
    cells = [(r, c) for r in range(grid[0]) for c in range(grid[1])]
    return torch.tensor(
        [
            [math.exp(-((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / (2 * sigma**2)) for b in cells]
            for a in cells
        ],
        dtype=torch.float64,
    )


def layer_norm(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    rows = []
    for row in x:
        centred = row - row.mean()
        rows.append(centred / (centred.pow(2).mean() + norm.eps).sqrt())
    return torch.stack(rows) * norm.weight.double() + norm.bias.double()


def features(visual: torch.nn.Module, tokens: dict[int, Tensor], method) -> Tensor:  # type: ignore[no-untyped-def]
    """Dense features of one image for a method on the patches alone (no cls, residual or MLP).

    Args:
        visual: open_clip's vision tower in float64.
        tokens: patch tokens [n, c] after each block, by the block's number from 1.
        method: the settings.
    """
    block = visual.transformer.resblocks[-1]
    depth = len(visual.transformer.resblocks)
    attn = block.attn
    width, heads = attn.embed_dim, attn.num_heads
    d = width // heads
    w_q, w_k, w_v = attn.in_proj_weight.split(width)
    b_q, b_k, b_v = attn.in_proj_bias.split(width)
    x = layer_norm(tokens[depth - 1], block.ln_1)
    q, k, v = x @ w_q.T + b_q, x @ w_k.T + b_k, x @ w_v.T + b_v
    if method.deep is not None:
        layers = layers_of(method, depth).deep
        normed = sum(layer_norm(tokens[layer], block.ln_1) for layer in layers) / len(layers)
        v = integrated(v, normed @ w_v.T + b_v, method.deep.alpha, method.deep.kind)
    outputs = []
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        if method.coherence is None:
            outputs.append(self_map(q[:, part], k[:, part], v[:, part], method.self_term) @ v[:, part])
        else:
            s = coherence([tokens[layer] for layer in layers_of(method, depth).coherence])
            z = enhancement(s, method.coherence.gamma, method.coherence.beta)
            c = method.coherence
            outputs.append(
                residual(q[:, part], k[:, part], v[:, part], z, method.self_term, c.lam, c.reading)
            )
    y = torch.cat(outputs, dim=1) @ attn.out_proj.weight.T + attn.out_proj.bias
    if hasattr(block.ls_1, "gamma"):
        y = y * block.ls_1.gamma
    return unit(layer_norm(y, visual.ln_post) @ visual.proj)
