"""Where the model runs: device, precision, and what the device's failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from ovseg_ros.clipseg.errors import DeviceLost, ModelError, OutOfMemory

BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
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
        ModelError: unknown, or float16 on a CPU, where it is slower than float32 and overflows unseen.
    """
    if name == "auto":
        if device.type == "cuda":
            return torch.float16
        return torch.bfloat16 if multiplies_bfloat16() else torch.float32
    if name not in PRECISIONS:
        raise ModelError(f"precision {name!r} is not known; expected auto, {', '.join(PRECISIONS)}")
    if name == "float16" and device.type == "cpu":
        raise ModelError("precision float16 needs CUDA; on a CPU use float32 (or auto)")
    return PRECISIONS[name]


@cache
def multiplies_bfloat16(cpu_info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor has instructions for products in bfloat16 (AVX-512 BF16 or AMX), as Linux tells.

    Others can do it in software, slower than float32.
    """
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not BFLOAT16_FLAGS.isdisjoint(flags)


@contextmanager
def device_errors() -> Iterator[None]:
    """Turn the device's failures into `OutOfMemory` and `DeviceLost`.

    CUDA's cache is given back on the way, so that a smaller try finds the memory.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise OutOfMemory(f"no memory left on the GPU: {_first_line(error)}") from error
    except RuntimeError as error:
        text = str(error)
        if "can't allocate memory" in text or "not enough memory" in text:
            raise OutOfMemory(f"no memory left: {_first_line(error)}") from error
        if "CUDA error" in text or "CUDA driver" in text:
            raise DeviceLost(f"the GPU failed: {_first_line(error)}") from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
