"""News that travels up: a lower room sends, `factory` connects who hears; all in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

News = TypeVar("News")


class Signal(Generic[News]):
    """One announcement. Handlers run in the order in which they were connected, in the sender's transaction."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning
        self._handlers: list[Callable[[Session, News], None]] = []

    def connect(self, handler: Callable[[Session, News], None]) -> None:
        """Let `handler` hear every later announcement; connecting it twice changes nothing."""
        if handler not in self._handlers:
            self._handlers.append(handler)

    def send(self, session: Session, news: News) -> None:
        """Announce `news`; an exception of a handler rolls the sender's work back."""
        for handler in self._handlers:
            handler(session, news)
