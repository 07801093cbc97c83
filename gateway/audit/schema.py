"""The small schema of /audit: reading the record, and ending one's own right to. No resolvers."""

from __future__ import annotations

from typing import Any, Final

import graphene
from graphql import GraphQLSchema

from gateway.audit.inquiry import MOST
from gateway.audit.oversight_schema import Overseen
from gateway.audit.uses import USES
from gateway.catalogue.schema import Schema, many, names_of
from gateway.catalogue.vocabulary import Vocabulary

_ASKED: Final = 50


Use = graphene.Enum("Use", [(code, code) for code in USES], description="For what you look.")


class LogHealth(graphene.ObjectType):  # type: ignore[misc]  # graphene ships no types
    """How the log stands."""

    origin = graphene.String(required=True)
    verifier = graphene.String(required=True, description="Its public key.")
    size = graphene.Int(required=True, description="Entries that have a number.")
    healthy = graphene.Boolean(required=True)
    signed_size = graphene.Int(required=True)
    signed_at = graphene.String()
    root = graphene.String(required=True)
    witnessed_size = graphene.Int(required=True, description="Entries that witnesses have signed.")
    indexed = graphene.Int(required=True, description="Entries that can be found.")
    verified = graphene.Int(
        required=True, description="Of those, as they were read: they lead to a signed root."
    )
    whole = graphene.Boolean(required=True, description="Whether none were read that do not.")
    suspects = graphene.Int(description="Of those, whose times a clock in doubt gave.")
    witnesses = graphene.Field(many(graphene.String), description="Who signed these.")


class SourceTold(graphene.ObjectType):  # type: ignore[misc]
    """How a source fared in a search."""

    source = graphene.String(required=True)
    state = graphene.String(required=True)


class Ruling(graphene.ObjectType):  # type: ignore[misc]
    """What policy decided of a place and a use, whatever is held; what is silent is left out."""

    place = graphene.String(required=True, description="For instance Vehicle>Person.names.")
    use = graphene.String(required=True, description="read, record, filter, link, match and so on.")
    fields = graphene.Field(many(graphene.String), description="Empty: all that were asked for.")
    manner = graphene.String(
        required=True, description="CLEAR, WITHHELD, HIT_ONLY, COUNT, masks; of several each in "
        "some case.",
    )  # fmt: skip
    rule = graphene.String(required=True)
    sources = graphene.Field(many(graphene.String), description="Of what is clear none is named.")


class Asked(graphene.ObjectType):  # type: ignore[misc]
    """Who asked, in what words and why: for the asker and the auditors of the asker's agency."""

    issuer = graphene.String(required=True)
    officer = graphene.String(required=True)
    roles = many(graphene.String)
    app = graphene.String(required=True)
    reason = graphene.String(required=True)
    case = graphene.String(required=True)
    incident = graphene.String(required=True)
    on_behalf_of = graphene.String(required=True)
    break_glass = graphene.String(required=True)
    text = graphene.String(required=True, description="The document.")
    variables = graphene.String(required=True, description="As JSON.")
    visits = graphene.String(required=True, description="Which fields were to be read, as JSON.")
    rulings = graphene.Field(many(Ruling), description="What was decided, by which rule.")
    terms = graphene.Field(many(graphene.String), description="Kinds of what was searched for.")
    cause = graphene.String(required=True, description="Why it failed.")
    looked = graphene.String(required=True, description="Of a view: what was looked for, as JSON.")
    entries = graphene.Field(many(graphene.Int), description="Of a view: which were given.")


class Search(graphene.ObjectType):  # type: ignore[misc]
    """One query, from its intent to its outcome, or an entry that stands alone."""

    index = graphene.Int(required=True, description="The number of its first entry.")
    last = graphene.Int(required=True, description="The number of its last.")
    at = graphene.String(required=True)
    kind = graphene.String(required=True)
    tag = graphene.String(required=True)
    query_id = graphene.String(required=True)
    agency = graphene.String(required=True)
    app = graphene.String(required=True)
    purpose = graphene.String(required=True)
    reason = graphene.String(required=True)
    glass = graphene.Boolean(required=True)
    serial = graphene.Int()
    status = graphene.Int()
    code = graphene.String(required=True, description='How it ended; "" for what was answered.')
    rule = graphene.String(required=True)
    records = graphene.Int(required=True, description="How many were shown.")
    masked = graphene.Int(description="As the sources' reports count; null of one's own searches.")
    withheld = graphene.Int(description="Likewise: it counts what was silent.")
    missing = graphene.Int(description="Sources that gave nothing; null of one's own searches.")
    answered = graphene.Boolean(required=True)
    suspect = graphene.Boolean(required=True, description="Whether a clock in doubt gave its time.")
    sources = many(SourceTold)
    asked = graphene.Field(Asked)


