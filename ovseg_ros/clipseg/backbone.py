"""Any open_clip ViT as a source of dense tokens."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from ovseg_ros.clipseg.errors import ModelError
from ovseg_ros.clipseg.packed import PackedBlock
from ovseg_ros.clipseg.resolution import make_room


@dataclass(frozen=True)
class Blocks:
    """What the blocks before the last one leave behind; token 0 is the class token.

    `last` is ``X_{L-1}``, `tokens` holds ``X_l`` for each block asked for (numbered from 1; 0 is what enters
    the first), `grid` the rows and columns of patches.
    """

    last: Float[Tensor, "b 1+n c"]
    tokens: dict[int, Float[Tensor, "b 1+n c"]]
    grid: tuple[int, int]


class Block:
    """The parts of one pre-norm transformer block of open_clip.

    ``X_l = Z + ls_2(MLP(LN2(Z)))`` with ``Z = X_{l-1} + ls_1(out(attention of LN1(X_{l-1})))``; ``ls`` is the
    layer scale, the identity in CLIP's own models.

    Attributes:
        heads: attention heads.
    """

    def __init__(self, block: ResidualAttentionBlock) -> None:
        self._block = block
        self._attn = block.attn
        self.heads: int = block.attn.num_heads

    def __call__(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """The whole block."""
        out: Tensor = self._block(tokens)
        return out

    def norm(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """LN1."""
        normed: Tensor = self._block.ln_1(tokens)
        return normed

    def qkv(self, normed: Float[Tensor, "b n c"]) -> tuple[Tensor, Tensor, Tensor]:
        """q, k and v, each ``b h n d``, of tokens that went through `norm`."""
        q, k, v = F.linear(normed, self._attn.in_proj_weight, self._attn.in_proj_bias).chunk(3, dim=-1)
        return self._split(q), self._split(k), self._split(v)

    def value(self, normed: Float[Tensor, "b n c"]) -> Float[Tensor, "b h n d"]:
        """v alone: ``W_v x + b_v``."""
        first = 2 * self._attn.embed_dim
        return self._split(
            F.linear(normed, self._attn.in_proj_weight[first:], self._attn.in_proj_bias[first:])
        )

    def attention_output(self, attended: Float[Tensor, "b h n d"]) -> Float[Tensor, "b n c"]:
        """Heads put together, ``out``, and the layer scale ``ls_1``."""
        joined = attended.transpose(1, 2).flatten(2)
        out: Tensor = self._block.ls_1(self._attn.out_proj(joined))
        return out

    def mlp(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """The MLP branch, to be added to `tokens`."""
        out: Tensor = self._block.ls_2(self._block.mlp(self._block.ln_2(tokens)))
        return out

    def _split(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b h n d"]:
        split: Tensor = tokens.unflatten(-1, (self.heads, -1))
        return split.transpose(1, 2)


AnyBlock = Block | PackedBlock


def resized_positions(
    native: Float[Tensor, "1+m c"], native_grid: tuple[int, int], grid: tuple[int, int]
) -> Float[Tensor, "1+n c"]:
    """A positional embedding at another grid: the class token stays, the patches are resized bicubically."""
    patches = native[1:].float().reshape(1, *native_grid, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(patches, size=grid, mode="bicubic", antialias=True, align_corners=False)
    resized = resized.permute(0, 2, 3, 1).reshape(grid[0] * grid[1], -1).to(native.dtype)
    return torch.cat([native[:1], resized])


class Backbone:
    """The vision tower of an open_clip model, opened between its blocks.

    Works for every `open_clip.transformer.VisionTransformer` built of standard blocks: with or without
    pre-norm and layer scale, any patch size, any positional embedding. Blocks are numbered from 1 to `depth`.

    Args:
        visual: the tower, which is used as it is.
        pack: None, or the type of the products of a form made for the CPU (`PackedBlock`). The tower's blocks
            are then taken over: it is left without them, so that their weights are held once.

    Attributes:
        depth: number of blocks, L.
        width: channels of a token, C.
        heads: attention heads of a block.
        patch: height and width of a patch in pixels.
        native_grid: rows and columns of patches that the model was trained at.
        native_side: short side of the images that the model was trained at, in pixels.
        dtype: of images, tokens and features.

    Raises:
        ModelError: the tower is of another kind (ResNet, timm, attentional pooling, special attention).
    """

    def __init__(self, visual: nn.Module, pack: torch.dtype | None = None) -> None:
        self._visual = _checked(visual)
        blocks = self._visual.transformer.resblocks
        self.depth = len(blocks)
        self.width: int = self._visual.conv1.out_channels
        self.heads: int = blocks[-1].attn.num_heads
        self.patch: tuple[int, int] = self._visual.patch_size
        self.native_grid: tuple[int, int] = self._visual.grid_size
        self.native_side = min(side * count for side, count in zip(self.patch, self.native_grid, strict=True))
        self.dtype: torch.dtype = self._visual.conv1.weight.dtype
        if pack is None:
            self._blocks: Sequence[AnyBlock] = [Block(block) for block in blocks]
        else:
            # The last block decides between patches, and costs little: it stays in float32.
            self._blocks = [
                PackedBlock(block, pack if number < self.depth else torch.float32)
                for number, block in enumerate(blocks, start=1)
            ]
            self._visual.transformer.resblocks = nn.ModuleList()
        self._positions: dict[tuple[int, int], Tensor] = {}

    def positional_embedding(self, grid: tuple[int, int]) -> Float[Tensor, "1+n c"]:
        """The positional embedding at any grid: the class token's as it is, the patches' resized bicubically.

        Kept per grid, so that a camera pays once.
        """
        native: Tensor = self._visual.positional_embedding
        if grid == self.native_grid:
            return native
        if grid not in self._positions:
            make_room(self._positions)
            self._positions[grid] = resized_positions(native, self.native_grid, grid)
        return self._positions[grid]

    def grid(self, images: Float[Tensor, "b 3 h w"]) -> tuple[int, int]:
        """Rows and columns of patches of images of whole patches."""
        return images.shape[2] // self.patch[0], images.shape[3] // self.patch[1]

    def embed(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1+n c"]:
        """Class token and patch tokens before the first block, for normalised images of whole patches."""
        visual = self._visual
        patches = visual.conv1(images)
        grid = (patches.shape[2], patches.shape[3])
        patches = patches.flatten(2).transpose(1, 2)
        cls = visual.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        tokens = torch.cat([cls, patches], dim=1) + self.positional_embedding(grid).to(patches.dtype)
        normed: Tensor = visual.ln_pre(tokens)
        return normed

    def blocks(self, images: Float[Tensor, "b 3 h w"], keep: Collection[int] = ()) -> Blocks:
        """All blocks but the last, for normalised images of whole patches.

        `keep` are the blocks whose tokens are wanted, each in 0..L-1.
        """
        tokens = self.embed(images)
        kept = {0: tokens} if 0 in keep else {}
        for number, block in enumerate(self._blocks[:-1], start=1):
            tokens = block(tokens)
            if number in keep:
                kept[number] = tokens
        return Blocks(tokens, kept, self.grid(images))

    def block(self, number: int) -> AnyBlock:
        """One block taken apart, 1..L."""
        return self._blocks[number - 1]

    def post_norm(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """``LN_post``."""
        normed: Tensor = self._visual.ln_post(tokens)
        return normed

    def project(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n e"]:
        """``LN_post(Y) P``: tokens into the space of the text embeddings, not normalised."""
        tokens = self.post_norm(tokens)
        return tokens if self._visual.proj is None else tokens @ self._visual.proj


def _checked(visual: nn.Module) -> VisionTransformer:
    kind = type(visual).__name__
    if not isinstance(visual, VisionTransformer):
        raise ModelError(
            f"the vision tower is a {kind}, which has no class token and patch tokens in open_clip's layout; "
            "use a ViT of open_clip's own kind, such as ViT-B-32, ViT-B-16, ViT-L-14 or ViT-H-14"
        )
    if visual.attn_pool is not None:
        raise ModelError(
            "the vision tower pools by attention (CoCa): its patch tokens are not aligned with text; "
            "use a plain CLIP ViT such as ViT-B-16"
        )
    block = visual.transformer.resblocks[-1]
    if not isinstance(getattr(block, "attn", None), nn.MultiheadAttention):
        raise ModelError(
            f"the blocks' attention is {type(getattr(block, 'attn', None)).__name__}, not the standard "
            "multi-head attention; use a plain CLIP ViT such as ViT-B-16"
        )
    return visual
