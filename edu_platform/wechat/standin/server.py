"""Runs the stand-in over HTTP, a thread for each request."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from edu_platform.wechat.standin.app import StandIn


class _Quiet(WSGIRequestHandler):
    """Logs nothing: WeChat's URLs hold secrets, and the stand-in keeps a log of its own."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Drop the line."""

    def connection_dropped(self, error: BaseException, environ: dict[str, object] | None = None) -> None:
        """Take no notice: clients that time out are what the stand-in is for."""


def _server(app: StandIn, host: str, port: int) -> BaseWSGIServer:
    return make_server(host, port, app, threaded=True, request_handler=_Quiet)


def serve(
    host: str,
    port: int,
    *,
    appid: str,
    secret: str,
    data: Path | None = None,
    pages: Iterable[str] = (),
) -> None:
    """Serve until interrupted. `data` is a file for users and acceptances, kept over a restart."""
    with _server(StandIn(appid, secret, data=data, pages=pages), host, port) as server:
        print(f"WeChat stand-in: http://{host}:{server.server_port}  (GET /__stub/)", flush=True)  # noqa: T201 - a command
        server.serve_forever()


@contextmanager
def serving(app: StandIn, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `app` from a thread while the block runs; yield its base URL."""
    server = _server(app, host, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
