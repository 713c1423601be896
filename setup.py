"""What pip needs beyond pyproject.toml: the ROS 2 interfaces, and the files that ROS 2 looks for.

`pip install .` runs the same CMakeLists.txt as colcon, installs into a staging folder, and takes from there

- the generated Python modules, into the package `ovseg_ros`;
- the libraries, the ament index entry, `share/ovseg_ros/` and `lib/ovseg_ros/`, under the prefix.

An editable install (`pip install -e .`) puts the generated modules beside the sources, where git ignores
them, just as compiled extensions are built in place: an edited source file counts at once, and any way of
starting Python in the checkout finds sources and interfaces together.
"""

import shutil
import sys
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Distribution, setup
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
PACKAGE = "ovseg_ros"
KINDS = ("msg", "srv")
MODULES = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")

sys.path.insert(0, str(ROOT / "cmake"))
from build_package import BuildError, build_package  # noqa: E402


class Build(build):
    """The usual build, and the interfaces."""

    sub_commands: ClassVar = [*build.sub_commands, ("build_interfaces", None)]

    def run(self) -> None:
        # Modules deleted since the last build would otherwise be installed from the old build folder.
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class BuildInterfaces(Command):
    """Builds the interfaces and places what came of it; setuptools sets the attributes."""

    description = "build the ROS 2 interfaces"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = []
    editable_mode = False
    build_lib: str | None = None

    def initialize_options(self) -> None:
        self.build_lib = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def run(self) -> None:
        stage = self._build()
        target = ROOT if self.editable_mode else Path(str(self.build_lib))
        _place_modules(stage / MODULES / PACKAGE, target / PACKAGE)
        self.distribution.data_files[:] = _files_under_prefix(stage)
        if self.editable_mode:
            # An ordinary installation runs this command by itself.
            self.run_command("install_data")

    def _build(self) -> Path:
        folder = ROOT / "build" / f"interfaces-{sys.implementation.cache_tag}"
        stage = folder / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        options = [f"-DPYTHON_INSTALL_DIR={MODULES}", "-DOVSEG_INSTALL_PYTHON_SOURCES=OFF"]
        try:
            build_package(ROOT, folder / "cmake", stage, options)
        except BuildError as error:
            sys.exit(f"error: {error}")
        return stage

    # The rest of what setuptools asks of a build step.

    def get_source_files(self) -> list[str]:
        return [str(path.relative_to(ROOT)) for kind in (*KINDS, "src") for path in (ROOT / kind).iterdir()]

    def get_outputs(self) -> list[str]:
        return []

    def get_output_mapping(self) -> dict[str, str]:
        return {}


class BinaryDistribution(Distribution):
    """Tells setuptools that the wheel holds compiled code, which the interfaces are."""

    def has_ext_modules(self) -> bool:
        return True


def _place_modules(generated: Path, package: Path) -> None:
    """Bring the generated modules in `package` up to date; unchanged files, maybe in use, are not touched."""
    modules = [*generated.glob("*.so"), *(file for kind in KINDS for file in (generated / kind).glob("*.py"))]
    wanted = {package / module.relative_to(generated): module for module in modules}
    present = [*package.glob("*.so"), *(file for kind in KINDS for file in (package / kind).glob("*.py"))]
    for file in set(present) - set(wanted):
        file.unlink()
    for file, module in wanted.items():
        if not file.is_file() or file.read_bytes() != module.read_bytes():
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_suffix(".fresh")
            shutil.copy2(module, fresh)
            fresh.replace(file)


def _files_under_prefix(stage: Path) -> list[tuple[str, list[str]]]:
    """All staged files but the Python modules: (folder below the prefix, files relative to the checkout)."""
    folders: dict[str, list[str]] = {}
    for path in sorted(stage.rglob("*")):
        place = path.relative_to(stage)
        if path.is_file() and not place.is_relative_to(MODULES):
            folders.setdefault(str(place.parent), []).append(str(path.relative_to(ROOT)))
    return list(folders.items())


setup(
    cmdclass={"build": Build, "build_interfaces": BuildInterfaces},
    distclass=BinaryDistribution,
    data_files=[],
)
