"""gunicorn's threaded worker, in which the thread that waits for clients also sends what the catalogue has kept.

gunicorn hands every request to a pool of threads, which costs several times what sending a kept answer does, and
lets readers queue behind whoever waits for a database. Here the waiting thread looks at what has arrived, and where
that is a whole request for a kept answer it lets gunicorn's own parser and response do their work at once. Nothing
is taken from the socket before that is certain; everything else goes gunicorn's way, untouched.

The busiest writes (beacons, answers) are gathered, each kind by itself: those that have arrived whole are judged,
stored in one durable commit and answered by one thread of the pool, instead of a thread each that waits for the same
commit. They too stay in the socket until their answer is certain (docs/decisions/003).

What never becomes a request is refused in the application's own words.

It asks the application for `kept_first` and `writes_first`; an application without one is served as gthread serves it.
"""

from __future__ import annotations

import errno
import re
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ
from typing import Any, NamedTuple, Protocol

from gunicorn.http import errors, wsgi
from gunicorn.http.body import LengthReader
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import DEFAULT_WORKER_DATA_TIMEOUT, STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

LARGEST_HEAD = 8192
LARGEST_LEFT = 1 << 30
LARGEST_GATHERED = 1 << 16
MOST_GATHERED = 32
"""So many may wait for a shared commit without a thread; whoever comes then is served by a thread, if the gate lets them."""
_BEGINS, _ENDS = b"GET /", b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d{1,6})\r\n", re.IGNORECASE)
_STATUSES = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.ExpectationFailed: 417,
    errors.UnsupportedTransferCoding: 501,
    errors.ForbiddenProxyRequest: 403,
}
# what the application tried to send is its own fault
_OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


class KeptFirst(Protocol):
    """What an application can answer without waiting for anything."""

    def knows(self, target: str) -> bool:
        """Say whether an answer may be kept for a request target (path and query as they came)."""
        ...

    def kept(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes] | None:
        """Answer, or return None without having called `start_response`."""
        ...


