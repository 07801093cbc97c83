"""The small schema of /casework: the gateway's own records. It has no resolvers either."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import graphene
from graphql import GraphQLSchema

from gateway.casework.model import State, Told, Urgency
from gateway.catalogue.schema import Schema, many, names_of
from gateway.catalogue.vocabulary import Vocabulary

MOST = 200  # of a list
_ASKED = 50


def _enum(kind: type[StrEnum], name: str, doc: str) -> Any:
    return graphene.Enum(name, [(one.value, one.value) for one in kind], description=doc)


_State = _enum(State, "ReleaseState", "How far a request has come.")
_Urgency = _enum(Urgency, "Urgency", "How soon an answer is needed.")
_Told = _enum(Told, "Told", "What a notice is about.")


class ReleaseRequest(graphene.ObjectType):  # type: ignore[misc]  # graphene ships no types
    """An officer asks the originator's desk to show some fields of one record for a time."""

    id = graphene.ID(required=True)
    state = graphene.Field(_State, required=True)
    at = graphene.String(required=True)
    due_at = graphene.String(required=True, description="Later than this it goes to `onCall`.")
    urgency = graphene.Field(_Urgency, required=True)
    record = graphene.String(required=True, description="Its ref, as the reader's agency names it.")
    key = graphene.String(description="The originator's own key, for its own desk alone.")
    entity = graphene.String(required=True)
    agency = graphene.String(required=True, description="The originator.")
    desk = graphene.String(required=True)
    on_call = graphene.String(required=True)
    fields = many(graphene.String)
    minutes = graphene.Int(required=True, description="For how long it is wanted.")
    asked_by = graphene.String(required=True)
    purpose = graphene.String(required=True)
    reason_code = graphene.String(required=True)
    reason_text = graphene.String()
    case_ref = graphene.String()
    decided_at = graphene.String()
    granted = many(graphene.String)
    until = graphene.String()
    refusal = graphene.String(description="A code of the policy's table of casework.")
    revoked_at = graphene.String(description="When its desk ended it early.")
    revocation = graphene.String(description="Why: a code of the policy's table of casework.")


class Notice(graphene.ObjectType):  # type: ignore[misc]
    """What an agency's desk is to know, and whether it does."""

    id = graphene.ID(required=True)
    at = graphene.String(required=True)
    about = graphene.Field(_Told, required=True)
    subject = graphene.ID(
        required=True, description="The request, query or notice that it is about."
    )
    agency = graphene.String(
        required=True, description="Whose matter it is; a desk on call may be another's."
    )
    desk = graphene.String(required=True)
    record = graphene.String(description="The silent record that would have been found: its ref.")
    key = graphene.String(description="The same in the desk's own system.")
    asked_by = graphene.String(description="Whose question would have found it.")
    due_at = graphene.String(
        description="Not acknowledged until then, it goes to the desk on call."
    )
    escalated_at = graphene.String(description="When the desk on call was told.")
    acknowledged_at = graphene.String()
    acknowledged_by = graphene.String(
        description="The agency, and a token by which the log finds who it was."
    )


class SearchOutcome(graphene.ObjectType):  # type: ignore[misc]
    """What came of a search."""

    operation_id = graphene.ID(required=True)
    kinds = graphene.Field(
        many(graphene.String), description="What the search was: all that it was owed for."
    )
    outcome = graphene.String(required=True)
    recorded_at = graphene.String(required=True)


class Countersignature(graphene.ObjectType):  # type: ignore[misc]
    """One question of one officer that somebody else agrees to, or is to."""

    id = graphene.ID(required=True)
    at = graphene.String(required=True)
    asked_by = graphene.String(required=True)
    mark = graphene.String(description="The asker's agency and token in the log.")
    roles = many(graphene.String)
    purpose = graphene.String(required=True)
    reason_code = graphene.String(required=True)
    what = graphene.String(required=True, description="The operation's name.")
    fields = graphene.Field(
        many(graphene.String), description="What is asked for: Person.names and the like."
    )
    face = graphene.Boolean(required=True, description="Whether it searches by a face.")
    until = graphene.String(description="Good until then, for one search.")


class BudgetRelease(graphene.ObjectType):  # type: ignore[misc]
    """What a supervisor adds to how much an officer may ask."""

    officer = graphene.ID(required=True)
    budget = graphene.String(required=True, description="A row of the policy's table of budgets.")
    extra = graphene.Int(required=True)
    until = graphene.String(required=True)


class Erasure(graphene.ObjectType):  # type: ignore[misc]
    """Something of the record of queries that somebody wants erased."""

    id = graphene.ID(required=True)
    what = graphene.String(required=True)
    code = graphene.String(required=True, description="Why: a code of the table of casework.")
    at = graphene.String(required=True)
    asked_by = graphene.String(required=True, description="The agency, and a token of the record.")
    state = graphene.String(
        required=True, description="ASKED, ERASED, or AGREED: it is erased within minutes."
    )


class Hold(graphene.ObjectType):  # type: ignore[misc]
    """What of the record of queries nobody may erase."""

    id = graphene.ID(required=True)
    what = graphene.String(required=True)
    code = graphene.String(required=True, description="Why: a code of the table of casework.")
    at = graphene.String(required=True)
    placed_by = graphene.String(required=True, description="The agency, and a token of the record.")
    agency = graphene.String(required=True)
    entry = graphene.Int(required=True, description="The entry of the record that places it.")
    lift_code = graphene.String(description="Why somebody asked that it is lifted, if that waits.")
    lift_asked_by = graphene.String(description="Who did: somebody else is to agree.")
    lifted_by = graphene.Int(description="The entry that lifts it.")


