import array
import math
from typing import Any

import pytest

from ovseg_ros.config import ConfigError, from_values, options_of, values_of
from ovseg_ros.node.settings import Settings

OPTIONS = options_of(Settings)


def test_defaults_pass_their_own_checks() -> None:
    assert from_values(Settings, values_of(Settings())) == Settings()
    assert set(values_of(Settings())) == set(OPTIONS)


def test_values_reach_their_place() -> None:
    settings = from_values(
        Settings,
        {
            "model.name": "ViT-L-14",
            "vocabulary.classes": ("a", "b"),
            "autostart": False,
            "method.short_side": 448,
        },
    )
    assert settings.model.name == "ViT-L-14"
    assert settings.vocabulary.classes == ("a", "b")
    assert settings.method.short_side == 448
    assert not settings.autostart
    assert settings.output == Settings().output


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("vocabulary.threshold", 0, 0.0),
        ("method.logit_scale", 100, 100.0),
        ("vocabulary.classes", array.array("q"), ()),
        ("vocabulary.background", [], ()),
        ("input.stale_after", 0.1, 0.1),
        ("method.short_side", 2048, 2048),
    ],
)
def test_what_is_meant_is_taken(name: str, value: Any, expected: Any) -> None:
    checked = OPTIONS[name].checked(value)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("output.size", "huge", "one of input, model"),
        ("output.size", 3, "one of input, model"),
        ("output.overlay_alpha", 1.01, "a number from 0 to 1"),
        ("output.overlay_alpha", math.nan, "a number from 0 to 1"),
        ("output.overlay_alpha", -math.inf, "a number from 0 to 1"),
        ("output.overlay_alpha", True, "a number from 0 to 1"),
        ("output.overlay_alpha", "0.5", "a number from 0 to 1"),
        ("method.short_side", 31, "a whole number from 32 to 2048"),
        ("method.short_side", 64.0, "a whole number from 32 to 2048"),
        ("method.short_side", True, "a whole number from 32 to 2048"),
        ("autostart", 1, "true or false"),
        ("model.name", None, "a string"),
        ("vocabulary.classes", "road", "a list of strings"),
        ("vocabulary.classes", ["road", 3], "a list of strings"),
        ("vocabulary.classes", 3, "a list of strings"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_values(Settings, {name: value})
    assert str(caught.value) == f"{name} must be {allowed}; got {value!r}"


def test_only_what_can_change_may_change() -> None:
    changes = {name: option.changes for name, option in OPTIONS.items()}
    assert all(changes[name] == "unconfigured" for name in changes if name.startswith("model."))
    assert changes["input.transport"] == changes["input.reliability"] == "inactive"
    assert changes["autostart"] == "never"
    assert changes["cameras"] == "unconfigured"
    anytime = ("vocabulary.", "method.", "output.")
    assert all(changes[name] == "always" for name in changes if name.startswith(anytime))


@pytest.mark.parametrize("names", [(), ("front",), ("front", "Front", "_rear2", "labels", "x" * 64)])
def test_names_that_cameras_may_have(names: tuple[str, ...]) -> None:
    settings = from_values(Settings, {"cameras": names})
    assert settings.cameras == names
    assert settings.camera_names == (names or ("",))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("front", "2nd"), "entry 2, '2nd', is no part of a ROS name"),
        (("front/left",), "entry 1, 'front/left', is no part"),
        (("front", "rear", ""), "entry 3, '', is no part"),
        (("left eye",), "entry 1, 'left eye', is no part"),
        (("vorn\u00e9",), "entry 1"),
        (("front\n",), "entry 1"),
        (("x" * 65,), "at most 64"),
        (("front", "rear", "front"), "entry 3, 'front', is there twice"),
    ],
)
def test_names_that_cameras_may_not_have(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=r"^cameras: ") as caught:
        from_values(Settings, {"cameras": names})
    assert said in str(caught.value)
