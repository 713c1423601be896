"""Nothing grows with the frames, nor with the vocabularies."""

import gc
import os
from pathlib import Path
from typing import Any

from sensor_msgs.msg import CameraInfo, Image

from ovseg_ros.msg import SegmentationSummary

FRAMES = 250
SIZE = (240, 320)
MASK_BYTES = SIZE[0] * SIZE[1]


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_memory_stays_flat(segmenter: Any, probe: Any, wait_for: Any) -> None:
    for name in ("labels", "confidence", "overlay", "confidence/wall"):
        probe.collect(Image, f"segmenter/{name}", keep=1)
    probe.collect(CameraInfo, "segmenter/camera_info", keep=1)
    summaries = probe.collect(SegmentationSummary, "segmenter/summary", keep=1)
    image = probe.image(size=SIZE)

    def run(frames: int) -> None:
        end = summaries.count + frames
        probe.feed(lambda: summaries.count >= end, f"{frames} frames", lambda: image, rate=500, timeout=60)

    run(60)
    before = resident_bytes()
    run(FRAMES)
    for number in range(10):
        probe.set_vocabulary([f"thing {number}", "wall"])
    run(10)
    grown = resident_bytes() - before
    # Half of what would be kept if one mask of each frame were.
    assert grown < FRAMES * MASK_BYTES / 2, f"{grown / 2**20:.1f} MiB more after {FRAMES} frames"
