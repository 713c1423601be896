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
    residual_attention,
    self_attention,
)
from ovseg_ros.clipseg.backbone import Backbone, Blocks
from ovseg_ros.clipseg.integration import integrate_deep
from ovseg_ros.clipseg.methods import Method
from ovseg_ros.clipseg.peer_attention import cross_correlation
from ovseg_ros.clipseg.peers import peer_tokens


def dense_features(
    backbone: Backbone, images: Float[Tensor, "b 3 h w"], method: Method
) -> Float[Tensor, "b n e"]:
    """Features of every patch in the space of the text embeddings, of length 1.

    ``n(LN_post(Y) P)`` with ``Y`` the last block by the method's rule.

    Args:
        backbone: the vision tower.
        images: normalised images of whole patches.
        method: what the last block does.
    """
    blocks = walk(backbone, images, [method])
    return features_after(backbone, blocks, method, backbone.grid(images))


def walk(backbone: Backbone, images: Float[Tensor, "b 3 h w"], methods: Sequence[Method]) -> Blocks:
    """The blocks before the last one, run once for all of the methods."""
    if all(method.walks_alone for method in methods):
        tokens = backbone.embed(images)
        return Blocks(last=tokens, tokens={0: tokens})
    return backbone.blocks(images, set().union(*(method.kept_blocks(backbone.depth) for method in methods)))


def features_after(
    backbone: Backbone, blocks: Blocks, method: Method, grid: tuple[int, int]
) -> Float[Tensor, "b n e"]:
    """`dense_features` where the blocks before the last one were run already, by `walk`."""
    return F.normalize(backbone.project(last_block(backbone, blocks, method, grid)), dim=-1)


def last_block(
    backbone: Backbone, blocks: Blocks, method: Method, grid: tuple[int, int]
) -> Float[Tensor, "b n c"]:
    """Patch tokens ``Y`` after the last block by the method's rule."""
    if method.peer is not None:
        return peer_tokens(backbone, blocks, method.peer, grid)
    block = backbone.block(backbone.depth)
    entered = blocks.last if method.cls else blocks.last[:, 1:]
    q, k, v = block.qkv(block.norm(entered))
    if method.deep is not None:
        v = _with_deep(backbone, blocks, method, v)
    if method.coherence is None:
        attended = self_attention(q, k, v, method.self_term, _neighbourhood(method, grid, like=q))
    else:
        layers = method.coherence_layers(backbone.depth)
        patches = blocks.patches
        coherence = coherence_map([patches[layer] for layer in layers])
        attended = residual_attention(
            q,
            k,
            v,
            enhance(coherence, method.coherence.gamma, method.coherence.beta),
            term=method.self_term,
            lam=method.coherence.lam,
            reading=method.coherence.reading,
        )
    if method.cross is not None:
        attended = _with_earlier(backbone, blocks, method, attended, v)
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


def _with_earlier(
    backbone: Backbone, blocks: Blocks, method: Method, attended: Tensor, value: Tensor
) -> Tensor:
    """ResCLIP's cross-correlation added to `attended`."""
    assert method.cross is not None
    earlier = []
    for layer in method.cross_layers(backbone.depth):
        block = backbone.block(layer)
        q, k, _ = block.qkv(block.norm(blocks.tokens[layer - 1]))
        earlier.append((q, k))
    return cross_correlation(attended, earlier, value, lam=method.cross.lam, gain=method.cross.gain)


def _with_deep(backbone: Backbone, blocks: Blocks, method: Method, value: Tensor) -> Tensor:
    """DSI on `value`. LN1 goes to each block's tokens alone, since their norms grow with depth."""
    assert method.deep is not None
    block = backbone.block(backbone.depth)
    layers = method.deep_layers(backbone.depth)
    patches = blocks.patches
    normed = torch.stack([block.norm(patches[layer]) for layer in layers]).mean(dim=0)
    deep = block.value(normed)
    if not method.cls:
        return integrate_deep(value, deep, method.deep.alpha, method.deep.kind)
    mended = integrate_deep(value[:, :, 1:], deep, method.deep.alpha, method.deep.kind)
    return torch.cat([value[:, :, :1], mended], dim=2)
