"""What somebody with a good token might try, over the real agencies: each was possible once."""

from __future__ import annotations

import pytest

from tests.e2e.asking import Asker

SEARCH = "query ($f: String!) {{ personSearch(anyOf: [{{familyPrefix: $f}}]) {{ hits {{ {} }} }} }}"


@pytest.mark.parametrize("selected", ["ref", "owner", "__typename", "system asAt"])
async def test_what_is_only_a_hit_stays_one_whatever_of_it_is_selected(
    asker: Asker, selected: str
) -> None:
    document = SEARCH.format(f"images {{ {selected} }}")
    answer = await asker.ask("RO", document, {"f": "Hoxha"}, purpose="OFFICER_SAFETY")
    assert answer.hits()
    assert all(hit["images"] == [] for hit in answer.hits())
    assert "HIT" in answer.outcomes("images", agency="NIS")
