"""Axes and elements of the charts."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.report.charts import Axes, document, tag, ticks

values = st.floats(-1e6, 1e6)


@given(values, st.floats(1e-3, 1e6), st.integers(3, 8))
def test_ticks_are_few_round_and_within(low: float, width: float, most: int) -> None:
    high = low + width
    found = ticks(low, high, most)
    assert 1 <= len(found) <= most
    steps = {round((after - before) / width, 6) for before, after in pairwise(found)}
    assert len(steps) <= 1
    assert all(low - 1e-6 * width <= value <= high + 1e-6 * width for value in found)
    if len(found) > 1:
        step = found[1] - found[0]
        assert float(f"{step:.5e}".split("e")[0]) in (1.0, 2.0, 5.0)


@given(st.floats(0.1, 1e5))
def test_whole_ticks_have_no_fraction(high: float) -> None:
    assert all(value == int(value) for value in ticks(0.0, high, whole=True))


def test_an_axis_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="from 3 to 3"):
        ticks(3, 3)


def test_an_element_escapes_what_comes_in() -> None:
    hostile = '"><script>alert(1)</script>&'
    element = ElementTree.fromstring(
        tag("text", hostile, hostile, class_="name", x=1.23456, fill=hostile, y=None)
    )
    assert element.attrib == {"class": "name", "x": "1.23", "fill": hostile}
    assert element[0].tag == "title"
    assert element[0].text == element[0].tail == hostile


def test_data_lie_where_they_belong() -> None:
    axes = Axes((0.0, 10.0), (0.0, 1.0), 400.0, 250.0)
    left, bottom = axes.at(0, 0)
    right, top = axes.at(10, 1)
    assert axes.at(5, 0.5) == ((left + right) / 2, (top + bottom) / 2)
    assert 0 < left < right < 400
    assert 0 < top < bottom < 250
    axes.bar((0, 5), (0, 0.5), "count")
    [bar] = ElementTree.fromstring(axes.svg("a bar"))
    assert float(bar.attrib["height"]) == pytest.approx((bottom - top) / 2, abs=0.01)
    assert float(bar.attrib["width"]) == pytest.approx((right - left) / 2 - 1, abs=0.01)


def test_the_frame_has_labels_grid_and_ticks() -> None:
    axes = Axes((0.0, 10.0), (0.0, 1.0))
    axes.frame("time (s)", "share", x_ticks=[0, 5, 10], y_ticks=[0, 1])
    root = ElementTree.fromstring(axes.svg("shares"))
    assert root.attrib["aria-label"] == "shares"
    assert [text.text for text in root.iter("text")] == ["0", "1", "0", "5", "10", "time (s)", "share"]
    assert [line.attrib["class"] for line in root.iter("line")] == ["grid", "grid", "axis"]


def test_a_document_tells_what_it_shows() -> None:
    root = ElementTree.fromstring(document(10.0, 20.0, '<a "chart">', []))
    assert root.attrib["viewBox"] == "0 0 10 20"
    assert root.attrib["aria-label"] == '<a "chart">'
