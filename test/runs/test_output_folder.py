"""The folder for the results: what is removed, and what is not."""

from pathlib import Path

import pytest

from ovseg_ros.runs.output_folder import OutputError, prepare


def test_a_new_folder_is_made_and_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/bin/ovseg", "replay", "bag"])
    prepare(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "run.txt").read_text(encoding="utf-8") == "ovseg replay bag\n"


def test_what_an_earlier_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    prepare(tmp_path / "out")
    for name in ("index.html", "metrics.json", "notes.txt"):
        (tmp_path / "out" / name).write_text("x", encoding="utf-8")
    for name in ("labelled", ".scratch_abc", "mine"):
        (tmp_path / "out" / name).mkdir()
    prepare(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mine", "notes.txt", "run.txt"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(OutputError, match="neither empty nor of an earlier run"):
        prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        prepare(tmp_path / "file" / "out")
