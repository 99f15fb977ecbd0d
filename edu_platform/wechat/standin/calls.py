"""One call to the stand-in and how an endpoint describes itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edu_platform.wechat.standin.state import Limit, Refusal, State


@dataclass(frozen=True)
class Picture:
    """An answer that is not JSON."""

    content: bytes = field(repr=False)
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Mapping[str, Any] | Picture


@dataclass
class Call:
    """What an endpoint is given: method and token are in order, the body is a JSON object.

    What is put in `afterwards` is done when the answer has left or failed to.
    """

    state: State
    path: str
    query: Mapping[str, str]
    body: dict[str, Any]
    remote_addr: str
    appid: str = ""
    afterwards: list[Callable[[], None]] = field(default_factory=list)

    def spend(self, *, key: str | None = None, limit: Limit | None = None) -> None:
        """Count this call against the limit of its path, or another."""
        key = key or self.path
        self.state.spend(key, limit or self.state.limits.get(key), "reach max api minute quota limit")

    def text(self, name: str, errcode: int, errmsg: str) -> str:
        """Return a text of the body that must be there and not empty."""
        value = self.body.get(name)
        if not isinstance(value, str) or not value:
            raise Refusal(errcode, errmsg)
        return value


@dataclass(frozen=True)
class Endpoint:
    """A path of WeChat's: its method, whether it wants a token, what answers it.

    `not_json` is the errcode for a body that is not a JSON object.
    """

    method: str
    path: str
    answer: Callable[[Call], Answer]
    token: bool = True
    not_json: tuple[int, str] = (47001, "data format error")
