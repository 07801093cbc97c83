"""The GraphQL schema that the vocabulary declares, built with graphene.

graphene and graphql-core own the types, the validation of documents, the coercion of variables and
introspection. Nothing here executes a query over data: there are no resolvers.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import graphene
from graphene.types.scalars import Scalar as GrapheneScalar
from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    StringValueNode,
    print_schema,
)
from graphql.language import ValueNode

from gateway.catalogue.forms import normal
from gateway.catalogue.vocabulary import Argument, Entity, Field, Root, TypeRef, Vocabulary

GIVEN = ("ref", "owner", "system", "as_at")
"""What the gateway itself gives with each record; only these are never null."""

_BUILT_IN: Mapping[str, Any] = {
    "String": graphene.String,
    "Int": graphene.Int,
    "Float": graphene.Float,
    "Boolean": graphene.Boolean,
    "Name": graphene.String,
    "GivenNames": graphene.String,
    "DocumentNumber": graphene.String,
    "ContactValue": graphene.String,
}
_SCALAR_DOCS = {
    "Date": "A day: 1991-04-17.",
    "DateTime": "A moment with its zone: 2026-11-01T06:00:00Z.",
    "PartialDate": "A day as far as it is known: 1991, 1991-04, 1991-04-17, or 1990/1991 between.",
    "Duration": "A span of days, hours or minutes: P1D, PT24H.",
    "Vrm": "A vehicle's plate, read without spaces: AB12CDE.",
    "E164": "A phone number: +447700900123; a national one is read as British.",
    "Postcode": "A postcode, or its district: TN28 8AB, TN28.",
    "CountryCode": "Two letters of ISO 3166: AL.",
    "OpaqueRef": "Names one record to one agency; another agency cannot use it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The schema, and the way from its names back to the vocabulary's."""

    graphql: GraphQLSchema
    names: Mapping[tuple[str, str], str]  # (type, fieldName) -> field_name
    vocabulary: Vocabulary

    def sdl(self) -> str:
        """The schema's text, each field with its classification as a directive."""
        return _classified(print_schema(self.graphql), self)


def camel(name: str) -> str:
    """`date_of_birth` -> `dateOfBirth`."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def many(kind: Any) -> Any:
    """A list that is there, of what is there."""
    return graphene.NonNull(graphene.List(graphene.NonNull(kind)))


def names_of(schema: GraphQLSchema) -> Iterator[tuple[tuple[str, str], str]]:
    """(type, fieldName) and field_name, of every field of a schema that graphene has built."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name in kind.fields:
                snake = re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)
                yield (kind.name, name), snake


def _attribute(name: str) -> str:
    """What graphene can hold a field under: no Python keyword."""
    return f"{name}_" if keyword.iskeyword(name) else name


def _scalar(name: str, doc: str) -> type[GrapheneScalar]:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            raise GraphQLError(f"{name}: this must be a text.")
        try:
            return normal(name, value)
        except ValueError as error:
            raise GraphQLError(f"{name}: {error}.") from None

    def literal(node: ValueNode, _variables: Any = None) -> Any:
        return read(node.value if isinstance(node, StringValueNode) else None)

    attributes = {
        "__doc__": doc,
        "serialize": staticmethod(lambda value: value),
        "parse_value": staticmethod(read),
        "parse_literal": staticmethod(literal),
    }
    return type(name, (graphene.Scalar,), attributes)


