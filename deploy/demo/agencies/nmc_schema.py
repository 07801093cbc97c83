"""NMC's records system: what its tables and views are called, and who may read them.

Base tables lie in `rms`; the gateway's role reads the views of `gw` and nothing else.
"""

from __future__ import annotations

READER = "gateway_reader"
_HEADER = """
  ret_cd char(1) not null, review_dt date, src_grade smallint, inf_grade char(1),
  hnd char(1), gpms varchar(2), rec_dtm timestamp not null"""

TABLES = {
    "nominal": f"""
  nom_ref char(10) primary key, surname varchar(25), forename1 varchar(25), forename2 varchar(25),
  dob date not null, sex_cd smallint not null, eth_cd smallint, sde_cd char(2), ht_cm smallint,
  build_cd char(1), hair_cd char(3), eye_cd char(3), nat_cd char(2), pob varchar(40),
  pob_cd char(2), pncid varchar(12), mopi_grp smallint, role_cds varchar(12), {_HEADER}""",
    "nominal_alias": """
  nom_ref char(10) not null, aka varchar(60) not null, aka_type char(1) not null""",
    "nom_mark": """
  nom_ref char(10) not null, mark_no smallint not null, mark_cd char(1) not null,
  body_part varchar(20), txt text""",
    "nom_warning": """
  nom_ref char(10) not null, warn_cd char(2) not null, reason text, added_dt date,
  review_dt date, sanitised text""",
    "nom_document": """
  nom_ref char(10) not null, doc_type varchar(10) not null, doc_no varchar(20) not null,
  issuer char(2)""",
    "nom_alert": """
  alert_id int primary key, nom_ref char(10) not null, kind char(3) not null, power text,
  owner varchar(3) not null, contact text, discreet boolean not null, added_dt date""",
    "crime": f"""
  crime_no varchar(16) primary key, ho_class smallint not null, ho_sub smallint not null,
  title text, occ_dtm timestamp not null, place text, town text, postcode varchar(8),
  easting int, northing int, status_cd char(1), outcome_cd char(3), narrative text,
  sanitised text, oic_fg boolean, ms_fg boolean, dv_fg boolean, {_HEADER}""",
    "crime_person": """
  crime_no varchar(16) not null, nom_ref char(10) not null, role_cd char(1) not null""",
    "offence": """
  nom_ref char(10) not null, ho_class smallint not null, ho_sub smallint not null, title text,
  outcome_cd char(3), off_dt date, court text, serious_fg boolean not null""",
    "custody": """
  cust_ref varchar(16) primary key, nom_ref char(10) not null, arrest_off text,
  arr_dtm timestamp not null, rel_dtm timestamp, disp_cd varchar(4), image_fg boolean not null,
  fp_fg boolean not null, dna_fg boolean not null, ret_cd char(1) not null""",
    "vehicle": f"""
  veh_id int primary key, vrm varchar(9) not null, vin char(17), make varchar(20),
  model varchar(20), colour varchar(12), mfr_year smallint, stolen_fg char(1),
  false_plate_fg char(1), stop_nom char(10), {_HEADER}""",
    "vehicle_marker": """
  vrm varchar(9) not null, code char(2) not null, reason text, added_dt date, review_dt date,
  owner varchar(3) not null, discreet boolean not null""",
    "anpr": """
  seq int primary key, vrm varchar(9) not null, seen timestamp not null, camera varchar(8),
  dir char(1), easting int, northing int""",
    "address": """
  nom_ref char(10) not null, occ_kind char(1) not null, line text, town text,
  postcode varchar(8), easting int, northing int, from_dt date, to_dt date""",
    "phone": """
  nom_ref char(10) not null, num varchar(20) not null, first_dt date, last_dt date""",
    "stop": """
  stop_ref varchar(16) primary key, nom_ref char(10) not null, vrm varchar(9),
  stop_dtm timestamp not null, power text, outcome text, place text, town text,
  postcode varchar(8), easting int, northing int""",
    "disruption": """
  dis_ref varchar(10) primary key, event_key varchar(10) not null, dis_dt date not null,
  strand varchar(8) not null, grade smallint not null, lead varchar(3), claim text,
  summary text, grp_ref varchar(10)""",
}

