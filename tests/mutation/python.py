"""Mutants of the enforcement code: each changes one place of it, and a unit test finds it.

Run: make mutants, or python -m tests.mutation.python [--some N] [--seed S] [FILE ...]

A mutant runs the unit tests of its module in a process of its own, to the first that fails; one
that runs into the time limit is found too. What says only something to people or to the type
checker (docstrings, annotations, the texts of errors) is not changed.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import math
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from multiprocessing import connection, get_context
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final, NoReturn

import pytest
from hypothesis import Phase, configuration, settings
from rich.console import Console
from rich.progress import Progress

from tests.mutation.changes import mutants_of
from tests.mutation.mutant import INVALID, KILLED, SURVIVED, Mutant, share

ROOT: Final = Path(__file__).resolve().parents[2]
_LOOK_S = 1.0
_END_S = 5.0
_LEAST_S = 60.0  # a test may wait for a busy machine
_MOST_BYTES = 4 << 30  # a mutant that never ends does not take the machine with it
_LOAD_IT: Final = 77  # an exit code: the module has to be loaded with the change
_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_FORK = get_context("fork")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A module, the functions of it that are meant (all, if none is named), and its tests."""

    file: str
    tests: tuple[str, ...]
    chosen: str = ""  # which of the tests, as pytest's -k names them; all, if it is empty
    within: frozenset[str] = frozenset()
    root: Path = ROOT

    def text(self) -> str:
        return (self.root / self.file).read_text("utf-8")

    def mutants(self) -> tuple[Mutant, ...]:
        return mutants_of(self.text(), self.file, self.within)


