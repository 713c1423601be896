"""From the package's own data to ROS messages. No node, no publisher in here."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from std_msgs.msg import ColorRGBA, Header

from ovseg_ros import msg
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary

TopicOf = Callable[[str], str]
"""From a class's slug to the full name of its confidence topic."""


def vocabulary_message(vocabulary: Vocabulary, stamp: Any, topic_of: TopicOf) -> msg.Vocabulary:
    """The vocabulary as `~/vocabulary` and the services tell it; `stamp` says when it came into force."""
    return msg.Vocabulary(
        header=Header(stamp=stamp),
        revision=vocabulary.revision,
        classes=[
            msg.VocabularyClass(
                id=cls.id,
                name=cls.name,
                synonyms=list(cls.synonyms),
                threshold=vocabulary.threshold_of(cls),
                cost=vocabulary.cost_of(cls),
                color=_color(cls.color),
                confidence_topic=topic_of(cls.slug),
            )
            for cls in vocabulary.classes
        ],
        background=list(vocabulary.background),
        threshold=vocabulary.threshold,
        has_costs=vocabulary.has_costs,
        default_cost=vocabulary.default_cost,
    )


def summary_message(
    segmentation: Any, header: Header, latency: float, topics: Mapping[int, str]
) -> msg.SegmentationSummary:
    """What one frame shows.

    `latency` is from its stamp, in seconds, NaN where unknown; `topics` has confidence topics by class id.
    """
    return msg.SegmentationSummary(
        header=header,
        vocabulary_revision=segmentation.vocabulary.revision,
        classes=[
            msg.ClassSummary(
                id=stats.id,
                name=stats.name,
                share=stats.share,
                mean_confidence=stats.mean_confidence,
                peak_confidence=stats.peak_confidence,
                confidence_topic=topics[stats.id],
            )
            for stats in segmentation.summary()
        ],
        unlabelled_share=segmentation.unlabelled_share,
        inference_ms=segmentation.inference_ms,
        latency_ms=latency * 1e3 if not math.isnan(latency) else math.nan,
    )


def label_info_message(vocabulary: Vocabulary, stamp: Any, kinds: Any) -> Any:
    """vision_msgs/LabelInfo with every value that a label can have; `kinds` is the module vision_msgs.msg."""
    names = {BACKGROUND_ID: "background", UNLABELLED_ID: "unlabelled"}
    names |= {cls.id: cls.name for cls in vocabulary.classes}
    return kinds.LabelInfo(
        header=Header(stamp=stamp),
        class_map=[
            kinds.VisionClass(class_id=number, class_name=name) for number, name in sorted(names.items())
        ],
        threshold=vocabulary.threshold,
    )


def _color(rgb: tuple[int, int, int]) -> ColorRGBA:
    red, green, blue = (value / 255 for value in rgb)
    return ColorRGBA(r=red, g=green, b=blue, a=1.0)
