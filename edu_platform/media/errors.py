"""What people are told when files cannot be had."""

from __future__ import annotations

from edu_platform.core.errors import NotNow


class StoreAway(NotNow):
    """The file store does not answer, or says that it cannot; nothing was changed, and waiting helps."""

    code = "store_away"

    def __init__(self) -> None:
        super().__init__("文件暂时无法读取或保存，请稍后再试。", retry_after=5)
