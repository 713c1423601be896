"""The layout for Foxglove: well-formed, and with the topics that we write."""

import json
from typing import Any

from ovseg_ros.paths import share_directory
from ovseg_ros.recordings.bag import TRUTH_TOPIC
from ovseg_ros.recordings.file_sources import COMPRESSED_TOPIC
from ovseg_ros.recordings.messages import CONFIDENCE_TOPIC, LABELS_TOPIC, OVERLAY_TOPIC


def panels(layout: Any) -> list[str]:
    """The panel names of a layout tree."""
    if isinstance(layout, str):
        return [layout]
    return panels(layout["first"]) + panels(layout["second"])


def test_every_panel_is_placed_once_and_has_its_settings() -> None:
    content = json.loads((share_directory() / "config" / "foxglove_layout.json").read_text(encoding="utf-8"))
    settings = content["configById"]
    placed = panels(content["layout"])
    for name in [name for name in placed if name.startswith("Tab!")]:
        placed += [panel for tab in settings[name]["tabs"] for panel in panels(tab["layout"])]
    assert sorted(placed) == sorted(settings)


def test_the_recorded_tab_shows_what_the_labelled_bag_holds() -> None:
    content = json.loads((share_directory() / "config" / "foxglove_layout.json").read_text(encoding="utf-8"))
    settings = content["configById"]
    recorded = panels(settings["Tab!ovseg"]["tabs"][0]["layout"])
    topics = {settings[panel]["imageMode"]["imageTopic"] for panel in recorded}
    assert topics == {COMPRESSED_TOPIC, TRUTH_TOPIC, OVERLAY_TOPIC, LABELS_TOPIC, CONFIDENCE_TOPIC}
