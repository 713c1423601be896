"""Decompression that gives what there is: cut-off data are decompressed up to the cut."""

import bz2
import sys
from collections.abc import Callable

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_DECOMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "zstd": lambda data: zstd.ZstdDecompressor().decompress(data),
    "lz4": lambda data: lz4.frame.LZ4FrameDecompressor().decompress(data),
    "bz2": lambda data: bz2.BZ2Decompressor().decompress(data),
}


def decompress(data: bytes, compression: str) -> bytes:
    """The content of compressed data (none, zstd, lz4 or bz2). Raises ValueError on what is not such data."""
    if compression not in _DECOMPRESSORS:
        raise ValueError(f"the compression {compression!r} is not known")
    try:
        return _DECOMPRESSORS[compression](data)
    except (zstd.ZstdError, RuntimeError, OSError, EOFError) as error:
        raise ValueError(f"{compression} data are damaged: {error}") from error
