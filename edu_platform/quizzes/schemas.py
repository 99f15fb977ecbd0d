"""Attempts, leaderboards, mistakes, questions and statistics on the wire."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import orjson
from marshmallow import fields, validate

from edu_platform.core.schemas import Id, PageArguments, PlainText, Shape, When, when
from edu_platform.people.schemas import Flag
from edu_platform.quizzes.rules.questions import Difficulty, QuestionType

LARGEST_BANK_TEXT = 900_000
_NAME = r"[A-Za-z0-9_-]+\Z"


def client_made_id() -> fields.String:
    """Return the field for an id that the client makes, so that a repeat is harmless."""
    return fields.String(
        required=True,
        validate=[
            validate.Length(min=1, max=64),
            validate.Regexp(_NAME, error="只能用字母、数字、_ 和 -。"),
        ],
        metadata={"description": "客户端生成的编号；同一编号重复请求，得到同一次答题"},
    )


def _code(description: str) -> fields.String:
    return fields.String(
        load_default=None,
        validate=[
            validate.Length(min=1, max=64),
            validate.Regexp(_NAME, error="只能用字母、数字、_ 和 -。"),
        ],
        metadata={"description": description},
    )


class AttemptStart(Shape):
    """How an attempt begins."""

    client_id = client_made_id()
    elder = Flag(
        load_default=None,
        metadata={"description": "长者版（不限时）；不填则按本人的长者模式。开始后不能更改"},
    )
    campaign_code = _code("所参加活动的代码，可不填")
    channel_code = _code("扫码进入时的渠道短码，可不填")


class PracticeStart(Shape):
    """How practice on mistakes begins."""

    client_id = client_made_id()
    count = fields.Integer(load_default=10, strict=True, validate=validate.Range(min=1, max=50))


class AnswerGiven(Shape):
    """An answer: an option's id (single), a list of ids (multiple), true or false, a list of texts (fill_in), or null."""

    answer = fields.Raw(required=True, allow_none=True)


class _AnswerIn(msgspec.Struct, forbid_unknown_fields=True):
    answer: bool | str | list[str] | None


_ANSWER = msgspec.json.Decoder(_AnswerIn)
_KEY = re.compile(rb'"\s*:')


def answer_given(raw: bytes) -> tuple[Any] | None:
    """Return the answer that a body of `AnswerGiven` holds, None when that is not certain at a glance."""
    try:
        found = _ANSWER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # One key, unless a text looks like one: none stood there twice.
    return (found.answer,) if len(_KEY.findall(raw)) == 1 else None


class OptionView(Shape):
    """An option, under a name that holds in this attempt only."""

    id = fields.String(required=True)
    text = fields.String(required=True)


class VerdictView(Shape):
    """How an answer was judged; comes only when its time has come."""

    correct = fields.Boolean(required=True)
    points = fields.Integer(required=True)
    max_points = fields.Integer(required=True)
    right_answer = fields.Raw(required=True)
    explanation = fields.String(required=True)
    notes = fields.List(fields.Nested(OptionView), required=True)
    source = fields.Dict(keys=fields.String(), values=fields.String(), required=True, allow_none=True)


class QuestionView(Shape):
    """A question of an attempt, and what was answered."""

    number = fields.Integer(required=True)
    type = fields.Enum(QuestionType, by_value=fields.String, required=True)
    stem = fields.String(required=True)
    options = fields.List(fields.Nested(OptionView), required=True)
    blanks = fields.Integer(required=True)
    points = fields.Integer(required=True)
    answer = fields.Raw(required=True, allow_none=True)
    saved_at = When(required=True, allow_none=True)
    verdict = fields.Nested(VerdictView, required=True, allow_none=True)


