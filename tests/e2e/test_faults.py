"""The faults of the threat model, part 3, in real processes: what is lost and what is said.

A second gateway over the demonstration's agencies, each behind a door of our own that counts what
passes and can fail as a source does, asks an Open Policy Agent of its own, which is stopped,
suspended and started without its rules. The log's directory is taken away from under it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from deploy.demo.population import Agency, Population
from deploy.demo.services.process import running
from deploy.demo.story import STEPS, WHO
from gateway.audit.entry import read_leaf
from gateway.audit.verify import verify
from gateway.cli.demo import Demo
from tests.e2e.asking import Answer, Asker
from tests.e2e.between import Proxy, Watch
from tests.e2e.owngateway import CATALOGUE, served, timed
from tests.opa import unbounded

ARRIVAL = STEPS[0].text
LOOKUP = """query Lookup($who: [PersonCriteria!]!) {
  personSearch(anyOf: $who, first: 5) { total hits { owner primaryName } } }"""
SOURCES = ("bid", "eru", "ncb", "nis", "nmc", "scp")
_MANY = 8
OTHERS = [{"family": family, "dob": "1991"} for family in ("Leka", "Albu", "Nguyen", "Whitlock")]
TIMEOUT_S = 2.0  # each source's own
FOR_CANCELLING_S = 1.0
PROBE_S = 2.0  # how often a source that is left alone is tried again
POLICY_S = 1.0  # longer than the setting's default: the machine of these tests may be busy
HTML = b"<html><body>It works!</body></html>"
GARBAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(HTML), HTML)
)


@dataclass(slots=True, kw_only=True)
class Policy:
    """A real Open Policy Agent at one address, however often it is started and ended."""

    program: Path
    port: int
    policies: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, *, bundle: bool = True) -> None:
        given = ("--bundle", str(self.policies)) if bundle else ()
        self.process = await asyncio.create_subprocess_exec(
            *(str(self.program), "run", "--server", "--addr", f"127.0.0.1:{self.port}"),
            *("--log-level", "error", "--disable-telemetry", *given),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(200):
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{self.url}/health")).status_code == 200:
                        return
                await asyncio.sleep(0.05)
        pytest.fail("Open Policy Agent did not start")

    async def end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process = None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@dataclass(slots=True, kw_only=True)
class Place:
    """A gateway whose every neighbour can be made to fail."""

    demo: Demo
    asker: Asker
    policy: Policy
    doors: Mapping[str, Proxy]
    eru: Path  # its SQLite file, a copy of ours
    watches: Mapping[str, Watch] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """How much each source was asked so far, by what stands before it."""
        return {name: door.sent for name, door in self.doors.items()} | {
            name: watch.count for name, watch in self.watches.items()
        }

    async def arrival(self, who: Any = WHO) -> Answer:
        return await self.asker.ask(
            "AO", ARRIVAL, {"who": who}, purpose="PROTECT_VULNERABLE", reason="R04"
        )

    async def get(self, path: str) -> httpx.Response:
        return await self.asker.client.get(f"{self.demo.url}{path}")

    async def ready(self) -> bool:
        return (await self.get("/health/ready")).status_code == 200

    async def alive(self) -> bool:
        return (await self.get("/health/live")).status_code == 200

    async def metric(self, start: str) -> float:
        """The sum of the series that start so."""
        lines = (await self.get("/metrics")).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))

    async def leaves(self, since: int) -> list[Mapping[str, Any]]:
        log = self.demo.started.log
        return [read_leaf(await log.leaf(n)) for n in range(since, log.size)]

    @property
    def size(self) -> int:
        return self.demo.started.log.size

    def log_is_whole(self) -> bool:
        settings = self.demo.started.settings
        return verify(settings.audit_dir, (settings.audit_keys_dir / "log.pub").read_text()).ok


@contextmanager
def unwritable(place: Place) -> Any:
    """The log's directory is gone, and something else has its name."""
    directory = place.demo.started.settings.audit_dir
    away = directory.with_name("audit.away")
    directory.rename(away)
    directory.write_text("not a directory")
    try:
        yield
    finally:
        directory.unlink()
        away.rename(directory)


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, "it did not come about"
        await asyncio.sleep(0.005)


