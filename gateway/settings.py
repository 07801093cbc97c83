"""Everything a deployer may set, in one frozen value that is read once.

Each setting is declared here and nowhere else: its type, its unit in its name, its default and
the reason for that default. `--help`, `docs/settings.md` and the faults that `load` reports are
made from these declarations. `gateway.toml` is read first, then the environment: `port` is
`GATEWAY_PORT`, `limits.depth` is `GATEWAY_LIMITS_DEPTH`. Reading is in `gateway/configuration.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints


def _setting(
    default: Any,
    why: str,
    *,
    least: float | None = None,
    most: float | None = None,
    form: str = "",
    within: str = "",
) -> Any:
    """Declare a setting: its default and why, its bounds, its form, the folder it lies in."""
    return field(
        default=default,
        metadata=MappingProxyType(
            {"why": why, "least": least, "most": most, "form": form, "within": within}
        ),
    )


def _count(default: int, why: str, *, least: int = 1, most: int = 1_000_000_000) -> Any:
    return _setting(default, why, least=least, most=most)


def _seconds(default: float, why: str, *, most: float) -> Any:
    return _setting(default, why, least=0.01, most=most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may ask. Each is checked before any work that grows with it."""

    body_bytes: int = _count(65536, "A question fits in a few KiB; more is an attack or a mistake.")
    header_bytes: int = _count(16384, "Room for a token of 8 KiB, and the address line.")
    headers: int = _count(100, "Clients send about twenty.")
    receive_s: float = _seconds(
        10.0, "A request that trickles in must not hold a connection.", most=120
    )
    send_s: float = _seconds(
        30.0, "A bad line takes seconds for an answer; whoever takes none is cut off.", most=300
    )
    tokens: int = _count(2000, "The longest officers' document has about 600.")
    depth: int = _count(10, "Person to group to report and its parts is 7.")
    aliases: int = _count(30, "A screen asks a dozen questions at once, not a hundred.")
    expanded_fields: int = _count(1000, "Counted after fragments are spread, never by spreading.")
    fetches: int = _count(64, "Visits that one query may cause over all sources.")
    waves: int = _count(8, "Visits that wait for one another; each adds a source's time.")
    sources: int = _count(16, "Sources that one query may reach.")
    alternatives: int = _count(
        30, "Spellings and numbers of one person; each is a visit of its own to some sources."
    )
    values: int = _count(100, "Members of one list that is asked for.")
    text_chars: int = _count(256, "The longest name, number or place that anybody looks for.")
    validation_errors: int = _count(5, "Enough to mend a document, too few to map a schema.")
    variables_depth: int = _count(10, "Criteria nest three or four levels.", most=100)
    query_deadline_s: float = _seconds(
        10.0, "An officer at the roadside gives up sooner; sources have 2 s each.", most=300
    )
    cursor_ttl_s: int = _count(900, "A page is turned within minutes; access may change by then.")
    image_link_ttl_s: int = _count(300, "Long enough to show an image, too short to share it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSetting:
    """An identity provider, and the one agency that it may vouch for."""

    issuer: str = _setting("", "The `iss` of its tokens.", form="url")
    agency: str = _setting("", "The agency whose people it signs in.", form="name")
    algorithms: tuple[str, ...] = _setting(
        ("ES256",), "Signatures accepted from it; asymmetric ones only.", form="algorithms"
    )
    documents_only: tuple[str, ...] = _setting(
        (), "Apps (`client_id`) that may send persisted documents only; its others, any document."
    )
    unit: str = _setting(
        "", "The part of the agency that signs in here, where it has several issuers."
    )
    client_id: str = _setting(
        "", "How it knows the gateway's pages; without it nobody signs in to them by this issuer."
    )
    client_secret: str = _setting(
        "", "The name of the pages' secret there; a public client has none."
    )
    scopes: tuple[str, ...] = _setting(
        ("openid",), "What is asked for; some issuers name the audience of a token by a scope."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSetting:
    """Where an agency's own system takes its notices."""

    agency: str = _setting("", "Whose desk is told.", form="name")
    url: str = _setting("", "Its address; https, unless `private`.", form="url")
    secret: str = _setting(
        "", "The name of the secret, of 32 characters or more, that signs them.", form="name"
    )
    private: bool = _setting(
        False, "It lies in a private network; others there are never sent to by mistake."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutSetting:
    """What the public page `/about` says beside what the catalogue and the policy know."""

    operator: str = _setting(
        "The operator of this gateway has not been named.",
        "Who answers for the service, in a sentence; a reader must see when nobody has said so.",
    )
    oversight: str = _setting(
        "No oversight has been described.",
        "Who watches over the use of the service, in a few sentences.",
    )
    oversight_bodies: tuple[str, ...] = _setting(
        (), "The bodies that may inspect the record, one name each."
    )
    contact: str = _setting("", "Where a member of the public asks or complains.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The gateway's configuration, whole and checked. Paths are absolute."""

    host: str = _setting("127.0.0.1", "Reachable from outside only where somebody says so.")
    port: int = _count(8470, "Free on most machines.", least=0, most=65535)
    audience: str = _setting(
        "portcullis", "The `aud` a token must carry: tokens for other services are refused."
    )
    issuers: tuple[IssuerSetting, ...] = _setting(
        (), "Without an issuer nobody can sign in, which is the safe beginning."
    )
    catalogue_dir: Path = _setting(
        Path("catalogue"), "The vocabulary and the agencies' mapping files."
    )
    tables_dir: Path = _setting(
        Path("policies/tables"), "The policy's tables: what `/about` says of purposes and agencies."
    )
    documents_dir: Path = _setting(
        Path("documents"),
        "Persisted documents, and in `apps.toml` which app may send which; may be absent.",
    )
    state_dir: Path = _setting(Path(".portcullis"), "Everything the gateway itself writes.")
    secrets_dir: Path = _setting(
        Path("secrets"), "One file for each secret named in a mapping file.", within="state_dir"
    )
    opa_url: str = _setting("http://127.0.0.1:8181", "OPA speaks to this machine only.", form="url")
    policy_timeout_s: float = _seconds(
        0.25, "A decision takes 3 to 15 ms; a late one is a denial.", most=10
    )
    breaker_failures: int = _count(
        5, "Failed visits in a row after which a source is left alone; fewer is a hiccup."
    )
    breaker_probe_s: float = _seconds(
        2.0, "How often a source that is left alone is tried again: one visit, no more.", most=60
    )
    audit_dir: Path = _setting(
        Path("audit"), "The record: tiles, checkpoints, sealed details.", within="state_dir"
    )
    audit_url: str = _setting(
        "",
        "The record in PostgreSQL, which several gateways share: "
        "`postgresql+asyncpg://role@host/database`; left out, it is files in `audit_dir`.",
    )
    audit_sequencer_url: str = _setting(
        "",
        "The same database for the role that numbers and signs records; left out, this gateway "
        "never does, and another must.",
    )
    audit_timeout_s: float = _seconds(
        0.25, "A record that lasts later is none, and its query is not answered.", most=10
    )
    audit_origin: str = _setting(
        "portcullis.example/audit", "The log's name in its checkpoints; never reuse one."
    )
    audit_keys_dir: Path = _setting(
        Path("keys/audit"),
        "Signs checkpoints and seals details; kept apart from the log.",
        within="state_dir",
    )
    audit_witnesses: Path = _setting(
        Path("witnesses.policy"),
        "Who must have seen the log, as a c2sp.org/tlog-policy with addresses; without the file "
        "nobody, and what waits for witnesses is refused.",
        within="state_dir",
    )
    audit_index: Path = _setting(
        Path("audit.index.sqlite"),
        "By which auditors find entries; made again whenever it is not there. It names nobody.",
        within="state_dir",
    )
    staff_dir: Path = _setting(
        Path("staff"),
        "The agencies' staff feeds and the watch list, which the queue of misuse reads; an agency "
        "without one is said to have none.",
        within="state_dir",
    )
    audit_log_networks: tuple[str, ...] = _setting(
        ("127.0.0.0/8", "::1/128"),
        "Who may read the log below `/audit/log`, by the socket's own address.",
        form="networks",
    )
    casework_url: str = _setting(
        "",
        "The gateway's own records: `casework.sqlite` in `state_dir` if left out; "
        "`postgresql+asyncpg://role@host/database` for replicas, its password in `PGPASSWORD`.",
    )
    reasons_kept_days: int = _count(
        90,
        "Reasons in words, after a release request has ended, and the words and keys of recalls, "
        "after the agencies were told; long enough to ask why.",
        most=3650,
    )
    webhooks: tuple[WebhookSetting, ...] = _setting(
        (), "Notices wait at `/casework` in any case; an agency's own system may be told too."
    )
    ref_key: Path = _setting(
        Path("keys/ref.key"),
        "Makes `ref` and cursors; the root of one key per agency.",
        within="state_dir",
    )
    token_key: Path = _setting(
        Path("keys/token.key"), "Makes the tokens of the mask TOKEN.", within="state_dir"
    )
    public_url: str = _setting(
        "",
        "Where browsers find the gateway, `https://` and no path: issuers send people back there.",
        form="url",
    )
    desk_page: bool = _setting(
        False, "Serves `/desk`; an agency's own system may do the same at `/casework`."
    )
    session_key: Path = _setting(
        Path("keys/session.key"),
        "Seals the pages' sessions and marks their forms; gateways behind one address share it.",
        within="state_dir",
    )
    session_key_before: Path = _setting(
        Path("keys/session.key.before"),
        "Still opens sessions while it is there, so that a new key signs nobody out.",
        within="state_dir",
    )
    session_idle_s: int = _count(
        900, "Somebody who left the desk is signed out before the next one sits down.", most=3600
    )
    session_s: int = _count(
        28800, "A shift; the access token often ends earlier, and the session with it.", most=86400
    )
    canaries: bool = _setting(
        True, "Asks for the records of `canaries.toml` in `catalogue_dir`, which nobody may see."
    )
    canary_period_s: float = _seconds(
        30.0, "What is shown that must not be is known, and told, within two minutes.", most=90
    )
    introspection: bool = _setting(
        False, "A schema is a map; clients carry persisted documents instead."
    )
    metrics_networks: tuple[str, ...] = _setting(
        ("127.0.0.0/8", "::1/128"),
        "Who may read `/metrics`, by the socket's own address; others find no such page.",
        form="networks",
    )
    demo: bool = _setting(
        False, "Serves the tour at `/` and gives out personas' tokens; never on real data."
    )
    limits: Limits = field(default_factory=Limits)
    about: AboutSetting = field(default_factory=AboutSetting)


TABLES: Mapping[str, type[Limits] | type[AboutSetting]] = MappingProxyType(
    {"limits": Limits, "about": AboutSetting}
)


LISTS: Mapping[str, type[IssuerSetting] | type[WebhookSetting]] = MappingProxyType(
    {"issuers": IssuerSetting, "webhooks": WebhookSetting}
)
"""Lists of tables. No two of a list share their first setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One setting as it was declared, for reading, for `--help` and for the documentation."""

    key: str  # as in gateway.toml: "limits.depth"
    variable: str  # "" where only the file can hold it
    type: Any
    default: Any
    why: str
    least: float | None
    most: float | None
    form: str
    within: str


def declared() -> tuple[Declared, ...]:
    """Every setting, in the order of declaration, tables last."""
    plain = tuple(
        _declared(Settings, one, "") for one in fields(Settings) if one.name not in TABLES
    )
    nested = tuple(
        _declared(table, one, f"{name}.") for name, table in TABLES.items() for one in fields(table)
    )
    return plain + nested


def declared_in(owner: type) -> tuple[Declared, ...]:
    """The settings of one table, keys without a prefix."""
    return tuple(_declared(owner, one, "") for one in fields(owner))


def _declared(owner: type, one: Field[Any], prefix: str) -> Declared:
    if one.default is MISSING:
        raise TypeError(f"{owner.__name__}.{one.name} is declared without a default")
    key = prefix + one.name
    in_file_only = one.name in LISTS
    return Declared(
        key=key,
        variable="" if in_file_only else "GATEWAY_" + key.upper().replace(".", "_"),
        type=get_type_hints(owner)[one.name],
        default=one.default,
        **one.metadata,
    )


def documentation() -> str:
    """The table of docs/settings.md, and what `portcullis serve --help` says of settings."""
    lines = ["| key | environment | type | default | why |", "|---|---|---|---|---|"]
    lines += [_row(one) for one in declared()]
    for name, kind in LISTS.items():
        lines += ["", f"Each table of `[[{name}]]`:", "", "| key | type | default | why |"]
        lines += ["|---|---|---|---|"]
        for one in declared_in(kind):
            lines.append(f"| `{one.key}` | {_type_name(one)} | {_shown(one.default)} | {one.why} |")
    return "\n".join(lines) + "\n"


def _row(one: Declared) -> str:
    variable = f"`{one.variable}`" if one.variable else "file only"
    default = _shown(one.default)
    return f"| `{one.key}` | {variable} | {_type_name(one)} | {default} | {one.why} |"


def _type_name(one: Declared) -> str:
    names = {int: "integer", float: "number", bool: "true or false", str: "text", Path: "path"}
    if one.key in LISTS:
        return "list of tables"
    if one.type not in names:
        return "list of texts"
    if one.within:
        return f"path, within `{one.within}`"
    if one.least is None:
        return names[one.type]
    return f"{names[one.type]}, {one.least:g} to {one.most:g}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value) or "none"
    return f"`{value}`" if str(value) else "none"
