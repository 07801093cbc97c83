"""What a file of canaries must say, and what an answer tells of one."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.app import canary_questions
from gateway.canaries import Canary, Seen, alarm_fault, judged, load_canaries
from gateway.catalogue.schema import build_schema
from gateway.catalogue.vocabulary_file import read_vocabulary
from gateway.errors import ConfigError
from gateway.model import Response, SourceReport, State
from gateway.query.operation import Parser
from gateway.settings import Limits, Settings

ROOT = Path(__file__).parents[2] / "deploy" / "catalogue"
ASK = 'document = "{ sources { agency } }"\n'
ROW = '[[question.canary]]\nid = "a"\nsource = "nmc"\nunseen = ["x"]\n'


@pytest.fixture(scope="module")
def parser() -> Parser:
    data = tomllib.loads((ROOT / "entities.toml").read_text("utf-8"))
    vocabulary = read_vocabulary(data, "entities.toml")
    return Parser(
        schema=build_schema(vocabulary), limits=Limits(), documents={}, introspection=False
    )


def load(parser: Parser, folder: Path, text: str) -> Any:
    file = folder / "canaries.toml"
    file.write_text(text, "utf-8")
    return load_canaries(file, sources=("nmc", "scp"), parser=parser)


def test_no_file_is_no_canary(parser: Parser, tmp_path: Path) -> None:
    assert load_canaries(tmp_path / "canaries.toml", sources=(), parser=parser) == ()


def test_a_question_and_its_canary(parser: Parser, tmp_path: Path) -> None:
    (question,) = load(parser, tmp_path, f"[[question]]\n{ASK}{ROW}")
    assert question.canaries == (Canary(id="a", source="nmc", unseen=("x",)),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "question: must be one or more tables"),
        ("[[question]", "cannot be read"),
        (f"[[question]]\n{ASK}", "canary: must be one or more tables"),
        (f"[[question]]\n{ASK}{ROW}{ROW}", "another canary has this id"),
        (f"[[question]]\n{ASK}{ROW.replace('nmc', 'xyz')}", "its source is in no mapping file"),
        (f"[[question]]\n{ASK}{ROW.replace('unseen', 'hidden')}", "unknown key"),
        (f"[[question]]\n{ASK}" + ROW.replace('["x"]', "[]"), "unseen is a list of texts"),
        (f"[[question]]\n{ASK}" + ROW.replace('["x"]', '[""]'), "unseen is a list of texts"),
        (f"[[question]]\n{ASK}{ROW}seen = 'x'\n", "seen another, perhaps empty"),
        (f'[[question]]\ndocument = "{{ nothing }}"\n{ROW}', "cannot be asked"),
    ],
)
def test_a_fault_stops_the_start(parser: Parser, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(parser, tmp_path, text)
    assert said in str(caught.value)


CANARY = Canary(id="a", source="nmc", unseen=("BA4417093",), seen=("…7093",))


@pytest.mark.parametrize(
    ("body", "state", "seen"),
    [
        ({"data": ["…7093"]}, State.ANSWERED, Seen.HIDDEN),
        ({"data": ["BA4417093", "…7093"]}, State.ANSWERED, Seen.SHOWN),
        ({"data": None, "errors": [{"message": "at BA4417093"}]}, State.FAULT, Seen.SHOWN),
        ({"data": []}, State.ANSWERED, Seen.UNPROVED),
        ({"data": ["…7093"]}, State.TIMED_OUT, Seen.UNPROVED),
    ],
)
def test_what_an_answer_tells(body: dict[str, Any], state: State, seen: Seen) -> None:
    report = SourceReport(source="nmc", agency="NMC", state=state)
    assert judged(CANARY, Response(status=200, body=body, reports=(report,))) is seen
    other = SourceReport(source="scp", agency="SCP", state=State.ANSWERED)
    elsewhere = judged(CANARY, Response(status=200, body=body, reports=(other,)))
    assert elsewhere in (Seen.SHOWN, Seen.UNPROVED)


# --- how late an alarm may come ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period_s", "cache_s", "decision_s", "deadline_s", "late"),
    [
        (30.0, 60, 0.25, 10.0, None),  # as deployed
        (33.5, 60, 0.25, 10.0, None),  # 120 to the second
        (33.6, 60, 0.25, 10.0, "120.1 s late"),
        (33.5, 61, 0.25, 10.0, "121 s late"),
        (33.5, 60, 1.25, 10.0, "122 s late"),  # a decision is waited for in both rounds
        (33.5, 60, 0.25, 20.0, "140 s late"),  # and so are the visits
        (90.0, 0, 0.25, 10.0, None),
    ],
)
def test_an_alarm_comes_within_two_minutes_or_the_settings_are_refused(
    period_s: float, cache_s: int, decision_s: float, deadline_s: float, late: str | None
) -> None:
    settings = Settings(
        catalogue_dir=ROOT,
        secrets_dir=ROOT,
        canary_period_s=period_s,
        policy_timeout_s=decision_s,
        limits=Limits(query_deadline_s=deadline_s),
    )
    fault = alarm_fault(settings, {"cache_s": cache_s})
    assert (fault is None) == (late is None)
    if fault is not None and late is not None:
        assert late in fault.text
        assert fault.key == "canary_period_s"


def test_the_deployed_settings_keep_it(parser: Parser, tmp_path: Path) -> None:
    tables = ROOT.parents[1] / "policies" / "tables"
    settings = Settings(catalogue_dir=ROOT, secrets_dir=ROOT, tables_dir=tables)
    sources = tuple(file.stem for file in (ROOT / "sources").glob("*.toml"))
    assert canary_questions(settings, sources, parser)
    slower = replace(settings, canary_period_s=90.0)
    with pytest.raises(ConfigError, match=r"an alarm could come 176\.5 s late"):
        canary_questions(slower, sources, parser)
    assert canary_questions(replace(slower, canaries=False), sources, parser) == ()
    unknown = replace(settings, tables_dir=tmp_path)
    with pytest.raises(ConfigError, match="has no table release"):
        canary_questions(unknown, sources, parser)
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "data.json").write_text("{", "utf-8")
    with pytest.raises(ConfigError, match=r"tables/release/data\.json: -: cannot be read"):
        canary_questions(unknown, sources, parser)
    nothing_asked = replace(unknown, catalogue_dir=tmp_path)
    assert canary_questions(nothing_asked, sources, parser) == ()


@pytest.mark.parametrize("release", [{"serial": 5}, {"cache_s": "60"}, {"cache_s": True}])
def test_a_release_that_does_not_say_how_long_a_decision_is_kept_is_named(
    release: dict[str, Any],
) -> None:
    fault = alarm_fault(Settings(catalogue_dir=ROOT, secrets_dir=ROOT), release)
    assert fault is not None
    assert (fault.file, fault.key) == ("tables/release/data.json", "cache_s")
