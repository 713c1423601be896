"""The peers whose rule spans several blocks: from the blocks before the last one to its patch tokens.

Sources: GEM, Bousselham et al., CVPR 2024; SC-CLIP, Bai et al., 2024 (arXiv 2411.15869); RF-CLIP, Li et al.,
AAAI 2026 (arXiv 2511.16170). docs/method.md says which of their parts are here.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ovseg_ros.clipseg.attention import coherence_map, enhance, residual_attention
from ovseg_ros.clipseg.backbone import Backbone, Blocks
from ovseg_ros.clipseg.block import Block
from ovseg_ros.clipseg.outliers import local_outlier_factor, most_unusual, overactive, repair
from ovseg_ros.clipseg.peer_attention import attention_map, average_alike, ensemble_attention, redistribute
from ovseg_ros.clipseg.peer_settings import ParallelPath, Refocusing, SelfCalibration

Patches = Float[Tensor, "b n c"]
AllTokens = Float[Tensor, "b 1+n c"]


def peer_tokens(
    backbone: Backbone,
    blocks: Blocks,
    settings: ParallelPath | SelfCalibration | Refocusing,
    grid: tuple[int, int],
) -> Patches:
    """Patch tokens ``Y`` by the rule of the peer whose settings these are."""
    if isinstance(settings, ParallelPath):
        return parallel_path(backbone, blocks, settings)
    if isinstance(settings, SelfCalibration):
        return self_calibrated(backbone, blocks, settings, grid)
    return refocused(backbone, blocks.tokens[0], settings, grid)


def parallel_path(backbone: Backbone, blocks: Blocks, settings: ParallelPath) -> Patches:
    """GEM: beside the model's own path through the last blocks, one of self-self attentions without MLPs.

    It starts with the tokens that enter the first of these blocks, and each adds ``out`` of the ensemble
    attention of *its own* input. The temperature is the mean norm of the normed tokens over sqrt d.
    """
    first = settings.first(backbone.depth)
    path = blocks.tokens[first - 1]
    for number in range(first, backbone.depth + 1):
        block = backbone.block(number)
        normed = block.norm(blocks.tokens[number - 1])
        q, k, v = block.qkv(normed)
        temperature = normed.float().norm(dim=-1).mean(dim=-1) / math.sqrt(q.shape[-1])
        path = path + block.attention_output(ensemble_attention(q, k, v, temperature, settings.rounds))
    return path[:, 1:]


def self_calibrated(
    backbone: Backbone, blocks: Blocks, settings: SelfCalibration, grid: tuple[int, int]
) -> Patches:
    """SC-CLIP: ``Y = decode(X_{L-1}) + decode(sum of middle blocks)``.

    ``decode(X) = average(out(A v(LN1 X)) + 0.3 CLS)`` with ``A`` half the k-k attention and half that of a
    middle block's cosines S, and an average over patches that an earlier block finds alike. Before, the most
    unusual patches of ``X_{L-1}`` are repaired in it and in S, and ``X_{L-1}`` is averaged by S.
    """
    depth = backbone.depth
    last = backbone.block(depth)
    patches = blocks.patches
    unusual = most_unusual(local_outlier_factor(blocks.last[:, 1:], settings.neighbours), settings.outliers)
    middle = patches[settings.at(settings.attention_layer, depth)]
    cosines = coherence_map([repair(middle, unusual, grid)])
    enhanced = enhance(cosines, settings.gamma, beta=1.0)
    alike = coherence_map([patches[settings.at(settings.output_layer, depth)]])

    def decode(tokens: Patches, cls: Float[Tensor, "b 1 c"]) -> Patches:
        q, k, v = last.qkv(last.norm(tokens))
        attended = residual_attention(q, k, v, enhanced, term="kk", lam=0.5, reading="mix")
        return average_alike(last.attention_output(attended) + settings.cls * cls, alike, settings.cutoff)

    repaired = repair(blocks.last[:, 1:], unusual, grid)
    first_pass = decode(average_alike(repaired, cosines, settings.cutoff), blocks.last[:, :1])
    fused = torch.stack([blocks.tokens[layer] for layer in settings.fused(depth)]).sum(dim=0)
    return first_pass + decode(fused[:, 1:], fused[:, :1])


def refocused(backbone: Backbone, tokens: AllTokens, settings: Refocusing, grid: tuple[int, int]) -> Patches:
    """RF-CLIP: its own way through all blocks, from the tokens that enter the first.

    Each block's q-k attention is redistributed and its distracting patches repaired. The last block's value
    is weighed with the mean k-k attention of all blocks, for its input and for the mean of all blocks'
    tokens, each averaged by the cosines of that mean; ``Y`` is the mean of the two.
    """
    depth = backbone.depth
    last = backbone.block(depth)
    token_sum: Tensor | float = 0.0
    map_sum: Tensor | float = 0.0
    for number in range(1, depth):
        tokens, own_map = _refocused_block(backbone.block(number), tokens, settings)
        tokens = _repaired(tokens, settings, grid)
        token_sum, map_sum = token_sum + tokens, map_sum + own_map
    mean = (token_sum + _repaired(last(tokens), settings, grid)) / depth
    cosines = coherence_map([mean[:, 1:]])

    def decode(entering: AllTokens) -> Patches:
        alike = average_alike(entering[:, 1:], cosines, settings.cutoff)
        _, k, v = last.qkv(last.norm(torch.cat([entering[:, :1], alike], dim=1)))
        attention = (map_sum + attention_map(k, k)) / depth
        return last.attention_output(attention[..., 1:, 1:] @ v[:, :, 1:])

    return (decode(tokens) + decode(mean)) / 2


def _refocused_block(
    block: Block, tokens: AllTokens, settings: Refocusing
) -> tuple[AllTokens, Float[Tensor, "b h 1+n 1+n"]]:
    """Tokens after the block, and its k-k attention."""
    q, k, v = block.qkv(block.norm(tokens))
    attention = redistribute(attention_map(q, k), settings.sink, settings.kept)
    tokens = tokens + block.attention_output(attention @ v)
    return tokens + block.mlp(tokens), attention_map(k, k)


def _repaired(tokens: AllTokens, settings: Refocusing, grid: tuple[int, int]) -> AllTokens:
    patches = tokens[:, 1:]
    distracting = overactive(patches, settings.activation)
    mended = torch.lerp(patches, repair(patches, distracting, grid), settings.repair)
    return torch.cat([tokens[:, :1], mended], dim=1)
