"""Two sights of one log: the same, one the beginning of the other, or a fork.

A fork is shown as the pair of signed checkpoints, which proves to anybody that the log's key signed
two logs (AU-06). To compare two sizes, one of the two sights must have the tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.audit.merkle import (
    ProofInvalid,
    check_consistency,
    consistency_proof,
    root_at,
    subtree_reader,
)
from gateway.audit.reading import NotThere, Source, tiles_of
from gateway.audit.verify import Checkpoint, open_checkpoint


class Found(StrEnum):
    """What a comparison found."""

    SAME = "the same"
    GROWN = "grown"
    FORK = "a fork"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two sights of a log say together."""

    found: Found
    text: str
    pair: tuple[bytes, bytes] | None = None  # of a fork: the two signed checkpoints


def compare(one: Source, other: Source, key: str) -> Comparison:
    """Compare two sights of the log with this public key.

    Raises:
        NotThere: a checkpoint cannot be read.
        NoteInvalid: a checkpoint is not this log's.
    """
    sights = [(one, one.checkpoint()), (other, other.checkpoint())]
    said = [(open_checkpoint(note, key), source, note) for source, note in sights]
    (older, _, old_note), (newer, newest, new_note) = sorted(said, key=lambda s: s[0].size)
    pair = (old_note, new_note)
    if older.size == newer.size:
        if older.root == newer.root:
            return Comparison(found=Found.SAME, text=f"Both have the same {older.size} entries.")
        text = f"A FORK: the log signed two roots of size {older.size}."
        return Comparison(found=Found.FORK, text=text, pair=pair)
    return _grown(older, newer, newest, pair)


def _grown(
    older: Checkpoint, newer: Checkpoint, newest: Source, pair: tuple[bytes, bytes]
) -> Comparison:
    """By the tiles of the larger one, once they are shown to be those that it signed."""
    subtree = subtree_reader(tiles_of(newest, newer.size))
    sizes = f"They have {older.size} and {newer.size} entries"
    try:
        before = root_at(older.size, subtree)
        proof = consistency_proof(older.size, newer.size, subtree)
        check_consistency(older.size, before, newer.size, newer.root, proof)
    except (NotThere, ProofInvalid) as error:
        text = f"{sizes}, and it cannot be told whether one contains the other: {error}."
        return Comparison(found=Found.UNKNOWN, text=text)
    if before != older.root:
        text = f"A FORK: of size {older.size} the log signed another root than the larger one has."
        return Comparison(found=Found.FORK, text=text, pair=pair)
    text = f"{sizes}; the larger begins with the smaller."
    return Comparison(found=Found.GROWN, text=text)
