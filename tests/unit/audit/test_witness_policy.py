"""Whose signatures are enough: c2sp.org/tlog-policy, read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.publishing import policy_of
from gateway.audit.verify import PolicyInvalid, Verifier, read_policy
from gateway.errors import ConfigError


def key(name: str, kind: int = 4, number: int = 1) -> str:
    secret = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    public = secret.public_key().public_bytes_raw()
    return Verifier(name=name, kind=kind, key=public).text


LOG = key("log.example/one", 1, 99)
X1, X2, X3, Y1, Y2 = (key(f"w{n}.example", number=n) for n in range(1, 6))
TWO_LEVELS = f"""# who must have seen it
log {LOG}

witness X1 {X1}
witness X2 {X2} https://x2.example/w/
\twitness\tX3 {X3}\t
group X 2 X1 X2 X3
witness Y1 {Y1}
witness Y2 {Y2}
group Y any Y1 Y2
group X-and-Y all X Y
quorum X-and-Y
"""


@pytest.mark.parametrize(
    ("seen", "met"),
    [
        ("", False), ("X1 X2", False), ("X1 X2 Y1", True), ("X1 X3 Y2", True), ("X1 Y1 Y2", False),
        ("X1 X2 X3", False), ("X1 X2 X3 Y1 Y2", True), ("Z X1 Y1", False),
    ],
)  # fmt: skip
def test_groups_count_their_members(seen: str, met: bool) -> None:
    policy = read_policy(TWO_LEVELS.encode())
    assert policy.met(seen.split()) is met
    assert policy.witnesses["X2"].url == "https://x2.example/w"
    assert [one.verifier.text for one in policy.logs] == [LOG]


def test_one_witness_or_none_can_be_enough() -> None:
    assert read_policy(b"quorum none").met(())
    one = read_policy(f"witness a {X1}\nquorum a".encode())
    assert not one.met(())
    assert one.met({"a"})
    kelvin = chr(0x212A)  # not the letter that it looks like: names are octets
    text = f"witness K {X1}\nwitness {kelvin} {X2}\nquorum {kelvin}"
    odd = read_policy(text.encode())
    assert not odd.met({"K"})
    assert odd.met([*odd.witnesses][1:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"witness a {X1}",
        f"witness a {X1}\nquorum a\nquorum a",
        f"quorum a\nwitness a {X1}",
        "quorum b",
        "quorum",
        "quorum none none",
        f"witness none {X1}\nquorum none",
        f"witness a {X1}\nwitness a {X2}\nquorum a",
        f"witness a {X1}\nwitness b {key('other.example', number=1)}\nquorum a",
        f"witness a {key('w1.example', 1)}\nquorum a",
        f"witness a {X1[:-4]}\nquorum a",
        f"witness a {X1} ftp://x.example\nquorum a",
        f"witness a {X1} https://me:secret@x.example\nquorum a",
        f"witness a {X1} https://x.example more\nquorum a",
        f"log {X1}\nquorum none",
        f"log {LOG}\nlog {key('two.example', 1, 99)}\nquorum none",
        f"witness a {X1}\ngroup g 0 a\nquorum g",
        f"witness a {X1}\ngroup g 2 a\nquorum g",
        f"witness a {X1}\ngroup g 01 a\nquorum g",
        f"witness a {X1}\ngroup g some a\nquorum g",
        f"witness a {X1}\ngroup g any\nquorum g",
        f"witness a {X1}\ngroup g any a a\nquorum g",
        f"witness a {X1}\ngroup g any a\ngroup h any a\nquorum h",
        f"witness a {X1}\ngroup g any g\nquorum g",
        f"witness a {X1}\ngroup g any none\nquorum g",
        f"group g any a\nwitness a {X1}\nquorum g",
        f"witness a {X1}\r\nquorum a\r\n",
        f"witness a {X1}\nquorum a\0",
        f"Witness a {X1}\nquorum a",
        "# " + "x" * 70_000 + "\nquorum none",
    ],
)  # fmt: skip
def test_anything_else_is_no_policy(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        read_policy(text.encode())


def test_a_policy_of_thirty_two_witnesses_is_read() -> None:
    names = [f"w{n}" for n in range(32)]
    lines = [f"witness {name} {key(name, number=n + 1)}" for n, name in enumerate(names)]
    policy = read_policy("\n".join([*lines, f"group g all {' '.join(names)}", "quorum g"]).encode())
    assert policy.met(names)
    assert not policy.met(names[1:])


def test_the_gateway_needs_its_own_log_and_addresses(tmp_path: Path) -> None:
    file = tmp_path / "witnesses.policy"
    assert policy_of(file, LOG) is None
    file.write_text(f"log {LOG}\nwitness a {X1} https://x.example\nquorum a\n")
    assert policy_of(file, LOG) is not None
    with pytest.raises(ConfigError, match=r"witnesses\.policy"):
        policy_of(file, key("log.example/two", 1, 98))
    file.write_text(f"log {LOG}\nwitness a {X1}\nquorum a\n")
    with pytest.raises(ConfigError, match="no address"):
        policy_of(file, LOG)
    file.write_text("quorum a\n")
    with pytest.raises(ConfigError, match="line 1 of the policy"):
        policy_of(file, LOG)
