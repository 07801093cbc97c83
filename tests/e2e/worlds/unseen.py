"""What each kind of caller may not see, said from the agencies' own data and domain-model.md alone.

A `Secret` is something that some callers may not learn, with the changes that make of the world
another in which it is otherwise: records taken away, or values changed. No answer of a gateway has
any part in this. Where a number may be asked for in full by whoever holds it, `kept` ones stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.worlds.askers import (
    BORDER,
    CONTROL,
    HELP,
    SAFETY,
    STREET,
    Asker,
    but,
    controlling,
    everybody,
    hits_of_reports,
    nothing_of_people,
    only,
    outside_roles,
)
from tests.e2e.worlds.changes import (
    LOST_ERU,
    LOST_NMC,
    LOST_SCP,
    PHONES_OF_NOBODY,
    SECOND_REPORTS,
    TURNED,
    Change,
    altered,
    bid,
    decided,
    eru,
    everything,
    gone_at_ncb,
    lost_encounters,
    ncb,
    nis,
    nmc,
    no_needs,
    no_victims,
    orphans,
    other_address,
    other_encounter,
    other_paragraphs,
    other_phone_dates,
    other_status,
    other_words,
    quiet_at_ncb,
    scp,
    scp_turned,
    status_in_band,
    thinned,
    turn_bid_documents,
    turn_documents,
    turn_phones,
    without,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What some callers may not learn."""

    name: str
    unseen_by: Callable[[Asker], bool]
    changes: tuple[Change, ...]