class AttemptSummary(Shape):
    """An attempt without its questions; `score` and `passed` are null until they may be told (`results_at`)."""

    id = Id(required=True)
    quiz = fields.String(required=True, allow_none=True)
    practice = fields.Boolean(required=True)
    state = fields.String(required=True)
    elder = fields.Boolean(required=True)
    started_at = When(required=True)
    deadline_at = When(required=True, allow_none=True)
    remaining_ms = fields.Integer(required=True, allow_none=True)
    submitted_at = When(required=True, allow_none=True)
    timed_out = fields.Boolean(required=True)
    duration_ms = fields.Integer(required=True, allow_none=True)
    max_score = fields.Integer(required=True)
    pass_mark = fields.Integer(required=True)
    score = fields.Integer(required=True, allow_none=True)
    passed = fields.Boolean(required=True, allow_none=True)
    reveal = fields.String(required=True)
    answers_shown = fields.Boolean(required=True)
    results_at = When(required=True, allow_none=True)


class AttemptView(AttemptSummary):
    """An attempt with its questions, in its own order."""

    questions = fields.List(fields.Nested(QuestionView), required=True)


def on_wire(shown: Any) -> bytes:
    """Return a shown attempt or question as `AttemptView` or `QuestionView` dumps it, without its cost."""
    return orjson.dumps(
        shown, default=when, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_APPEND_NEWLINE
    )


