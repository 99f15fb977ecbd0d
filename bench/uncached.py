"""The application as it ships, but for its memory: every answer is made anew, as for the first who asks.

What stands in a home feed is kept, as it is while the catalogue stays as it is; with `BENCH_PARTS=0` it too is found
anew each time, as for the very first after a change.
"""

from __future__ import annotations

import os

from edu_platform.library import catalogue

catalogue.MOST_BYTES = 0
if os.environ.get("BENCH_PARTS") == "0":
    catalogue._part = lambda _, connection, moment, make: make(connection, moment)  # noqa: SLF001 - to take it away

from edu_platform.factory.entry import application  # noqa: E402 - after the memory is taken away

app = application()