class WritesFirst(Protocol):
    """What an application can store for many at once."""

    begins: re.Pattern[bytes]
    """How such a request begins."""

    def judged(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Return what can be handed to `stored`, or None."""
        ...

    def stored(self, judged: list[Any]) -> list[Callable[[dict[str, Any], Callable[..., Any]], bytes] | None]:
        """Store all of it, durably; return for each what answers it, None where it is to be looked at by itself."""
        ...

    def troubled(self, environ: dict[str, Any], judged: Any, trouble: Exception) -> None:
        """Leave a trouble that all of them met where the application looks for it."""
        ...


_Done = tuple[TConn, bytes | None, int]
"""A connection, what to send (None: it is to be served gunicorn's way), and how long the request was."""


class _Gathering:
    """The requests of one kind that wait for the next shared commit; one thread of the pool at a time takes them."""

    def __init__(self, first: WritesFirst) -> None:
        self.first = first
        self.held = 0
        """How many wait or are being stored; the waiting thread's own."""
        self._waiting: list[tuple[TConn, bytes]] = []
        self._taken_care_of = False
        self._gate = threading.Lock()

    def add(self, conn: TConn, whole: bytes) -> bool:
        """Add a request; say whether a thread is to be set to take them."""
        self.held += 1
        with self._gate:
            self._waiting.append((conn, whole))
            begin, self._taken_care_of = not self._taken_care_of, True
        return begin

    def take(self, *, on: bool = False) -> list[tuple[TConn, bytes]]:
        """Take all that wait. When there is nothing, the thread that asks has done its part, unless it goes on."""
        with self._gate:
            taken, self._waiting = self._waiting, []
            self._taken_care_of = bool(taken) or on
        return taken


class _Collected:
    """Stands in for the socket, so that head and body leave together."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.parts.append(data)


class _Response(wsgi.Response):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn's response for headers that are the house's own: no grammar is checked again."""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Take the headers as they are; none of them is of one connection only."""
        self.headers = headers
        self.response_length = next((int(value) for name, value in headers if name == "Content-Length"), None)


class _Mine(NamedTuple):
    """A request that waits for the next shared commit."""

    conn: TConn
    whole: bytes
    collected: _Collected
    response: Any
    environ: dict[str, Any]
    judged: Any

    def answered(self, application: Callable[..., Any]) -> _Done:
        """Return the connection, what an application sends, and how long the request was."""
        body = application(self.environ, self.response.start_response)
        try:
            for part in body:
                self.response.write(part)
        finally:
            if hasattr(body, "close"):
                body.close()
        self.response.close()
        return self.conn, b"".join(self.collected.parts), len(self.whole)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """`gthread` with a short way for what is kept."""

    _first: KeptFirst | None = None
    _gatherings: tuple[_Gathering, ...] = ()

    def load_wsgi(self) -> None:
        """Load the application, and ask what it can answer at once."""
        super().load_wsgi()
        cfg = self.cfg
        plain = cfg.protocol == "http" and cfg.http2_cleartext == "off" and cfg.proxy_protocol == "off"
        if plain and not cfg.is_ssl and cfg.keepalive:
            extensions = getattr(self.wsgi, "extensions", {})
            self._first = extensions.get("kept_first")
            self._gatherings = tuple(_Gathering(first) for first in extensions.get("writes_first", ()))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer with problem details; note the kind of error, for its text quotes the request."""
        del req, addr
        from edu_platform.factory.headers import refusal  # the master loads this module, and no other of ours

        status = 500
        if isinstance(exc, errors.ParseException) and not isinstance(exc, _OURS):
            status = _STATUSES.get(type(exc), 400)
        self.log.warning("refused before the application: %s (%s)", type(exc).__name__, status)
        try:
            write_nonblock(client, refusal(status))
        except OSError:
            self.log.debug("nobody was there to be told")

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection and wait for its first bytes here, so that a slow client holds no thread."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK}:
                raise
            return
        self.nr_conns += 1
        conn = TConn(self.cfg, client, address, listener.getsockname())
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(client, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer the first request of a connection here, or let the pool do it."""
        if not self._answered(conn, client):
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer a later request of a connection here, or let the pool do it."""
        if not self._answered(conn, client):
            super().on_client_socket_readable(conn, client)

    def _cap_keepalive(self, deadline: float) -> None:
        """Let a stopping worker wait for silent connections no longer than for kept ones."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Read what the application left of a body, however much it is, while the time lasts.

        Closing over unread bytes resets the connection, and the refusal just sent is lost to whoever still sends.
        """
        if not keepalive:
            return False
        deadline = time.monotonic() + DEFAULT_WORKER_DATA_TIMEOUT
        return bool(conn.parser.finish_body(deadline=deadline, max_bytes=LARGEST_LEFT))

    # ---- the short way

    def _answered(self, conn: TConn, client: socket.socket) -> bool:
        """Send the kept answer that a whole request asks for, and say so; else take nothing from the socket."""
        if (
            self._first is None
            or not self.alive
            or self.nr + 1 >= self.max_requests
            or len(self.keepalived_conns) >= self.max_keepalived
        ):
            return False
        try:
            head = client.recv(LARGEST_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return False
        if not head.startswith(_BEGINS):
            kind = next((one for one in self._gatherings if one.first.begins.match(head)), None)
            return kind is not None and self._gather(kind, conn, client)
        if head.find(_ENDS) != len(head) - len(_ENDS):
            return False
        if not self._first.knows(head[4 : head.find(b" ", 4)].decode("latin-1")):
            return False
        answer = self._answer(conn, head)
        if answer is None:
            return False
        client.recv(len(head))
        self.nr += 1
        self._send(conn, client, answer)
        return True

    def _answer(self, conn: TConn, head: bytes) -> bytes | None:
        """Return what to send, made by gunicorn's own parser and response; None when there is anything unusual."""
        assert self._first is not None
        collected = _Collected()
        try:
            request = Request(self.cfg, IterUnreader([head]), conn.client)
            reader = request.body.reader
            if request.should_close() or not isinstance(reader, LengthReader) or reader.length:
                return None
            response, environ = wsgi.create(
                request, collected, conn.client, conn.server, self.cfg, response_class=_Response
            )
            environ["wsgi.multithread"] = True
            body = self._first.kept(environ, response.start_response)
            if body is None:
                return None
            for part in body:
                response.write(part)
            response.close()
        except Exception:  # noqa: BLE001 - whatever is wrong with the request, gunicorn's way meets it and says so
            return None
        return b"".join(collected.parts)

    def _send(self, conn: TConn, client: socket.socket, answer: bytes) -> None:
        """Send without waiting; what the client does not take at once is sent by the pool."""
        try:
            sent = client.send(answer, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = -1
        waiting = self.keepalived_conns if conn.data_ready else self.pending_conns
        waiting.remove(conn)
        if sent == len(answer):
            if not conn.data_ready:
                conn.data_ready = True
                self.poller.modify(client, EVENT_READ, partial(self.on_client_socket_readable, conn))
            conn.set_timeout()
            self.keepalived_conns.append(conn)
            return
        self.poller.unregister(client)
        self._send_later(conn, answer, sent)

    def _send_later(self, conn: TConn, answer: bytes, sent: int) -> None:
        """Let the pool send the rest; close when the client is gone."""
        if sent < 0:
            self.nr_conns -= 1
            conn.close()
            return
        conn.data_ready = True
        done = self.tpool.submit(_send_rest, conn, answer[sent:])
        done.add_done_callback(lambda made: self.method_queue.defer(self.finish_request, conn, made))

    # ---- writes together

    def _gather(self, kind: _Gathering, conn: TConn, client: socket.socket) -> bool:
        """Let a whole request wait for the next shared commit of its kind, and say so; it stays in the socket."""
        if kind.held >= MOST_GATHERED:
            return False
        try:
            whole = client.recv(LARGEST_GATHERED, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return False
        ends = whole.find(_ENDS)
        length = _LENGTH.search(whole, 0, ends + 2)
        if ends < 0 or length is None or len(whole) != ends + len(_ENDS) + int(length[1]):
            return False
        self.poller.unregister(client)
        (self.keepalived_conns if conn.data_ready else self.pending_conns).remove(conn)
        conn.data_ready = True
        if kind.add(conn, whole):
            self.tpool.submit(self._store_gathered, kind)
        return True

    def _store_gathered(self, kind: _Gathering) -> None:
        """Store and answer what was gathered, until nothing is left; in a thread of the pool."""
        while together := kind.take():
            done: list[_Done] = []
            try:
                done = self._stored(kind, together)
            except Exception as wrong:  # noqa: BLE001 - nothing was taken or sent: gunicorn's way says what it is
                self.log.warning("not stored together: %s", type(wrong).__name__)
                done = [(conn, None, 0) for conn, _ in together]
            self.method_queue.defer(self._send_gathered, kind, done)

    def _stored(self, kind: _Gathering, together: list[tuple[TConn, bytes]]) -> list[_Done]:
        mine, done = self._judged(kind, together)
        if not mine:
            return done
        try:
            answers = kind.first.stored([one.judged for one in mine])
        except Exception as trouble:  # noqa: BLE001 - Flask answers for it, whatever it is
            # it would be so for those who came meanwhile, after as long again
            also, others = self._judged(kind, kind.take(on=True))
            for one in (*mine, *also):
                kind.first.troubled(one.environ, one.judged, trouble)
            return [*done, *others, *(one.answered(self.wsgi) for one in (*mine, *also))]
        for one, answer in zip(mine, answers, strict=True):
            if answer is None:
                done.append((one.conn, None, 0))
            else:
                done.append(one.answered(lambda environ, start, say=answer: [say(environ, start)]))
        return done

    def _judged(
        self, kind: _Gathering, together: list[tuple[TConn, bytes]]
    ) -> tuple[list[_Mine], list[_Done]]:
        """Return what can be stored, and who is to be served gunicorn's way."""
        mine: list[_Mine] = []
        others: list[_Done] = []
        for conn, whole in together:
            collected = _Collected()
            response, environ = self._request(conn, whole, collected)
            judged = None if environ is None else kind.first.judged(environ, response.start_response)
            if judged is None:
                others.append((conn, None, 0))
            else:
                mine.append(_Mine(conn, whole, collected, response, environ, judged))
        return mine, others

    def _request(self, conn: TConn, whole: bytes, collected: _Collected) -> tuple[Any, Any]:
        """Return gunicorn's response and environ for a request; (None, None) when there is anything unusual."""
        try:
            request = Request(self.cfg, IterUnreader([whole]), conn.client)
            if request.should_close() or not isinstance(request.body.reader, LengthReader):
                return None, None
            response, environ = wsgi.create(
                request, collected, conn.client, conn.server, self.cfg, response_class=_Response
            )
        except Exception:  # noqa: BLE001 - whatever is wrong with the request, gunicorn's way meets it and says so
            return None, None
        environ["wsgi.multithread"] = True
        return (None, None) if collected.parts or "HTTP_EXPECT" in environ else (response, environ)

    def _send_gathered(self, kind: _Gathering, done: list[_Done]) -> None:
        """Send the answers; whoever has none is served gunicorn's way. In the waiting thread."""
        kind.held -= len(done)
        for conn, answer, length in done:
            if answer is None:
                self.enqueue_req(conn)
                continue
            self.nr += 1
            try:
                conn.sock.recv(length, socket.MSG_DONTWAIT)
            except OSError:
                self.nr_conns -= 1
                conn.close()
                continue
            try:
                sent = conn.sock.send(answer, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            except OSError:
                sent = -1
            if sent != len(answer):
                self._send_later(conn, answer, sent)
                continue
            self._keep(conn)

    def _keep(self, conn: TConn) -> None:
        """Wait for the next request of a connection; a stopping worker waits no longer than for the others."""
        conn.sock.setblocking(False)
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_client_socket_readable, conn))


def _send_rest(conn: TConn, rest: bytes) -> bool:
    conn.init()
    conn.sock.setblocking(True)
    conn.sock.sendall(rest)
    return True