def _tests(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/{folder}/test_{name}.py" for name in names)


_QUERY = _tests("query", "fields", "cases", "records", "faces", "shape", "whole") + _tests(
    "query", "fanout", "kept", "shape_agrees"
)
_VISITS = _tests("query", "visit", "fanout", "read_on", "probe", "kept", "translate")

_ON_SQLITE = "not postgresql"  # both databases run the same tests

TARGETS: Final = (
    Target(
        file="gateway/policy/enforce.py",
        tests=_tests("policy", "enforce", "narrowing") + _tests("query", "kept"),
    ),
    Target(file="gateway/policy/contract.py", tests=_tests("policy", "contract", "narrowing")),
    Target(file="gateway/policy/obligations.py", tests=_tests("policy", "obligations")),
    Target(
        file="gateway/policy/masks.py", tests=_tests("policy", "masks", "mask_promises", "enforce")
    ),
    Target(file="gateway/policy/groups.py", tests=_tests("policy", "enforce", "narrowing")),
    Target(file="gateway/policy/releases.py", tests=_tests("policy", "releases")),
    Target(file="gateway/policy/casework.py", tests=_tests("policy", "casework")),
    Target(file="gateway/policy/pdp.py", tests=("tests/e2e/test_pdp.py",)),
    Target(
        file="gateway/casework/budgets.py",
        tests=("tests/contract/test_budgets.py",),
        chosen=_ON_SQLITE,
    ),
    Target(
        file="gateway/casework/releases.py",
        tests=("tests/contract/test_casework_store.py",),
        chosen=_ON_SQLITE,
    ),
    Target(file="gateway/casework/standing.py", tests=_tests("casework", "standing")),
    Target(file="gateway/duties.py", tests=_tests("casework", "duties")),
    Target(
        file="gateway/query/translate.py",
        tests=_tests("query", "on_seen", "translate", "visit", "layout", "fanout", "probe", "plan"),
    ),
    Target(file="gateway/query/shape.py", tests=_QUERY),
    Target(file="gateway/query/records.py", tests=_QUERY),
    Target(file="gateway/query/fields.py", tests=_QUERY),
    Target(file="gateway/query/cases.py", tests=_QUERY),
    Target(file="gateway/query/components.py", tests=_QUERY),
    Target(
        file="gateway/query/visit.py",
        tests=_VISITS,
        within=frozenset(
            {"run", "_fetch", "_prefetch", "prefetching", "_elements", "_children", "_permitted"}
        ),
    ),
    Target(file="gateway/query/need.py", tests=_tests("query", "need", "whole")),
    Target(file="gateway/query/bearers.py", tests=_tests("query", "fanout", "match", "on_seen")),
    Target(file="gateway/query/ages.py", tests=_tests("query", "ages")),
    Target(file="gateway/query/whole.py", tests=_tests("query", "whole", "fanout", "on_seen")),
    Target(
        file="connectors/conditions.py",
        tests=_tests("connectors", "conditions", "push") + _tests("query", "cases"),
    ),
)


# --- one mutant ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Changed(MetaPathFinder):
    """Finds one module with another text than its file's."""

    name: str
    file: Path
    text: str

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> Any:
        if fullname != self.name:
            return None
        return spec_from_file_location(fullname, self.file, loader=self.loader())

    def loader(self) -> Loader:
        text, file = self.text, str(self.file)

        class Loaded(SourceFileLoader):
            def get_code(self, fullname: str) -> CodeType:
                return _compiled(text, file)

        return Loaded(self.name, file)


def _compiled(text: str, file: str) -> CodeType:
    code: CodeType = compile(text, file, "exec", dont_inherit=True)
    return code


def _loads(text: str) -> bool:
    try:
        _compiled(text, "mutant")
    except (SyntaxError, ValueError):
        return False
    return True


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (one for one in code.co_consts if isinstance(one, CodeType))


def _lasts(code: CodeType) -> bool:
    """Whether it is a function's, which is called later; else loading the module runs it."""
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and code.co_name not in _COMPREHENSIONS


def _at_loading(code: CodeType) -> tuple[object, ...]:
    """All that loading the module runs."""
    plain = [one for one in code.co_consts if not isinstance(one, CodeType)]
    within = [_at_loading(one) for one in _inner(code) if not _lasts(one)]
    return code.co_code, code.co_names, repr(plain), within


def _functions(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """Every function's code in a module's, by its full name and number among those of that name."""
    found: dict[tuple[str, int], CodeType] = {}
    for one in _inner(code):
        for (name, number), held in {(one.co_qualname, 0): one, **_functions(one)}.items():
            while (name, number) in found:
                number += 1
            found[name, number] = held
    return found


def _swapped(file: str, before: str, after: str) -> bool:
    """Give each function of a loaded module its code in another text; False where that is not
    enough, since the texts differ in what loading runs."""
    old, new = _compiled(before, file), _compiled(after, file)
    if _at_loading(old) != _at_loading(new):
        return False
    codes = _functions(new)
    numbers = {(held.co_qualname, held.co_firstlineno, held.co_code): key
               for key, held in _functions(old).items()}  # fmt: skip
    alive = [f for f in gc.get_objects() if isinstance(f, FunctionType)]
    alive = [function for function in alive if function.__code__.co_filename == file]
    for function in alive:
        held = function.__code__
        key = numbers.get((held.co_qualname, held.co_firstlineno, held.co_code))
        if key not in codes or codes[key].co_freevars != held.co_freevars:
            return False
        function.__code__ = codes[key]
    return bool(alive)


class _Tests:
    """The tests of a target, collected once; each mutant runs them in a process of its own."""

    def __init__(self, target: Target, texts: Sequence[str], jobs: int, told: Any) -> None:
        self.target = target
        self.texts = texts
        self.jobs = jobs
        self.told = told

    def pytest_sessionstart(self) -> None:
        # Property tests stop at the first example that fails, and keep none.
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", deadline=None, database=None, phases=phases)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.pluginmanager.unregister(self)
        runs = [partial(self._run, session, text) for text in self.texts]
        unchanged = partial(self._run, session, self.target.text())
        [(_, code, took)] = _processes([unchanged], math.inf, 1)
        self.told.send(code == 0)
        if code == 0:
            for one in _processes(runs, _LEAST_S + 4 * took, self.jobs):
                self.told.send(one)
        return True

    def _run(self, session: pytest.Session, text: str) -> None:
        file = self.target.root / self.target.file
        if not _swapped(str(file), self.target.text(), text):
            sys.exit(_LOAD_IT)
        signal.signal(signal.SIGTERM, _stopped)
        hook, code = session.config.hook, 1
        try:
            hook.pytest_runtestloop(session=session)
            code = 1 if session.testsfailed else 0
        except (session.Failed, session.Interrupted):
            pass
        finally:  # what the tests started ends with them
            hook.pytest_sessionfinish(session=session, exitstatus=code)
        sys.exit(code)


def _stopped(_signal: int, _frame: object) -> NoReturn:
    sys.exit(1)


def _pytest(target: Target, *plugins: object) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    os.chdir(target.root)
    sink = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(sink, stream)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning", f"--rootdir={target.root}"]
    options += ["-k", target.chosen]
    with tempfile.TemporaryDirectory(prefix="portcullis-mutant-") as kept:
        configuration.set_hypothesis_home_dir(kept)
        return int(pytest.main([*options, *target.tests], plugins=plugins))


def _collected(target: Target, texts: Sequence[str], jobs: int, told: Any) -> None:
    _pytest(target, _Tests(target, texts, jobs, told))
    told.close()


def _loaded(target: Target, text: str) -> None:
    """The tests where the module is loaded with this text."""
    name = target.file.removesuffix(".py").replace("/", ".")
    signal.signal(signal.SIGTERM, _stopped)
    sys.meta_path.insert(0, _Changed(name, target.root / target.file, text))
    sys.exit(_pytest(target))


# --- many of them --------------------------------------------------------------------------------


def _processes(
    runs: Sequence[Callable[[], None]], limit: float, jobs: int
) -> Iterator[tuple[int, int | None, float]]:
    """Each in a process of its own: its number, its exit code (None: it took too long), seconds.

    While the whole program is stopped, no seconds pass.
    """
    waiting = list(enumerate(runs))[::-1]
    running: dict[int, tuple[int, float, Any]] = {}
    now, looked = 0.0, time.monotonic()
    while waiting or running:
        while waiting and len(running) < jobs:
            number, run = waiting.pop()
            process = _FORK.Process(target=run)
            process.start()
            running[process.sentinel] = number, now, process
        connection.wait(list(running), timeout=_LOOK_S)
        now, looked = now + min(time.monotonic() - looked, 2 * _LOOK_S), time.monotonic()
        for sentinel, (number, begun, process) in list(running.items()):
            took = now - begun
            late = process.is_alive()
            if late and took < limit:
                continue
            if late:
                process.terminate()
                process.join(_END_S)
                process.kill()
            process.join()
            del running[sentinel]
            yield number, None if late else process.exitcode, took


def outcomes(target: Target, mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, str]]:
    """Each mutant and its outcome, as they come.

    Raises:
        ValueError: the tests fail as the code stands.
    """
    texts = {mutant: mutant.applied(target.text()) for mutant in mutants}
    valid = [mutant for mutant, text in texts.items() if _loads(text)]
    yield from ((mutant, INVALID) for mutant in mutants if mutant not in set(valid))
    told, tells = _FORK.Pipe(duplex=False)
    given = [texts[mutant] for mutant in valid]
    process = _FORK.Process(target=_collected, args=(target, given, jobs, tells))
    process.start()
    tells.close()
    again: list[Mutant] = []
    longest = _LEAST_S
    try:
        if not told.recv():
            raise EOFError
        for _ in valid:
            number, code, took = told.recv()
            longest = max(longest, 4 * took)
            if code == _LOAD_IT:
                again.append(valid[number])
            else:
                yield valid[number], SURVIVED if code == 0 else KILLED
    except EOFError:
        raise ValueError(f"the tests of {target.file} fail as it stands") from None
    finally:
        process.join()
    runs = [partial(_loaded, target, texts[mutant]) for mutant in again]
    for number, code, _ in _processes(runs, longest + _LEAST_S, jobs):
        yield again[number], SURVIVED if code == 0 else KILLED


def drawn(
    targets: Sequence[Target], some: int | None, seed: int
) -> dict[Target, tuple[Mutant, ...]]:
    """All mutants of each module, or about `some`: as many of each, or all that it has."""
    chance = random.Random(seed)  # noqa: S311  # nothing secret
    made = {target: target.mutants() for target in targets}
    left, work = some, dict[Target, tuple[Mutant, ...]]()
    for number, target in enumerate(sorted(targets, key=lambda target: len(made[target]))):
        mutants = made[target]
        if left is not None:
            share_out = min(left // (len(targets) - number), len(mutants))
            left -= share_out
            mutants = tuple(chance.sample(mutants, share_out))
        work[target] = mutants
    return work


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[], None]]:
    # No thread draws the bar: processes are forked meanwhile.
    with Progress(console=console, auto_refresh=False) as progress:
        task = progress.add_task("Testing mutants", total=total)
        yield lambda: progress.update(task, advance=1, refresh=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.python", description=__doc__)
    parser.add_argument("files", nargs="*", help="modules (default: all of the enforcement code)")
    parser.add_argument("--some", type=int, metavar="N", help="only N of them, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--goal", type=float, default=0.9, help="share of each module to be killed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    os.nice(5)
    console = Console(highlight=False)
    known = {target.file: target for target in TARGETS}
    if unknown := set(given.files) - known.keys():
        parser.error(f"not of the enforcement code: {', '.join(sorted(unknown))}")
    targets = [known[file] for file in given.files] or list(TARGETS)
    work = drawn(targets, given.some, given.seed)
    shares: list[float] = []
    with _progress(console, sum(map(len, work.values()))) as step:
        for target, mutants in work.items():
            told: list[str] = []
            for mutant, outcome in outcomes(target, mutants, given.jobs):
                told.append(outcome)
                if outcome == SURVIVED:
                    console.print(f"survived  {mutant}", markup=False, soft_wrap=True)
                step()
            shares.append(share(told, target.file, console))
    return 0 if all(one >= given.goal for one in shares) else 1


if __name__ == "__main__":
    sys.exit(main())
