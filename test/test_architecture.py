"""The rules of docs/architecture.md: imports run one way, a class name has one meaning, modules are short."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / "ovseg_ros"
GENERATED = ("msg", "srv")
MOST_LINES = 300

BASE = {"config", "errors", "paths"}
ENGINE = {"clipseg", "images", "vocabulary", *BASE}
MAY_IMPORT = {
    "errors": set(),
    "config": {"errors"},
    "paths": {"errors"},
    "vocabulary": BASE,
    "images": {"vocabulary", *BASE},
    "clipseg": ENGINE,
    "metrics": ENGINE,
    "recordings": {"images", "vocabulary", *BASE},
    "graph": {"recordings", "msg", "srv", *ENGINE},
    # Pages are made from the results of runs, and from nothing else of them.
    "report": {"runs.results", "runs.comparison", "runs.result_files", "recordings", "metrics", *ENGINE},
    "node": {"recordings", "msg", "srv", *ENGINE},
    "bench": ENGINE,
    "runs": {"recordings", "graph", "report", "metrics", *ENGINE},
    # The names of the node's parameters, to check a parameter file.
    "commands": {"runs", "bench", "recordings", "graph", "report", "metrics", "node.settings", *ENGINE},
    "cli": {"commands", *BASE},
}
"""What each room may import of the package: rooms, or single modules of a room."""

FREE_OF = {
    "vocabulary": {"torch", "rclpy", "rosbags"},
    "images": {"torch", "rclpy", "rosbags"},
    "metrics": {"rclpy"},
    "recordings": {"torch", "rclpy"},
    "clipseg": {"rclpy", "rosbags"},
    "report": {"torch", "rclpy"},
}
"""What may not be loaded when every module of a room is imported, directly or through others."""

NOT_IMPORTED_BY = {"node": {"torch", "open_clip", "rosbags"}, "clipseg": {"rclpy", "rosbags"}}
"""What no module of a room imports itself."""


def modules(*folders: Path) -> list[Path]:
    """The Python files of packages, without the generated ones."""
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    return [file for file in files if not _parts(file)[1:2] or _parts(file)[1] not in GENERATED]


def room_of(file: Path) -> str:
    """The folder or module directly within the package that a file belongs to."""
    return _parts(file)[1].removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    """Full names of the modules that a file imports anywhere; `from a import b` may be `a` or `a.b`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def listed(violations: list[str]) -> str:
    return "\n" + "\n".join(violations)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room: str) -> None:
    files = [file for file in modules(PACKAGE) if room_of(file) == room]
    allowed = {f"ovseg_ros.{name}" for name in (room, *MAY_IMPORT[room])}
    violations = [
        f"{file.relative_to(CHECKOUT)}: {name}"
        for file in files
        for name in imports(file)
        if name.startswith("ovseg_ros.") and not any(f"{name}.".startswith(f"{place}.") for place in allowed)
    ]

    assert files
    assert not violations, listed(violations)


def test_every_room_has_its_rule() -> None:
    assert {room_of(file) for file in modules(PACKAGE)} - {"__init__", "models"} == set(MAY_IMPORT)


def test_the_package_imports_nothing_beside_it() -> None:
    outside = ("training", "examples", "test")
    files = modules(PACKAGE)

    assert not [
        f"{file}: {name}" for file in files for name in imports(file) if name.split(".")[0] in outside
    ]


@pytest.mark.parametrize("room", NOT_IMPORTED_BY)
def test_a_room_leaves_libraries_to_others(room: str) -> None:
    violations = [
        f"{file.relative_to(CHECKOUT)}: {name}"
        for file in modules(PACKAGE / room)
        for name in imports(file)
        if name.split(".")[0] in NOT_IMPORTED_BY[room]
    ]

    assert not violations, listed(violations)


@pytest.mark.parametrize("room", FREE_OF)
def test_importing_a_room_loads_no_foreign_library(room: str) -> None:
    names = [
        ".".join(file.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
        for file in modules(PACKAGE / room)
    ]
    program = f"import sys, importlib\nfor name in {names}: importlib.import_module(name)\n"
    program += f"print(*sorted({FREE_OF[room]} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )

    assert result.stdout.split() == []


def test_a_class_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in modules(PACKAGE, CHECKOUT / "training"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(file.relative_to(CHECKOUT)))
    violations = [f"{name}: {', '.join(files)}" for name, files in places.items() if len(files) > 1]

    assert not violations, listed(violations)


def test_modules_stay_short() -> None:
    lengths = {
        str(file.relative_to(CHECKOUT)): len(file.read_text(encoding="utf-8").splitlines())
        for file in modules(PACKAGE, CHECKOUT / "training")
    }
    violations = [f"{file}: {length} lines" for file, length in lengths.items() if length > MOST_LINES]

    assert not violations, listed(violations)


def test_the_page_of_the_architecture_names_every_room() -> None:
    page = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)[/.]", page, re.MULTILINE))

    assert rows == set(MAY_IMPORT)


def _parts(file: Path) -> tuple[str, ...]:
    return file.relative_to(CHECKOUT).parts
