"""The process around a node: start, spinning that outlives a faulty callback, and a clean end."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.utilities import ok, try_shutdown

from ovseg_ros.errors import OvsegError
from ovseg_ros.node.lifecycle import Throttle


def spin(executor: Executor) -> None:
    """Execute callbacks until the executor or its context is shut down.

    An exception that comes out of a callback is logged, and the executor goes on. rclpy's own parameter
    services raise over malformed requests, which anybody on the graph can send.
    """
    throttle = Throttle()
    log = get_logger("segmenter")
    while executor.context.ok():
        try:
            executor.spin()
            return
        except ExternalShutdownException:
            return
        except Exception as error:
            text = throttle(repr(error), f"a callback failed:\n{traceback.format_exc()}")
            if text and executor.context.ok():
                log.error(text)


def run(make_node: Callable[[], Node], args: Sequence[str] | None = None) -> int:
    """Run the node that `make_node` makes until SIGINT, SIGTERM or a shutdown, and return the exit status.

    `make_node().destroy_node()` returns False where a thread could not be stopped.
    """
    stopped = True
    executor: Executor | None = None
    node: Node | None = None
    try:
        rclpy.init(args=None if args is None else list(args))
        executor = SingleThreadedExecutor()
        node = make_node()
        executor.add_node(node)
        spin(executor)
    except KeyboardInterrupt:
        pass
    except OvsegError as error:
        print(f"segmenter: {error}", file=sys.stderr)
        return 1
    except Exception:
        if ok():
            raise
        # A signal came while it was starting, and nothing of the graph works any more.
    finally:
        # Terminals and launch files may send the signal twice; the second must not cut the end short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            stopped = bool(node.destroy_node())
        if executor is not None:
            executor.shutdown()
        try_shutdown()
    if not stopped:
        # A thread is inside torch and cannot be interrupted; taking Python down under it could crash.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0
