"""Any open_clip ViT as a source of dense tokens."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from jaxtyping import Float
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from ovseg_ros.clipseg.block import Block
from ovseg_ros.clipseg.errors import ModelError
from ovseg_ros.clipseg.packed_block import PackedBlock
from ovseg_ros.clipseg.resolution import make_room


@dataclass(frozen=True)
class Blocks:
    """What the blocks before the last one leave behind; token 0 is the class token.

    Attributes:
        last: ``X_{L-1}`` of all tokens.
        tokens: ``X_l`` of all tokens for each block asked for (numbered from 1; 0 is what enters the first).
    """

    last: Float[Tensor, "b 1+n c"]
    tokens: dict[int, Float[Tensor, "b 1+n c"]]

    @property
    def patches(self) -> dict[int, Float[Tensor, "b n c"]]:
        """``X_l`` of the patch tokens for each block asked for."""
        return {number: tokens[:, 1:] for number, tokens in self.tokens.items()}


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

    Raises:
        ModelError: the tower is of another kind (ResNet, timm, attentional pooling, special attention).
    """

    def __init__(self, visual: nn.Module, pack: torch.dtype | None = None) -> None:
        self._visual = _checked(visual)
        blocks = self._visual.transformer.resblocks
        if pack is None:
            self._blocks = [Block(block) for block in blocks]
        else:
            # The last block decides between patches, and costs little: it stays in float32.
            last = len(blocks)
            self._blocks = [
                PackedBlock(block, pack if number < last else torch.float32)
                for number, block in enumerate(blocks, start=1)
            ]
            self._visual.transformer.resblocks = nn.ModuleList()
        self._positions: dict[tuple[int, int], Tensor] = {}

    @property
    def depth(self) -> int:
        """Number of blocks, L."""
        return len(self._blocks)

    @property
    def width(self) -> int:
        """Channels of a token, C."""
        return self._visual.conv1.out_channels

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        return self._blocks[-1].heads

    @property
    def dtype(self) -> torch.dtype:
        """Type of images, tokens and features."""
        return self._visual.conv1.weight.dtype

    @property
    def patch(self) -> tuple[int, int]:
        """Height and width of a patch in pixels."""
        return self._visual.patch_size

    @property
    def native_grid(self) -> tuple[int, int]:
        """Rows and columns of patches that the model was trained at."""
        return self._visual.grid_size

    def positional_embedding(self, grid: tuple[int, int]) -> Float[Tensor, "1+n c"]:
        """The positional embedding at any grid: the class token's as it is, the patches' resized bicubically.

        Kept per grid, so that a camera pays once.
        """
        native = self._visual.positional_embedding
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
        return visual.ln_pre(tokens)

    def blocks(self, images: Float[Tensor, "b 3 h w"], keep: Collection[int] = ()) -> Blocks:
        """All blocks but the last.

        Args:
            images: normalised images of whole patches.
            keep: blocks whose tokens are wanted, each in 0..L-1.
        """
        tokens = self.embed(images)
        kept = {0: tokens} if 0 in keep else {}
        for number, block in enumerate(self._blocks[:-1], start=1):
            tokens = block(tokens)
            if number in keep:
                kept[number] = tokens
        return Blocks(last=tokens, tokens=kept)

    def block(self, number: int) -> Block:
        """One block taken apart, 1..L."""
        return self._blocks[number - 1]

    def post_norm(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """``LN_post``."""
        return self._visual.ln_post(tokens)

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
