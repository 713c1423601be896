"""Where the files that ship with the package lie, however it was installed."""

import sys
from contextlib import suppress
from pathlib import Path

from ovseg_ros.errors import OvsegError


def share_directory() -> Path:
    """Return the folder that holds `config/`, `launch/` and `package.xml` of this package.

    A source checkout answers with its own top folder, so that an edited file counts at once (a plain
    or an editable install alike). Otherwise the ament index is asked (colcon, apt), and last the
    prefix of the running Python (pip; needs no ROS environment variables).

    Raises:
        OvsegError: none of the three holds the package's files.
    """
    places = [Path(__file__).parents[1], Path(sys.prefix) / "share" / "ovseg_ros"]
    with suppress(ImportError, LookupError, OSError):  # no ament index here, or the package not in it
        from ament_index_python.packages import get_package_share_directory

        places.insert(1, Path(get_package_share_directory("ovseg_ros")))
    for place in places:
        if (place / "package.xml").is_file() and (place / "config").is_dir():
            return place
    looked = ", ".join(str(place) for place in places)
    raise OvsegError(
        f"the files that ship with ovseg_ros were not found; looked in {looked}. "
        "Install the package with `pip install .` or `colcon build`, then source its setup file"
    )
