"""Markdown whose tables parse, and in which no name becomes markup."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.metrics.segmentation import SegmentationMetrics
from ovseg_ros.report.figures import percent
from ovseg_ros.report.page import comparison_as_markdown, run_as_markdown
from ovseg_ros.report.side_by_side import NamedRun, put_side_by_side
from ovseg_ros.report.templates import code, plain, table
from ovseg_ros.runs.results import Percentiles, RunResult

from .stand_in_run import make_run


def parse_tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text, their cells unescaped, checked to be rectangular with a rule below the
    header."""
    found = []
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        rows = [
            [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in block.strip().split("\n")
        ]
        assert len({len(row) for row in rows}) == 1
        assert all(re.fullmatch("-{3}|-{2,3}:", cell) for cell in rows[1])
        found.append([rows[0], *rows[2:]])
    return found


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8), min_size=2, max_size=2)
    )
)
def test_cells_come_back_whatever_they_hold(rows: list[list[str]]) -> None:
    [parsed] = parse_tables(table(("a", "b"), rows))
    assert [[cell.replace("&amp;", "&") for cell in row] for row in parsed[1:]] == rows


def test_plain_text_has_no_markup() -> None:
    assert plain("<b>*x*</b>\n# [y](z) | `w`") == r"\<b\>\*x\*\</b\> \# \[y\](z) \| \`w\`"


@pytest.mark.parametrize("text", ["ovseg demo", "a ``` b", "````"])
def test_code_stands_within_its_fence(text: str) -> None:
    fence, inside, end = code(text).split("\n")
    assert fence == end
    assert inside == text
    assert fence not in text


def test_a_run_in_tables() -> None:
    run = make_run()
    text = run_as_markdown(run.result, [("pictures/frame_000001.jpg", "Among the best: frame 1")])
    tables = parse_tables(text)
    by_header = {tuple(rows[0]): rows[1:] for rows in tables}
    figures = dict(row for rows in tables if rows[0] == ["figure", "value"] for row in rows[1:])
    assert figures["mean IoU"] == percent(run.metrics.miou)
    assert figures["latency, median"] == "102 ms"
    assert by_header["class", "IoU", "boundary F"] == [
        [name, percent(iou), percent(run.metrics.per_class_boundary_f[name])]
        for name, iou in run.metrics.per_class_iou.items()
    ]
    bins = by_header["confidence", "pixels", "mean confidence", "accuracy"]
    assert sum(int(row[1]) for row in bins) == sum(found.pixels for found in run.metrics.reliability)
    assert ["short_side", "336"] in by_header["setting", "value"]
    assert "![Among the best: frame 1](pictures/frame_000001.jpg)" in text
    assert "```\novseg evaluate street --model tiny\n```" in text
    assert "of its pixels" in text


def test_sections_without_data_do_not_appear() -> None:
    text = run_as_markdown(RunResult(latency_ms=Percentiles(3.0)))
    assert re.findall("^## (.*)", text, re.MULTILINE) == ["Speed", "How this was made"]


def test_two_vocabularies_have_a_column_each() -> None:
    run = make_run()
    [phase] = run.result.phases
    other = replace(phase, revision=2, metrics=SegmentationMetrics(per_class_iou={"road": 0.25}))
    text = run_as_markdown(replace(run.result, phases=(phase, other)))
    [ious] = [rows for rows in parse_tables(text) if rows[0][0] == "class"]
    assert ious[0] == ["class", "IoU", "vocabulary 1", "vocabulary 2", "boundary F"]
    assert [row[3] for row in ious[1:]] == ["25.0 %", "-", "-"]


def test_a_comparison_in_tables() -> None:
    runs = [NamedRun("one | two", make_run(0).result), NamedRun("b", make_run(1).result)]
    tables = parse_tables(comparison_as_markdown(put_side_by_side(runs)))
    assert tables[0][0] == ["", "one | two", "b"]
    first, second = (run.result.metrics.miou for run in runs)
    assert tables[0][1] == [
        "mean IoU", percent(first), f"{percent(second)} ({100 * (second - first):+.1f} points)"
    ]  # fmt: skip


def test_file_names_of_pictures_are_those_written(tmp_path: Path) -> None:
    text = run_as_markdown(RunResult(), [("pictures/a.jpg", "a [caption]")])
    assert r"![a \[caption\]](pictures/a.jpg)" in text
