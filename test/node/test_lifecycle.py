from ovseg_ros.node.lifecycle import Throttle


def test_the_first_line_passes_and_the_rest_is_counted() -> None:
    now = [100.0]
    throttle = Throttle(period=5.0, clock=lambda: now[0])
    assert throttle("size", "too large") == "too large"
    for step in range(3):
        now[0] = 101.0 + step
        assert throttle("size", "too large") is None
    assert throttle("step", "too small") == "too small", "kinds do not silence each other"
    now[0] = 105.0
    assert throttle("size", "too large") == "too large (3 more like this before)"
    now[0] = 200.0
    assert throttle("size", "too large") == "too large"
