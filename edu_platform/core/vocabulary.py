"""The words that every room shares, with the name that people see. One word per idea everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Audience(StrEnum):
    """一老一少一新: whom a piece speaks to."""

    ELDERLY = "elderly"
    YOUTH = "youth"
    NEW_CUSTOMER = "new_customer"


class DeclaredAudience(StrEnum):
    """What a learner has declared to be; a beacon counts under this, never under the piece's tags."""

    ELDERLY = "elderly"
    YOUTH = "youth"
    NEW_CUSTOMER = "new_customer"
    UNKNOWN = "unknown"


class Right(StrEnum):
    """The eight rights of consumers of finance (国办发〔2015〕81号)."""

    PROPERTY_SAFETY = "property_safety"
    RIGHT_TO_KNOW = "right_to_know"
    FREE_CHOICE = "free_choice"
    FAIR_DEALING = "fair_dealing"
    LAWFUL_REDRESS = "lawful_redress"
    EDUCATION = "education"
    RESPECT = "respect"
    INFORMATION_SECURITY = "information_security"


class Channel(StrEnum):
    """Through what a person was met."""

    MINI_PROGRAM = "mini_program"
    WEBSITE = "website"
    OFFICIAL_ACCOUNT = "official_account"
    APP = "app"
    HALL_SCREEN = "hall_screen"
    OFFLINE = "offline"


class Series(StrEnum):
    """The recurring publicity programme a campaign belongs to."""

    CONSUMER_RIGHTS_WEEK = "consumer_rights_week"
    FINANCIAL_EDUCATION_MONTH = "financial_education_month"
    FINANCIAL_KNOWLEDGE_HOME = "financial_knowledge_home"
    ILLEGAL_FUNDRAISING_MONTH = "illegal_fundraising_month"
    DAILY = "daily"
    OTHER = "other"


class Role(StrEnum):
    """What a member of staff may do."""

    EDITOR = "editor"
    REVIEWER = "reviewer"
    CAMPAIGN_MANAGER = "campaign_manager"
    ANALYST = "analyst"
    ADMIN = "admin"


class AgeBand(StrEnum):
    """The age that a learner declares; WeChat tells none."""

    UNDER_14 = "under_14"
    FROM_14 = "14_17"
    FROM_18 = "18_59"
    FROM_60 = "60_plus"


class Action(StrEnum):
    """What happened between a person and a piece or campaign."""

    EXPOSE = "expose"
    VIEW = "view"
    READ_FINISH = "read_finish"
    PLAY_START = "play_start"
    PLAY_25 = "play_25"
    PLAY_50 = "play_50"
    PLAY_75 = "play_75"
    PLAY_FINISH = "play_finish"
    READ_ALOUD = "read_aloud"
    SHARE = "share"
    CALL_HOTLINE = "call_hotline"
    QUIZ_START = "quiz_start"
    QUIZ_SUBMIT = "quiz_submit"
    QUIZ_PASS = "quiz_pass"  # noqa: S105 - a word, not a password
    FAVOURITE = "favourite"


@dataclass(frozen=True)
class ActionRule:
    """Whether an action counts as reach (触及) or participation (参与), and who may report it."""

    label: str
    participation: bool
    by_beacon: bool


ACTIONS: dict[Action, ActionRule] = {
    Action.EXPOSE: ActionRule("曝光", participation=False, by_beacon=True),
    Action.VIEW: ActionRule("浏览", participation=False, by_beacon=True),
    Action.READ_FINISH: ActionRule("读完", participation=True, by_beacon=True),
    Action.PLAY_START: ActionRule("开始播放", participation=False, by_beacon=True),
    Action.PLAY_25: ActionRule("播放四分之一", participation=False, by_beacon=True),
    Action.PLAY_50: ActionRule("播放一半", participation=False, by_beacon=True),
    Action.PLAY_75: ActionRule("播放四分之三", participation=False, by_beacon=True),
    Action.PLAY_FINISH: ActionRule("看完", participation=True, by_beacon=True),
    Action.READ_ALOUD: ActionRule("朗读", participation=True, by_beacon=True),
    Action.SHARE: ActionRule("分享", participation=True, by_beacon=True),
    Action.CALL_HOTLINE: ActionRule("拨打热线", participation=True, by_beacon=True),
    Action.QUIZ_START: ActionRule("开始答题", participation=True, by_beacon=False),
    Action.QUIZ_SUBMIT: ActionRule("交卷", participation=True, by_beacon=False),
    Action.QUIZ_PASS: ActionRule("通过测验", participation=True, by_beacon=False),
    Action.FAVOURITE: ActionRule("收藏", participation=True, by_beacon=False),
}

LABELS: dict[StrEnum, str] = {
    Audience.ELDERLY: "老年人",
    Audience.YOUTH: "青少年",
    Audience.NEW_CUSTOMER: "新客户与新市民",
    DeclaredAudience.UNKNOWN: "未声明",
    Right.PROPERTY_SAFETY: "财产安全权",
    Right.RIGHT_TO_KNOW: "知情权",
    Right.FREE_CHOICE: "自主选择权",
    Right.FAIR_DEALING: "公平交易权",
    Right.LAWFUL_REDRESS: "依法求偿权",
    Right.EDUCATION: "受教育权",
    Right.RESPECT: "受尊重权",
    Right.INFORMATION_SECURITY: "信息安全权",
    Channel.MINI_PROGRAM: "小程序",
    Channel.WEBSITE: "官方网站",
    Channel.OFFICIAL_ACCOUNT: "公众号",
    Channel.APP: "寿险APP",
    Channel.HALL_SCREEN: "厅堂屏",
    Channel.OFFLINE: "线下",
    Series.CONSUMER_RIGHTS_WEEK: "3·15宣传周",
    Series.FINANCIAL_EDUCATION_MONTH: "金融教育宣传月",
    Series.FINANCIAL_KNOWLEDGE_HOME: "金融知识进万家",
    Series.ILLEGAL_FUNDRAISING_MONTH: "防范非法集资宣传月",
    Series.DAILY: "常态化教育",
    Series.OTHER: "其他",
    Role.EDITOR: "编辑",
    Role.REVIEWER: "审查人",
    Role.CAMPAIGN_MANAGER: "活动管理员",
    Role.ANALYST: "统计员",
    Role.ADMIN: "管理员",
    AgeBand.UNDER_14: "未满14岁",
    AgeBand.FROM_14: "14至17岁",
    AgeBand.FROM_18: "18至59岁",
    AgeBand.FROM_60: "60岁及以上",
}


def label(value: StrEnum) -> str:
    """Return the Chinese name of a vocabulary word."""
    if isinstance(value, Action):
        return ACTIONS[value].label
    if isinstance(value, DeclaredAudience) and value is not DeclaredAudience.UNKNOWN:
        return LABELS[Audience(value.value)]
    return LABELS[value]