class GrantInput(graphene.InputObjectType):  # type: ignore[misc]
    """What a desk gives: some of the fields that were asked for, for a time."""

    fields = many(graphene.String)
    until = graphene.String(required=True, description="How long from now: PT24H, P2D.")


def _list(kind: Any, doc: str, **more: graphene.Argument) -> graphene.Field:
    first = graphene.Argument(graphene.Int, default_value=_ASKED)
    return graphene.Field(many(kind), args={"first": first, **more}, description=doc)


def _why() -> dict[str, graphene.Argument]:
    return {
        "code": graphene.Argument(graphene.String, required=True),
        "text": graphene.Argument(
            graphene.String, required=True, description="Why, in words; sealed in the record."
        ),
    }


class Query(graphene.ObjectType):  # type: ignore[misc]
    """What the caller may see of the gateway's own records. One field for each operation."""

    my_requests = _list(ReleaseRequest, "One's own requests, the newest first.")
    desk_queue = _list(ReleaseRequest, "What waits for one's desk, the soonest due first.")
    standing_releases = _list(
        ReleaseRequest, "What one's desk has released and stands, the soonest ending first."
    )
    to_countersign = _list(Countersignature, "What colleagues wait for, the newest first.")
    notices = _list(
        Notice,
        "What one's desk has not acknowledged yet, the oldest first; or has, the latest first.",
        acknowledged=graphene.Argument(graphene.Boolean, default_value=False),
    )
    erasures = graphene.Field(
        many(Erasure), description="What somebody wants erased and nobody has agreed to."
    )
    holds = graphene.Field(many(Hold), description="The holds that stand.")


class Mutation(graphene.ObjectType):  # type: ignore[misc]
    """What can be done. One field for each operation; null where there is no such record."""

    request_release = graphene.Field(
        ReleaseRequest,
        args={
            "record": graphene.Argument(graphene.String, required=True),
            "fields": graphene.Argument(many(graphene.String)),
            "until": graphene.Argument(graphene.String, default_value="PT24H"),
            "urgency": graphene.Argument(_Urgency, default_value=Urgency.ROUTINE.value),
        },
        description="Ask the originator's desk. Needs extensions.justification, as a query does.",
    )
    decide_release = graphene.Field(
        ReleaseRequest,
        args={
            "id": graphene.Argument(graphene.ID, required=True),
            "grant": graphene.Argument(GrantInput),
            "refusal": graphene.Argument(graphene.String),
        },
        description="For the originator's desk: a grant, or the code of a refusal.",
    )
    revoke_release = graphene.Field(
        ReleaseRequest,
        args={
            "id": graphene.Argument(graphene.ID, required=True),
            "code": graphene.Argument(graphene.String, required=True),
        },
        description="For the originator's desk: end a release at once, and say why by a code.",
    )
    record_outcome = graphene.Field(
        SearchOutcome,
        args={
            "operation_id": graphene.Argument(graphene.ID, required=True),
            "outcome": graphene.Argument(graphene.String, required=True),
        },
        description="What came of one's own search: a code of the policy's table of casework.",
    )
    countersign = graphene.Field(
        Countersignature,
        args={"id": graphene.Argument(graphene.ID, required=True)},
        description="Agree to a colleague's question.",
    )
    release_budget = graphene.Field(
        BudgetRelease,
        args={
            "officer": graphene.Argument(graphene.ID, required=True),
            "agency": graphene.Argument(
                graphene.String, description="The officer's, if it is not the caller's own."
            ),
            "budget": graphene.Argument(graphene.String, required=True),
            "extra": graphene.Argument(graphene.Int, required=True),
            "until": graphene.Argument(graphene.String, default_value="PT8H"),
        },
        description="For a supervisor: let an officer ask more for a time.",
    )
    acknowledge_notice = graphene.Field(
        Notice,
        args={"id": graphene.Argument(graphene.ID, required=True)},
        description="For the desk that was told.",
    )
    request_erasure = graphene.Field(
        Erasure,
        args={
            "record": graphene.Argument(graphene.Int, description="Its number."),
            "month": graphene.Argument(graphene.String, description="NMC/2026-03"),
            "tokens": graphene.Argument(graphene.String, description="actor/2026-Q1"),
            **_why(),
        },
        description="Ask that one thing of the record of queries is erased.",
    )
    agree_to_erasure = graphene.Field(
        Erasure,
        args={"id": graphene.Argument(graphene.ID, required=True)},
        description="Agree to what somebody else asked for; it is erased.",
    )
    place_hold = graphene.Field(
        Hold,
        args={
            "first": graphene.Argument(graphene.Int, description="The number of a record,"),
            "last": graphene.Argument(graphene.Int, description="and of the last one."),
            "request": graphene.Argument(graphene.ID, description="The id of a query."),
            "month": graphene.Argument(graphene.String, description="NMC/2026-03"),
            "actor": graphene.Argument(graphene.String, description="As their sign-in names them,"),
            "issuer": graphene.Argument(graphene.String, description="if it is not the caller's."),
            "case": graphene.Argument(graphene.String, description="A case or incident."),
            **_why(),
        },
        description="Let nobody erase one thing of the record of queries.",
    )
    lift_hold = graphene.Field(
        Hold,
        args={"id": graphene.Argument(graphene.ID, required=True), **_why()},
        description="Ask that it is let go.",
    )
    agree_to_lift = graphene.Field(
        Hold,
        args={"id": graphene.Argument(graphene.ID, required=True)},
        description="Agree to what somebody else asked for: it is let go.",
    )


def build_schema(vocabulary: Vocabulary) -> Schema:
    """The schema, with the vocabulary that requests name fields of."""
    built: GraphQLSchema = graphene.Schema(query=Query, mutation=Mutation).graphql_schema
    return Schema(graphql=built, names=dict(names_of(built)), vocabulary=vocabulary)
