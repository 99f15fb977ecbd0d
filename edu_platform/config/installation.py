"""Secrets made for one installation, so that `make run` needs no configuration and has no default secret."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

NAME = "installation.env"
_MADE = ("EDU_SECRET_KEYS", "EDU_SEALING_KEYS")


def environ_with_installation(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ`, completed outside production by `<data_dir>/installation.env`, which is made when missing.

    The file is readable by its owner alone and written once, atomically; losing it loses what was sealed.
    """
    found = dict(environ)
    if found.get("EDU_ENVIRONMENT") in {"production", "test"} or all(name in found for name in _MADE):
        return found
    folder = Path(found.get("EDU_DATA_DIR", "var")).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    if not path.exists():
        part = folder / f".{NAME}.{os.getpid()}"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.writelines(f"{name}={secrets.token_urlsafe(48)}\n" for name in _MADE)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # whoever comes second uses the first one's
        except FileExistsError:
            pass
        finally:
            part.unlink()
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        found.setdefault(name, value)
    return found
