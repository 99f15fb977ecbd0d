"""What derived files are cached by: a digest of everything that decides how a drawing looks."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from edu_platform.media.drawing.lettering import font_path


def digest_of(sources: list[Path], fonts: list[Path], versions: list[str]) -> str:
    """Digest the bytes of sources and fonts, each under its name, and the versions of libraries."""
    digest = hashlib.sha256()
    for path in [*sorted(sources), *fonts]:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name}:{content}\n".encode())
    digest.update("\n".join(versions).encode())
    return digest.hexdigest()[:32]


@cache
def fingerprint() -> str:
    """Give the digest of the drawing code, the font and the libraries that draw and encode.

    A poster, cover or film drawn from the same copy, illustrations and house under the same
    fingerprint has the same bytes.
    """
    sources = list(Path(__file__).parent.glob("*.py"))
    versions = [
        f"{name}=={metadata.version(name)}" for name in ("skia-python", "av", "numpy", "segno", "rjieba")
    ]
    return digest_of(sources, [font_path()], versions)