async def comes_back(place: Place, within_s: float = 5.0) -> None:
    """Rule R5: ready again by itself, and every source answers: one that had failed often enough
    to be left alone, at its next probe."""
    ends = time.monotonic() + within_s
    while not await place.ready():
        assert time.monotonic() < ends, "not ready again"
        await asyncio.sleep(0.05)
    ends = time.monotonic() + PROBE_S + within_s
    while True:
        answer = await place.arrival()
        assert answer.status == 200
        states = {answer.state(a.upper()) for a in SOURCES}
        if states <= {"ANSWERED", "TRUNCATED"}:
            await place.demo.started.tripwires.settled()  # what follows an answer asks sources too
            return
        assert time.monotonic() < ends, states
        await asyncio.sleep(0.1)


async def door_to(url: str, folder: Path, name: str) -> tuple[Proxy, dict[str, str]]:
    """A door before the source of this secret, and what the secret is behind it."""
    if url.startswith("http"):
        address = httpx.URL(url)
        proxy = await Proxy.open((address.host, address.port or 80))
        return proxy, {f"{name}_{kind}": proxy.url for kind in ("URL", "TOKEN_URL")}
    parsed = sa.make_url(url)
    if parsed.drivername.startswith("postgresql"):
        held = folder / ".s.PGSQL.5432"
        proxy = await Proxy.open(Path(str(parsed.query["host"])) / held.name, held)
        given = parsed.update_query_dict({"host": str(folder)})
    else:
        held = folder / "mariadb"
        proxy = await Proxy.open(Path(str(parsed.query["unix_socket"])), held)
        given = parsed.update_query_dict({"unix_socket": str(held)})
    return proxy, {f"{name}_DB_URL": given.render_as_string(hide_password=False)}


