"""What is wrong with copy, a script or an illustration, so that an author can mend it all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LONGEST_TEXT: Final = 400
"""No single text of a poster or a film is longer; what fits is decided by its place."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where (`points[2]`, `scenes[0].captions[1]`) and why, in Chinese."""

    path: str
    reason: str

    def __post_init__(self) -> None:
        """Make both fit to be sent: what was read may hold halves of characters."""
        for name in ("path", "reason"):
            object.__setattr__(self, name, getattr(self, name).encode("utf-8", "replace").decode())


def shown(value: object) -> str:
    """Give a value as a reason may quote it: not longer than a line."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


class CannotDrawError(Exception):
    """Raised when something that was not checked beforehand cannot be drawn; carries its problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("；".join(f"{problem.path}：{problem.reason}" for problem in problems))
        self.problems = problems


def read_text(
    data: Mapping[str, Any], key: str, problems: list[Problem], *, path: str = "", default: str = ""
) -> str:
    """Read one line of text under `key`; a missing one is a problem unless there is a default."""
    where = f"{path}.{key}" if path else key
    value = data.get(key)
    if value is None and default:
        return default
    if value is None:
        problems.append(Problem(where, "缺少这一项"))
        return ""
    if not isinstance(value, str) or not value.strip():
        problems.append(Problem(where, "应为一段文字"))
        return ""
    if len(value) > LONGEST_TEXT:
        problems.append(Problem(where, f"过长，不超过 {LONGEST_TEXT} 个字"))
        return ""
    return value.strip()


def read_number(
    data: Mapping[str, Any],
    key: str,
    problems: list[Problem],
    *,
    path: str,
    default: float,
    low: float,
    high: float,
) -> float:
    """Read a number between two bounds; anything else is a problem and gives the default."""
    value = data.get(key, default)
    where = f"{path}.{key}" if path else key
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        problems.append(Problem(where, f"应为 {low:g} 到 {high:g} 之间的数"))
        return default
    return float(value)
