"""Labels an image with words of your choice, without ROS: `python examples/segment_image.py [OUTPUT.jpg]`.

The image is a frame of the sample bag, the model the small CLIP that ships and knows rendered rooms only. For
photographs take `ModelConfig("ViT-B-16", "openai")` and any uint8 RGB array of shape [H, W, 3].
"""

import sys
from pathlib import Path

import cv2

from ovseg_ros.clipseg import MethodConfig, ModelConfig, Segmenter, load_model
from ovseg_ros.images.drawing import overlay, with_legend
from ovseg_ros.paths import share_directory
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.sources import open_source
from ovseg_ros.vocabulary import VocabularyBuilder


def main(output: Path) -> None:
    """Label the frame, print what is in it, and write it with colours and a legend."""
    with open_source(share_directory() / "sample_bag") as bag:
        frame = next(bag.frames(SelectionConfig(start=6.0)))
        image = frame.image()

    segmenter = Segmenter(load_model(ModelConfig("ovseg-tiny")), MethodConfig(short_side=336))
    # A class may have synonyms; what is named as background gets label 0.
    words, background = ["sofa; couch", "shelf; bookcase", "droid; robot"], ["wall", "floor", "ceiling"]
    vocabulary = VocabularyBuilder().build(words, background=background)
    classifier = segmenter.encode(vocabulary)

    result = segmenter.segment(image, classifier)  # labels and confidence: uint8 [H, W]
    for entry in result.summary():
        print(f"{entry.name}: {entry.share:.1%} of the image, confidence {entry.mean_confidence:.2f}")

    picture = with_legend(overlay(image, result.labels, vocabulary), vocabulary, result.labels)
    cv2.imwrite(str(output), picture[..., ::-1])
    print(f"{output}: written after {result.inference_ms:.0f} ms in the model")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "segmented.jpg"))
