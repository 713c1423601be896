"""Where the model runs, in which precision, and the time there."""

import time
from functools import cache

import torch

from ovseg_ros.clipseg.errors import ModelError

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def resolve_device(name: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `cuda:<index>`; auto takes CUDA where it is.

    Raises:
        ModelError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and (kind == "cpu" or not index.isdecimal())):
        raise ModelError(f"device {name!r} is not known; expected auto, cpu, cuda or cuda:<index>")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise ModelError(
                f"device {name!r} was asked for, but torch {torch.__version__} sees no CUDA device; "
                "check nvidia-smi and that torch is a CUDA build, or use device auto or cpu"
            )
        if int(index or 0) >= torch.cuda.device_count():
            raise ModelError(
                f"device {name!r} was asked for, but there are only {torch.cuda.device_count()} CUDA devices"
            )
    return torch.device(name)


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """The data type for `auto`, `float32`, `float16` or `bfloat16`.

    auto is half on CUDA, and on a CPU bfloat16 where it has instructions for it, else float32. On a CPU
    bfloat16 is the type of products and attention only (`PackedBlock`).

    Raises:
        ModelError: unknown; float16 on a CPU, where it is slower than float32 and overflows unseen; or
            bfloat16 on a CPU that cannot multiply it at all.
    """
    if name == "auto":
        if device.type == "cuda":
            return torch.float16
        return torch.bfloat16 if has_bfloat16_instructions() else torch.float32
    if name not in PRECISIONS:
        raise ModelError(f"precision {name!r} is not known; expected auto, {', '.join(PRECISIONS)}")
    if name == "float16" and device.type == "cpu":
        raise ModelError("precision float16 needs CUDA; on a CPU use float32 (or auto)")
    if name == "bfloat16" and device.type == "cpu" and not can_multiply_bfloat16():
        raise ModelError(
            "precision bfloat16 needs a CPU with AVX-512 (best with AVX-512 BF16 or AMX), or CUDA; this "
            f"processor has {torch.backends.cpu.get_cpu_capability()}: use float32 (or auto)"
        )
    return PRECISIONS[name]


def device_clock(device: torch.device) -> float:
    """Seconds, as `time.perf_counter`, once the device has done all work that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@cache
def can_multiply_bfloat16() -> bool:
    """Whether oneDNN multiplies bfloat16 on this processor, if only in software."""
    return _ask(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")


@cache
def has_bfloat16_instructions() -> bool:
    """Whether this processor has instructions for products in bfloat16 (AVX-512 BF16 or AMX).

    In software they are slower than in float32.
    """
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return can_multiply_bfloat16() and any(_ask(torch.cpu, name) for name in asked)


@cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether oneDNN's packed products are in this build of torch and, of that type, on this processor."""
    operations = ("_reorder_linear_weight", "_linear_pointwise")
    if not torch.backends.mkldnn.is_available():
        return False
    if not all(hasattr(torch.ops.mkldnn, name) for name in operations):
        return False
    return dtype == torch.float32 or can_multiply_bfloat16()


def _ask(module: object, question: str) -> bool:
    """What torch reports of the processor; False where this build of torch has no such function."""
    return bool(getattr(module, question, bool)())
