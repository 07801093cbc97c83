"""`python -m deploy.policy.matrix`: write what each persona sees of the officers' questions."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from deploy.policy.matrix.asking import officers_questions
from deploy.policy.matrix.page import CELLS, answers, page
from gateway.cli.demo import find_opa

_POLICIES: Final = Path(__file__).parents[3] / "policies"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.policy.matrix",
        description="Write, for each of the officers' twelve questions, what every persona sees of "
        "every field for every purpose, as a real Open Policy Agent decides.",
        epilog="examples:\n  make matrix\n  python -m deploy.policy.matrix --policies changed "
        "--to seen && diff -r deploy/policy/matrix/cells seen",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = [officers.name for officers in officers_questions()]
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help=f"{known[0]} and the like (all)"
    )
    parser.add_argument("--policies", type=Path, default=_POLICIES, help="a changed copy")
    parser.add_argument("--to", type=Path, default=CELLS, help="folder (default: the one kept)")
    given = parser.parse_args()
    if strangers := [name for name in given.questions if name not in known]:
        parser.error(f"no question {', '.join(strangers)}; there are {', '.join(known)}")
    if (program := find_opa()) is None:
        return 1
    given.to.mkdir(parents=True, exist_ok=True)
    for officers, everybody in answers(program, given.policies, given.questions):
        file = given.to / f"{officers.name}.txt"
        file.write_text(page(officers, everybody), "utf-8")
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
