"""How much really moves in each scene of a film, measured once for each state of its script.

A measurement draws the scene several times a second; its results are kept in a file by the digest of
everything that decides them, so that a second check of the same scripts costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edu_platform.library.films import illustrations_in

_KEPT: Final = "moving-shares.json"
_MOST_KEPT: Final = 500


def moving_shares(body: Mapping[str, Any], *, illustrations: Path, cache: Path | None) -> list[float]:
    """Return for each scene of a checked script the share of its picture that moves, 0 to 1.

    The ending is the platform's own and is not counted. `cache` is a folder in which measurements are kept,
    None measures anew. Raises CannotDrawError when an illustration is missing.
    """
    from edu_platform.media.drawing.film_scripts import parse_film
    from edu_platform.media.drawing.films import moving_share
    from edu_platform.media.drawing.problems import CannotDrawError

    key = _digest(body, illustrations)
    known = _read(cache)
    if key in known:
        return known[key]
    script, problems = parse_film({"title": "题目", **body})
    if script is None:
        raise CannotDrawError(problems)
    shares = [
        round(moving_share(script, number, illustrations=illustrations), 4)
        for number in range(1, len(script.scenes) + 1)
    ]
    _keep(cache, key, shares)
    return shares


def _digest(body: Mapping[str, Any], illustrations: Path) -> str:
    from edu_platform.media.drawing.fingerprint import fingerprint

    drawn = hashlib.sha256(f"{fingerprint()}\0".encode())
    drawn.update(json.dumps(body, sort_keys=True, ensure_ascii=False, default=str).encode())
    for name in sorted({name for _, name in illustrations_in(body)}):
        path = illustrations / f"{name}.svg"
        drawn.update(f"\0{name}\0".encode() + (path.read_bytes() if path.is_file() else b""))
    return drawn.hexdigest()


def _read(cache: Path | None) -> dict[str, list[float]]:
    if cache is None:
        return {}
    try:
        kept = json.loads((cache / _KEPT).read_text("utf-8"))
        return {str(key): [float(share) for share in shares] for key, shares in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # whatever is wrong with it, measuring again mends it


def _keep(cache: Path | None, key: str, shares: list[float]) -> None:
    if cache is None:
        return
    kept = {**_read(cache), key: shares}
    text = json.dumps(dict(list(kept.items())[-_MOST_KEPT:]))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache, suffix=".part", delete=False) as part:
            part.write(text)
        os.replace(part.name, cache / _KEPT)  # noqa: PTH105 - the atomic rename
    except OSError:
        return  # a check must not fail because nothing can be kept