INDEXES = {
    "nominal": ("surname", "dob", "pncid"),
    "nominal_alias": ("nom_ref",),
    "nom_mark": ("nom_ref",),
    "nom_warning": ("nom_ref",),
    "nom_document": ("nom_ref", "doc_no"),
    "nom_alert": ("nom_ref",),
    "crime": ("occ_dtm",),
    "crime_person": ("crime_no", "nom_ref"),
    "offence": ("nom_ref",),
    "custody": ("nom_ref",),
    "vehicle": ("vrm", "stop_nom"),
    "vehicle_marker": ("vrm",),
    "anpr": ("vrm", "seen"),
    "address": ("nom_ref", "postcode"),
    "phone": ("nom_ref", "num"),
    "stop": ("nom_ref", "vrm", "stop_dtm"),
}

# one view for each table; those named here are joined, have a column more, or gather rows: a phone
# and a place that many people share are each one. Both go with the last kept record that names
# them: what is known through records to be disposed of, or restricted ones, alone is not there.
PLACE = "line || ', ' || postcode as place_ref"
KEPT = "join rms.nominal n using (nom_ref) where n.ret_cd not in ('D', 'X')"
# Nobody whose record is kept names it but victims and witnesses; the marks of roles are theirs.
VICTIMS_ONLY = "bool_and(coalesce(n.role_cds, '') ~ '[VW]') as victims_only"
VIEWS = {
    "nominal": """
  select n.*, 'NMC:' || n.nom_ref as subj_ref,
  case when n.role_cds ~ '[DS]' and n.role_cds ~ 'V' then 'Y' end as both_sides
  from rms.nominal n""",
    "crime": "select c.*, c.place || ', ' || c.postcode as place_ref from rms.crime c",
    "crime_person": """
  select p.nom_ref, p.role_cd, c.* from rms.crime_person p join rms.crime c using (crime_no)
  where p.nom_ref in (select nom_ref from rms.nominal where ret_cd not in ('D', 'X'))""",
    "stop": """
  select s.*, n.ret_cd, n.review_dt, n.src_grade, n.inf_grade, n.hnd, n.gpms, n.role_cds
  from rms.stop s join rms.nominal n using (nom_ref)""",
    "vehicle_marker": """
  select v.veh_id, m.* from rms.vehicle_marker m join rms.vehicle v on v.vrm = m.vrm""",
    "address": f"select a.*, {PLACE} from rms.address a",  # noqa: S608 - our own names
    "place": f"""
  select {PLACE}, line, town, postcode, easting, northing, {VICTIMS_ONLY}
  from rms.address {KEPT}
  group by line, town, postcode, easting, northing""",  # noqa: S608
    "contact": f"""
  select num, min(first_dt) as first_dt, max(coalesce(last_dt, first_dt)) as last_dt,
  {VICTIMS_ONLY} from rms.phone {KEPT} group by num""",  # noqa: S608
}


def schema_statements() -> list[str]:
    """What makes the empty database: dropped first, so that writing again starts afresh."""
    made = ["drop schema if exists gw cascade", "drop schema if exists rms cascade"]
    made += ["create schema rms", "create schema gw"]
    made += [f"create table rms.{name} ({columns})" for name, columns in TABLES.items()]
    return made


def finishing_statements(database: str) -> list[str]:
    """Indexes, views and privileges, once the rows are in."""
    made = [
        f"create index on rms.{table} ({column})"
        for table, columns in INDEXES.items()
        for column in columns
    ]
    made += [
        f"create view gw.{table} as {VIEWS.get(table, f'select * from rms.{table}')}"  # noqa: S608
        for table in dict.fromkeys((*TABLES, *VIEWS))
    ]
    return [
        *made,
        f"do $$ begin create role {READER} login nosuperuser nocreatedb nocreaterole;"
        " exception when duplicate_object then null; end $$",
        f"alter role {READER} set default_transaction_read_only = on",
        f'grant connect on database "{database}" to {READER}',
        f"grant usage on schema gw to {READER}",
        f"grant select on all tables in schema gw to {READER}",
    ]