class SearchPage(graphene.ObjectType):  # type: ignore[misc]
    """Searches, the latest first."""

    rows = many(Search)
    next = graphene.Int(description="`before` of the next page; null where this is the last.")
    upto = graphene.Int(required=True, description="How many entries could be found by then.")


class Proof(graphene.ObjectType):  # type: ignore[misc]
    """That an entry is in the log, under a signed checkpoint."""

    index = graphene.Int(required=True)
    leaf_hash = graphene.String(required=True)
    hashes = graphene.Field(many(graphene.String), description="From the leaf upwards.")
    size = graphene.Int(required=True)
    root = graphene.String(required=True)
    checkpoint = graphene.String(required=True)
    text = graphene.String(required=True, description="The same as a c2sp.org/tlog-proof.")


class Leaf(graphene.ObjectType):  # type: ignore[misc]
    """One entry of the log."""

    index = graphene.Int(required=True)
    hash = graphene.String(required=True)
    leaf = graphene.String(description="Canonical JSON; null to whom leaves are not shown.")
    proof = graphene.Field(Proof)


class Entry(graphene.ObjectType):  # type: ignore[misc]
    """A query with its entries."""

    search = graphene.Field(Search, required=True)
    leaves = many(Leaf)
    decided = graphene.Boolean(
        description="Whether the decision that lies sealed, what is silent included, is the one "
        "that its leaf has the keyed digest of; null where it cannot be told."
    )


class EntryPage(graphene.ObjectType):  # type: ignore[misc]
    """Queries with their entries and proofs, the latest first."""

    entries = many(Entry)
    next = graphene.Int()
    upto = graphene.Int(required=True)


class Shown(graphene.ObjectType):  # type: ignore[misc]
    """A record, as it was shown or told of."""

    source = graphene.String(required=True)
    entity = graphene.String(required=True)
    fields = graphene.Field(many(graphene.String), description="Names of fields, never values.")
    hit = graphene.Boolean(required=True)


class Told(graphene.ObjectType):  # type: ignore[misc]
    """What was said of something that was not shown in full."""

    place = graphene.String(required=True)
    outcome = graphene.String(required=True)
    mask = graphene.String(required=True)
    rule = graphene.String(required=True)


class Receipt(graphene.ObjectType):  # type: ignore[misc]
    """What one answer showed of one's agency's records, and for what."""

    index = graphene.Int(required=True)
    at = graphene.String(required=True)
    agency = graphene.String(required=True, description="Of who asked.")
    mark = graphene.String(
        required=True,
        description="The beginning of the token of who asked, the same for a quarter.",
    )
    purpose = graphene.String(required=True)
    reason = graphene.String(required=True)
    tag = graphene.String(required=True)
    glass = graphene.Boolean(required=True)
    shown = many(Shown)
    told = many(Told)


class ReceiptPage(graphene.ObjectType):  # type: ignore[misc]
    """Receipts, the latest first."""

    rows = many(Receipt)
    next = graphene.Int()
    upto = graphene.Int(required=True)


class Pair(graphene.ObjectType):  # type: ignore[misc]
    """A colleague's agreement that somebody of professional standards looks at the record."""

    id = graphene.ID(required=True)
    at = graphene.String(required=True, description="When it was asked for.")
    by = graphene.String(required=True, description="Who looks, as their sign-in names them.")
    use = graphene.String(required=True)
    state = graphene.String(required=True, description="WAITS, AGREED, REFUSED, OVER or ENDED.")
    until = graphene.String(description="Until when they may look, or could.")
    answered_by = graphene.String(description="Who agreed, or refused.")
    ended_by = graphene.String(description="Who ended it before its time.")
    may_end = graphene.Boolean(required=True, description="Whether the caller can.")


class DisclosedPlace(graphene.ObjectType):  # type: ignore[misc]
    """A place of an answer, and what its entry says of it."""

    place = graphene.String(required=True, description="Keys and indexes below `data`.")
    source = graphene.String(required=True)
    entity = graphene.String(required=True)
    field = graphene.String(required=True, description="The field that was to be read.")
    outcome = graphene.String(
        description="DISCLOSED: just this was. OTHER: something else was, or nothing. "
        "NOT_OF_ENTRY: nothing of one's agency's stood there. Null: nothing was brought for it."
    )


class Disclosure(graphene.ObjectType):  # type: ignore[misc]
    """What the entry of an answer says of one's own agency's records in it, never a value."""

    index = graphene.Int(required=True, description="Of the outcome.")
    agency = graphene.String(required=True)
    to = graphene.String(required=True, description="The agency of whoever asked.")
    purpose = graphene.String(required=True)
    at = graphene.String(required=True)
    places = many(DisclosedPlace)
    told = many(Told)
    opened = graphene.String(description="JSON for `portcullis audit verify --disclosed`.")


class ClaimInput(graphene.InputObjectType):  # type: ignore[misc]
    """What somebody says that an answer held."""

    place = graphene.String(required=True, description="Keys and indexes below `data`, by dots.")
    value = graphene.String(required=True, description="As JSON; `null` for nothing.")