SECRETS: tuple[Secret, ...] = (
    Secret(
        name="records to be disposed of, and restricted ones",
        unseen_by=everybody,
        changes=(
            *nmc(*(f"delete from rms.{t} where ret_cd in ('D', 'X')"  # noqa: S608
                   for t in ("nominal", "crime", "vehicle", "custody")), *LOST_NMC),
            *scp(*(f"delete from {t} where Retention in ('Dispose', 'Restricted')"  # noqa: S608
                   for t in ("tblPerson", "tblOccurrence", "tblVehicle", "tblIntel")), *LOST_SCP),
            *eru(PHONES_OF_NOBODY, *(f"delete from {t} where retention in ('D', 'X')"  # noqa: S608
                   for t in ("entity", "intel", "ocg", "disr")), *LOST_ERU),
            *nis("delete from face where retention_cd = 'X'"),
            *bid(without("persons", lambda p: p["retention"] in ("DIS", "RST")),
                 without("encounters", lambda e: e["retention"] in ("DIS", "RST")),
                 lost_encounters),
            *ncb(without("nominals", gone_at_ncb), without("criminalGroups", gone_at_ncb),
                 without("intelReports", gone_at_ncb), orphans),
        ),
    ),
    Secret(
        name="persons whom BID restricts",
        unseen_by=everybody,
        changes=bid(without("persons", lambda p: p["restricted"]), lost_encounters),
    ),
    Secret(
        name="silent records of ERU and BID",
        unseen_by=everybody,
        changes=(
            *eru(PHONES_OF_NOBODY, *(f"delete from {t} where silent = 1"  # noqa: S608
                   for t in ("entity", "intel", "ocg", "link", "ocg_member", "disr")), *LOST_ERU),
            *bid(without("persons", lambda p: p["discreet"]), lost_encounters),
        ),
    ),
    Secret(
        name="silent records of NCB",
        unseen_by=but("NO"),
        changes=ncb(without("nominals", quiet_at_ncb), without("criminalGroups", quiet_at_ncb),
                    without("intelReports", quiet_at_ncb), orphans),
    ),
    Secret(
        name="discreet alerts",
        unseen_by=everybody,
        changes=(*nmc("delete from rms.nom_alert where discreet"),
                 *scp("delete from tblPersonAlert where Discreet = 1")),
    ),
    Secret(
        name="discreet alerts of BID",
        unseen_by=but("IE"),
        changes=bid(thinned("persons", "alerts", lambda a: a["discreet"])),
    ),
    Secret(
        name="discreet alerts of NCB",
        unseen_by=but("NO"),
        changes=ncb(thinned("nominals", "alerts", lambda a: a["discreet"])),
    ),
    Secret(
        name="markers of covert operations, NCB's own apart",
        unseen_by=everybody,
        changes=(*nmc("delete from rms.vehicle_marker where discreet and owner <> 'NCB'"),
                 *scp("delete from tblVehicleMarker where Discreet = 1 and Owner <> 'NCB'")),
    ),
    Secret(
        name="markers of NCB's covert operations",
        unseen_by=but("NO"),
        changes=(*nmc("delete from rms.vehicle_marker where discreet"),
                 *scp("delete from tblVehicleMarker where Discreet = 1")),
    ),
    Secret(
        name="victims and witnesses, behind the firewall",
        unseen_by=controlling,
        changes=(
            *nmc("delete from rms.nominal where role_cds ~ '[VW]'", *LOST_NMC),
            *scp("delete from tblPerson where find_in_set('Aggrieved', Roles) or "
                 "find_in_set('Witness', Roles) or Flags & 48", *LOST_SCP),
            *ncb(no_victims),
            *bid(altered("persons", no_needs), altered("encounters", no_needs)),
        ),
    ),
    Secret(
        name="incidents, reports, groups and links, behind the firewall",
        unseen_by=controlling,
        changes=(
            *nmc("delete from rms.crime", "delete from rms.crime_person",
                 "delete from rms.disruption"),
            *scp("delete from tblOccurrence", "delete from tblInvolvement", "delete from tblIntel"),
            *eru("delete from intel", "delete from ocg", "delete from ocg_member",
                 "delete from disr", "delete from link where rel <> 'USE'"),
            *ncb(without("intelReports", everything), without("criminalGroups", everything),
                 orphans),
        ),
    ),
    Secret(
        name="National Insurance numbers",
        # FL is shown none either, but policy has them looked at: by any number that somebody shares
        # with a child's record they are not told of as grown up
        unseen_by=but("NO", "FL"),
        changes=(*nmc("delete from rms.nom_document where doc_type = 'NINO'"),
                 *ncb(thinned("nominals", "identifiers", lambda i: i["kind"] == "NINO"))),
    ),
    Secret(
        name="border documents other than passports, on the street",
        unseen_by=only(*STREET),
        changes=(*nmc("delete from rms.nom_document where doc_type in ('BRP', 'EVISA')"),
                 *scp("delete from tblPersonDoc where DocType in ('Brp', 'Evisa')"),
                 *bid(thinned("persons", "documents", lambda d: d["type"] in ("BRP", "EVISA"))),
                 *ncb(thinned("nominals", "identifiers",
                              lambda i: i["kind"] in ("BRP", "EVISA")))),
    ),
    Secret(
        name="drivers' and court numbers, at the border",
        unseen_by=only(*BORDER),
        changes=(*nmc("delete from rms.nom_document where doc_type in ('CRO', 'DRIVER_NO')"),
                 *ncb(thinned("nominals", "identifiers",
                              lambda i: i["kind"] in ("CRO", "DRIVER_NO")))),
    ),
    Secret(
        name="passport numbers but for their end, on the street",
        unseen_by=only(*STREET),
        changes=(
            *nmc(f"update rms.nom_document set doc_no = {TURNED.format('doc_no')} "  # noqa: S608
                 "where doc_type = 'PASSPORT' and length(doc_no) >= 8 and doc_no not in :kept"),
            *scp(f"update tblPersonDoc set DocNumber = {scp_turned('DocNumber')} "  # noqa: S608
                 "where DocType = 'Passport' and length(DocNumber) >= 8 "
                 "and DocNumber not in :kept"),
            *bid(altered("persons", turn_bid_documents)),
            *ncb(altered("nominals", turn_documents)),
        ),
    ),
    Secret(
        name="when a phone was seen, to those who are shown its end alone",
        unseen_by=lambda a: a.persona in BORDER | {"RO", "SG"} and a.purpose != "APPREHEND",
        changes=(*nmc("update rms.phone set first_dt = '2001-01-01'"),
                 *scp("update tblPersonPhone set FirstSeen = '01/01/2001'"),
                 *ncb(altered("nominals", other_phone_dates))),
    ),
    Secret(
        name="phone numbers but for their end",
        unseen_by=lambda a: a.persona in BORDER | {"RO", "SG"} and a.purpose != "APPREHEND",
        changes=bid(altered("persons", turn_phones)),
    ),
    Secret(
        name="health and self-harm warnings, where nobody's safety is the purpose",
        unseen_by=lambda a: a.purpose not in SAFETY,
        changes=(*nmc("delete from rms.nom_warning where warn_cd = 'MH'"),
                 *scp("update tblPerson set Flags = Flags & ~8 where Flags & 8"),
                 *ncb(thinned("nominals", "warnings",
                              lambda w: w["kind"] in ("MENTAL_HEALTH", "SELF_HARM")))),
    ),
    Secret(
        name="victims and witnesses of an incident",
        unseen_by=outside_roles,
        changes=(*nmc("delete from rms.crime_person where role_cd in ('V', 'W', 'I')"),
                 *scp("delete from tblInvolvement where Involvement in "
                      "('Aggrieved', 'Witness', 'Reporting')")),
    ),
    Secret(
        name="the roles that a person's record stands on",
        unseen_by=lambda a: (a.persona in STREET | {"RA", "IEC"} and a.purpose != "APPREHEND")
        or (a.persona in BORDER and a.purpose == "BORDER_SECURITY"),
        # that a suspect is a victim as well is told by a hit
        changes=(*nmc("update rms.nominal set role_cds = 'S' "
                      "where not (role_cds ~ '[DS]' and role_cds ~ 'V')"),),
    ),
    Secret(
        name="flags of protection that another agency holds of no suspect, from border work",
        unseen_by=lambda a: a.persona in BORDER and a.purpose == "BORDER_SECURITY",
        changes=(*scp("update tblPerson set Flags = Flags & ~48 where Flags & 48 and not "
                      "(find_in_set('Suspected', Roles) or find_in_set('Charged', Roles))"),
                 *ncb(without("referrals", everything))),
    ),
    Secret(
        name="what a referral says, where it is a hit",
        unseen_by=lambda a: a.persona in {"RO", "SG", "IE", "BF", "AO", "IEC", "RA", "NO"}
        and a.purpose not in HELP,
        changes=ncb(altered("referrals", decided)),
    ),
    Secret(
        name="which flags of protection there are, where they are a hit",
        unseen_by=lambda a: a.persona in {"RO", "SG", "IE", "BF", "AO", "IEC", "RA"}
        and a.purpose not in HELP,
        changes=scp("update tblPerson set Flags = (Flags & ~48) | 16 where Flags & 32"),
    ),
    Secret(
        name="who is in asylum accommodation, on the street",
        unseen_by=only(*STREET),
        changes=(*nmc("update rms.address set nom_ref = (select min(nom_ref) from rms.nominal "
                      "where ret_cd = 'A') where occ_kind = 'A' and nom_ref in "
                      "(select nom_ref from rms.nominal where ret_cd not in ('D', 'X'))"),
                 *scp("update tblPersonAddress set PersonID = (select min(PersonID) from tblPerson "
                      "where Retention = 'Current') where Kind = 'Asylum' and PersonID in "
                      "(select PersonID from tblPerson "
                      "where Retention in ('Current', 'Review'))")),
    ),
    Secret(
        name="since when somebody was in asylum accommodation, on the street",
        unseen_by=only(*STREET),
        changes=(*nmc("update rms.address set from_dt = '2001-01-01', to_dt = null "
                      "where occ_kind = 'A'"),
                 *scp("update tblPersonAddress set FromDate = '01/01/2001' "
                      "where Kind = 'Asylum'")),
    ),
    Secret(
        name="houses within their district, on the street",
        unseen_by=lambda a: a.persona in STREET and a.purpose not in HELP,
        changes=bid(altered("persons", other_address)),
    ),
    Secret(
        name="when somebody lived where, from immigration control",
        unseen_by=controlling,
        changes=(*nmc("update rms.address set from_dt = '2001-01-01', to_dt = null, "
                      "occ_kind = 'F'"),
                 *scp("update tblPersonAddress set FromDate = '01/01/2001', Kind = 'Work'")),
    ),
    Secret(
        name="flags other than child and missing, in a search for somebody missing",
        unseen_by=lambda a: a.persona == "RO" and a.purpose == "MISSING_PERSON",
        changes=(*scp("update tblPerson set Flags = Flags & ~48 where Flags & 48"),
                 *ncb(without("referrals", everything))),
    ),
    Secret(
        name="needs that were screened, to investigators",
        unseen_by=only("IEC", "RA"),
        changes=bid(altered("encounters", no_needs)),
    ),
    Secret(
        name="custody, at the border",
        unseen_by=only(*BORDER),
        changes=(*nmc("delete from rms.custody"), *scp("delete from tblCustody")),
    ),
    Secret(
        name="how somebody stands with the border, where it is withheld",
        unseen_by=lambda a: a.persona in {"RO", "PP"} and a.purpose == "PROTECT_VULNERABLE",
        changes=bid(altered("persons", other_status)),
    ),
    Secret(
        name="how somebody stands with the border, within its band",
        unseen_by=lambda a: a.persona in STREET and a.purpose != "PROTECT_VULNERABLE",
        changes=bid(altered("persons", status_in_band)),
    ),
    Secret(
        name="encounters, on the street",
        unseen_by=lambda a: a.persona in STREET and a.purpose not in HELP,
        changes=bid(without("encounters", everything)),
    ),
    Secret(
        name="encounters but for their number",
        unseen_by=lambda a: a.persona in {"RO", "PP"} and a.purpose in HELP,
        changes=bid(altered("encounters", other_encounter)),
    ),
    Secret(
        name="offences but for their number and whether they are serious",
        unseen_by=only(*BORDER),
        changes=(*nmc("update rms.offence set ho_class = 1, ho_sub = 1, outcome_cd = 'CON', "
                      "off_dt = '2001-01-01', court = 'x'"),
                 *scp("update tblOffence set OffenceCode = '1/1', Outcome = 'Convicted', "
                      "Court = 'x'")),
    ),
    Secret(
        name="what a report says, where it is a hit",
        unseen_by=hits_of_reports,
        changes=(*eru("update intel set title = 'x', txt = 'y', sanitised = 'z', src = '3'",
                      "update intel_para set txt = 'y'",
                      *SECOND_REPORTS),
                 *scp("update tblIntel set Title = 'x', Body = 'y', Sanitised = 'z'"),
                 *ncb(altered("intelReports", other_words))),
    ),
    Secret(
        name="paragraphs of NCB under conditions",
        unseen_by=only("RA", "AO"),
        changes=ncb(altered("intelReports", other_paragraphs)),
    ),
    Secret(
        name="paragraphs of ERU under conditions",
        unseen_by=only("NO", "AO"),
        changes=eru("update intel set txt = 'y' where urn in "
                    "(select urn from intel_para where hnd = 'C')",
                    "update intel_para set txt = 'y' where hnd = 'C' and "
                    "coalesce(hnd_cond, '') not in ('NO', 'CT', 'NO,CT', 'CT,NO')"),
    ),
    Secret(
        name="who belongs to a group, on the street",
        unseen_by=only(*STREET),
        changes=(*eru("delete from ocg_member", "delete from ocg", "delete from disr"),
                 *ncb(without("criminalGroups", everything), orphans),
                 *nmc("delete from rms.disruption")),
    ),
    Secret(
        name="groups, where they are withheld",
        unseen_by=lambda a: a.persona in {"BF", "PP", "AO"}
        or (a.persona == "IE" and a.purpose != CONTROL),
        changes=(*eru("update ocg set alias = 'x', tier = '9', a_score = 1, m_phys = 1",
                      "delete from disr"),
                 *nmc("delete from rms.disruption")),
    ),
    Secret(
        name="groups' names and tiers",
        unseen_by=only("IEC", "TC"),
        changes=eru("update ocg set alias = 'x', tier = '9', last_rev = '2001-01-01'"),
    ),
    Secret(
        name="camera sightings",
        unseen_by=but("RA", "NO"),
        changes=nmc("delete from rms.anpr"),
    ),
    Secret(
        name="links between records",
        unseen_by=lambda a: a.persona in {"RO", "SG", "BF", "PP", "IE"},
        changes=eru("delete from link where rel <> 'USE'"),
    ),
    Secret(
        name="what a link says, where it is a hit",
        unseen_by=only("IEC", "AO"),
        changes=eru("update link set grade = 'x', start = '2001-01-01' where rel <> 'USE'"),
    ),
    Secret(
        name="how faces look",
        unseen_by=but("NO"),
        changes=nis("update face set emb = (select emb from face order by img_id limit 1)"),
    ),
    Secret(
        name="what is known of an image, where it is a hit",
        unseen_by=only("IE", "IEC", "BF"),
        changes=nis("update face set taken_on = '2001-01-01', quality = 0.1"),
    ),
    Secret(
        name="how an incident is told, to all but its force where safety needs it",
        unseen_by=lambda a: not (a.persona in STREET | {"PP"} and a.purpose in HELP),
        changes=(*nmc("update rms.crime set narrative = 'x', sanitised = 'y'"),
                 *scp("update tblOccurrence set Narrative = 'x', Sanitised = 'y'")),
    ),
    Secret(
        name="records above a clearance",
        unseen_by=only("FL"),
        changes=(*nmc("delete from rms.nominal where gpms = 'OS'", *LOST_NMC),
                 *scp("delete from tblPerson where Marking = 'OFFICIAL-SENSITIVE'", *LOST_SCP),
                 *eru("delete from entity where prot_mark = 'OS'", *LOST_ERU),
                 *bid(without("persons", lambda p: p["marking"] == "OFFICIAL_SENSITIVE"),
                      lost_encounters),
                 *ncb(without("nominals",
                              lambda n: n["governance"]["marking"] == "OFFICIAL_SENSITIVE"),
                      orphans)),
    ),
    Secret(
        name="everything but that persons are held",
        unseen_by=only("FL"),
        changes=(*nmc("delete from rms.crime", "delete from rms.vehicle", "delete from rms.custody",
                      "delete from rms.offence", "delete from rms.nom_warning"),
                 *scp("delete from tblOccurrence", "delete from tblVehicle"),
                 *eru("delete from intel", "delete from ocg", "delete from disr"),
                 *ncb(without("intelReports", everything), without("criminalGroups", everything),
                      orphans),
                 *nis("delete from face")),
    ),
    Secret(
        name="persons, to those whose work reaches none",
        unseen_by=nothing_of_people,
        changes=(*nmc("delete from rms.nominal", "delete from rms.vehicle",
                      "delete from rms.crime"),
                 *scp("delete from tblPerson", "delete from tblVehicle"),
                 *eru("delete from entity", "delete from intel"),
                 *bid(without("persons", everything), without("encounters", everything)),
                 *ncb(without("nominals", everything), orphans)),
    ),
)  # fmt: skip


def secrets_from(asker: Asker) -> tuple[Secret, ...]:
    """What this caller may not learn."""
    return tuple(secret for secret in SECRETS if secret.unseen_by(asker))
