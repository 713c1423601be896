"""Reports from the templates of this folder, HTML and Markdown; what comes in is escaped in both."""

from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from ovseg_ros.report import charts, pictures
from ovseg_ros.report import text as report_text
from ovseg_ros.report.figures import percent
from ovseg_ros.vocabulary import BACKGROUND_COLOR
from ovseg_ros.vocabulary.phrases import color_of

_GLOBALS = {
    "charts": charts,
    "drawn": pictures,
    "text": report_text,
    "percent": percent,
    "color_of": color_of,
    "background_color": BACKGROUND_COLOR,
}
_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_{}[]<>#|~!"} | {"\n": " ", "\r": " "}
)


def plain(text: object) -> str:
    """Text in which nothing is Markdown or HTML."""
    return text if isinstance(text, Markup) else str(text).translate(_SPECIAL).replace("&", "&amp;")


def table(header: Sequence[str], rows: Sequence[Sequence[object]], numbers: bool = True) -> Markup:
    """A Markdown table; the cells are plain text, all columns but the first to the right if `numbers`."""
    rule = ["---", *(["--:" if numbers else "---"] * (len(header) - 1))]
    lines = [[plain(cell) for cell in header], rule, *([plain(cell) for cell in row] for row in rows)]
    return Markup("\n".join(f"| {' | '.join(line)} |" for line in lines))


def code(text: str) -> Markup:
    """Text unchanged, in a Markdown block whose fence is longer than any within."""
    fence = "```"
    while fence in text:
        fence += "`"
    return Markup(f"{fence}\n{text}\n{fence}")


def from_template(name: str, **values: object) -> str:
    """A page of one of this folder's templates, `NAME.html.jinja` or `NAME.md.jinja`."""
    is_html = name.endswith(".html.jinja")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=is_html,
        finalize=None if is_html else plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals |= _GLOBALS | {"table": table, "code": code}
    return environment.get_template(name).render(values)