class RecordInput(graphene.InputObjectType):  # type: ignore[misc]
    """A record as its source names it."""

    source = graphene.String(required=True)
    entity = graphene.String(required=True)
    key = graphene.String(required=True)


class SoughtInput(graphene.InputObjectType):  # type: ignore[misc]
    """What is looked for: all of it must hold."""

    officer = graphene.String(description="As the agency's sign-in names them.")
    typed = graphene.List(
        graphene.NonNull(graphene.String),
        description="Names, dates, plates, phones, document numbers, postcodes, addresses.",
    )
    record = graphene.Field(RecordInput)
    ref = graphene.String(description="The same as the auditor's agency was given it.")
    case = graphene.String(description="The reference of a case or an incident.")
    words = graphene.String(description="The reason in words.")
    agency = graphene.String(description="Of who asked.")
    owner = graphene.String(description="Whose records were shown, or told of.")
    app = graphene.String()
    purpose = graphene.String()
    reason = graphene.String(description="The reason's code.")
    kind = graphene.String()
    tag = graphene.String()
    code = graphene.String(
        description='How it ended; "" for what was answered, CUT_OFF for what never was.'
    )
    rule = graphene.String(description="That refused, withheld or masked.")
    serial = graphene.Int()
    source = graphene.String()
    glass = graphene.Boolean()
    since = graphene.String(description="A time with its zone.")
    until = graphene.String(description="A time with its zone, not included.")


def _asking(kind: Any, doc: str, *, use: bool = True) -> graphene.Field:
    """A field that gives pages of what is sought."""
    args: dict[str, graphene.Argument] = {
        "sought": graphene.Argument(SoughtInput),
        "first": graphene.Argument(
            graphene.Int, default_value=_ASKED, description=f"At most {MOST}."
        ),
        "before": graphene.Argument(graphene.Int, description="From this entry backwards."),
    }
    if use:
        args["use"] = graphene.Argument(Use, required=True)
    return graphene.Field(graphene.NonNull(kind), args=args, description=doc)


class Query(Overseen, graphene.ObjectType):  # type: ignore[misc]
    """What the caller may read of the record. One field for each operation; each look is itself an
    entry, before anything is given."""

    health = graphene.Field(
        graphene.NonNull(LogHealth),
        args={"use": graphene.Argument(Use, required=True)},
        description="How the log stands.",
    )
    search = _asking(SearchPage, "Who asked what, the latest first.")
    mine = _asking(SearchPage, "One's own searches.", use=False)
    entry = graphene.Field(
        Entry,
        args={
            "use": graphene.Argument(Use, description="Left out: one's own search."),
            "index": graphene.Argument(graphene.Int, required=True),
        },
        description="One query by the number of an entry; null where there is none for the caller.",
    )
    receipts = _asking(ReceiptPage, "Which of one's agency's records were shown, and for what.")
    disclosed = graphene.Field(
        Disclosure,
        args={
            "use": graphene.Argument(Use, required=True),
            "index": graphene.Argument(graphene.Int, required=True),
            "receipt": graphene.Argument(
                graphene.String, required=True, description="The answer's, as JSON."
            ),
            "claims": graphene.Argument(
                graphene.List(graphene.NonNull(ClaimInput)), description="At most 500."
            ),
            "opens": graphene.Argument(
                graphene.Boolean,
                default_value=False,
                description="Open what was disclosed so, for somebody who has no gateway.",
            ),
            "tells": graphene.Argument(
                graphene.Boolean,
                default_value=False,
                description="And what was said of what was not shown in full.",
            ),
        },
        description="Whether an answer is what was disclosed of one's agency's records; null where "
        "its entry says nothing of them.",
    )
    export = _asking(EntryPage, "As search, with leaves and proofs.")
    pairs = graphene.Field(
        many(Pair),
        args={"use": graphene.Argument(Use, required=True)},
        description="What professional standards of one's agency asked each other to agree to.",
    )
    exported = graphene.Field(
        graphene.NonNull(Leaf),
        args={
            "use": graphene.Argument(Use, required=True),
            "manifest": graphene.Argument(graphene.String, required=True),
        },
        description="Puts the SHA-256 of an export's manifest into the entry of this look.",
    )


class Mutation(graphene.ObjectType):  # type: ignore[misc]
    """The one thing that is done here: it takes a right to look away, and gives none."""

    end_pair = graphene.Field(
        Pair,
        args={
            "use": graphene.Argument(Use, required=True),
            "id": graphene.Argument(graphene.ID, required=True),
        },
        description="End an agreement of one's own before its time.",
    )


def build_schema(vocabulary: Vocabulary) -> Schema:
    """The schema; the vocabulary is there for parsing alone."""
    built: GraphQLSchema = graphene.Schema(query=Query, mutation=Mutation).graphql_schema
    return Schema(graphql=built, names=dict(names_of(built)), vocabulary=vocabulary)
