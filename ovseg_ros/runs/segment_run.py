"""The work of `ovseg segment`: every frame of every source through the segmenter and into files."""

from collections.abc import Callable, Sequence
from functools import partial

from ovseg_ros.clipseg import Classifier, DeviceLost, Segmenter
from ovseg_ros.commands import console
from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.inputs import Source
from ovseg_ros.runs.segment_outputs import OutputOptions, open_writer
from ovseg_ros.runs.tally import Tally

_SHOWN_FAILURES = 10


def segment_all(
    sources: Sequence[Source],
    segmenter: Segmenter,
    classifier: Classifier,
    options: OutputOptions,
    results: list[tuple[Source, Tally]],
) -> None:
    """Segment every source and append its tally to `results` as the work goes.

    What fails is said, counted and left behind; only a lost device ends the work. Raises OSError where a
    result cannot be written.
    """
    with console.progress_bar("frames") as progress:
        advance = partial(progress.advance, progress.add_task("segmenting", total=_count(sources)))
        for source in sources:
            tally = Tally()
            results.append((source, tally))
            try:
                _segment_source(source, segmenter, classifier, options, tally, advance)
            except OvsegError as error:
                _failed(source, tally, str(error))
                if isinstance(error, DeviceLost):
                    return
            if len(tally.failures) > _SHOWN_FAILURES:
                console.warning(f"{source.path}: {len(tally.failures) - _SHOWN_FAILURES} more frames failed")


def _segment_source(
    source: Source,
    segmenter: Segmenter,
    classifier: Classifier,
    options: OutputOptions,
    tally: Tally,
    advance: Callable[[], None],
) -> None:
    with open_writer(source, options) as writer:
        for frame in source.frames():
            try:
                image = frame.read()
                segmentation = segmenter.segment(image, classifier)
            except DeviceLost:
                raise
            except OvsegError as error:
                _failed(
                    source, tally, f"frame {frame.index}: {error}" if source.kind == "bag" else str(error)
                )
            else:
                writer.write(frame, image, segmentation)
                tally.add(segmentation)
            advance()


def _failed(source: Source, tally: Tally, reason: str) -> None:
    if str(source.path) not in reason:
        reason = f"{source.path}: {reason}"
    tally.failures.append(reason)
    if len(tally.failures) <= _SHOWN_FAILURES:
        console.warning(reason)


def _count(sources: Sequence[Source]) -> int:
    """Frames that the progress bar is to expect; what cannot be opened fails later and counts as one."""
    total = 0
    for source in sources:
        try:
            total += source.count()
        except OvsegError:
            total += 1
    return total
