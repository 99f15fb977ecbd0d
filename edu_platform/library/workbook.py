"""Read a workbook from standard input and print its first sheet as JSON; run as a program of its own.

Limits are set before the parser is imported: 512 MiB of memory, 5 s of CPU, no core file. A crafted workbook
of 2 KB can ask for hundreds of gigabytes and abort the process; that process is this one, and only this one.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import resource
import sys
from typing import Any

MEMORY = 512 * 1024 * 1024
CPU_SECONDS = 5


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)


def _read(data: bytes, most_rows: int, most_columns: int) -> dict[str, Any]:
    from python_calamine import load_workbook

    workbook = load_workbook(io.BytesIO(data))
    sheet = workbook.get_sheet_by_index(0)
    if sheet.total_height > most_rows or sheet.total_width > most_columns:
        return {"refused": f"表格过大：最多 {most_rows} 行、{most_columns} 列"}
    rows = sheet.to_python(skip_empty_area=False, nrows=most_rows)
    return {"rows": [[_text(cell) for cell in row] for row in rows]}


def main() -> int:
    """Answer `{"rows": …}` or `{"refused": reason}`; any other end is a refusal too."""
    _limit()
    answer = _read(sys.stdin.buffer.read(), int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