class _Builder:
    """Builds each type once, by name."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.types: dict[str, Any] = dict(_BUILT_IN)
        self.names: dict[tuple[str, str], str] = {}
        for name, doc in _SCALAR_DOCS.items():
            self.types[name] = _scalar(name, doc)
        for name, values in vocabulary.enums.items():
            if values:
                self.types[name] = graphene.Enum(name, [(value, value) for value in values])

    def of(self, ref: TypeRef, *, argument: bool = False) -> Any:
        kind = self.types[ref.name]
        if ref.many:
            return graphene.List(graphene.NonNull(kind))
        return kind if not argument or not ref.required else graphene.NonNull(kind)

    def lazy(self, ref: TypeRef) -> Callable[[], Any]:
        return lambda: self.of(ref)

    def argument(self, argument: Argument) -> graphene.Argument:
        kind = self.types[argument.type.name]
        inner = graphene.List(graphene.NonNull(kind)) if argument.type.many else kind
        return graphene.Argument(inner, required=argument.type.required)

    def visible(self, fields: Mapping[str, Field]) -> dict[str, Any]:
        return {
            name: graphene.Field(
                self.lazy(field.type), name=camel(name), description=_describe(field)
            )
            for name, field in fields.items()
            if not field.hidden
        }

    def given(self) -> dict[str, Any]:
        return {
            "ref": graphene.Field(self.types["OpaqueRef"], required=True),
            "owner": graphene.Field(graphene.String, required=True),
            "system": graphene.Field(graphene.String, required=True),
            "as_at": graphene.Field(self.types["DateTime"], required=True),
        }

    def object(self, name: str, fields: Mapping[str, Any], doc: str, interfaces: Any = ()) -> Any:
        for field in fields:
            self.names[name, camel(field)] = field
        meta = type("Meta", (), {"interfaces": tuple(interfaces)}) if interfaces else None
        attributes = {_attribute(key): field for key, field in fields.items()} | {"__doc__": doc}
        if meta is not None:
            attributes["Meta"] = meta
        built = type(name, (graphene.ObjectType,), attributes)
        self.types[name] = built
        return built

    def interface(self, name: str, fields: Mapping[str, Any], doc: str) -> Any:
        for field in fields:
            self.names[name, camel(field)] = field

        def resolve_type(_cls: Any, _instance: Any, _info: Any) -> None:
            """Never asked: the planner knows each record's type."""

        attributes = {_attribute(key): field for key, field in fields.items()}
        attributes |= {"__doc__": doc, "resolve_type": classmethod(resolve_type)}
        built = type(name, (graphene.Interface,), attributes)
        self.types[name] = built
        return built

    def entity_fields(self, entity: Entity) -> dict[str, Any]:
        fields = self.given() | self.visible(entity.fields)
        for link in entity.links.values():
            args = {name: self.argument(a) for name, a in link.args.items()}
            if link.to.many:
                args["first"] = graphene.Argument(graphene.Int, default_value=20)
            fields[link.name] = graphene.Field(
                self.lazy(link.to), args=args, description=f"[{link.marking} {link.sens}]"
            )
        return fields

    def input(self, name: str, arguments: Mapping[str, Argument]) -> None:
        fields: dict[str, Any] = {}
        for key, argument in arguments.items():
            kind = self.types[argument.type.name]
            inner = graphene.List(graphene.NonNull(kind)) if argument.type.many else kind
            fields[_attribute(key)] = graphene.InputField(inner, name=camel(key))
        self.types[name] = type(name, (graphene.InputObjectType,), fields)

    def root(self, root: Root) -> graphene.Field:
        args = {name: self.argument(a) for name, a in root.args.items()}
        if root.by:
            args["by"] = graphene.Argument(self.types[root.by], required=True)
        if root.any_of:
            kind = graphene.List(graphene.NonNull(self.types[root.any_of]))
            args["any_of"] = graphene.Argument(kind, required=True)
        if root.by_ref:
            args["ref"] = graphene.Argument(self.types["OpaqueRef"], required=True)
        if root.shape == "face":
            args["probe"] = graphene.Argument(self.types["FaceProbe"], required=True)
            args["max_candidates"] = graphene.Argument(
                graphene.Int, default_value=root.default_first
            )
            return graphene.Field(self.types["FaceCandidates"], args=args, description=root.doc)
        if root.shape != "one":
            args["first"] = graphene.Argument(graphene.Int, default_value=root.default_first)
        if root.shape == "hits":
            args["after"] = graphene.Argument(graphene.String)
            kind = self.hits(root)
            return graphene.Field(kind, args=args, description=root.doc)
        target = self.types[root.entity]
        kind = graphene.List(graphene.NonNull(target)) if root.shape == "list" else target
        return graphene.Field(kind, args=args, description=root.doc)

    def hits(self, root: Root) -> Any:
        name = f"{root.entity.removeprefix('Organised')}Hits"
        target = self.types[root.entity]
        fields = {
            "total": graphene.Field(graphene.Int),
            "hits": graphene.Field(graphene.List(graphene.NonNull(target))),
            "next": graphene.Field(graphene.String, description="Send it as `after` to go on."),
        }
        if root.matches:
            fields["matches"] = graphene.Field(
                graphene.List(graphene.NonNull(self.types["MatchGroup"]))
            )
        return self.object(name, fields, f"What was found by {camel(root.name)}.")


def _describe(field: Field) -> str:
    said = f"[{field.marking} {field.sens}]"
    return f"{said} {field.doc}" if field.doc else said


