"""`ovseg`: the command line. The sub-commands are in `ovseg_ros.commands`; this file only wires them."""

from typing import Annotated, Any
from xml.etree import ElementTree

import typer
from typer.core import TyperGroup

from ovseg_ros.commands import bag, console, models
from ovseg_ros.commands.bench import bench
from ovseg_ros.commands.compare import compare
from ovseg_ros.commands.demo import demo
from ovseg_ros.commands.evaluate import evaluate
from ovseg_ros.commands.generate import Command
from ovseg_ros.commands.replay import replay
from ovseg_ros.commands.report import report
from ovseg_ros.commands.segment import segment
from ovseg_ros.config import ConfigError
from ovseg_ros.errors import OvsegError
from ovseg_ros.paths import share_directory


class _Commands(TyperGroup):
    """Turns the errors that a user can mend into one line and an exit status."""

    def invoke(self, ctx: Any) -> Any:  # click or the copy of it inside typer, by version
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `ovseg ... | head`: typer ends quietly
            raise
        except (OvsegError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            console.error(error)
            # Options that contradict each other are wrong usage, wherever that comes to light.
            raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None
        except KeyboardInterrupt:
            console.error("interrupted")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="ovseg",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Open-vocabulary segmentation: label every pixel with the words you give.",
)
for command in (segment, bench, compare, demo, evaluate, replay, report):
    app.command(cls=Command)(command)
app.add_typer(bag.app, name="bag")
app.add_typer(models.app, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        manifest = ElementTree.parse(share_directory() / "package.xml")
        console.say(f"ovseg_ros {manifest.findtext('version')}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the program an error arose.")] = False,
) -> None:
    """Options of all commands; `main` and the group act on them."""


def main() -> None:
    """Entry point of `ovseg`."""
    app(prog_name="ovseg")
