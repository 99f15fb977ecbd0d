"""What campaigns refuse."""

from __future__ import annotations

from edu_platform.core.errors import Conflict, NotFound


class NoCampaign(NotFound):
    """No such campaign (for learners: none that has been opened)."""

    code = "campaign_not_found"

    def __init__(self) -> None:
        super().__init__("没有这个活动。")


class NoChannelCode(NotFound):
    """No such channel code."""

    code = "channel_code_not_found"

    def __init__(self) -> None:
        super().__init__("没有这个渠道码。")


class WrongState(Conflict):
    """The campaign is not in a state in which this can be done."""

    code = "wrong_state"
