"""Offline proofs (c2sp.org/tlog-proof): that a record is in a log, and who has seen that."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Final

from gateway.audit.merkle import check_inclusion, inclusion_proof, leaf_hash, subtree_reader
from gateway.audit.reading import Source, entry_of, tiles_of
from gateway.audit.verify import open_checkpoint

HEADER: Final = "c2sp.org/tlog-proof@v1"


def written_proof(
    index: int, hashes: Sequence[bytes], checkpoint: bytes, entry: bytes | None = None
) -> str:
    """The proof that record `index` is under a signed checkpoint.

    `hashes` is its audit path from the leaf upwards; `entry`, where given, is the record itself.
    """
    lines = [HEADER]
    if entry is not None:
        lines.append(f"extra {b64encode(entry).decode()}")
    lines += [f"index {index}", *(b64encode(one).decode() for one in hashes), "", ""]
    return "\n".join(lines) + checkpoint.decode()


def prove(source: Source, index: int, key: str, *, with_entry: bool) -> str:
    """The proof that record `index` is in a log, made from its public files, and checked.

    By what witnesses have signed, where that has the record already.

    Raises:
        NotThere: a file cannot be read.
        NoteInvalid: the checkpoint is not this log's.
        ProofInvalid: the checkpoint does not cover the record, or the files do not fit it.
    """
    note = source.witnessed()
    if (said := open_checkpoint(note, key)).size <= index:
        note = source.checkpoint()
        said = open_checkpoint(note, key)
    hashes = inclusion_proof(index, said.size, subtree_reader(tiles_of(source, said.size)))
    entry = entry_of(source, index, said.size)
    check_inclusion(leaf_hash(entry), index, said.size, hashes, said.root)
    return written_proof(index, hashes, note, entry if with_entry else None)
