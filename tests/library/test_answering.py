"""What may be asked: the short way through a schema says the same as the schema."""

from __future__ import annotations

import random

import marshmallow as ma
import pytest

from edu_platform.library.answering import loaded, questions

VALUES = [
    "", "0", "1", "20", "100", "101", "-1", "1.0", " 7 ", "１２", "x" * 512, "x" * 513, "elderly", "ELDERLY", "null",
    "newest", "most_read", "oldest", "article", "quiz", "no-kind", "risk-alerts", "Risk", "a--b", "退保", "退" * 51,
    "\u202e", "a\tb", " 退保 ", "right_to_safety", "know", "rights-week", "a b", "true", "1e2", "٣",
]  # fmt: skip


def verdict(load):
    try:
        return load()
    except ma.ValidationError:
        return None


def test_the_short_way_through_a_schema_says_the_same(app):
    assert len(questions) >= 6
    for known in questions:
        compare(known.arguments, random.Random(known.rule))


def compare(schema, generator):
    names = [*schema.load_fields, "unknown", "limit", "cursor"]
    cases = [{}, *({name: value} for name in dict.fromkeys(names) for value in VALUES)]
    for _ in range(500):
        several = generator.sample(sorted(set(names)), min(len(set(names)), generator.randint(1, 4)))
        cases.append({name: generator.choice(VALUES) for name in several})
    said = [verdict(lambda given=given: schema.load(given)) for given in cases]
    assert said == [verdict(lambda given=given: loaded(schema, given)) for given in cases]
    assert None in said
    assert any(found is not None for found in said)


@pytest.mark.control
def test_a_schema_that_looks_at_several_fields_is_not_for_the_short_way():
    """The control: the comparison tells when a schema does more than its fields."""

    class Both(ma.Schema):
        first = ma.fields.Integer(load_default=1)
        last = ma.fields.Integer(load_default=2)

        @ma.validates_schema
        def in_order(self, data, **_):
            if data["first"] > data["last"]:
                raise ma.ValidationError("no")

    given = {"first": "3"}
    assert verdict(lambda: Both().load(given)) is None
    assert verdict(lambda: loaded(Both(), given)) is not None
