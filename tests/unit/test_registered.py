"""Which app may send which persisted document, as the files say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.registered import LIST, documents_in

ASKS = "{ sources { agency } }"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stop.graphql").write_text(ASKS, "utf-8")
    (tmp_path / "other.graphql").write_text("{ __typename }", "utf-8")
    return tmp_path


def test_an_app_has_the_documents_that_it_is_listed_with_and_no_other(folder: Path) -> None:
    (folder / LIST).write_text('mobile = ["stop"]\ndesk = []\n', "utf-8")
    digest = hashlib.sha256(ASKS.encode()).hexdigest()
    assert documents_in(folder) == {"mobile": {digest: ASKS}, "desk": {}}


def test_without_a_list_or_a_folder_no_app_has_any(folder: Path) -> None:
    assert documents_in(folder) == documents_in(folder / "none") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mobile = [", f"{LIST}: -: cannot be read"),
        ('mobile = "stop"', f"{LIST}: mobile: must be a list of files' names"),
        ("mobile = [1]", f"{LIST}: mobile: must be a list of files' names"),
        ('mobile = ["stop", "gone"]', f"{LIST}: mobile.gone: cannot be read"),
    ],
)
def test_a_list_that_is_wrong_starts_nothing(folder: Path, text: str, said: str) -> None:
    (folder / LIST).write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        documents_in(folder)
    assert said in str(caught.value)