def build_schema(vocabulary: Vocabulary) -> Schema:
    """The schema of a vocabulary. Takes about 0.1 s."""
    builder = _Builder(vocabulary)
    for component in vocabulary.components.values():
        visible = builder.visible(component.fields)
        if visible:
            builder.object(component.name, visible, f"{component.name} within a record.")
    header = {
        n: f
        for n, f in next(iter(vocabulary.entities.values())).fields.items()
        if n in vocabulary.header
    }
    record = builder.interface(
        "Record", builder.given() | builder.visible(header), "What every record bears."
    )
    for name, members in vocabulary.interfaces.items():
        builder.interface(name, _common(builder, members), f"One of {', '.join(members)}.")
    for entity in vocabulary.entities.values():
        joined = [builder.types[n] for n, m in vocabulary.interfaces.items() if entity.name in m]
        fields = builder.entity_fields(entity)
        builder.object(entity.name, fields, entity.doc, [record, *joined])
    _gateway_types(builder)
    for name, arguments in vocabulary.inputs.items():
        builder.input(name, arguments)
    roots: dict[str, Any] = {root.name: builder.root(root) for root in vocabulary.roots.values()}
    states = graphene.NonNull(graphene.List(graphene.NonNull(builder.types["SourceState"])))
    roots["sources"] = graphene.Field(states, description="Who takes part, and how each fared.")
    query = builder.object("Query", roots, "Every question that can be asked.")
    schema = graphene.Schema(
        query=query, types=[builder.types[name] for name in _led_to(vocabulary)]
    )
    return Schema(graphql=schema.graphql_schema, names=builder.names, vocabulary=vocabulary)


def _led_to(vocabulary: Vocabulary) -> list[str]:
    """The entities that a root or a link leads to; others cannot be asked for yet."""
    links = (link for entity in vocabulary.entities.values() for link in entity.links.values())
    named = {root.entity for root in vocabulary.roots.values()} | {link.to.name for link in links}
    led = {member for name in named for member in vocabulary.concrete(name)}
    return [name for name in vocabulary.entities if name in led]


def _common(builder: _Builder, members: tuple[str, ...]) -> dict[str, Any]:
    """The fields that every member of an interface has, with the same type."""
    vocabulary = builder.vocabulary
    first, *rest = (vocabulary.entities[member].fields for member in members)
    shared = {
        name: field
        for name, field in first.items()
        if all(name in other and other[name].type == field.type for other in rest)
    }
    return builder.given() | builder.visible(shared)


def _gateway_types(builder: _Builder) -> None:
    """Types of what the gateway itself says."""
    types = builder.types
    builder.object(
        "MatchGroup",
        {
            "band": graphene.Field(types["MatchBand"]),
            "reason": graphene.Field(graphene.String),
            "records": graphene.Field(graphene.List(graphene.NonNull(types["OpaqueRef"]))),
            "owners": graphene.Field(graphene.List(graphene.NonNull(graphene.String))),
        },
        "Records that may concern one person, and why. A lead, never an identification.",
    )
    builder.object(
        "SourceState",
        {
            "agency": graphene.Field(graphene.String, required=True),
            "system": graphene.Field(graphene.String, required=True),
            "state": graphene.Field(graphene.String, required=True),
            "holds": graphene.Field(graphene.List(graphene.NonNull(graphene.String))),
        },
        "One source, and how it fared in this operation.",
    )
    builder.object(
        "FaceCandidates",
        {
            "threshold": graphene.Field(graphene.Float),
            "model_version": graphene.Field(graphene.String),
            "gallery_size": graphene.Field(graphene.Int),
            "notice": graphene.Field(graphene.String),
            "candidates": graphene.Field(graphene.List(graphene.NonNull(types["FaceCandidate"]))),
        },
        "Images ranked by likeness. Leads for a trained person, never identifications.",
    )
    types["FaceProbe"] = type(
        "FaceProbe",
        (graphene.InputObjectType,),
        {
            "ref": graphene.InputField(
                types["OpaqueRef"], description="A stored image, by the ref of an earlier answer."
            ),
            "handle": graphene.InputField(
                graphene.String, description="A probe issued by the gateway: once, five minutes."
            ),
        },
    )


def _classified(text: str, schema: Schema) -> str:
    """Printed SDL with each field's classification; print_schema leaves applied directives out."""
    head = (
        "directive @classify(marking: Marking!, sens: Sens!, masks: [MaskKind!])"
        " on FIELD_DEFINITION\n\n"
    )
    lines: list[str] = []
    current = ""
    for line in text.splitlines():
        if started := re.match(r"(?:type|interface) (\w+)", line):
            current = started[1]
        matched = re.match(r"  (\w+)(\(.*\))?: \S+$", line)
        name = schema.names.get((current, matched[1])) if matched else None
        lines.append(line + _directive(schema.vocabulary, current, name))
    return head + "\n".join(lines) + "\n"


def _directive(vocabulary: Vocabulary, type_name: str, name: str | None) -> str:
    if name is None:
        return ""
    entity = vocabulary.entities.get(type_name)
    owner = entity or vocabulary.components.get(type_name)
    spec = owner.fields.get(name) if owner else None
    link = entity.links.get(name) if entity else None
    if spec is not None:
        masks = f", masks: [{', '.join(sorted(spec.masks))}]" if spec.masks else ""
        return f" @classify(marking: {spec.marking}, sens: {spec.sens}{masks})"
    return f" @classify(marking: {link.marking}, sens: {link.sens})" if link else ""
