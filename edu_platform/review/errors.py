"""What the review refuses."""

from __future__ import annotations

from edu_platform.core.errors import Conflict, NotAllowed


class OwnWork(NotAllowed):
    """Nobody decides on what they wrote or submitted."""

    code = "own_work"

    def __init__(self) -> None:
        super().__init__("不能审批自己编写或送审的内容，请由另一位审查人处理。")


class NotThisDigest(Conflict):
    """The reviewer looked at something else than what the case holds."""

    code = "wrong_digest"

    def __init__(self) -> None:
        super().__init__("所审内容与送审版本不一致，请刷新后重新审阅。")


class AlreadyDecided(Conflict):
    """The case is no longer open."""

    code = "case_decided"

    def __init__(self) -> None:
        super().__init__("此审查事项已有结论。")
