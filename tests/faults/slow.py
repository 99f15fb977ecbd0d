"""Clients that are slow on purpose: with their headers, with their bodies, with taking what they asked for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

WAYS = ("headers", "bodies", "reads")
_CLIENT = "User-Agent: slow\r\nAccept: */*\r\n"


class SlowClients:
    """`count` clients in one thread, connected until the block ends; each of the `ways` by turns.

    One that is hung up on comes back, as an attacker does.
    """

    def __init__(
        self, port: int, *, count: int = 300, ways: tuple[str, ...] = WAYS, large: str = "/"
    ) -> None:
        self._port, self._count, self._ways, self._large = port, count, ways, large
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self.connected = 0
        self.hung_up_on = 0

    def __enter__(self) -> Self:
        """Connect."""
        self._thread.start()
        return self

    def __exit__(self, *wrong: object) -> None:
        """Hang up."""
        self._loop.call_soon_threadsafe(self._everybody.cancel)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._everybody = self._loop.create_task(self._all())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._everybody)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(self._ways[n % len(self._ways)]) for n in range(self._count)))

    async def _one(self, way: str) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1024)
            except OSError:
                await asyncio.sleep(0.2)
                continue
            self.connected += 1
            try:
                await getattr(self, f"_{way}")(reader, writer)
            except OSError:
                pass
            finally:
                self.connected -= 1
                self.hung_up_on += 1
                writer.transport.abort()
            await asyncio.sleep(0.2)

    @staticmethod
    async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drops: str) -> None:
        for drop in drops:
            writer.write(drop.encode())
            await writer.drain()
            await asyncio.sleep(0.5)
            if reader.at_eof():
                return

    async def _headers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"GET /api/v1/pieces HTTP/1.1\r\nHost: 127.0.0.1\r\n{_CLIENT}".encode())
        await self._drip(reader, writer, "X-Slow: " + "a" * 10_000)

    async def _bodies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (
            f"POST /api/v1/beacons HTTP/1.1\r\nHost: 127.0.0.1\r\n{_CLIENT}Content-Type: application/json\r\n"
        )
        writer.write(f"{head}Content-Length: 10000\r\n\r\n{{".encode())
        await self._drip(reader, writer, " " * 9_999)

    async def _reads(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"GET {self._large} HTTP/1.1\r\nHost: 127.0.0.1\r\n{_CLIENT}\r\n".encode())
        while await reader.read(16):  # noqa: ASYNC110 - slowness is the point
            await asyncio.sleep(0.5)
