"""The last block by a method's rule: from the blocks before it to dense features."""

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
    keep = {*method.coherence_layers(backbone.depth), *method.deep_layers(backbone.depth)}
    blocks = backbone.blocks(images, keep)
    rows, columns = images.shape[2] // backbone.patch[0], images.shape[3] // backbone.patch[1]
    return F.normalize(backbone.project(last_block(backbone, blocks, method, (rows, columns))), dim=-1)


def last_block(
    backbone: Backbone, blocks: Blocks, method: Method, grid: tuple[int, int]
) -> Float[Tensor, "b n c"]:
    """Patch tokens ``Y`` after the last block by the method's rule."""
    entered = blocks.last if method.cls else blocks.last[:, 1:]
    q, k, v = backbone.qkv(backbone.norm(entered))
    if method.deep is not None:
        v = _with_deep(backbone, blocks, method, v)
    if method.coherence is None:
        bias = gaussian_window(grid, method.gaussian_sigma, like=q) if method.gaussian_sigma else None
        attended = self_attention(q, k, v, method.self_term, bias)
    else:
        layers = method.coherence_layers(backbone.depth)
        coherence = coherence_map([blocks.patches[layer] for layer in layers])
        attended = residual_attention(
            q,
            k,
            v,
            enhance(coherence, method.coherence.gamma, method.coherence.beta),
            term=method.self_term,
            lam=method.coherence.lam,
            reading=method.coherence.reading,
        )
    out = backbone.attention_output(attended)
    if method.residual:
        out = entered + out
    if method.mlp:
        out = out + backbone.mlp(out)
    return out[:, 1:] if method.cls else out


def _with_deep(backbone: Backbone, blocks: Blocks, method: Method, value: Tensor) -> Tensor:
    """DSI on `value`. LN1 goes to each block's tokens alone, since their norms grow with depth."""
    assert method.deep is not None
    layers = method.deep_layers(backbone.depth)
    normed = torch.stack([backbone.norm(blocks.patches[layer]) for layer in layers]).mean(dim=0)
    deep = backbone.value(normed)
    if not method.cls:
        return integrate_deep(value, deep, method.deep.alpha, method.deep.kind)
    patches = integrate_deep(value[:, :, 1:], deep, method.deep.alpha, method.deep.kind)
    return torch.cat([value[:, :, :1], patches], dim=2)
