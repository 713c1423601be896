from dataclasses import replace

import pytest

pytest.importorskip("diagnostic_msgs", reason="ROS 2 is not installed")

from diagnostic_msgs.msg import DiagnosticStatus

from ovseg_ros.node.diagnostics import CameraReport, build_status, judge
from ovseg_ros.node.lifecycle import NodePhase
from ovseg_ros.node.statistics import LatencyPercentiles, Snapshot

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)

FINE = Snapshot(output_rate=12.5, published=99, since_input=0.1)
ACTIVE = CameraReport(phase=NodePhase.ACTIVE, frames=FINE, image_topic="/camera", publishers=1)


def with_frames(**fields: object) -> CameraReport:
    return replace(ACTIVE, frames=replace(FINE, **fields))


@pytest.mark.parametrize(
    ("report", "level", "part"),
    [
        (ACTIVE, OK, "segmenting at 12.5 Hz"),
        (with_frames(idle=True), OK, "nobody subscribes"),
        (CameraReport(phase=NodePhase.UNCONFIGURED), STALE, "no model"),
        (CameraReport(phase=NodePhase.UNCONFIGURED, failure="no such folder /x"), ERROR, "no such folder /x"),
        (replace(ACTIVE, phase=NodePhase.INACTIVE), STALE, "inactive"),
        (with_frames(failing=True, last_error="it broke"), ERROR, "it broke"),
        (with_frames(since_error=1.0, last_error="it broke"), WARN, "a moment ago: it broke"),
        (with_frames(since_error=60.0, last_error="it broke"), OK, "segmenting"),
        (with_frames(since_rejection=1.0, last_rejection="step is 3"), WARN, "step is 3"),
        (with_frames(since_stamp_warning=1.0, last_stamp_warning="no stamp"), WARN, "no stamp"),
        (with_frames(since_input=float("inf")), WARN, "no image came yet on /camera"),
        (with_frames(since_input=4.0), WARN, "no image for 4.0 s on /camera"),
        (replace(with_frames(since_input=4.0), stale_after=5.0), OK, "segmenting"),
        (replace(with_frames(since_input=4.0), publishers=0), WARN, "nothing publishes images on /camera"),
        (
            replace(with_frames(since_input=4.0), qos_mismatches={"RELIABILITY": 1}),
            WARN,
            "QoS that does not fit: RELIABILITY",
        ),
        (replace(ACTIVE, qos_mismatches={"RELIABILITY": 1}), OK, "segmenting"),
        (replace(ACTIVE, clock_missing=True), WARN, "/clock"),
        (replace(ACTIVE, shortage="images go one by one"), WARN, "memory: images go one by one"),
        (replace(ACTIVE, failure="words could not be encoded"), WARN, "words could not be encoded"),
    ],
)
def test_the_most_severe_condition_is_reported(report: CameraReport, level: bytes, part: str) -> None:
    found, message = judge(report)
    assert found == level
    assert part in message


def test_the_status_holds_all_the_contract_asks_for() -> None:
    report = replace(
        with_frames(
            input_rate=30.0,
            rejected={"zero_size": 2, "data_size": 1},
            errors=3,
            stamp_warnings={"stamp_zero": 4},
            latency=LatencyPercentiles(10.0, 20.0, 30.0),
            last_error="it broke",
        ),
        received=120,
        dropped=7,
        engine={"model": "tiny", "device": "cpu", "short_side": "64"},
        vocabulary_revision=5,
        classes=3,
        qos_mismatches={"RELIABILITY": 1},
    )
    status = build_status("/front/segmenter", report)
    assert status.name == "front/segmenter: segmentation"
    assert status.hardware_id == "cpu/tiny"
    values = {pair.key: pair.value for pair in status.values}
    assert len(values) == len(status.values)
    expected = {
        "state": "active",
        "input rate (Hz)": "30.00",
        "output rate (Hz)": "12.50",
        "frames received": "120",
        "frames dropped": "7",
        "frames rejected": "3",
        "rejected: zero_size": "2",
        "rejected: data_size": "1",
        "frames failed": "3",
        "stamp warning: stamp_zero": "4",
        "qos mismatch: RELIABILITY": "1",
        "latency p50 (ms)": "10.0",
        "latency p95 (ms)": "20.0",
        "latency p99 (ms)": "30.0",
        "processing p50 (ms)": "nan",
        "device": "cpu",
        "model": "tiny",
        "vocabulary revision": "5",
        "vocabulary classes": "3",
        "last error": "it broke",
    }
    assert {key: values.get(key) for key in expected} == expected


def test_each_camera_has_a_status_of_its_own() -> None:
    reports = [replace(ACTIVE, camera="front"), replace(with_frames(failing=True), camera="rear")]
    front, rear = (build_status("/segmenter", report) for report in reports)
    assert (front.name, front.level) == ("segmenter: segmentation front", OK)
    assert (rear.name, rear.level) == ("segmenter: segmentation rear", ERROR)
