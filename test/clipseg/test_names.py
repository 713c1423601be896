import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ovseg_ros.clipseg


def test_every_public_name_is_found() -> None:
    """Those that the type checker sees are those that are imported on use."""
    module = ovseg_ros.clipseg
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    named = {
        alias.asname or alias.name
        for node in ast.walk(checked)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert named
    for name in named:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018


@pytest.mark.parametrize("module", ["ovseg_ros.clipseg.config", "ovseg_ros.bench.config", "ovseg_ros.images"])
def test_configurations_need_no_torch(module: str) -> None:
    program = f"import sys, {module}; print('torch' in sys.modules, 'cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
