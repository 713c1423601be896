"""One run of `ovseg bench`: what is timed, and the numbers of it."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ovseg_ros.bench.config import BenchConfig, BenchSetting
from ovseg_ros.bench.pipelines import engine_pipeline, random_classifier, random_images, reference_pipeline
from ovseg_ros.bench.roofline import measure_rates, pass_flops
from ovseg_ros.bench.timing import TimedPipeline, VocabularySwap, measure_swap, time_in_turns
from ovseg_ros.clipseg import ClipModel, EngineConfig, Segmenter, load_model
from ovseg_ros.clipseg.model import RANDOM
from ovseg_ros.clipseg.resolution import plan_windows

ENGINE, REFERENCE = "ovseg", "reference"


@dataclass(frozen=True)
class Machine:
    """Where it was measured; `gpu` is None on a CPU."""

    cpu: str
    cores: int | None
    threads: int
    gpu: str | None
    torch: str
    system: str


@dataclass(frozen=True)
class BenchRow:
    """One setting by one pipeline.

    Attributes:
        name: of the pipeline, ovseg or reference.
        size: width and height of the images.
        p50_ms, p95_ms, p99_ms: of the whole batch, image bytes to label bytes.
        peak_mb: the most memory during a run; None where the system does not report it.
        stages_ms: medians of the engine's parts.
        stream_ms: median time of an image where images follow each other; None where that is not apart.
        ratio_to_singles: time of a batch by that of as many single images; None where those were not timed.
    """

    name: str
    method: str
    device: str
    precision: str
    size: tuple[int, int]
    short_side: int
    classes: int
    batch: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    peak_mb: float | None
    stages_ms: dict[str, float]
    stream_ms: float | None
    ratio_to_singles: float | None


@dataclass(frozen=True)
class BenchResult:
    """The numbers of a run, as ``--json`` writes them.

    Attributes:
        roofline_ms: time of the first setting by the machine's own rates.
        rows: settings in order, each by the engine and, where it was asked for, by the reference.
        ratio_to_reference: how many times faster the engine is in the first setting.
        vocabulary_swap: what changes of vocabulary cost; None where it was not measured.
    """

    machine: Machine
    roofline_ms: float
    rows: list[BenchRow]
    ratio_to_reference: float | None
    vocabulary_swap: VocabularySwap | None


def run_bench(
    engine: EngineConfig, config: BenchConfig, step: Callable[[], None] = lambda: None
) -> BenchResult:
    """Measure; `step` is called after each timed run (`BenchConfig.timed_runs`).

    Raises:
        ModelError, OutOfMemory, DeviceLost: as loading and segmenting do.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    chosen = replace(engine.model, weights=RANDOM) if config.random else engine.model
    model = load_model(chosen)
    plain = load_model(chosen, packed=False) if config.reference else None
    timed: dict[tuple[str, BenchSetting], TimedPipeline] = {}
    settings = config.settings(engine)
    for setting in settings:
        segmenter = Segmenter(model, setting.method, templates=engine.vocabulary.templates)
        classifier = random_classifier(segmenter, setting.classes)
        images = random_images(setting.batch, setting.size)
        timed[ENGINE, setting] = engine_pipeline(segmenter, classifier, images, engine.output)
        if plain is not None:
            timed[REFERENCE, setting] = reference_pipeline(plain, segmenter, classifier, images)
    time_in_turns(list(timed.values()), config.rounds, model.device, step)
    medians = {key: pipeline.percentile(50) for key, pipeline in timed.items()}
    first, swap = settings[0], None
    if config.swap:
        segmenter = Segmenter(model, first.method, templates=engine.vocabulary.templates)
        swap = measure_swap(segmenter, random_images(1, first.size)[0], config.swap)
    return BenchResult(
        machine=_machine(model.device),
        roofline_ms=_roofline_ms(model, first),
        rows=[
            _row(name, setting, pipeline, plain if name == REFERENCE and plain else model, medians)
            for (name, setting), pipeline in timed.items()
        ],
        ratio_to_reference=medians[REFERENCE, first] / medians[ENGINE, first] if config.reference else None,
        vocabulary_swap=swap,
    )


def _row(
    name: str,
    setting: BenchSetting,
    timed: TimedPipeline,
    model: ClipModel,
    medians: Mapping[tuple[str, BenchSetting], float],
) -> BenchRow:
    single = medians.get((name, replace(setting, batch=1)))
    return BenchRow(
        name=name,
        method=setting.method.name,
        device=str(model.device),
        precision=str(model.dtype).removeprefix("torch."),
        size=(setting.size[1], setting.size[0]),
        short_side=setting.method.short_side,
        classes=setting.classes,
        batch=setting.batch,
        p50_ms=timed.percentile(50),
        p95_ms=timed.percentile(95),
        p99_ms=timed.percentile(99),
        peak_mb=timed.peak_mb,
        stages_ms=timed.median_stages(),
        stream_ms=float(np.median(timed.stream_ms)) if timed.stream_ms else None,
        ratio_to_singles=medians[name, setting] / (setting.batch * single) if single is not None else None,
    )


def _roofline_ms(model: ClipModel, setting: BenchSetting) -> float:
    """The least time of a setting by the machine's rates: all products, then image in and labels out."""
    segmenter, (height, width) = Segmenter(model, setting.method), setting.size
    grid, passes = segmenter.plan(height, width).grid, 1
    if setting.method.window:
        patch, config = model.backbone.patch, setting.method
        windows = plan_windows(grid, patch, config.window, config.stride)
        grid, passes = windows.shape, len(windows.corners)
    rates = measure_rates(model.device, model.dtype, model.backbone.width, grid[0] * grid[1] + 1)
    flops = passes * pass_flops(model.backbone, segmenter.method, grid, model.embedding, setting.classes)
    return rates.bound_ms(setting.batch * flops, setting.batch * 5 * height * width)


def _machine(device: torch.device) -> Machine:
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return Machine(
        cpu=name,
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        gpu=torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        torch=torch.__version__,
        system=platform.platform(),
    )
