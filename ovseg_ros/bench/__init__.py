"""How fast the engine is here, next to a plain implementation of the methods and the machine's own limits."""

from typing import TYPE_CHECKING

from ovseg_ros.lazy import lazy_names

if TYPE_CHECKING:
    from ovseg_ros.bench.benchmark import BenchResult as BenchResult
    from ovseg_ros.bench.benchmark import BenchRow as BenchRow
    from ovseg_ros.bench.benchmark import run_bench as run_bench
    from ovseg_ros.bench.config import BenchConfig as BenchConfig

__getattr__ = lazy_names(__name__, {"benchmark": "BenchResult BenchRow run_bench", "config": "BenchConfig"})
