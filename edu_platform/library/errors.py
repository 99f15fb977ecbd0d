"""What the library refuses."""

from __future__ import annotations

from edu_platform.core.errors import Conflict


class MoveRefused(Conflict):
    """The state of the revision does not allow it."""

    code = "state_refuses"


class NotApproved(Conflict):
    """Nobody has approved exactly this content."""

    code = "not_approved"

    def __init__(self) -> None:
        super().__init__("此版本尚未通过审查，不能发布。")


class DependencyChanged(Conflict):
    """What the piece rests on is no longer what was approved."""

    code = "dependency_changed"

    def __init__(self, what: str) -> None:
        super().__init__(f"所引用的内容在审查后有变动（{what}），请重新保存并送审。")


class SlugTaken(Conflict):
    """There is a piece of this name already."""

    code = "slug_taken"

    def __init__(self, slug: str) -> None:
        super().__init__(f"已有名为 {slug} 的内容，请换一个名称，或修改原有内容。")


class Stale(Conflict):
    """Somebody else has saved a newer revision since."""

    code = "stale"

    def __init__(self) -> None:
        super().__init__("此内容已被他人更新，请刷新后再修改。")
