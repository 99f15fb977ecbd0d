"""A film's frames, drawn by a process of their own and written to its standard output, one after the other.

Drawing holds the interpreter's lock nearly all the time, so a second thread would only wait: encoding goes on in the
process that asked for them (`frame_process` is the one that draws).
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edu_platform.media.drawing.film_scripts import FilmScript
from edu_platform.media.drawing.posters import House

_PIPE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """Which film to draw, at which size in pixels."""

    script: FilmScript
    house: House
    illustrations: Path
    size: tuple[int, int]


class DrawingEndedError(Exception):
    """The drawing process ended before the film did; what it had to say stands in the log."""


@contextmanager
def drawn_elsewhere(order: Order, count: int) -> Iterator[Iterator[bytes]]:
    """Yield an iterator over the film's `count` frames as planar YUV 4:2:0; raise `DrawingEndedError` if they stop."""
    size = order.size[0] * order.size[1] * 3 // 2
    drawing = subprocess.Popen(
        [sys.executable, "-m", "edu_platform.media.drawing.frame_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert drawing.stdin is not None
    assert drawing.stdout is not None
    sheets = drawing.stdout
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(sheets, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # fewer turns between the two; only Linux can

    def frames() -> Iterator[bytes]:
        for number in range(count):
            planes = sheets.read(size)
            if len(planes) != size:
                raise DrawingEndedError(f"frame {number} of {count} was not drawn")
            yield planes

    try:
        with suppress(BrokenPipeError), drawing.stdin as asked:  # one that is gone shows at its first frame
            asked.write(pickle.dumps(order))
        yield frames()
    finally:
        sheets.close()
        drawing.kill()
        drawing.wait()
