"""`ovseg models`: which models there are, whether they work here, and fetching their weights."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Json

app = typer.Typer(help="List, check and fetch models.")

RECOMMENDED = {
    "ViT-B-32": ("openai", "laion2b_s34b_b79k"),
    "ViT-B-16": ("openai", "laion2b_s34b_b88k", "datacomp_xl_s13b_b90k"),
    "ViT-L-14": ("openai", "laion2b_s32b_b82k", "datacomp_xl_s13b_b90k"),
    "ViT-L-14-336": ("openai",),
    "ViT-H-14": ("laion2b_s32b_b79k",),
}
"""Architectures and their open_clip tags, from fast to large; other ViTs with a class token work too."""

_Name = Annotated[str, typer.Argument(help="An open_clip architecture, a model that ships, or a folder.")]
_Weights = Annotated[
    str | None, typer.Option(help="Its open_clip tag, or a file; the recommended one if left out.")
]


@app.callback(invoke_without_command=True)
def models(context: typer.Context, json_file: Json = None) -> None:
    """List the models that ship and the recommended ones, and whether their weights are on this machine."""
    if context.invoked_subcommand is not None:
        return
    from ovseg_ros.clipseg import cached_weights, shipped_models

    table = Table("model", "weights", "where", caption_justify="left")
    found = [(name, "", str(folder), True) for name, folder in shipped_models().items()]
    found += [
        (name, tag, str(cached_weights(name, tag) or ""), False)
        for name, tags in RECOMMENDED.items()
        for tag in tags
    ]
    for name, tag, place, ships in found:
        where = "ships with ovseg_ros" if ships else "on this machine"
        table.add_row(name, tag, Text(f"{where}: {place}" if place else "not fetched"))
    keys = ("model", "weights", "path", "ships")
    console.write_json(json_file, [dict(zip(keys, entry, strict=True)) for entry in found])
    table.caption = "to fetch weights: ovseg models fetch MODEL --weights WEIGHTS"
    console.out.print(table)


@app.command()
def check(name: _Name, weights: _Weights = None, json_file: Json = None) -> None:
    """Load a model from this machine, and say what it is made of."""
    _describe(name, weights, json_file, allow_download=False)


@app.command()
def fetch(name: _Name, weights: _Weights = None, json_file: Json = None) -> None:
    """Download a model's weights into the local cache, and check that it loads."""
    _describe(name, weights, json_file, allow_download=True)


def _describe(name: str, weights: str | None, json_file: Path | None, *, allow_download: bool) -> None:
    from ovseg_ros.clipseg import ModelConfig, load_model

    tag = weights or RECOMMENDED.get(name, ("openai",))[0]
    with console.err.status(f"loading {name}"):
        model = load_model(ModelConfig(name, tag, allow_download, device="cpu", precision="float32"))
    backbone = model.backbone
    rows, columns = backbone.native_grid
    height, width = backbone.patch
    facts = {
        "model": model.name,
        "parameters": f"{model.parameters / 1e6:.1f} million",
        "blocks": f"{backbone.depth} of width {backbone.width}, {backbone.heads} heads",
        "patch": f"{height} x {width} pixels",
        "trained at": f"{rows * height} x {columns * width} pixels",
        "embedding": str(model.embedding),
    }
    table = Table(show_header=False)
    for what, value in facts.items():
        table.add_row(what, Text(value))
    console.out.print(table)
    console.write_json(json_file, {**facts, "parameters": model.parameters})