class AttemptList(Shape):
    """One page of one's own attempts, newest first."""

    items = fields.List(fields.Nested(AttemptSummary), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PlaceView(Shape):
    """One place on a leaderboard, under a made-up name."""

    rank = fields.Integer(required=True)
    name = fields.String(required=True)
    score = fields.Integer(required=True)
    max_score = fields.Integer(required=True)
    submitted_at = When(required=True)
    me = fields.Boolean(required=True)


class BoardView(Shape):
    """A page of a leaderboard, the rule of its order, and one's own place."""

    items = fields.List(fields.Nested(PlaceView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
    rule = fields.String(required=True)
    counts = fields.String(required=True)
    total = fields.Integer(required=True)
    me = fields.Nested(PlaceView, required=True, allow_none=True)
    why_not_me = fields.String(required=True, allow_none=True)
    hidden_until = When(required=True, allow_none=True)


class MistakeView(Shape):
    """A question answered wrongly, with the right answer."""

    question = fields.String(required=True)
    quiz = fields.String(required=True)
    type = fields.Enum(QuestionType, by_value=fields.String, required=True)
    stem = fields.String(required=True)
    options = fields.List(fields.String(), required=True)
    answer = fields.Raw(required=True)
    right_answer = fields.Raw(required=True)
    explanation = fields.String(required=True)
    source = fields.Dict(keys=fields.String(), values=fields.String(), required=True, allow_none=True)
    wrong_at = When(required=True)


class MistakeList(Shape):
    """One page of one's own mistakes, latest first."""

    items = fields.List(fields.Nested(MistakeView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


# Staff


class QuestionFilter(PageArguments):
    """Which questions staff want to see."""

    bank = fields.String(load_default=None, validate=validate.Length(min=1, max=64))
    type = fields.Enum(QuestionType, by_value=fields.String, load_default=None)
    difficulty = fields.Enum(Difficulty, by_value=fields.String, load_default=None)
    q = PlainText(load_default=None, least=1, most=50, metadata={"description": "编号或题干中的文字"})
    retired = fields.Boolean(
        load_default=False, metadata={"description": "true 只看停用的题，默认只看在用的"}
    )


class QuestionGiven(Shape):
    """A question as a bank's file has it, and the bank that it belongs to."""

    bank = fields.String(
        required=True,
        validate=[
            validate.Length(min=1, max=64),
            validate.Regexp(r"[a-z0-9]+(-[a-z0-9]+)*\Z", error="只能用小写字母、数字和连字符。"),
        ],
    )
    question = fields.Dict(
        required=True, keys=fields.String(), metadata={"description": "与题库文件中一道题的写法相同"}
    )


class BankGiven(Shape):
    """A bank as text: YAML, or CSV with the columns of the guide (`name` says which bank a table is)."""

    format = fields.String(required=True, validate=validate.OneOf(["yaml", "csv"]))
    name = fields.String(
        load_default=None,
        validate=[
            validate.Length(min=1, max=64),
            validate.Regexp(r"[a-z0-9]+(-[a-z0-9]+)*\Z", error="只能用小写字母、数字和连字符。"),
        ],
    )
    text = fields.String(required=True, validate=validate.Length(min=1, max=LARGEST_BANK_TEXT))


class BankSaved(Shape):
    """What saving a bank did, in questions, and what should be improved."""

    bank = fields.String(required=True)
    new = fields.Integer(required=True)
    changed = fields.Integer(required=True)
    same = fields.Integer(required=True)
    advice = fields.List(fields.String(), required=True)


class QuestionStaffView(Shape):
    """The newest version of a question, answers included."""

    ref = fields.String(required=True)
    bank = fields.String(required=True)
    version = fields.Integer(required=True)
    digest = fields.String(required=True)
    created_at = When(required=True)
    retired_at = When(required=True, allow_none=True, metadata={"description": "何时停用；在用的为 null"})
    type = fields.String(required=True)
    stem = fields.String(required=True)
    options = fields.List(fields.Dict(), required=True)
    answer = fields.Raw(required=True, allow_none=True)
    explanation = fields.String(required=True)
    difficulty = fields.String(required=True)
    topics = fields.List(fields.String(), required=True)
    rights = fields.List(fields.String(), required=True)
    audiences = fields.List(fields.String(), required=True)
    source = fields.Dict(required=True, allow_none=True)


class QuestionSaved(QuestionStaffView):
    """A question after it was saved: `outcome` is new, changed or same."""

    outcome = fields.String(required=True)


class VersionView(Shape):
    """A version of a question, by number."""

    number = fields.Integer(required=True)
    digest = fields.String(required=True)
    created_at = When(required=True)


class QuestionHistoryView(QuestionStaffView):
    """A question with the list of its versions, newest first."""

    versions = fields.List(fields.Nested(VersionView), required=True)


class QuestionStaffList(Shape):
    """One page of questions, by ref."""

    items = fields.List(fields.Nested(QuestionStaffView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class OptionCountView(Shape):
    """How often an option was chosen."""

    text = fields.String(required=True)
    correct = fields.Boolean(required=True)
    chosen = fields.Integer(required=True)


class ItemView(Shape):
    """How one version of a question behaves."""

    question = fields.String(required=True)
    version = fields.Integer(required=True)
    type = fields.String(required=True)
    stem = fields.String(required=True)
    shown = fields.Integer(required=True)
    answered = fields.Integer(required=True)
    right = fields.Integer(required=True)
    difficulty = fields.Float(
        required=True, allow_none=True, metadata={"description": "答对率：全对份数 / 出现份数"}
    )
    discrimination = fields.Float(
        required=True, allow_none=True, metadata={"description": "区分度：与其余题目得分的点二列相关"}
    )
    mean_points = fields.Float(required=True)
    options = fields.List(fields.Nested(OptionCountView), required=True)


class StatisticsView(Shape):
    """A quiz and its questions, over every submitted attempt; practice is left out."""

    quiz = fields.String(required=True)
    attempts = fields.Integer(required=True)
    passed = fields.Integer(required=True)
    mean_share = fields.Float(required=True, allow_none=True)
    items = fields.List(fields.Nested(ItemView), required=True)


def question_view(whole: Any, **more: Any) -> dict[str, Any]:
    """Return a question with its key as staff see it: as a bank's file would have it."""
    content, key, version = whole.version.content, whole.key, whole.version
    options = [
        {
            "text": text,
            "correct": index in key["correct"],
            **({"why": key["whys"][index]} if key["whys"][index] else {}),
        }
        for index, text in enumerate(content["options"])
    ]
    return {
        "ref": whole.question.ref,
        "bank": whole.bank,
        "version": version.number,
        "digest": version.digest,
        "created_at": version.created_at,
        "retired_at": whole.question.retired_at,
        **{name: content[name] for name in ("type", "stem", "difficulty", "topics", "rights", "audiences")},
        "options": options,
        "answer": None if options else key["correct"],
        "explanation": key["explanation"],
        "source": key["source"],
        **more,
    }
