"""One run of `ovseg bench`: what is timed, and the numbers of it."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from ovseg_ros.bench.floor import measure_rates, pass_flops
from ovseg_ros.bench.reference import Reference
from ovseg_ros.bench.rounds import Timed, time_in_turns
from ovseg_ros.bench.swap import measure_swap
from ovseg_ros.bench.ways import engine_way, random_classifier, random_images, reference_way
from ovseg_ros.clipseg import ClipModel, MethodConfig, ModelConfig, Segmenter, load_model


@dataclass(frozen=True)
class Setting:
    """One thing to time: `size` is height and width of the images."""

    method: str
    size: tuple[int, int]
    short_side: int
    classes: int
    batch: int


@dataclass(frozen=True)
class BenchOptions:
    """What to measure. The settings are every combination of methods, sizes, short sides, classes, batches.

    Attributes:
        rounds: runs of each setting after the warm-up.
        reference: time the reference too.
        swap: frames of each kind for the measurement of vocabulary changes; 0 leaves it out.
        threads: of torch on the CPU; 0 leaves torch's choice.
    """

    model: str = "ViT-B-16"
    weights: str = "openai"
    allow_download: bool = True
    device: str = "auto"
    precision: str = "auto"
    methods: tuple[str, ...] = ("clipseg",)
    sizes: tuple[tuple[int, int], ...] = ((480, 640),)
    short_sides: tuple[int, ...] = (336,)
    classes: tuple[int, ...] = (21,)
    batches: tuple[int, ...] = (1,)
    rounds: int = 10
    reference: bool = True
    swap: int = 0
    threads: int = 0

    @property
    def settings(self) -> list[Setting]:
        """Every combination; the first one is what the summary is about."""
        parts = (self.methods, self.sizes, self.short_sides, self.classes, self.batches)
        return [Setting(*combination) for combination in product(*parts)]


def run_bench(options: BenchOptions, step: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Measure, and give the numbers as ``--json`` writes them; `step` is called after each timed run.

    Raises:
        ModelError, OutOfMemory, DeviceLost: as loading and segmenting do.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    model = _load(options, packed=True)
    plain = _load(options, packed=False) if options.reference else None
    ways: list[tuple[str, Setting, Timed]] = []
    for setting in options.settings:
        segmenter = Segmenter(model, MethodConfig(name=setting.method, short_side=setting.short_side))
        classifier = random_classifier(segmenter, setting.classes)
        images = random_images(setting.batch, setting.size)
        ways.append(("ovseg", setting, engine_way(segmenter, classifier, images)))
        if plain is not None:
            reference = Reference(plain, segmenter.method, setting.short_side, segmenter.logit_scale)
            ways.append(("reference", setting, reference_way(reference, classifier, images)))
    time_in_turns([timed for _, _, timed in ways], options.rounds, model.device, step)
    first = options.settings[0]
    medians = {(name, setting): timed.percentile(50) for name, setting, timed in ways}
    result: dict[str, Any] = {
        "machine": _machine(model.device),
        "floor_ms": _floor_ms(model, first),
        "rows": [
            _row(name, setting, timed, model, plain)
            | {"ratio_to_singles": _ratio_to_singles(name, setting, medians)}
            for name, setting, timed in ways
        ],
        "ratio_to_reference": (
            medians["reference", first] / medians["ovseg", first] if plain is not None else None
        ),
    }
    if options.swap:
        segmenter = Segmenter(model, MethodConfig(name=first.method, short_side=first.short_side))
        swap = measure_swap(segmenter, random_images(1, first.size)[0], options.swap)
        result["vocabulary_swap"] = asdict(swap)
    return result


def timed_runs(options: BenchOptions) -> int:
    """How often `run_bench` calls its `step`."""
    return (1 + options.rounds) * len(options.settings) * (2 if options.reference else 1)


def _load(options: BenchOptions, packed: bool) -> ClipModel:
    config = ModelConfig(
        options.model, options.weights, options.allow_download, options.device, options.precision
    )
    return load_model(config, packed=packed)


def _row(
    name: str, setting: Setting, timed: Timed, model: ClipModel, plain: ClipModel | None
) -> dict[str, Any]:
    used = plain if name == "reference" and plain is not None else model
    return {
        "name": name,
        "method": setting.method,
        "device": str(used.device),
        "precision": str(used.dtype).removeprefix("torch."),
        "size": [setting.size[1], setting.size[0]],
        "short_side": setting.short_side,
        "classes": setting.classes,
        "batch": setting.batch,
        "p50_ms": timed.percentile(50),
        "p95_ms": timed.percentile(95),
        "p99_ms": timed.percentile(99),
        "peak_mb": timed.peak_mb,
        "stages_ms": timed.median_stages(),
    }


def _ratio_to_singles(
    name: str, setting: Setting, medians: Mapping[tuple[str, Setting], float]
) -> float | None:
    """Time of a batch by that of as many single images; None where those were not timed."""
    single = medians.get((name, replace(setting, batch=1)))
    return medians[name, setting] / (setting.batch * single) if single is not None else None


def _floor_ms(model: ClipModel, setting: Setting) -> float:
    """The least time of a setting by the machine's rates: all products, then image in and answer out."""
    method, (height, width) = model.method(setting.method), setting.size
    grid = (
        Segmenter(model, MethodConfig(short_side=setting.short_side), method=method).plan(height, width).grid
    )
    rates = measure_rates(model.device, model.dtype, model.backbone.width, grid[0] * grid[1] + 1)
    flops = pass_flops(model.backbone, method, grid, model.embedding, setting.classes)
    return rates.floor_ms(setting.batch * flops, setting.batch * 5 * height * width)


def _machine(device: torch.device) -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "torch": torch.__version__,
        "system": platform.platform(),
    }
