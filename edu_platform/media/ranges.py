"""Byte ranges to the letter of RFC 9110 §13–14; pure, knows no framework.

Werkzeug's own handling ignores several ranges and answers some unsatisfiable ones wrongly.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_RANGES = 8
_SPECIFIER = re.compile(r"\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(.*)", re.DOTALL)
_SPEC = re.compile(r"(?:(\d+)-(\d*)|-(\d+))", re.ASCII)
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


@dataclass(frozen=True)
class Span:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Return how many bytes it has."""
        return self.last - self.first + 1


class Unsatisfiable(Exception):
    """None of the ranges lies inside the file: 416."""


class Changed(Exception):
    """It is not the version that `If-Match` names: 412."""


def spans_of(header: str | None, size: int) -> list[Span] | None:
    """Return the spans a `Range` header asks for, or None when it is to be ignored (the whole file is sent).

    Ignored: no header, an unknown unit, bad syntax (`last < first` included), more than `MOST_RANGES`
    ranges, more than two that overlap (RFC 9110 §14.2). Raise `Unsatisfiable` when no range can be met.
    """
    if header is None:
        return None
    match = _SPECIFIER.fullmatch(header)
    if match is None or match[1].lower() != "bytes":
        return None
    # the list rule of §5.6.1: empty elements are allowed, but at least one range must be there
    specs = [spec for part in match[2].split(",") if (spec := part.strip(" \t"))]
    if not specs or len(specs) > MOST_RANGES:
        return None
    spans: list[Span] = []
    for spec in specs:
        found = _SPEC.fullmatch(spec)
        if found is None:
            return None
        if found[3] is not None:
            suffix = _number(found[3])
            if suffix > 0 and size > 0:
                spans.append(Span(max(0, size - suffix), size - 1))
            continue
        first = _number(found[1])
        last = _number(found[2]) if found[2] else None
        if last is not None and last < first:
            return None
        if first < size:
            spans.append(Span(first, size - 1 if last is None else min(last, size - 1)))
    if not spans:
        raise Unsatisfiable
    if _overlaps(spans) > 2:
        return None
    return spans


def _number(digits: str) -> int:
    # far beyond any file; Python refuses to read thousands of digits
    return int(digits[:20]) if len(digits) <= 20 else 10**20


def _overlaps(spans: Sequence[Span]) -> int:
    ordered = sorted(spans, key=lambda span: span.first)
    return sum(1 for one, two in itertools.pairwise(ordered) if two.first <= one.last)


def range_holds(if_range: str | None, etag: str) -> bool:
    """Say whether `If-Range` lets a range be sent: absent, or a strong match with `etag` (quoted).

    A date never matches: the platform's files have no modification date, their name is their digest.
    """
    if if_range is None:
        return True
    tag = _TAG.fullmatch(if_range.strip())
    return tag is not None and not tag[1] and f'"{tag[2]}"' == etag


def matches(header: str, etag: str, *, weak: bool) -> bool:
    """Say whether an `If-None-Match` (weak comparison) or `If-Match` (strong) header names `etag`; `*` matches."""
    if header.strip() == "*":
        return True
    return any(f'"{tag[2]}"' == etag and (weak or not tag[1]) for tag in _TAG.finditer(header))


def wanted(
    method: str, given: Callable[[str], str | None], *, etag: str, size: int
) -> tuple[int, list[Span]]:
    """Return the status (200, 206 or 304) and, with 206, the spans that a request wants of a file.

    `given` returns a header's value by name. Raise `Changed` or `Unsatisfiable`.
    """
    if_match, if_none_match = given("If-Match"), given("If-None-Match")
    if if_match is not None and not matches(if_match, etag, weak=False):
        raise Changed
    if if_none_match is not None and matches(if_none_match, etag, weak=True):
        return 304, []
    # RFC 9110 §14.2: a Range field of any method but GET is ignored
    asked = given("Range") if method == "GET" else None
    if asked is None or not range_holds(given("If-Range"), etag):
        return 200, []
    spans = spans_of(asked, size)
    return (200, []) if spans is None else (206, spans)


@dataclass(frozen=True)
class Part:
    """One piece of an answer: literal bytes, or a span of the file."""

    literal: bytes = b""
    span: Span | None = None

    @property
    def length(self) -> int:
        """Return how many bytes it has."""
        return self.span.length if self.span else len(self.literal)


def multipart(spans: Sequence[Span], *, size: int, media_type: str, boundary: str) -> list[Part]:
    """Lay out a `multipart/byteranges` body (RFC 9110 §14.6)."""
    parts: list[Part] = []
    for number, span in enumerate(spans):
        lead = "" if number == 0 else "\r\n"
        parts.append(
            Part(
                literal=(
                    f"{lead}--{boundary}\r\nContent-Type: {media_type}\r\n"
                    f"Content-Range: bytes {span.first}-{span.last}/{size}\r\n\r\n"
                ).encode()
            )
        )
        parts.append(Part(span=span))
    parts.append(Part(literal=f"\r\n--{boundary}--\r\n".encode()))
    return parts
