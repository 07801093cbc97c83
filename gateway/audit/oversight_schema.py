"""What /audit has beside searches: counts, the misuse queue, samples, reviews, questions, recalls.

Types and fields alone; what each gives is `gateway/actions/overseen.py`'s.
"""

from __future__ import annotations

from typing import Final

import graphene

from gateway.audit.queues import PERIODS
from gateway.audit.signals import Pattern
from gateway.audit.spans import SPANS
from gateway.catalogue.schema import many

MOST_CASES: Final = 200
_ASKED: Final = 25
_USE: Final = "gateway.audit.schema.Use"  # which imports this
_HEALTH: Final = "gateway.audit.schema.LogHealth"
_ASKED_WORDS: Final = "gateway.audit.schema.Asked"


_Span = graphene.Enum("Span", [(code.upper(), code) for code in SPANS], description="Which time.")
_Pattern = graphene.Enum(
    "Pattern", [(one.value.upper(), one.value) for one in Pattern], description="A kind of sign."
)
_State = graphene.Enum(
    "State", [("OPEN", "open"), ("BEGUN", "begun"), ("DONE", "done")], description="How far."
)


class Count(graphene.ObjectType):  # type: ignore[misc]  # graphene ships no types
    """What was asked in one span of time by one agency for one purpose."""

    since = graphene.String(required=True)
    agency = graphene.String(required=True)
    purpose = graphene.String(required=True)
    queries = graphene.Int(required=True)
    refused = graphene.Int(required=True)
    failed = graphene.Int(required=True)
    withheld = graphene.Int(required=True, description="Answered, and something was not shown.")
    glass = graphene.Int(required=True)
    missing = graphene.Int(required=True, description="A source that was asked gave nothing.")


class ReviewSaid(graphene.ObjectType):  # type: ignore[misc]
    """What somebody found."""

    level = graphene.String(required=True)
    outcome = graphene.String(required=True)
    quality = graphene.Int(description="Of the reason, 0 to 4; null for what was closed.")
    at = graphene.String(required=True)
    entry = graphene.Int(description="The log's entry of it.")
    note = graphene.String(required=True, description="Empty but for the reviewer's own agency.")


class MatterRow(graphene.ObjectType):  # type: ignore[misc]
    """Something that the external auditor asked an agency."""

    id = graphene.String(required=True)
    kind = graphene.String(required=True, description="QUESTION or UNSEALING.")
    at = graphene.String(required=True)
    by = graphene.String(required=True, description="By which agency.")
    agency = graphene.String(required=True, description="Which was asked.")
    entry = graphene.Int(required=True)
    use = graphene.String(required=True)
    answer = graphene.String(description="ANSWERED, AGREED or REFUSED; null while it waits.")
    answered_at = graphene.String()
    until = graphene.String(description="Until when an unsealed body can be looked at.")


class MatterTold(graphene.ObjectType):  # type: ignore[misc]
    """The same with what was written."""

    matter = graphene.Field(MatterRow, required=True)
    question = graphene.String(required=True)
    answer = graphene.String(required=True)
    withheld = graphene.Boolean(required=True, description="There is an answer, not for you.")
    may_answer = graphene.Boolean(required=True)
    open = graphene.Boolean(required=True, description="Whether you may look at the body now.")


class SampleRow(graphene.ObjectType):  # type: ignore[misc]
    """A dip sample, and what decided it."""

    id = graphene.String(required=True)
    announced_at = graphene.String(required=True)
    by = graphene.String(required=True, description="Of which agency who announced it is.")
    since = graphene.String(required=True)
    until = graphene.String(required=True)
    count = graphene.Int(required=True)
    strata = graphene.String(required=True)
    drawn_at = graphene.String()
    seed = graphene.String()
    checkpoint = graphene.String(description="The signed note whose root decided.")
    population = graphene.Int()


class RecallShown(graphene.ObjectType):  # type: ignore[misc]
    """An answer that showed a record."""

    query_id = graphene.String(required=True)
    at = graphene.String(required=True)


class RecallTold(graphene.ObjectType):  # type: ignore[misc]
    """What one agency is told of a recall."""

    agency = graphene.String(required=True)
    ref = graphene.String(required=True, description="Empty but for that agency.")
    shown = graphene.Field(
        many(RecallShown), description="The answers that showed it; for that agency alone."
    )
    times = graphene.Int(required=True, description="How many answers, the latest 200 at most.")
    acknowledged_at = graphene.String()


class RecallRow(graphene.ObjectType):  # type: ignore[misc]
    """A record that its owner has corrected."""

    id = graphene.String(required=True)
    at = graphene.String(required=True)
    by = graphene.String(required=True, description="Of which agency the record is.")
    source = graphene.String(required=True, description="Empty but for its owner.")
    entity = graphene.String(required=True)
    key = graphene.String(required=True, description="Empty but for its owner, and once erased.")
    said = graphene.String(required=True)
    answers = graphene.Int(description="That showed it; null but for its owner.")
    told = many(RecallTold)


