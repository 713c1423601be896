"""The last block by a method's rule: from the blocks before it to dense features."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.attention import (
    coherence_map,
    enhance,
    gaussian_window,
    integrate_deep,
    residual_attention,
    self_attention,
)
from ovseg_ros.clipseg.backbone import Backbone, Blocks
from ovseg_ros.clipseg.methods import Method, layers_of


def dense_features(
    backbone: Backbone, images: Float[Tensor, "b 3 h w"], method: Method
) -> Float[Tensor, "b n e"]:
    """Features of every patch of normalised images of whole patches, in the space of the text embeddings.

    ``n(LN_post(Y) P)``, of length 1, with ``Y`` the last block by the method's rule.
    """
    return features_after(backbone, run_blocks(backbone, images, [method]), method)


def run_blocks(backbone: Backbone, images: Float[Tensor, "b 3 h w"], methods: Sequence[Method]) -> Blocks:
    """The blocks before the last one, run once for all of the methods."""
    if all(map(rewrites_all_blocks, methods)):
        tokens = backbone.embed(images)
        return Blocks(tokens, {0: tokens}, backbone.grid(images))
    kept = frozenset[int]().union(*(layers_of(method, backbone.depth).kept for method in methods))
    return backbone.blocks(images, kept)


def rewrites_all_blocks(method: Method) -> bool:
    """Whether the method changes every block, so that it shares none of their results with others."""
    return method.rule is not None and method.rule.rewrites_all_blocks


def features_after(backbone: Backbone, blocks: Blocks, method: Method) -> Float[Tensor, "b n e"]:
    """`dense_features` where the blocks before the last one were run already, by `run_blocks`."""
    return F.normalize(backbone.project(last_block(backbone, blocks, method)), dim=-1)


def last_block(backbone: Backbone, blocks: Blocks, method: Method) -> Float[Tensor, "b n c"]:
    """Patch tokens ``Y`` after the last block by the method's rule."""
    if method.rule is not None:
        return method.rule.patch_tokens(backbone, blocks)
    layers = layers_of(method, backbone.depth)
    block = backbone.block(backbone.depth)
    entered = blocks.last if method.cls else blocks.last[:, 1:]
    q, k, v = block.qkv(block.norm(entered))
    if method.deep is not None:
        normed = torch.stack([block.norm(blocks.tokens[layer][:, 1:]) for layer in layers.deep]).mean(dim=0)
        v = _with_deep(v, block.value(normed), method)
    if method.coherence is None:
        attended = self_attention(q, k, v, method.self_term, _neighbourhood(method, blocks.grid, like=q))
    else:
        coherence = coherence_map([blocks.tokens[layer][:, 1:] for layer in layers.coherence])
        enhanced = enhance(coherence, method.coherence.gamma, method.coherence.beta)
        lam, reading = method.coherence.lam, method.coherence.reading
        attended = residual_attention(q, k, v, enhanced, term=method.self_term, lam=lam, reading=reading)
    if method.cross is not None:
        attended = method.cross.added(attended, v, backbone, blocks, layers.cross)
    out = block.attention_output(attended)
    if method.residual:
        out = entered + out
    if method.mlp:
        out = out + block.mlp(out)
    return out[:, 1:] if method.cls else out


def _neighbourhood(method: Method, grid: tuple[int, int], like: Tensor) -> Tensor | None:
    """NACLIP's bias; the class token, which has no place, is given none."""
    if not method.gaussian_sigma:
        return None
    window = gaussian_window(grid, method.gaussian_sigma, like=like)
    return F.pad(window, (1, 0, 1, 0)) if method.cls else window


def _with_deep(value: Tensor, deep: Tensor, method: Method) -> Tensor:
    """DSI on the patches of `value`. LN1 went to each block's tokens alone: their norms grow with depth."""
    assert method.deep is not None
    if not method.cls:
        return integrate_deep(value, deep, method.deep.alpha, method.deep.kind)
    mended = integrate_deep(value[:, :, 1:], deep, method.deep.alpha, method.deep.kind)
    return torch.cat([value[:, :, :1], mended], dim=2)
