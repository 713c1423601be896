"""The programs under examples/ run, and find in the sample bag what is there."""

import re
import subprocess
import sys
from pathlib import Path

import cv2

CHECKOUT = Path(__file__).parents[1]


def run(name: str, *arguments: object) -> str:
    """What an example prints, started as a user starts it."""
    command = [sys.executable, CHECKOUT / "examples" / name, *map(str, arguments)]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


def test_an_image_is_segmented(tmp_path: Path) -> None:
    printed = run("segment_image.py", tmp_path / "segmented.png")
    shares = {name: float(share) for name, share in re.findall(r"^(\w+): ([\d.]+)%", printed, re.MULTILINE)}

    # Ground truth: 13.6, 6.6 and 19.0 % of the frame.
    assert 8 < shares["sofa"] < 20
    assert 2 < shares["shelf"] < 12
    assert 10 < shares["droid"] < 25
    picture = cv2.imread(str(tmp_path / "segmented.png"))
    assert picture is not None
    assert picture.shape[0] > 480  # the legend stands below the image


def test_a_bag_is_evaluated() -> None:
    printed = run("evaluate_bag.py")
    iou = {name: float(share) for name, share in re.findall(r"^  ([\w ]+): ([\d.]+)%", printed, re.MULTILINE)}
    figures = re.search(r"^(\d+) frames: mIoU ([\d.]+)%, pixel accuracy ([\d.]+)%", printed, re.MULTILINE)

    assert figures
    assert figures[1] == "11"
    assert float(figures[2]) > 40
    assert float(figures[3]) > 80
    assert len(iou) >= 15
    assert iou["wall"] > 80
