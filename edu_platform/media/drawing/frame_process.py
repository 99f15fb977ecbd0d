"""The process that draws a film's frames: an `Order` comes in, pickled; frames go out, one after the other.

Run as `python -m edu_platform.media.drawing.frame_process` by `frames.drawn_elsewhere`, and by nobody else.
"""

from __future__ import annotations

import pickle
import sys
from contextlib import suppress

from edu_platform.media.drawing.films import frames
from edu_platform.media.drawing.frames import Order


def _main() -> None:
    order: Order = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    with suppress(BrokenPipeError):
        for planes in frames(order.script, order.house, order.illustrations, order.size):
            sys.stdout.buffer.write(planes)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _main()
