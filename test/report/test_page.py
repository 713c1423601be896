"""The page: what it says equals the run, sections without data are not there, nothing comes from outside."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ovseg_ros.metrics.agreement import ConfusionTable
from ovseg_ros.metrics.segmentation import BestThreshold
from ovseg_ros.report.page import Video, render, write_run
from ovseg_ros.runs.result_files import read_result
from ovseg_ros.runs.results import (
    CalibrationResult,
    CalibrationSample,
    CalibrationScores,
    FrameRates,
    GraphFigures,
    LogLikelihoods,
    Percentiles,
    RateSearch,
    Recovery,
    RunResult,
    ServiceTimes,
    VocabularyCall,
    VocabularyPhase,
)

from .stand_in_run import StandInRun, make_run

HOSTILE = '<script>alert("1")</script>'
ONLINE: dict[str, Any] = {
    "kind": "replay",
    "graph": GraphFigures(
        frames_in=7,
        frames_out=4,
        frames_dropped=3,
        rate=FrameRates(bag=10.0, sent=5.25, output=3.5),
        jitter_ms=12.0,
        service_ms=ServiceTimes(p50=3.0, max=9.0),
        sustainable_rate=4.5,
    ),
}


class Page(HTMLParser):
    """Headings, tiles, sources and whether every element is closed."""

    EMPTY = ("meta", "img", "link", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.tiles: dict[str, str] = {}
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self._texts: list[str] = []
        self._value = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.sources += [value for key, value in attrs if key in ("src", "href", "poster", "data", "action")]
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag in ("h2", "b"):
            self._texts = []

    def handle_data(self, data: str) -> None:
        self._texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "h2":
            self.headings.append("".join(self._texts))
        if tag == "b":
            self._value, self._texts = "".join(self._texts), []
        if tag == "span" and self._value:
            self.tiles["".join(self._texts).strip()] = self._value
            self._value = ""


@pytest.fixture
def run() -> StandInRun:
    return make_run()


def page_of(result: RunResult, **media: Any) -> Page:
    return Page(render(result, **media))


def test_an_offline_run_has_its_sections_and_nothing_of_the_graph(run: StandInRun) -> None:
    page = page_of(run.result, pictures=run.pictures[:2])
    assert page.headings == [
        "The words",
        "Intersection over union by class",
        "What is taken for what",
        "Is the confidence to be trusted?",
        "Frame by frame",
        "Frames",
        "How this was made",
    ]
    assert not {"frames sent", "frames dropped", "jitter", "input rate"} & page.tiles.keys()


def test_the_tiles_equal_the_metrics(run: StandInRun) -> None:
    metrics, tiles = run.metrics, page_of(run.result).tiles
    for label, share in (
        ("mean IoU", metrics.miou),
        ("pixel accuracy", metrics.pixel_accuracy),
        ("mean accuracy", metrics.mean_accuracy),
        ("frequency-weighted IoU", metrics.frequency_weighted_iou),
        ("boundary F", metrics.boundary_f),
        ("flicker", metrics.flicker),
        ("flicker along the motion", metrics.flicker_along_motion),
        ("unlabelled pixels", metrics.unlabelled_share),
        ("calibration error (ECE)", metrics.ece),
    ):
        assert tiles[label] == f"{100 * share:.1f} %", label
    assert tiles["Brier score"] == f"{metrics.brier:.3f}"
    assert tiles["best threshold"] == f"{metrics.best_threshold.threshold:.3f}"
    assert tiles["frames scored"] == "4"
    assert tiles["latency, 95th percentile"] == "103 ms"
    assert tiles["peak memory"] == "812 MB"


def test_an_online_run_tells_what_the_graph_showed(run: StandInRun) -> None:
    page = page_of(replace(run.result, **ONLINE))
    expected = {
        "frames sent": "7",
        "frames answered": "4",
        "frames dropped": "3",
        "input rate": "5.2 Hz",
        "output rate": "3.5 Hz",
        "jitter": "12 ms",
        "service reply, median": "3 ms",
        "highest sustainable rate": "4.5 Hz",
    }
    assert {label: page.tiles[label] for label in expected} == expected


@pytest.mark.parametrize(
    ("emptied", "heading"),
    [
        ({"phases": ()}, "The words"),
        ({"per_class_iou": {}}, "Intersection over union by class"),
        ({"confusion": None}, "What is taken for what"),
        ({"confusion": ConfusionTable((), (), ())}, "What is taken for what"),
        ({"reliability": ()}, "Is the confidence to be trusted?"),
        ({"per_frame": ()}, "Frame by frame"),
    ],
)
def test_a_section_without_data_does_not_appear(
    run: StandInRun, emptied: dict[str, Any], heading: str
) -> None:
    assert heading in page_of(run.result).headings
    [name] = emptied
    if hasattr(run.metrics, name):
        emptied = {"metrics": replace(run.metrics, **emptied)}
    assert heading not in page_of(replace(run.result, **emptied)).headings


def test_a_run_of_a_latency_alone_makes_a_page() -> None:
    page = page_of(RunResult(latency_ms=Percentiles(12.0)))
    assert page.tiles == {"latency, median": "12 ms"}
    assert page.headings == ["How this was made"]


def test_the_bars_are_the_iou_of_each_class_the_best_first(run: StandInRun) -> None:
    text = render(run.result)
    ious = sorted((iou for iou in run.metrics.per_class_iou.values() if iou is not None), reverse=True)
    assert re.findall(r"<span>([\d.]+)</span></div>\n", text) == [f"{100 * iou:.1f}" for iou in ious]
    assert re.findall(r'style="width: ([\d.]+)%"', text) == [f"{100 * iou:.1f}" for iou in ious]


def test_a_class_that_does_not_occur_has_a_dash(run: StandInRun) -> None:
    metrics = replace(run.metrics, per_class_iou={"road": 0.5, "unicorn": None})
    assert "<span>-</span>" in render(replace(run.result, metrics=metrics))


def test_two_vocabularies_have_a_bar_each(run: StandInRun) -> None:
    [phase] = run.result.phases
    metrics = replace(phase.metrics, per_class_iou={"road": 0.25})
    other = VocabularyPhase(2, ("street; road",), (), (), metrics)
    text = render(replace(run.result, phases=(phase, other)))
    assert text.count('class="phase-1" style="width') == 3
    assert text.count('class="phase-2" style="width: 25.0%"') == 1
    assert "street; road" in text
    assert "vocabulary 2" in text


def test_the_confusion_matrix_holds_the_counts(run: StandInRun) -> None:
    text = render(run.result)
    table = run.metrics.confusion
    row = table.counts[1]
    for said, count in zip(table.predicted, row, strict=True):
        title = f"sky as {said}: {100 * count / sum(row):.3g} % of its pixels ({count})"
        assert (title in text) == bool(count), title
    assert "other" not in re.findall(r">(background|unlabelled|other)</text>", text)


def test_frames_are_shown_as_they_are(run: StandInRun) -> None:
    picture = run.pictures[0]
    text = render(run.result, [picture])
    found = re.findall(r'src="data:image/(jpeg|png);base64,([^"]+)" alt="([^"]+) of frame 1"', text)
    assert [name for _, _, name in found] == ["image", "ground truth", "prediction", "confidence"]
    images = {
        name: cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        for _, data, name in found
    }
    palette = run.vocabulary.palette()
    assert np.array_equal(images["prediction"], palette[picture.labels])
    assert np.array_equal(images["ground truth"], palette[picture.truth])
    assert images["confidence"].shape == picture.image.shape
    assert f"frame 1, 100 ms, mean IoU {100 * picture.score.miou:.1f} %" in text


def test_a_frame_without_truth_and_confidence_has_two_panels(run: StandInRun) -> None:
    whole = run.pictures[0]
    bare = type(whole)(
        whole.title, whole.score, whole.vocabulary, whole.image, whole.labels[::2, ::2], None, None
    )
    text = render(run.result, [bare])
    assert re.findall(r'alt="([^"]+) of frame 1" width="24" height="16"', text) == ["image", "prediction"]


def test_nothing_comes_from_outside(run: StandInRun) -> None:
    poster = np.zeros((8, 16, 3), np.uint8)
    page = page_of(
        replace(run.result, **ONLINE), pictures=run.pictures, video=Video("overlay.webm", 10.0, poster)
    )
    assert [source for source in page.sources if not source.startswith("data:")] == ["overlay.webm"]
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
    text = render(run.result, run.pictures)
    assert not re.findall(r"https?://|@import|url\(", text)


def test_hostile_words_stay_words() -> None:
    run = make_run(names=("road", HOSTILE))
    texts: dict[str, Any] = {
        "model": HOSTILE,
        "bag": HOSTILE,
        "command": f"ovseg evaluate '{HOSTILE}'",
        "configuration": {HOSTILE: [HOSTILE]},
        "notes": (HOSTILE,),
        "set_vocabulary": VocabularyCall(1, 1.0, False, HOSTILE),
    }
    pictures = [
        type(p)(HOSTILE, p.score, p.vocabulary, p.image, p.labels, p.confidence, p.truth)
        for p in run.pictures
    ]
    text = render(replace(run.result, **texts), pictures, Video(f'"{HOSTILE}', 5.0))
    assert "<script" not in text
    assert '"1"' not in text
    assert "script" not in Page(text).tags
    assert text.count("&lt;script&gt;") > 20


def test_light_and_dark_and_narrow_are_provided_for(run: StandInRun) -> None:
    text = render(run.result)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    names = [set(re.findall(r"(--[a-z0-9-]+):", block)) for block in (light, dark)]
    assert names[0] - names[1] == {"--phase-0"}
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", text)) <= names[0]


def test_a_fit_of_the_confidence_has_a_diagram_of_its_own(run: StandInRun) -> None:
    before, after = CalibrationScores(ece=0.2, miou=0.5), CalibrationScores(ece=0.05, miou=0.5)
    sample, likelihoods = CalibrationSample(3, 100), LogLikelihoods(2.0, 1.0)
    bins = run.metrics.reliability
    fit = CalibrationResult(20.0, 0.5, 0.25, sample, likelihoods, before, after, bins)
    text = render(replace(run.result, calibration=fit))
    assert text.count('aria-label="reliability diagram"') == 2
    assert "temperature 0.5, threshold 0.250" in text
    assert "ECE 20.0 % before, 5.0 % after; mean IoU 50.0 % before, 50.0 % after" in text
    assert render(run.result).count('aria-label="reliability diagram"') == 1


@pytest.mark.parametrize(
    ("best", "said"),
    [
        (
            BestThreshold(0.25, 0.5),
            "A threshold of 0.250 gives the highest mean IoU on these frames, 50.0 %",
        ),
        (BestThreshold(0.0, 0.5), "No threshold on the confidence gives a higher mean IoU"),
        (BestThreshold(), None),
    ],
)
def test_the_best_threshold_is_told(run: StandInRun, best: BestThreshold, said: str | None) -> None:
    text = render(replace(run.result, metrics=replace(run.metrics, best_threshold=best)))
    assert said is None or said in text
    assert ("threshold of" in text or "No threshold" in text) == (said is not None)


def test_loops_rates_and_troubles_of_a_replay_are_told(run: StandInRun) -> None:
    graph = replace(
        ONLINE["graph"],
        rate_search=RateSearch(4.0, 5.0),
        recovery=Recovery(2, 1, Percentiles(321.0)),
        failure="the node ended with status 1",
    )
    replay = replace(run.result, kind="replay", graph=graph, interrupted=True, frames_left_out=2)
    text = render(replay)
    assert "At 4.0 frames a second fewer than 5 % were dropped, at 5.0 more" in text
    assert "played 3 times; after 1 of the 2 jumps" in text
    assert "The run was interrupted" in text
    assert "The run ended early: the node ended with status 1" in text
    assert "2 frames repeat the stamp" in text
    assert Page(text).tiles["first answer after a loop"] == "321 ms"


def test_how_it_was_made_is_told(run: StandInRun) -> None:
    text = render(replace(run.result, notes=("Every second frame.",)))
    assert "<pre>ovseg evaluate street --model tiny</pre>" in text
    assert "<dt>short_side</dt><dd>336</dd>" in text
    assert "<dt>machine</dt><dd>a small one</dd>" in text
    assert "Every second frame." in text
    assert "reconstruction" in text
    assert "reconstruction" not in render(replace(run.result, method="maskclip"))


def test_a_run_is_written_as_json_page_markdown_and_pictures(run: StandInRun, tmp_path: Path) -> None:
    write_run(tmp_path, run.result, run.pictures[:2])
    assert read_result(tmp_path / "metrics.json") == run.result
    assert (tmp_path / "index.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    links = re.findall(r"!\[.*\]\((.*)\)", (tmp_path / "report.md").read_text(encoding="utf-8"))
    assert links == ["pictures/frame_000001.jpg", "pictures/frame_000002.jpg"]
    strip = cv2.imread(str(tmp_path / links[0]))
    assert strip.shape == (16, 4 * 24 + 3 * 6, 3)
