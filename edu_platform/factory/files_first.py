"""A thin WSGI layer before Flask: published files from their folder, sent by the kernel, for who has no nginx.

What is linked into the public folder is public, as it is for nginx; no database is asked. Several ranges at once,
refusals and every other store are Flask's. A law test holds the answers identical to Flask's, headers included.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from typing import Any

from edu_platform.config.settings import Settings, Storage
from edu_platform.core.logs import log_request
from edu_platform.core.metrics import count_request
from edu_platform.factory.headers import protective, request_id_of
from edu_platform.media import ranges
from edu_platform.media.delivery import body_headers, headers_of
from edu_platform.media.operations import MEDIA_TYPES
from edu_platform.media.storage import CHUNK, FolderStore, NoSuchFile, store_of

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
RULE = "/media/<name>"
_NAME = re.compile(rf"/media/(([0-9a-f]{{64}})\.({'|'.join(MEDIA_TYPES)}))")
_REASONS = {200: "200 OK", 206: "206 PARTIAL CONTENT", 304: "304 NOT MODIFIED"}


class FilesFirst:
    """Answers GET and HEAD for published files in a folder; passes everything else to `inner`."""

    def __init__(self, inner: Application, settings: Settings) -> None:
        self._inner = inner
        store = store_of(settings) if settings.storage is Storage.FOLDER else None
        self._store = store if isinstance(store, FolderStore) else None

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("PATH_INFO", "").startswith("/media/") and self._store is not None:
            body = self._sent(self._store, environ, start_response)
            if body is not None:
                return body
        return self._inner(environ, start_response)

    def _sent(
        self, store: FolderStore, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes] | None:
        started = time.perf_counter()
        method, name = environ["REQUEST_METHOD"], _NAME.fullmatch(environ["PATH_INFO"])
        if name is None or method not in {"GET", "HEAD"}:
            return None
        key, digest, ending = name.groups()
        headers = headers_of(digest)
        try:
            file = store.open_published(key)
        except NoSuchFile:
            return None
        size = os.fstat(file.fileno()).st_size
        try:
            status, spans = ranges.wanted(
                method,
                lambda field: environ.get(f"HTTP_{field.upper().replace('-', '_')}"),
                etag=headers["ETag"],
                size=size,
            )
        except (ranges.Changed, ranges.Unsatisfiable):
            status, spans = 0, []
        if status == 0 or len(spans) > 1:
            file.close()
            return None
        if status != 304:
            headers |= body_headers(MEDIA_TYPES[ending], size, spans[0] if spans else None)
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
        secure = environ.get("wsgi.url_scheme") == "https"
        start_response(
            _REASONS[status],
            [*{**protective(secure=secure), **headers}.items(), ("X-Request-ID", request_id)],
        )
        count_request(method, RULE, status, time.perf_counter() - started, kept=False)
        log_request(method, RULE, status, started, request_id)
        if method == "HEAD" or status == 304:
            file.close()
            return []
        part = _Part(file, *((spans[0].first, spans[0].length) if spans else (0, size)))
        # gunicorn knows its own wrapper again and has the kernel send the file
        wrapper = environ.get("wsgi.file_wrapper")
        return part if wrapper is None else wrapper(part, CHUNK)


class _Part:
    """A part of a file, for the kernel to send, or for whoever reads or iterates."""

    def __init__(self, file: FileIO, first: int, length: int) -> None:
        self._file, self._left = file, length
        file.seek(first)
        self.fileno, self.close = file.fileno, file.close

    def __del__(self) -> None:
        """Close the file of an answer that nobody took up."""
        self._file.close()

    def read(self, most: int) -> bytes:
        piece = self._file.read(min(most, self._left))
        self._left -= len(piece)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        with self._file:
            while piece := self.read(CHUNK):
                yield piece
