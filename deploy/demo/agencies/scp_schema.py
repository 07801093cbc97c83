"""SCP's records package: its tables and views, the same on MariaDB and on SQLite.

Base tables have the prefix `tbl`, the views that the gateway may read the prefix `vw`. On MariaDB
the tables lie in the database `niche` and the views in `gw`; in a SQLite file both lie together.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.schema import SchemaItem

BASE, VIEWS, READER = "niche", "gw", "gateway_reader"
METADATA = sa.MetaData()


def _moment() -> sa.types.TypeEngine[Any]:
    kept = sqlite.DATETIME(truncate_microseconds=True)  # type: ignore[no-untyped-call]  # untyped there
    return sa.DateTime().with_variant(kept, "sqlite")


def _degrees(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Float().with_variant(mysql.DOUBLE(), "mysql", "mariadb"))


def _text(name: str, length: int, *, key: bool = False, index: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), primary_key=key, index=index)


def _number(name: str, *, key: bool = False, index: bool = False) -> sa.Column[Any]:
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, whole, primary_key=key, autoincrement=False, index=index)


def _header() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("Grade", sa.String(8)),  # "2/C/P"
        sa.Column("Retention", sa.String(12), nullable=False),
        sa.Column("ReviewDate", sa.String(10)),  # dd/mm/yyyy
        sa.Column("Marking", sa.String(24)),
        sa.Column("RecordedUTC", _moment(), nullable=False),
    )


def _table(name: str, *columns: SchemaItem) -> None:
    collation = "utf8mb4_general_ci"
    sa.Table(name, METADATA, *columns, mysql_charset="utf8mb4", mysql_collate=collation)


def _place() -> tuple[sa.Column[Any], ...]:
    return (
        _text("Place", 80),
        _text("Town", 40),
        _text("Postcode", 8, index=True),
        _degrees("Lat"),
        _degrees("Lon"),
    )


def _declare() -> None:
    _table(
        "tblPerson",
        _number("PersonID", key=True),
        _text("FullName", 120, index=True),
        _text("BirthDate", 10),
        _text("Gender", 1),
        _text("NationalityText", 40),
        _text("BirthPlace", 40),
        _number("Flags"),
        _text("PNC", 12),
        _text("Roles", 40),
        *_header(),
    )
    _table("tblPersonAlias", _number("PersonID", index=True), _text("FullName", 120))
    _table(
        "tblPersonPhone",
        _number("PersonID", index=True),
        _text("Number", 20, index=True),
        _text("FirstSeen", 10),
        _text("LastSeen", 10),
    )
    _table(
        "tblPersonAddress",
        _number("PersonID", index=True),
        _text("Kind", 10),
        *_place(),
        _text("FromDate", 10),
        _text("ToDate", 10),
    )
    _table(
        "tblPersonDoc",
        _number("PersonID", index=True),
        _text("DocType", 12),
        _text("DocNumber", 20, index=True),
        _text("Issuer", 40),
    )
    _table(
        "tblPersonAlert",
        _number("AlertID", key=True),
        _number("PersonID", index=True),
        _text("AlertType", 16),
        _text("Power", 60),
        _text("Owner", 3),
        _text("Contact", 60),
        _number("Discreet"),
    )
    _declare_events()
    _declare_things()


def _declare_events() -> None:
    _table(
        "tblOccurrence",
        _text("OccNo", 16, key=True),
        _text("OffenceCode", 8),
        _text("Title", 60),
        sa.Column("OccurredFromUTC", _moment(), index=True),
        *_place(),
        _text("Status", 16),
        _text("Outcome", 24),
        _text("Narrative", 400),
        _text("Sanitised", 200),
        _text("Tags", 20),  # OIC;MS;DA
        *_header(),
    )
    _table(
        "tblInvolvement",
        _number("InvolvementID", key=True),
        _text("OccNo", 16, index=True),
        _number("PersonID", index=True),
        _text("Involvement", 12),
    )
    _table(
        "tblOffence",
        _number("PersonID", index=True),
        _text("OffenceCode", 8),
        _text("Title", 60),
        _text("Outcome", 24),
        _text("OffenceDate", 10),
        _text("Court", 40),
        _number("Serious"),
    )
    _table(
        "tblCustody",
        _text("CustodyNo", 16, index=True),
        _number("PersonID", index=True),
        _text("ArrestOffence", 60),
        sa.Column("ArrivedUTC", _moment()),
        sa.Column("ReleasedUTC", _moment()),
        _text("Disposal", 24),
        _number("ImageTaken"),
    )
    _table(
        "tblLanding",
        _text("LandingRef", 8, index=True),
        sa.Column("LandedUTC", _moment(), index=True),
        _text("Beach", 60),
        _text("Postcode", 8),
        _degrees("Lat"),
        _degrees("Lon"),
        _number("PersonsCount"),
        _text("VesselDesc", 60),
        _text("EngineSerial", 12),
        _number("Deaths"),
    )
    _table("tblLandingPilot", _text("LandingRef", 8, index=True), _number("PersonID", index=True))


def _declare_things() -> None:
    _table(
        "tblIntel",
        _text("IntelRef", 16, index=True),
        _number("PersonID", index=True),
        sa.Column("CreatedUTC", _moment()),
        _text("Title", 60),
        _text("Body", 400),
        _text("Sanitised", 200),
        _text("Grade", 8),
        _text("Retention", 12),
    )
    _table(
        "tblVehicle",
        _number("VehicleID", key=True),
        _text("Reg", 9, index=True),
        _text("Make", 20),
        _text("Model", 20),
        _text("Colour", 3),
        _number("BuildYear"),
        _number("Stolen"),
        _number("FalsePlate"),
        *_header(),
    )
    _table(
        "tblVehicleMarker",
        _number("VehicleID", index=True),
        _text("Reg", 9, index=True),
        _text("Marker", 16),
        _text("Reason", 80),
        _text("AddedDate", 10),
        _text("Owner", 3),
        _number("Discreet"),
    )


_declare()


def view_statements(base: str = "", views: str = "") -> list[str]:
    """The views, one for each table; involvements come joined with their occurrence.

    Two more gather rows: a phone or a place that many people share is one there, and goes with the
    last kept record that names it.
    """
    source = f"{base}." if base else ""
    target = f"{views}." if views else ""
    place = "concat(Place, ', ', Postcode)" if base else "Place || ', ' || Postcode"
    made = []
    for table in METADATA.sorted_tables:
        query = f"select * from {source}{table.name}"  # noqa: S608 - our own names
        if table.name == "tblPerson":
            link = "concat('SCP:', PersonID)" if base else "'SCP:' || PersonID"
            query = (
                f"select p.*, {link} as SubjectRef, "  # noqa: S608
                "case when (instr(p.Roles, 'Aggrieved') > 0 or p.Flags & 48) "
                "and (instr(p.Roles, 'Suspected') > 0 or instr(p.Roles, 'Charged') > 0) "
                f"then 'Y' end as BothSides "
                f"from {source}tblPerson p"
            )
        if table.name == "tblInvolvement":
            query = (
                f"select i.InvolvementID, i.PersonID, i.Involvement, o.* "  # noqa: S608
                f"from {source}tblInvolvement i join {source}tblOccurrence o on o.OccNo = i.OccNo "
                f"join {source}tblPerson p on p.PersonID = i.PersonID "
                "where p.Retention in ('Current', 'Review')"
            )
        if table.name == "tblOccurrence":
            query = f"select o.*, {place} as PlaceRef from {source}tblOccurrence o"  # noqa: S608
        if table.name == "tblPersonAddress":
            query = f"select a.*, {place} as PlaceRef from {source}tblPersonAddress a"  # noqa: S608
        made.append(f"create view {target}vw{table.name.removeprefix('tbl')} as {query}")
    # Nobody whose record is kept names it but victims, witnesses and those in need of protection.
    victims_only = (
        "min(case when not (instr(coalesce(p.Roles, ''), 'Aggrieved') > 0 or "
        "instr(coalesce(p.Roles, ''), 'Witness') > 0 or (coalesce(p.Flags, 0) & 48) <> 0) "
        "then 'N' else 'Y' end) as VictimsOnly"
    )
    holders = (
        f"h join {source}tblPerson p on p.PersonID = h.PersonID "
        "where p.Retention in ('Current', 'Review')"
    )
    made.append(
        f"create view {target}vwContact as select Number, {victims_only} "  # noqa: S608
        f"from {source}tblPersonPhone {holders} group by Number"
    )
    columns = "Place, Town, Postcode, Lat, Lon"
    made.append(
        f"create view {target}vwPlace as select {place} as PlaceRef, {columns}, {victims_only} "  # noqa: S608
        f"from {source}tblPersonAddress {holders} group by {columns}"
    )
    return made
