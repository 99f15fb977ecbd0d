"""Drawing on a machine that has no OpenGL: a copy of skia, cut loose, where the libraries cannot be loaded."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = Path(importlib.util.find_spec("skia").origin).parent
DRAW = """
import ctypes, hashlib, sys
try:
    ctypes.CDLL("libGL.so.1")
except OSError:
    pass
else:
    sys.exit("OpenGL is there")
import skia
surface = skia.Surface(200, 200)
canvas = surface.getCanvas()
canvas.clear(0xFF15362B)
canvas.drawCircle(90, 100, 70, skia.Paint(AntiAlias=True, Color=0xFFFFC857))
canvas.drawString("12", 60, 120, skia.Font(None, 60), skia.Paint(AntiAlias=True))
print(hashlib.sha256(bytes(surface.makeImageSnapshot().encodeToData())).hexdigest())
"""
HIDDEN = """
set -e
for name in libGL.so.1 libEGL.so.1; do
    for path in $(ldconfig -p | sed -n "s/.*=> \\(.*$name\\)$/\\1/p"); do mount --bind /dev/null "$(readlink -f "$path")"; done
done
exec "$@"
"""


def run(*command, path):
    environ = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(command, env=environ, cwd="/", capture_output=True, text=True, timeout=120)


def without_opengl(*command, path):
    return run("unshare", "--mount", "sh", "-c", HIDDEN, "sh", *command, path=path)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    if without_opengl("true", path="/").returncode != 0:
        pytest.skip("only root may hide libraries, in a mount namespace of its own")
    folder = tmp_path_factory.mktemp("skia")
    for found in SITE.glob("skia*"):
        if found.is_dir():
            shutil.copytree(found, folder / found.name)
        else:
            shutil.copy(found, folder)
    return folder


@pytest.mark.control
def test_the_wheel_does_not_load_without_opengl(copy):
    done = without_opengl(sys.executable, "-c", DRAW, path=copy)
    assert done.returncode != 0
    assert "libEGL" in done.stderr or "libGL" in done.stderr


def test_cut_loose_it_draws_the_same_bytes(copy):
    script = str(ROOT / "deploy" / "skia_without_opengl.py")
    done = without_opengl(sys.executable, script, path=copy)
    assert done.returncode == 0, done.stderr
    assert "libGL.so.1" in done.stdout
    drawn = without_opengl(sys.executable, "-c", DRAW, path=copy)
    assert drawn.returncode == 0, drawn.stderr
    here = run(sys.executable, "-c", DRAW.replace('sys.exit("OpenGL is there")', "pass"), path=SITE)
    assert drawn.stdout == here.stdout
    again = without_opengl(sys.executable, script, path=copy)
    assert again.returncode == 0, again.stderr
    assert without_opengl(sys.executable, "-c", DRAW, path=copy).stdout == here.stdout


def test_where_opengl_is_there_nothing_is_touched(copy):
    before = {found: found.read_bytes() for found in copy.glob("*.so")}
    done = run(sys.executable, str(ROOT / "deploy" / "skia_without_opengl.py"), path=copy)
    assert (done.returncode, done.stdout) == (0, "")
    assert {found: found.read_bytes() for found in copy.glob("*.so")} == before
