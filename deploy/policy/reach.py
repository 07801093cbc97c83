"""What of the tables no question comes to, and what of the vocabulary no table rules on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.policy.engine import each
from deploy.policy.everything import Everything
from deploy.policy.named import misnamed
from gateway.catalogue.check import load_catalogue
from gateway.catalogue.coordinates import offered, parts, strangers, types_of
from gateway.catalogue.vocabulary import Vocabulary
from gateway.policy.contract import MATCH_BAND

CATALOGUE: Final = Path(__file__).parents[1] / "catalogue"
_OWNER: Final = "owner"  # as a desk: that of whoever holds the data
_ROWS: Final = "only"


def unreached(program: Path, policies: Path, catalogue: Path = CATALOGUE) -> list[str]:
    """What `make check` names: coordinates without a rule, and rows that never fire."""
    tables = tables_of(policies)
    vocabulary = load_catalogue(catalogue).vocabulary
    # What is asked rests on the tables of fields and uses: their gaps are told first.
    gaps = [*_unruled_fields(vocabulary, tables), *_strangers(vocabulary, tables)]
    gaps += misnamed(program, policies, vocabulary, [*tables["agencies"]])
    if gaps:
        return gaps
    everything = Everything(vocabulary, tables)
    asked = [
        everything.question(asker, [asker.agency, _other(asker.agency, tables)])
        for asker in everything.askers()
    ]
    told = _together(each(program, policies, asked, "data.explain.reach.told"))
    return [
        *_unruled_places(vocabulary, told),
        *_unseen(vocabulary, tables, told),
        *_idle_cells(tables["matrix"], told),
        *_idle_outcomes(vocabulary, tables, told),
        *_idle_rows(policies, tables),
    ]


def tables_of(policies: Path) -> Mapping[str, Any]:
    """Each table by its name."""
    return {
        file.parent.name: json.loads(file.read_text("utf-8"))
        for file in sorted(policies.glob("tables/*/data.json"))
    }


def _other(agency: str, tables: Mapping[str, Any]) -> str:
    names: list[str] = sorted(tables["agencies"].keys() - {agency})
    return names[0]


Told = Mapping[str, frozenset[Any]]


def _together(answers: Sequence[Mapping[str, Sequence[Any]]]) -> Told:
    """What any of the questions came to."""
    return {
        kind: frozenset(
            tuple(one) if isinstance(one, list) else one
            for answer in answers
            for one in answer[kind]
        )
        for kind in answers[0]
    }


# --- the vocabulary ---


def _unruled_fields(vocabulary: Vocabulary, tables: Mapping[str, Any]) -> Iterator[str]:
    """Fields without class and marking, and uses that nothing permits."""
    for type_ in types_of(vocabulary):
        for name in vocabulary.fields_of(type_):
            if name not in tables["fields"].get(type_, {}):
                yield f"tables/fields/data.json: {type_}.{name} has no rule"
        for use, name in offered(vocabulary, type_):
            if name not in tables["uses"].get(type_, {}).get(use, ()):
                yield f"tables/uses/data.json: {type_}.{name} has no rule for {use}"


def _strangers(vocabulary: Vocabulary, tables: Mapping[str, Any]) -> Iterator[str]:
    """Rows for what the vocabulary does not have."""
    for fault in strangers(vocabulary, tables):
        yield f"{fault.file}: {fault.key} never fires: {fault.text}"


def _unruled_places(vocabulary: Vocabulary, told: Told) -> Iterator[str]:
    for entity in vocabulary.entities:
        for path, _ in parts(vocabulary, entity):
            place = f"{entity}.{path}" if path else entity
            if (place,) not in told["places"]:
                yield f"tables/matrix/data.json: {place} has no rule: no role has a word for it"


def _unseen(vocabulary: Vocabulary, tables: Mapping[str, Any], told: Told) -> Iterator[str]:
    """What no role is shown or may use, for any purpose. The ladder's table may mean it so."""
    explicit = tables["ladder"]["explicit"]
    for type_ in types_of(vocabulary):
        for name, field in vocabulary.fields_of(type_).items():
            apart = field.hidden or name in explicit or field.type.name in vocabulary.components
            if not apart and (type_, name) not in told["read"]:
                yield f"tables/outcomes/data.json: {type_}.{name} has no rule that shows it"
        for use, name in offered(vocabulary, type_):
            if (type_, use, name) not in told["used"]:
                yield f"tables/outcomes/data.json: {type_}.{name} has no rule that permits {use}"


# --- the matrix and its words ---


def _idle_cells(matrix: Mapping[str, Any], told: Told) -> Iterator[str]:
    for place, columns in matrix.items():
        for column, purposes in columns.items():
            for purpose, word in purposes.items():
                ends = [(side,) for side in word] if isinstance(word, dict) else [()]
                for end in ends:
                    key = (place, column, purpose, *end)
                    if key not in told["cells"]:
                        yield f"tables/matrix/data.json: {' / '.join(key)} never fires"


