"""The pages of the documentation: their commands and their links are right."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main

from ovseg_ros import cli

CHECKOUT = Path(__file__).parents[1]
PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((CHECKOUT / "docs").glob("*.md")),
    *sorted((CHECKOUT / "ovseg_ros" / "models").glob("*/README.md")),
]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every `ovseg`, `scripts/demo` and `python -m training` command of a page."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = re.compile(r"^ *```.*?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    blocks, prose = "\n".join(fenced.findall(text)), fenced.sub("", text)
    lines = [*blocks.splitlines(), *(" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))]
    for line in map(str.strip, lines):
        if re.match(r"(ovseg|scripts/demo|python -m training\.\w+) ", line):
            yield shlex.split(line, comments=True)


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """What a command line starts, and its arguments."""
    if words[0] == "python":
        module = importlib.import_module(words[2])
        app = typer.Typer()
        app.command()(module.main)
        return typer.main.get_command(app), words[3:]  # type: ignore[return-value]
    found = typer.main.get_command(cli.app)
    rest = ["demo", *words[1:]] if words[0] == "scripts/demo" else words[1:]
    while hasattr(found, "commands") and rest and not rest[0].startswith("--"):
        found, rest = found.commands[rest[0]], rest[1:]
    return found, rest  # type: ignore[return-value]


ALL_COMMANDS = [(page.name, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize(
    ("page", "words"),
    ALL_COMMANDS,
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:60],
)
def test_a_command_has_the_options_that_it_is_given(page: str, words: list[str]) -> None:
    command, arguments = command_of(words)
    known = {"--help"} | {
        name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
    }

    assert {word for word in arguments if word.startswith("--")} <= known


def test_there_are_commands_to_check() -> None:
    assert {words[1] for _, words in ALL_COMMANDS if words[0] == "ovseg"} >= {
        *("segment", "evaluate", "replay", "compare", "bench", "bag", "models", "report"),
    }


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    broken = []
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    names = re.findall(
        r"`([\w./-]+/[\w-]+\.(?:py|yaml|cpp|json|md|msg|srv))`", page.read_text(encoding="utf-8")
    )
    written = ("out/", "RUN/")  # what commands write

    assert not [
        name
        for name in names
        if not name.startswith(written)
        and not (CHECKOUT / name).is_file()
        and not (CHECKOUT / "ovseg_ros" / name).is_file()
    ]
