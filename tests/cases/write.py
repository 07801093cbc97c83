"""Write what the stages make of every case. Run: python -m tests.cases.write"""

from __future__ import annotations

from tests.cases.answering import deciding
from tests.cases.case import cases


def main() -> None:
    with deciding() as decide:
        for case in cases():
            for product, text in case.made(decide).items():
                case.file(product).write_text(text, "utf-8")
                print(case.file(product).name)


if __name__ == "__main__":
    main()
