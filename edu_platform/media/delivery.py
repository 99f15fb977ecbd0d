"""A file as an HTTP answer: whole, in part, or not again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask import Response, request

from edu_platform.core.problems import problem
from edu_platform.media import ranges
from edu_platform.media.models import MediaFile
from edu_platform.media.operations import key_of
from edu_platform.media.ranges import Span
from edu_platform.media.storage import Store

KEPT_FOR = 3600
POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"


def headers_of(digest: str) -> dict[str, str]:
    """Return the headers that every answer for a file carries."""
    return {
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": f"public, max-age={KEPT_FOR}, no-transform",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def body_headers(media_type: str, size: int, span: Span | None = None) -> dict[str, str]:
    """Return the headers of a body: the whole file, or one span of it."""
    headers = {"Content-Type": media_type, "Content-Length": str(size if span is None else span.length)}
    if span is not None:
        headers["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
    return headers


def deliver(file: MediaFile, store: Store) -> Response:
    """Answer a GET or HEAD for `file` by RFC 9110: preconditions first, then the range."""
    headers, size, key = headers_of(file.digest), file.size, key_of(file)
    try:
        status, spans = ranges.wanted(request.method, request.headers.get, etag=headers["ETag"], size=size)
    except ranges.Changed:
        return problem(412, code="precondition_failed", detail="文件已不是所要的版本。")
    except ranges.Unsatisfiable:
        return problem(
            416,
            detail=f"所要的范围不在文件之内，文件共 {size} 字节。",
            headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
        )
    if status == 304:
        return Response(status=304, headers=headers)
    if status == 200:
        body = () if request.method == "HEAD" else store.read(key, 0, size)
        return Response(body, 200, headers={**headers, **body_headers(file.media_type, size)})
    if len(spans) == 1:
        span = spans[0]
        return Response(
            store.read(key, span.first, span.length),
            206,
            headers={**headers, **body_headers(file.media_type, size, span)},
        )
    boundary = f"edu-{file.digest[:24]}"
    parts = ranges.multipart(spans, size=size, media_type=file.media_type, boundary=boundary)
    return Response(
        _pieces(parts, store, key),
        206,
        headers={
            **headers,
            "Content-Type": f"multipart/byteranges; boundary={boundary}",
            "Content-Length": str(sum(part.length for part in parts)),
        },
    )


def _pieces(parts: Iterable[ranges.Part], store: Store, key: str) -> Iterator[bytes]:
    for part in parts:
        if part.span is None:
            yield part.literal
        else:
            yield from store.read(key, part.span.first, part.span.length)
