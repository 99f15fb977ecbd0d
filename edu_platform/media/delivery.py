"""A file as an HTTP answer: whole, in part, or not again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask import Response, request

from edu_platform.core.problems import problem
from edu_platform.media import ranges
from edu_platform.media.models import MediaFile
from edu_platform.media.operations import key_of
from edu_platform.media.storage import Store

KEPT_FOR = 3600
POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"


def deliver(file: MediaFile, store: Store) -> Response:
    """Answer a GET or HEAD for `file` by RFC 9110: preconditions first, then the range."""
    etag = f'"{file.digest}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": f"public, max-age={KEPT_FOR}, no-transform",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    if_match, if_none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if if_match is not None and not ranges.matches(if_match, etag, weak=False):
        return problem(412, code="precondition_failed", detail="文件已不是所要的版本。")
    if if_none_match is not None and ranges.matches(if_none_match, etag, weak=True):
        return Response(status=304, headers=headers)

    size, key = file.size, key_of(file)
    # RFC 9110 §14.2: a Range field of any method but GET is ignored
    asked = request.headers.get("Range") if request.method == "GET" else None
    spans = None
    if asked is not None and ranges.range_holds(request.headers.get("If-Range"), etag):
        try:
            spans = ranges.spans_of(asked, size)
        except ranges.Unsatisfiable:
            return problem(
                416,
                detail=f"所要的范围不在文件之内，文件共 {size} 字节。",
                headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
            )
    if spans is None:
        body = () if request.method == "HEAD" else store.read(key, 0, size)
        return _answer(200, body, size, {**headers, "Content-Type": file.media_type})
    if len(spans) == 1:
        span = spans[0]
        return _answer(
            206,
            store.read(key, span.first, span.length),
            span.length,
            {
                **headers,
                "Content-Type": file.media_type,
                "Content-Range": f"bytes {span.first}-{span.last}/{size}",
            },
        )
    boundary = f"edu-{file.digest[:24]}"
    parts = ranges.multipart(spans, size=size, media_type=file.media_type, boundary=boundary)
    return _answer(
        206,
        _pieces(parts, store, key),
        sum(part.length for part in parts),
        {**headers, "Content-Type": f"multipart/byteranges; boundary={boundary}"},
    )


def _answer(status: int, body: Iterable[bytes], length: int, headers: dict[str, str]) -> Response:
    response = Response(body, status, headers=headers)
    response.headers["Content-Length"] = str(length)
    return response


def _pieces(parts: Iterable[ranges.Part], store: Store, key: str) -> Iterator[bytes]:
    for part in parts:
        if part.span is None:
            yield part.literal
        else:
            yield from store.read(key, part.span.first, part.span.length)
