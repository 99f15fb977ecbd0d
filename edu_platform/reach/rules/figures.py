"""The definition behind every figure."""

from __future__ import annotations

from edu_platform.core.vocabulary import ACTIONS, Action
from edu_platform.reach.models import Measure
from edu_platform.reach.rules.intake import FLOOD_IN_A_DAY, FLOOD_IN_A_MINUTE

DEFINITIONS: dict[str, str] = {
    "person_times": "触及人次：线上触及类行为（"
    + "、".join(rule.label for rule in ACTIONS.values() if not rule.participation)
    + "）发生的次数，同一人可计多次。",
    "persons": "触及人数：窗口内至少有一次触及类行为的不同的人，每人只计一次；各日、各维度的人数相加不等于合计。",
    "participations": "参与人次：参与类行为（"
    + "、".join(rule.label for rule in ACTIONS.values() if rule.participation)
    + "）发生的次数，与触及人次分开统计。",
    "participants": "参与人数：窗口内至少有一次参与类行为的不同的人，每人只计一次。",
    "day": "日期按上海时间（Asia/Shanghai）划分，以校正时差后的发生时间为准。",
    "audience": "受众按学习者当时自己声明的类别统计，未声明的计入“未声明”，不按作品的受众推断。",
    "identity": "人数按学习者去重；访客登录后与其学习者合并为一人；注销后人数不变。",
    "suspects": f"同一人一分钟内超过 {FLOOD_IN_A_MINUTE} 条或一天内超过 {FLOOD_IN_A_DAY} 条的部分视为可疑，保留但默认不计入。",
}


def measure_of(action: Action) -> Measure:
    """Say whether an action is reach or participation."""
    return Measure.PARTICIPATION if ACTIONS[action].participation else Measure.REACH