class Recalls(graphene.ObjectType):  # type: ignore[misc]
    """What one's agency recalled, and what others did that its people were shown."""

    made = many(RecallRow)
    heard = many(RecallRow)


class Overview(graphene.ObjectType):  # type: ignore[misc]
    """How the log stands, and what was asked of late."""

    health = graphene.Field(_HEALTH, required=True)
    counts = graphene.Field(many(Count), description="Null where counting would take too long.")


class Looked(graphene.ObjectType):  # type: ignore[misc]
    """A query that is to be reviewed, and what was said of it."""

    entry = graphene.Int(required=True)
    at = graphene.String(required=True)
    purpose = graphene.String(required=True)
    reason = graphene.String(required=True, description="The reason's code.")
    asked = graphene.Field(_ASKED_WORDS)
    open = graphene.Boolean(required=True, description="Nobody of your level reviewed it.")
    reviews = many(ReviewSaid)


class MisuseCase(graphene.ObjectType):  # type: ignore[misc]
    """Signs of one pattern in what one officer asked."""

    id = graphene.String(required=True)
    rank = graphene.Int(required=True)
    pattern = graphene.String(required=True)
    agency = graphene.String(required=True)
    officer = graphene.String(required=True, description="The beginning of their token.")
    score = graphene.Float(required=True)
    reasons = many(graphene.String)
    since = graphene.String(required=True)
    until = graphene.String(required=True)
    queries = graphene.Int(required=True)
    left = graphene.Int(required=True, description="That nobody of your level looked at.")
    state = graphene.String(required=True)


class MisusePart(graphene.ObjectType):  # type: ignore[misc]
    """Some cases of the queue, the strongest first."""

    made_at = graphene.String(required=True)
    looked_at = graphene.Int(required=True, description="Queries of the period.")
    missing = graphene.Field(many(graphene.String), description="Which feeds are not there.")
    cases = many(MisuseCase)
    fitting = graphene.Int(required=True, description="Cases that fit.")
    next = graphene.Int(description="`start` of the next page; null where this is the last.")


class MisuseTold(graphene.ObjectType):  # type: ignore[misc]
    """One case with its queries, first those to look at; 50 at most."""

    case = graphene.Field(MisuseCase, required=True)
    queries = many(Looked)


class ReviewRow(graphene.ObjectType):  # type: ignore[misc]
    """A drawn query."""

    id = graphene.String(required=True)
    entry = graphene.Int(required=True)
    agency = graphene.String(required=True)
    stratum = graphene.String(required=True)
    asked_at = graphene.String(required=True)
    drawn_at = graphene.String(required=True)
    open = graphene.Boolean(required=True, description="Whether you may review it.")
    reviews = many(ReviewSaid)


class SampleTold(graphene.ObjectType):  # type: ignore[misc]
    """One sample, and its queries as far as they are yours to see."""

    sample = graphene.Field(SampleRow, required=True)
    queries = many(ReviewRow)


class ReviewTold(graphene.ObjectType):  # type: ignore[misc]
    """One drawn query, as its reviewer may know of it."""

    row = graphene.Field(ReviewRow, required=True)
    query = graphene.Field(Looked, required=True)


_needed = {"use": graphene.Argument(_USE, required=True)}
_by_id = {**_needed, "id": graphene.Argument(graphene.String, required=True)}
_days = graphene.Argument(
    graphene.Int, default_value=28, description=f"One of {', '.join(map(str, PERIODS))}."
)


class Overseen:
    """The fields of `Query` that are of these types."""

    overview = graphene.Field(
        graphene.NonNull(Overview),
        args={**_needed, "span": graphene.Argument(_Span, default_value="month")},
        description="How much was asked of late, by agency and purpose.",
    )
    misuse = graphene.Field(
        MisusePart,
        args={
            **_needed,
            "days": _days,
            "pattern": graphene.Argument(_Pattern),
            "state": graphene.Argument(_State),
            "first": graphene.Argument(
                graphene.Int, default_value=_ASKED, description=f"At most {MOST_CASES}."
            ),
            "start": graphene.Argument(graphene.Int, default_value=0),
        },
        description="Uses that an auditor looks at first; null while the queue is made.",
    )
    misuse_case = graphene.Field(
        MisuseTold, args={**_by_id, "days": _days}, description="One of them."
    )
    samples = graphene.Field(
        many(SampleRow), args=_needed, description="Dip samples, the latest 50."
    )
    sample = graphene.Field(SampleTold, args=_by_id, description="One of them.")
    reviews = graphene.Field(
        many(ReviewRow), args=_needed, description="What waits for you, the oldest 50."
    )
    review = graphene.Field(ReviewTold, args=_by_id, description="One drawn query.")
    matters = graphene.Field(
        many(MatterRow),
        args=_needed,
        description="What your agency asked or was asked: what waits, then the latest.",
    )
    matter = graphene.Field(MatterTold, args=_by_id, description="One of them.")
    recalls = graphene.Field(
        graphene.NonNull(Recalls), description="For desks: recalls made and heard of."
    )
