"""A proxy that can be told to misbehave: between the platform and a service that is well.

    with FaultProxy(("127.0.0.1", 6379)) as proxy:
        proxy.mode = "hang"

`upstream` is an address or the path of a Unix socket. A change of mode breaks the connections that are open, as a
fault would, except into "slow" and "cut".
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Literal, Self

Mode = Literal["pass", "refuse", "hang", "slow", "trickle", "cut", "garble"]

PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 30\r\nConnection: close\r\n\r\n"
    b"<html>\xe7\xbd\x91\xe5\x85\xb3\xe7\xb9\x81\xe5\xbf\x99</html>\r\n\r\n\r\n\r\n  "
)


class FaultProxy:
    """Listens on a port of 127.0.0.1 and passes on to `upstream`, in its present `mode`.

    - pass: as if it were not there
    - refuse: every connection is closed at once
    - hang: requests are read, nothing ever comes back
    - slow: each piece of an answer comes `delay` seconds late
    - trickle: an answer's head comes, its body byte by byte, `delay` seconds apart
    - cut: the connection breaks after `after` bytes of the answer
    - garble: a web page comes instead of an answer
    """

    def __init__(self, upstream: tuple[str, int] | Path, *, delay: float = 0.2, after: int = 2000) -> None:
        self._upstream = upstream
        self.delay, self.after = delay, after
        self._mode: Mode = "pass"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *wrong: object) -> None:
        """Stop listening and break what is open."""
        self._listener.close()
        self._break()

    @property
    def mode(self) -> Mode:
        """What it does at present."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode not in {"slow", "cut"}:
            self._break()

    def _break(self) -> None:
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self._mode == "refuse":
                return
            with self._lock:
                self._open.add(client)
            try:
                if self._mode == "hang":
                    while client.recv(65536):
                        pass
                elif self._mode == "garble":
                    client.recv(65536)
                    client.sendall(PAGE)
                else:
                    self._pass(client)
            finally:
                with self._lock:
                    self._open.discard(client)

    def _pass(self, client: socket.socket) -> None:
        with self._connected() as server:
            with self._lock:
                self._open.add(server)
            there = threading.Thread(target=self._copy, args=(client, server), daemon=True)
            there.start()
            try:
                self._answer(server, client)
            finally:
                with self._lock:
                    self._open.discard(server)
                for one in (client, server):
                    with contextlib.suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                there.join(5)

    def _connected(self) -> socket.socket:
        if isinstance(self._upstream, Path):
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._upstream))
            return server
        return socket.create_connection(self._upstream)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        passed = 0
        while piece := server.recv(65536):
            if self._mode == "slow":
                time.sleep(self.delay)
            if self._mode == "trickle":
                head = piece.find(b"\r\n\r\n") + 4
                client.sendall(piece[:head])
                for n in range(head, len(piece)):
                    client.sendall(piece[n : n + 1])
                    time.sleep(self.delay)
                continue
            if self._mode == "cut" and passed + len(piece) > self.after:
                client.sendall(piece[: self.after - passed])
                return
            client.sendall(piece)
            passed += len(piece)
