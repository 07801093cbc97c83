"""Another library's Merkle tree says the same of every small tree: pymerkle, for tests alone."""

from __future__ import annotations

from random import Random

from pymerkle import InmemoryTree, verify_consistency, verify_inclusion

from gateway.audit.merkle import (
    check_consistency,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
)

SIZES = 70
ENTRIES = [f"entry {n}".encode() for n in range(SIZES)]
HASHES = [leaf_hash(entry) for entry in ENTRIES]


def subtree(height: int, number: int) -> bytes:
    return root_of(HASHES[number << height : (number + 1) << height])


def test_roots_and_inclusion_proofs_are_those_of_pymerkle() -> None:
    theirs = InmemoryTree(algorithm="sha256")
    theirs.append_entries(ENTRIES)
    for size in range(1, SIZES + 1):
        root = root_of(HASHES[:size])
        assert theirs.get_root(size) == root
        for index in range(size):
            proof = theirs.prove_inclusion(index + 1, size)
            assert tuple(proof.path[1:]) == inclusion_proof(index, size, subtree)
            verify_inclusion(HASHES[index], root, proof)


def test_consistency_is_shown_as_by_pymerkle() -> None:
    theirs, random = InmemoryTree(algorithm="sha256"), Random(6)  # noqa: S311  can be repeated
    theirs.append_entries(ENTRIES)
    for new in range(1, SIZES + 1):
        for old in {1, new, *random.sample(range(1, new + 1), min(new, 12))}:
            before, after = root_of(HASHES[:old]), root_of(HASHES[:new])
            verify_consistency(before, after, theirs.prove_consistency(old, new))
            ours = consistency_proof(old, new, subtree)
            check_consistency(old, before, new, after, ours)
