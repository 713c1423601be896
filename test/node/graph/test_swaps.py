"""Vocabularies that change while frames flow, seen from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import Image

from ovseg_ros.msg import SegmentationSummary, Vocabulary

SWAPS = 25
KEPT = {0, 255}


def test_no_frame_mixes_two_vocabularies(segmenter: Any, probe: Any, wait_for: Callable[..., Any]) -> None:
    """Every mask holds ids of the revision in its summary only, and each was announced before."""
    kinds = pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    journal: list[Any] = []
    probe.collect(Vocabulary, "segmenter/vocabulary", latched=True, journal=journal)
    probe.collect(kinds.LabelInfo, "segmenter/label_info", latched=True, journal=journal)
    labels = probe.collect(Image, "segmenter/labels", journal=journal)
    summaries = probe.collect(SegmentationSummary, "segmenter/summary")
    ids_of: dict[int, set[int]] = {}
    with probe.feeding():
        wait_for(lambda: labels.messages, "labels")
        for number in range(SWAPS):
            words = [f"thing {number}", f"other {number}"] if number % 2 else [f"alone {number}"]
            vocabulary = probe.set_vocabulary(words).vocabulary
            ids_of[vocabulary.revision] = {entry.id for entry in vocabulary.classes}
            count = summaries.count
            wait_for(lambda count=count: summaries.count > count + 1, "another frame")
    assert len(set.union(*ids_of.values())) == sum(map(len, ids_of.values())), "every swap has its own ids"

    revision_of = {str(s.header.stamp): s.vocabulary_revision for s in summaries.messages}
    announced, shown = set(KEPT), set()
    checked = 0
    for message in journal:
        if isinstance(message, kinds.LabelInfo):
            announced |= {entry.class_id for entry in message.class_map}
        elif isinstance(message, Vocabulary):
            shown |= {entry.id for entry in message.classes}
        elif (revision := revision_of.get(str(message.header.stamp))) in ids_of:
            found = set(np.unique(np.frombuffer(message.data, np.uint8)).tolist()) - KEPT
            assert found
            assert found <= ids_of[revision]
            assert found <= announced, "a mask came before the label_info of its ids"
            assert found <= shown, "a mask came before the vocabulary of its ids"
            checked += 1
    assert checked >= SWAPS
    revisions = [s.vocabulary_revision for s in summaries.messages]
    assert revisions == sorted(revisions)