@pytest.fixture(scope="module")
async def place(
    demo: Demo, opa_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("f")  # a short name: sockets lie in it
    held = demo.stack.secrets
    async with AsyncExitStack() as stack:
        doors: dict[str, Proxy] = {}
        secrets: dict[str, str] = {}
        watches: dict[str, Watch] = {}
        eru = folder / "eru.sqlite"
        shutil.copy(demo.stack.home / "eru.sqlite", eru)
        secrets["ERU_DB_URL"] = f"sqlite+aiosqlite:///{eru}"
        watched = {"eru": eru}
        for name in ("nmc", "scp", "bid", "ncb", "nis"):
            key = f"{name.upper()}_DB_URL" if name in ("nmc", "scp") else f"{name.upper()}_URL"
            if held[key].startswith("sqlite"):
                watched[name] = Path(str(sa.make_url(held[key]).database))
                continue
            door, given = await door_to(held[key], folder, name.upper())
            doors[name], secrets = door, secrets | given
            stack.push_async_callback(door.aclose)
        # NCB's endpoint and its token desk have different paths
        for name in ("bid", "ncb", "nis"):
            for kind in ("URL", "TOKEN_URL"):
                path = httpx.URL(held[f"{name.upper()}_{kind}"]).path
                secrets[f"{name.upper()}_{kind}"] = f"{doors[name].url}{path}".rstrip("/")
        for name, file in watched.items():
            watches[name] = Watch(file)
            stack.callback(watches[name].close)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            policies = unbounded(folder / "policies", tripwires=False)
            policy = Policy(program=opa_program, port=free.getsockname()[1], policies=policies)
        await policy.start()
        stack.push_async_callback(policy.end)
        own = await stack.enter_async_context(
            served(
                demo,
                folder / "state",
                secrets=secrets,
                opa_url=policy.url,
                catalogue=timed(
                    folder / "catalogue", TIMEOUT_S, demo.started.settings.catalogue_dir
                ),
                policy_timeout_s=POLICY_S,
            )
        )
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        made = Place(
            demo=own,
            asker=Asker(demo=own, client=client),
            policy=policy,
            doors=doors,
            eru=eru,
            watches=watches,
        )
        await made.arrival()  # tokens, connections, what the databases look like
        await comes_back(made)
        yield made


@pytest.fixture(autouse=True)
async def well_again(place: Place) -> AsyncIterator[None]:
    """Every test leaves the place as it found it, and shows that the gateway noticed."""
    yield
    await comes_back(place)


# --- the counters ---------------------------------------------------------------------------------


async def test_every_visit_is_counted(place: Place) -> None:
    """What the other tests rest on: a question moves the count of each of the six."""
    before = place.counts()
    assert set(before) == set(SOURCES)
    await place.arrival()
    after = place.counts()
    assert [name for name in SOURCES if after[name] <= before[name]] == []


# --- policy ---------------------------------------------------------------------------------------


async def refused_at_once(place: Place, code: str, within_s: float = 0.5) -> Answer:
    """503 without delay; no source visited, not a byte of data, not ready, alive."""
    before = place.counts()
    began = time.monotonic()
    answer = await place.arrival()
    took = time.monotonic() - began
    assert (answer.status, answer.code) == (503, code)
    assert "data" not in answer.body
    assert took < within_s
    assert place.counts() == before
    assert not await place.ready()
    assert await place.alive()
    return answer


async def test_f15_policy_engine_gone(place: Place) -> None:
    """F-15: 503 at once, no source asked, recorded as rejected; back without a restart of ours."""
    size = place.size
    await place.policy.end()
    try:
        await refused_at_once(place, "POLICY_UNAVAILABLE")
        [leaf] = await place.leaves(size)
        assert (leaf["kind"], leaf["code"]) == ("R", "POLICY_UNAVAILABLE")
    finally:
        await place.policy.start()
    await comes_back(place, within_s=2)


async def test_f15_policy_engine_hangs(place: Place) -> None:
    """F-15: an engine that takes the question and never answers is one that is gone."""
    place.policy.signal(signal.SIGSTOP)
    try:
        await refused_at_once(place, "POLICY_UNAVAILABLE", within_s=POLICY_S + 0.5)
    finally:
        place.policy.signal(signal.SIGCONT)
    await comes_back(place, within_s=2)


async def test_f17_policy_engine_without_its_rules(place: Place) -> None:
    """F-17: undefined is no; the engine being up does not make the gateway ready."""
    size = place.size
    await place.policy.end()
    await place.policy.start(bundle=False)
    try:
        answer = await refused_at_once(place, "POLICY_UNAVAILABLE")
        assert answer.body["errors"][0]["message"]
        [leaf] = await place.leaves(size)
        assert leaf["kind"] == "R"
        assert "plan" not in leaf
    finally:
        await place.policy.end()
        await place.policy.start()


# --- the log --------------------------------------------------------------------------------------


async def test_f26_log_unwritable_before_the_intent(place: Place) -> None:
    """F-26: 503 at once and no source asked; back by itself once it can be written."""
    size = place.size
    with unwritable(place):
        await refused_at_once(place, "AUDIT_UNAVAILABLE")
        await refused_at_once(place, "AUDIT_UNAVAILABLE")
    await comes_back(place)
    asked = [leaf for leaf in await place.leaves(size) if "tripwire" not in leaf]
    assert [leaf["kind"] for leaf in asked] == ["I", "O"]  # of the question after it
    assert await asyncio.to_thread(place.log_is_whole)


async def test_f27_log_fails_between_intent_and_outcome(place: Place) -> None:
    """F-27: every source has answered, and not a byte of it leaves; the intent stands alone."""
    size, ncb = place.size, place.doors["ncb"]
    asked = ncb.sent
    ncb.hold()
    try:
        asking = asyncio.create_task(place.arrival())
        await until(lambda: ncb.sent > asked and place.size == size + 1)
        with unwritable(place):
            ncb.release()
            answer = await asking
            assert (answer.status, answer.code) == (503, "AUDIT_UNAVAILABLE")
            assert set(answer.body) == {"errors"}
            assert set(answer.body["errors"][0]["extensions"]) == {"code"}
            assert not await place.ready()
    finally:
        ncb.release()
    await comes_back(place)
    intent, *later = await place.leaves(size)
    assert intent["kind"] == "I"
    assert all(leaf.get("request_id") != intent["request_id"] for leaf in later)
    assert await asyncio.to_thread(place.log_is_whole)


# --- sources --------------------------------------------------------------------------------------

FAILED = {"dead": "UNAVAILABLE", "slow": "TIMED_OUT", "garbage": "FAULT"}


async def fail(door: Proxy, how: str) -> None:
    match how:
        case "dead":
            await door.kill()
        case "slow":
            door.hold()
        case _:
            door.answers = GARBAGE


@asynccontextmanager
async def failing(place: Place, **how: str) -> AsyncIterator[None]:
    for name, kind in how.items():
        await fail(place.doors[name], kind)
    try:
        yield
    finally:
        for name in how:
            await place.doors[name].revive()


def told(answer: Answer, agency: str, path: str) -> None:
    """The caller learns which agency did not answer, in an error and in a disclosure entry."""
    assert "SOURCE_UNAVAILABLE" in answer.outcomes(path, agency=agency)
    errors = [e for e in answer.body["errors"] if e["extensions"].get("agency") == agency]
    faulty = answer.state(agency) == "FAULT"
    code = "SOURCE_FAULT" if faulty else "SOURCE_UNAVAILABLE"
    assert any(e["extensions"]["code"] == code for e in errors)
    assert all(agency in e["message"] for e in errors)


def outcomes(answer: Answer) -> set[str]:
    return {entry["outcome"] for entry in answer.body["extensions"]["disclosure"]}


@pytest.mark.parametrize("how", FAILED)
@pytest.mark.parametrize("name", ["nmc", "scp", "bid", "ncb"])
async def test_f01_f02_f03_f06_one_source_fails_and_the_others_answer(
    place: Place, name: str, how: str
) -> None:
    """F-01, F-02, F-03, F-06: whichever it is and however it fails."""
    if name not in place.doors:
        pytest.fail("this test needs the agency's own database server")
    whole = await place.arrival()
    async with failing(place, **{name: how}):
        began = time.monotonic()
        answer = await place.arrival()
        took = time.monotonic() - began
    agency = name.upper()
    assert answer.status == 200
    expected = {FAILED[how]} | ({"UNAVAILABLE"} if name in ("nmc", "scp") else set())
    assert answer.state(agency) in expected  # a database's garbage is a connection that breaks
    others = [a.upper() for a in SOURCES if a != name]
    assert all(answer.state(a) in {"ANSWERED", "TRUNCATED"} for a in others)
    assert {h["owner"] for h in answer.hits()} == {h["owner"] for h in whole.hits()} - {agency}
    assert answer.data["personSearch"]["total"] is None
    told(answer, agency, "personSearch.hits")
    assert took < TIMEOUT_S + 0.8
    assert (took > TIMEOUT_S - 0.2) is (how == "slow")


@pytest.mark.parametrize("how", FAILED)
async def test_f01_f03_f06_a_linked_source_fails(place: Place, how: str) -> None:
    """The gallery is asked last, for persons found elsewhere; they are answered all the same."""
    async with failing(place, nis=how):
        began = time.monotonic()
        answer = await place.arrival()
        took = time.monotonic() - began
    assert answer.state("NIS") == FAILED[how]
    assert {h["owner"] for h in answer.hits()} == {"NMC", "SCP", "BID", "ERU", "NCB"}
    assert all(not h["images"] for h in answer.hits())
    told(answer, "NIS", "hits.images")
    assert took < TIMEOUT_S + 0.8


async def test_f01_f03_f06_three_sources_fail_at_once_and_three_answer(place: Place) -> None:
    """F-01, F-03, F-06 together: the query takes the slow one's time, not the sum."""
    visits = 'portcullis_source_visits_total{source="%s",state="%s"}'
    before = {
        name: await place.metric(visits % (name, FAILED[how]))
        for name, how in (("nmc", "slow"), ("bid", "garbage"), ("ncb", "dead"))
    }
    async with failing(place, nmc="slow", bid="garbage", ncb="dead"):
        began = time.monotonic()
        answer = await place.arrival()
        took = time.monotonic() - began
    assert answer.state("NMC") == "TIMED_OUT"
    assert answer.state("BID") == "FAULT"
    assert answer.state("NCB") == "UNAVAILABLE"
    assert {h["owner"] for h in answer.hits()} == {"SCP", "ERU"}
    assert answer.data["personSearch"]["total"] is None
    for agency in ("NMC", "BID", "NCB"):
        told(answer, agency, "personSearch.hits")
    assert TIMEOUT_S - 0.2 < took < TIMEOUT_S + 0.8
    [outcome] = (await place.leaves(place.size - 1))[-1:]
    assert outcome["sources"]["ncb"][0] == "UNAVAILABLE"  # the record lists it
    for name, how in (("nmc", "slow"), ("bid", "garbage"), ("ncb", "dead")):
        assert await place.metric(visits % (name, FAILED[how])) == before[name] + 1


async def test_f01_f06_nothing_found_is_not_said_while_a_source_failed(place: Place) -> None:
    """Nobody of this name is held anywhere; whether that is so nobody can say without NCB."""
    nobody = [{"family": "Nemonamedso", "given": "Nonesuch", "dob": "1971-02-03"}]
    whole = await place.arrival(nobody)
    assert whole.data["personSearch"]["total"] == 0
    assert "NOTHING_TO_SHOW" in outcomes(whole)
    for how in FAILED:
        async with failing(place, ncb=how):
            answer = await place.arrival(nobody)
        assert answer.hits() == []
        assert answer.data["personSearch"]["total"] is None
        assert "NOTHING_TO_SHOW" not in outcomes(answer)
        told(answer, "NCB", "personSearch.hits")


async def test_f01_a_source_that_keeps_failing_is_left_alone_and_tried_again(place: Place) -> None:
    """F-01: after five failures it is not asked; the others are, and it comes back by a probe."""
    gauge, door = 'portcullis_source_left_alone{source="ncb"}', place.doors["ncb"]
    assert await place.metric(gauge) == 0
    async with failing(place, ncb="garbage"):
        for _ in range(5):
            began = time.monotonic()
            assert (await place.arrival()).state("NCB") == "FAULT"
        assert await place.metric(gauge) == 1
        sent = door.sent
        answer = await place.arrival()
        if time.monotonic() - began < PROBE_S:  # else this was its probe
            assert answer.state("NCB") == "UNAVAILABLE"
            assert door.sent == sent
        told(answer, "NCB", "personSearch.hits")
        assert {h["owner"] for h in answer.hits()} == {"NMC", "SCP", "BID", "ERU"}
    await comes_back(place)
    assert await place.metric(gauge) == 0


async def test_f06_f11_a_file_replaced_by_garbage_and_back(place: Place) -> None:
    """F-06, F-11: a SQLite file that is none any more; the first query after it is mended works."""
    kept = place.eru.with_name("eru.kept")
    place.eru.rename(kept)
    place.eru.write_bytes(b"this was a database once\n" * 500)
    try:
        answer = await place.arrival()
        assert answer.state("ERU") in {"FAULT", "UNAVAILABLE"}
        assert {h["owner"] for h in answer.hits()} == {"NMC", "SCP", "BID", "NCB"}
        told(answer, "ERU", "personSearch.hits")
    finally:
        kept.replace(place.eru)
    again = await place.arrival()
    assert again.state("ERU") in {"ANSWERED", "TRUNCATED"}


async def test_nothing_of_a_fault_reaches_the_caller(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """No path, address, SQL or text of a source is in the answer; what went wrong is in the log."""
    with caplog.at_level(logging.WARNING):
        async with failing(place, nmc="dead", bid="garbage", ncb="slow"):
            answer = await place.arrival()
    text = json.dumps(answer.body)
    for secret in ("127.0.0.1", "s.PGSQL", "select ", "Traceback", "It works!", str(place.eru)):
        assert secret not in text
    for source in ("nmc", "bid", "ncb"):
        assert f"source {source}" in caplog.text


async def test_r5_the_first_query_after_the_fault_is_whole(place: Place) -> None:
    """R5: without a restart; a source that failed once is asked again at once."""
    async with failing(place, nmc="dead", scp="dead", bid="dead", ncb="dead", nis="dead"):
        answer = await place.arrival()
        assert {answer.state(a) for a in ("NMC", "SCP", "BID", "NCB")} == {"UNAVAILABLE"}
    again = await place.arrival()
    assert {again.state(a.upper()) for a in SOURCES} <= {"ANSWERED", "TRUNCATED"}
    assert {h["owner"] for h in again.hits()} == {"NMC", "SCP", "BID", "ERU", "NCB"}


# --- a source that does not do as it is asked -----------------------------------------------------


def pushing_retention(folder: Path) -> Path:
    """A catalogue in which BID's service is said to select by retention."""
    (folder / "sources").mkdir(parents=True)
    shutil.copy(CATALOGUE / "entities.toml", folder)
    for file in (CATALOGUE / "sources").glob("*.toml"):
        shutil.copy(file, folder / "sources")
    bid = folder / "sources" / "bid.toml"
    text = bid.read_text("utf-8")
    params = '{ column = "personRef", op = "in", param = "personRef", style = "csv", max = 20 },'
    more = '{ column = "retention", op = "in", param = "retention", style = "csv", max = 4 },'
    text = text.replace(params, f"{params}\n  {more}", 1)
    # the other rules' fields get values that nobody has to select by
    text = re.sub(r"^marking = .*$", 'marking = { constant = "OFFICIAL" }', text, flags=re.M)
    text = re.sub(r"^silent = .*$", "silent = { constant = false }", text, flags=re.M)
    text = text.replace(', SILENT = "SILENT"', "")
    combined = re.search(r"^combinations = (.*)$", text, flags=re.M)
    assert combined is not None
    sets = json.loads(combined[1])
    every = [*sets, *([*names, "retention"] for names in sets)]
    text = text.replace(combined[1], json.dumps(every), 1)
    bid.write_text(text, "utf-8")
    return folder


async def test_up01_rows_that_a_source_should_not_have_sent(
    demo: Demo, place: Place, population: Population, tmp_path: Path
) -> None:
    """UP-01: a service ignores the rule it was told: its rows are dropped and counted."""
    about = [
        (person, copy)
        for person, copy in population.held_by(Agency.BID)
        if copy.governance.retention == "DISPOSE" and not copy.restricted and copy.birth.year
    ][:3]
    assert about
    who = [{"family": c.name.family, "dob": str(c.birth.year)} for _, c in about]
    door = await Proxy.open(place.doors["bid"].target)
    door.rewrite = lambda data: re.sub(rb"(?<=[?&])retention=[^& ]*&?", b"", data)
    path = httpx.URL(demo.stack.secrets["BID_TOKEN_URL"]).path
    secrets = {"BID_URL": door.url, "BID_TOKEN_URL": f"{door.url}{path}"}
    catalogue = pushing_retention(tmp_path / "catalogue")
    try:
        async with served(demo, tmp_path / "state", secrets=secrets, catalogue=catalogue) as own:
            lied = Place(
                demo=own,
                asker=Asker(demo=own, client=place.asker.client),
                policy=place.policy,
                doors={"bid": door},
                eru=place.eru,
            )
            answer = await lied.arrival(who)
            assert answer.status == 200
            assert answer.state("BID") == "ANSWERED"
            alarms = await lied.metric('portcullis_source_alarms_total{source="bid"}')
            assert alarms >= len(about)
            assert await lied.metric("portcullis_source_alarms_total{") == alarms
            shown = {i["value"] for h in answer.hits(owner="BID") for i in h["identifiers"]}
            assert not shown & {copy.key for _, copy in about}
    finally:
        await door.aclose()


ONE = [{"identifier": "BA4417093"}]  # one request to BID


async def looked_up(asker: Asker, who: Any) -> Answer:
    return await asker.ask("AO", LOOKUP, {"who": who}, purpose="PROTECT_VULNERABLE", reason="R04")


def held_by_bid(answer: Answer) -> list[str]:
    return sorted(str(hit["primaryName"]) for hit in answer.hits(owner="BID"))


async def test_rate_of_a_source_is_shared_and_spent(
    demo: Demo, place: Place, tmp_path: Path
) -> None:
    """BID at 10/s: some of many queries find it RATE_LIMITED, and the rest of each answers.

    Each of them has all that BID holds, or is told that it has nothing of it: never a part.
    """
    data = demo.stack.home / "bid.json"
    async with running("deploy.demo.services.bid", "--data", str(data)) as url:
        door = await Proxy.open(("127.0.0.1", httpx.URL(url).port or 80))
        path = httpx.URL(demo.stack.secrets["BID_TOKEN_URL"]).path
        secrets = {"BID_URL": door.url, "BID_TOKEN_URL": f"{door.url}{path}"}
        try:
            async with served(
                demo,
                tmp_path / "state",
                secrets=secrets,
                catalogue=CATALOGUE,  # which keeps to the rate
                policy_timeout_s=POLICY_S,
            ) as own:
                asker = Asker(demo=own, client=place.asker.client)
                await asker.token("AO")

                async def one(number: int) -> Answer:
                    await asyncio.sleep(0.25 * number)
                    return await looked_up(asker, [*WHO, *OTHERS])

                await one(0)  # the first query learns what the databases look like
                await asyncio.sleep(2.5)
                before = await looked_up(asker, ONE)
                began = time.monotonic()
                answers = await asyncio.gather(*map(one, range(_MANY)))
                took = time.monotonic() - began
                await asyncio.sleep(2.5)  # what was spent comes back
                later = await looked_up(asker, ONE)
        finally:
            await door.aclose()
    unhurried = Asker(demo=demo, client=place.asker.client)
    whole = held_by_bid(await looked_up(unhurried, [*WHO, *OTHERS]))
    assert whole
    for alone in (before, later):
        assert alone.state("BID") in {"ANSWERED", "TRUNCATED"}
        assert held_by_bid(alone) == held_by_bid(before) != []
    states = [answer.state("BID") for answer in answers]
    assert "RATE_LIMITED" in states
    # a turn may come so late that its answer does not come in time
    refused = {"RATE_LIMITED", "TIMED_OUT", "UNAVAILABLE"}  # the last after five that came late
    assert set(states) <= refused | {"ANSWERED", "TRUNCATED"}
    for answer, state in zip(answers, states, strict=True):
        assert answer.status == 200
        assert {"NMC", "SCP", "ERU", "NCB"} <= {h["owner"] for h in answer.hits()}
        assert held_by_bid(answer) == ([] if state in refused else whole)
        if state in refused:
            told(answer, "BID", "personSearch.hits")
            assert answer.data["personSearch"]["total"] is None
    assert took < 0.25 * _MANY + 2 * TIMEOUT_S + 1


# --- the caller -----------------------------------------------------------------------------------


async def test_ht17_a_caller_who_hangs_up(place: Place) -> None:
    """HT-17: the visits are given up within a second; the record says the caller was gone."""
    size, doors = place.size, place.doors
    token = await place.asker.token("AO")
    before = {name: doors[name].sent for name in ("nmc", "ncb")}
    doors["nmc"].hold()
    doors["ncb"].hold()
    try:
        body = json.dumps(
            {
                "query": ARRIVAL,
                "variables": {"who": WHO},
                "extensions": {"justification": dict(STEPS[0].justification)},
            }
        ).encode()
        address = httpx.URL(place.demo.url)
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
            % (token.encode(), len(body), body)
        )
        await writer.drain()
        await until(lambda: all(doors[name].sent > before[name] for name in before))
        assert place.size == size + 1  # the intent, before any of them was asked
        held = doors["ncb"].connections
        began = time.monotonic()
        writer.transport.abort()
        await until(lambda: place.size == size + 2, FOR_CANCELLING_S)
        await until(lambda: doors["ncb"].connections < held, FOR_CANCELLING_S)
        assert time.monotonic() - began < FOR_CANCELLING_S
    finally:
        doors["nmc"].release()
        doors["ncb"].release()
    intent, outcome = await place.leaves(size)
    assert (intent["kind"], outcome["kind"]) == ("I", "O")
    assert outcome["code"] == "CLIENT_GONE"
    assert outcome["status"] == 499
    assert outcome["request_id"] == intent["request_id"]
    assert outcome["disclosed"]["records"] == 0
