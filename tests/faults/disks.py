"""A disk that a test may fill, make read-only or cut the power of: ext4 in a file, mounted through a loop device.

with Disk(folder, megabytes=64) as disk:
    database = Sqlite(disk.path / "db")
    disk.fill(); disk.make_room(); disk.read_only(); disk.writable()
    disk.cut_power()        # what was not fsynced is gone; every access fails until
    disk.power_on()         # nobody may have a file open there any more
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Self

_FS_IOC_SHUTDOWN = 0x8004587D
_NOLOGFLUSH = 2


@cache
def why_no_disk() -> str | None:
    """Return why this machine lets no test mount a disk of its own, None when it does."""
    if os.geteuid() != 0:
        return "only root may mount a disk"
    if not shutil.which("mkfs.ext4"):
        return "mkfs.ext4 is not installed"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with Disk(Path(folder), megabytes=8) as disk:
                disk.cut_power()
        except (OSError, subprocess.CalledProcessError) as wrong:
            return f"no loop mount of ext4, or no shutdown of one: {getattr(wrong, 'stderr', wrong)}"
    return None


class Disk:
    """A disk at `path`, of so many megabytes, all of them root's and everybody's to use."""

    def __init__(self, folder: Path, *, megabytes: int = 64) -> None:
        self.image = folder / "disk.img"
        self.path = folder / "disk"
        self._megabytes = megabytes
        self._ballast = self.path / "ballast"

    def __enter__(self) -> Self:
        """Make it and mount it."""
        self.path.mkdir(parents=True)
        with self.image.open("wb") as image:
            image.truncate(self._megabytes * 1024 * 1024)
        self._run("mkfs.ext4", "-q", "-m", "0", str(self.image))
        self.power_on()
        self.path.chmod(0o777)
        return self

    def __exit__(self, *wrong: object) -> None:
        """Unmount it and throw it away."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("umount", "--lazy", str(self.path))
        self.image.unlink(missing_ok=True)

    @staticmethod
    def _run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, text=True)

    def make_durable(self) -> None:
        """Let everything written so far survive a cut: what a test puts there before it begins."""
        self._run("sync", "-f", str(self.path))

    def cut_power(self) -> None:
        """Let the file system forget, at once, whatever was not made durable."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _FS_IOC_SHUTDOWN, struct.pack("I", _NOLOGFLUSH))
        finally:
            os.close(handle)

    def power_on(self) -> None:
        """Mount it (anew), replaying the file system's journal."""
        if self.path.is_mount():
            deadline = time.monotonic() + 10
            while True:  # whoever was killed may still be letting go of it
                try:
                    self._run("umount", str(self.path))
                    break
                except subprocess.CalledProcessError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
        self._mount()
        if self._is_shut():
            # Somebody made a mount namespace meanwhile (a browser's sandbox does), and in it lives on what was cut off.
            self._run("umount", str(self.path))
            self._copy()
            self._mount()
            assert not self._is_shut(), "the power does not come back"

    def _mount(self) -> None:
        self._run("mount", "-o", "loop", str(self.image), str(self.path))

    def _is_shut(self) -> bool:
        probe = self.path / "probe"
        try:
            probe.touch()
        except OSError as wrong:
            return wrong.errno == errno.EIO
        probe.unlink()
        return False

    def _copy(self) -> None:
        """Let a copy of the image be the disk: another file system to the kernel, whoever holds the old one."""
        copy = self.image.with_name(f"copy-of-{self.image.name}")
        self._run("cp", "--sparse=always", str(self.image), str(copy))
        self.image.unlink()
        self.image = copy

    def fill(self) -> None:
        """Leave not a byte."""
        with self._ballast.open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            for size in (1024 * 1024, 4096, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(b"\0" * size) == size:
                        pass

    def make_room(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink()

    def read_only(self) -> None:
        """Let it become read-only under whoever uses it, as the kernel does after an error of the device."""
        self._run("mount", "-o", "remount,abort", str(self.path))

    def mend(self) -> None:
        """Put a copy of it in its place, checked and writable: its files are open, and the kernel lets go of it later."""
        self._run("umount", "--lazy", str(self.path))
        self._copy()
        subprocess.run(["fsck.ext4", "-y", str(self.image)], check=False, capture_output=True)  # 1: mended
        self._mount()
