"""Accept and Content-Type, case by case."""

from __future__ import annotations

import pytest

from gateway.errors import MalformedRequest
from gateway.web.negotiation import Media, check_content_type, negotiated

G, J = Media.GRAPHQL, Media.JSON


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, J),
        ("", J),
        ("*/*", J),
        ("application/*", J),
        ("application/json", J),
        ("application/graphql-response+json", G),
        ("application/json, application/graphql-response+json", G),
        ("application/graphql-response+json, application/json;q=0.9", G),
        ("application/graphql-response+json;q=0.5, application/json", J),
        ("application/graphql-response+json;q=0, */*", J),
        ("application/json;q=0, */*;q=0.1", G),
        ("text/html, application/json;q=0.9, */*;q=0.8", J),
        ("APPLICATION/JSON; charset=UTF-8", J),
        ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", G),
        ("nonsense, application/json", J),
    ],
)
def test_the_best_is_chosen(accept: str | None, media: Media) -> None:
    assert negotiated(accept) is media


@pytest.mark.parametrize(
    "accept",
    ["image/png", "application/json;q=0", "*/*;q=0", "application/json;q=7", "x",
     "application/json;charset=utf-16"],
)  # fmt: skip
def test_ht15_otherwise_406(accept: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        negotiated(accept)
    assert caught.value.status == 406


@pytest.mark.parametrize(
    "value",
    ["application/json", "Application/JSON; charset=utf-8", 'application/json;charset="UTF-8"'],
)  # fmt: skip
def test_json_in_utf8_comes_in(value: str) -> None:
    check_content_type(value, needed=True)


@pytest.mark.parametrize(
    "value",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
     "application/graphql", "application/json; charset=utf-16", "application/jsonp"],
)  # fmt: skip
def test_ht05_nothing_else_does(value: str | None) -> None:
    with pytest.raises(MalformedRequest) as caught:
        check_content_type(value, needed=True)
    assert caught.value.status == 415


def test_a_get_needs_no_type() -> None:
    check_content_type(None, needed=False)