def _idle_outcomes(vocabulary: Vocabulary, tables: Mapping[str, Any], told: Told) -> Iterator[str]:
    at = "tables/outcomes/data.json"
    for word, outcome in tables["outcomes"].items():
        at_types = {(type_, place) for named, type_, place in told["words"] if named == word}
        types = {type_ for type_, _ in at_types}
        # A case of a part may also look at the record that the part is of.
        around = types | {place.partition(".")[0] for _, place in at_types}
        if not types:
            yield f"{at}: {word} never fires"
            continue
        fields = {name for type_ in types for name in tables["fields"][type_]}
        entries = {f"read / {name}": name for name in outcome.get("read", {}) if name != "*"}
        idle = [where for where, name in entries.items() if name not in fields]
        for use, names in outcome.get("not_uses", {}).items():
            had = {one for type_ in types for one in tables["uses"].get(type_, {}).get(use, ())}
            idle += [f"not_uses / {use} / {name}" for name in names if name not in had]
        for where in idle:
            yield f"{at}: {word} / {where} never fires: {' '.join(sorted(types))} has none"
        for where, only in _conditions(outcome):
            whose = types if where == _ROWS else around
            for name, values in only.items():
                for fault in _impossible(vocabulary, whose, name, values):
                    yield f"{at}: {word} / {where} / {name}: {fault}"


def _conditions(outcome: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield _ROWS, outcome.get("only", {})
    for field, manner in outcome.get("read", {}).items():
        for case in manner if isinstance(manner, list) else ():
            yield f"read / {field}", case.get("only", {})


def _impossible(
    vocabulary: Vocabulary, types: Iterable[str], name: str, values: Sequence[Any]
) -> Iterator[str]:
    """Why a condition holds of no record: no such field, or not one of its values."""
    if name == MATCH_BAND:
        kinds = {"MatchBand"}
    else:
        fields = [vocabulary.fields_of(type_).get(name) for type_ in types]
        kinds = {field.type.name for field in fields if field is not None}
    if not kinds:
        yield f"never fires: {' '.join(sorted(types))} has none"
    known = {value for kind in kinds for value in vocabulary.enums.get(kind, ())}
    for value in values if known else ():
        if value not in known:
            yield f"{value} never fires: it is no value of {' '.join(sorted(kinds))}"


# --- the other tables ---


def _idle_rows(policies: Path, tables: Mapping[str, Any]) -> Iterator[str]:
    """Rows that nothing names, and names without a row."""
    rules = {
        file: file.read_text("utf-8")
        for file in policies.rglob("*.rego")
        if not file.stem.endswith("_test")
    }
    roles = tables["roles"].values()
    held = {purpose for role in roles for purpose in role["purposes"]}
    yield from _matched("purposes", tables["purposes"], held)
    networks = {app["network"] for app in tables["apps"].values()}
    yield from _matched("networks", tables["networks"], networks)
    cleared = {row["clearance"] for row in (*roles, *tables["apps"].values())}
    yield from _matched("clearances", tables["clearances"], cleared)
    strangers = {one for role in roles for one in role["agencies"]} - tables["agencies"].keys()
    yield from (f"tables/roles/data.json: no agency {one}" for one in sorted(strangers))
    yield from _matched("desks", tables["desks"], _desks(tables, "\n".join(rules.values())))
    common = "\n".join(text for file, text in rules.items() if file.parent.name == "gateway")
    given = set(re.findall(r'"([a-z_]+)"', common))
    coded = {
        *(code for one in tables["outcomes"].values() for code in one.get("reasons", ())),
        *tables["obligations"]["reauthenticate"]["reason_codes"],
    }
    for code in sorted(coded - tables["reasons"].keys()):
        yield f"tables/reasons/data.json: {code} is named and has no row"
    for name in tables["refusals"].keys() - given:
        yield f"tables/refusals/data.json: {name} never fires: no rule gives it"


def _matched(table: str, rows: Mapping[str, Any], named: set[str]) -> Iterator[str]:
    for name in sorted(rows.keys() - named):
        yield f"tables/{table}/data.json: {name} never fires: nothing names it"
    for name in sorted(named - rows.keys()):
        yield f"tables/{table}/data.json: {name} is named and has no row"


def _desks(tables: Mapping[str, Any], rules: str) -> set[str]:
    """Every desk that some rule or row sends somebody to."""
    notes = [one["note"] for one in tables["outcomes"].values() if "note" in one]
    rows = [*notes, *tables["agencies"].values(), *tables["refusals"].values()]
    named = {row["desk"] for row in (*rows, tables["release"]["default_note"])}
    named |= {*tables["casework"]["on_call"].values(), *tables["casework"]["on_call"]}
    named |= set(re.findall(r'"desk": "([a-z-]+)"', rules))
    return named - {_OWNER, "*"}
