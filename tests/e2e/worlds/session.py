"""What comparing worlds needs, started once: the whole world, and a poorer one for each caller."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from deploy.demo.personas import PERSONAS
from deploy.demo.population import Person, Population
from gateway.cli.demo import Demo
from gateway.pipeline import Gate
from tests.e2e.asking import APPS
from tests.e2e.worlds.askers import Asker
from tests.e2e.worlds.comparing import Difference, Pair, Tally
from tests.e2e.worlds.generating import Generator
from tests.e2e.worlds.making import Copying, server_of
from tests.e2e.worlds.pool import kept_of, people_of, pool_of
from tests.e2e.worlds.twins import World, gateway_over, otherwise
from tests.e2e.worlds.unseen import secrets_from

_AT_ONCE = 3  # pairs that are asked at once: while one waits, another has the processor
_SLICE = 500  # operations of one caller before the next one's turn


def patient(catalogue: Path, copy: Path) -> Path:
    """The catalogue with time for every source: answers are compared, not how fast they come."""
    shutil.copytree(catalogue, copy)
    for file in (copy / "sources").glob("*.toml"):
        text = file.read_text("utf-8")
        assert "timeout_s = 2.0" in text
        file.write_text(text.replace("timeout_s = 2.0", "timeout_s = 20.0"), "utf-8")
    return copy


@dataclass(slots=True, kw_only=True)
class Session:
    """The whole world, and what the poorer ones are made from."""

    demo: Demo
    population: Population
    copying: Copying
    catalogue: Path
    now: datetime  # for every gateway, as long as the session lasts
    whole: World
    tokens: Mapping[str, str]
    people: Sequence[Person]
    kept: frozenset[str]
    changed: dict[str, int] = field(default_factory=dict)  # secret -> how much of it was otherwise

    def generator(self, asker: Asker, seed: int) -> Generator:
        """What this caller is to ask."""
        persona = PERSONAS[asker.persona]
        asked = (f"{self.demo.stack.issuer_url}/{persona.issuer}", persona.sub, persona.agency)
        gate = self.whole.gate
        made = self.now - timedelta(milliseconds=500)
        return Generator(
            schema=gate.parser.schema.graphql,
            pool=pool_of(self.population, self.people, gate.refs, asked, made),
            seed=f"{seed}:{asker}",
        )

    @asynccontextmanager
    async def poorer(self, asker: Asker, name: str) -> AsyncIterator[World]:
        """The world without what this caller may not see; `name` is for its databases too."""
        home = self.copying.home / name
        async with otherwise(self.copying, name, secrets_from(asker), self.kept) as made:
            for secret, number in made[1].items():
                self.changed[secret] = self.changed.get(secret, 0) + number
            async with gateway_over(
                self.demo,
                home,
                made[0],
                catalogue=self.catalogue,
                now=self.now,
                like=self.whole.gate,
            ) as poorer:
                yield poorer
            await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)

    def pair(
        self,
        poorer: World,
        asker: Asker,
        loosened: Callable[[Gate], Gate] = lambda gate: gate,
        tally: Tally | None = None,
    ) -> Pair:
        """The whole world and a poorer one for a caller. Both gateways may be `loosened`, to see
        whether that is noticed. What is compared is added to the `tally`, where there is one."""
        return Pair(
            asker=asker,
            whole=self.whole.loosened(loosened),
            poorer=poorer.loosened(loosened),
            token=self.tokens[asker.persona],
            schema=self.whole.gate.parser.schema.graphql,
            tally=tally or Tally(asker=asker),
        )

    async def run(
        self,
        askers: Sequence[Asker],
        *,
        seed: int,
        operations: int,
        told: Callable[[Tally], None] = lambda _: None,
        found: Callable[[Difference], None] = lambda _: None,
        most: int = 3,
    ) -> list[Tally]:
        """What came of so many operations, in equal parts by each caller. `told` of each one asked
        and `found` of each difference, as they come; nobody asks on after `most` of these. Each
        has a slice of their operations in turn: a run that is stopped has asked as everybody.
        Who may see the same has the same poorer world."""
        turns = asyncio.Semaphore(_AT_ONCE)
        each = -(-operations // len(askers))
        tallies = [Tally(asker=asker) for asker in askers]
        alike: dict[tuple[str, ...], list[Tally]] = {}
        for tally in tallies:
            names = tuple(secret.name for secret in secrets_from(tally.asker))
            alike.setdefault(names, []).append(tally)

        async def some(name: str, who: Sequence[Tally], numbers: range) -> None:
            async with turns:
                asking = [tally for tally in who if len(tally.differences) < most]
                if not asking:
                    return
                async with self.poorer(asking[0].asker, name) as poorer:
                    for tally in asking:
                        pair = self.pair(poorer, tally.asker, tally=tally)
                        asked = pair.run(self.generator(tally.asker, seed), numbers, told, most)
                        async for difference in asked:
                            found(difference)

        async with asyncio.TaskGroup() as group:
            for first in range(0, each, _SLICE):
                numbers = range(first, min(first + _SLICE, each))
                for at, who in enumerate(alike.values()):
                    group.create_task(some(f"pair{at}_{first}", who, numbers))
        return tallies


@asynccontextmanager
async def session(demo: Demo, population: Population, home: Path) -> AsyncIterator[Session]:
    """The whole world's copy and its gateway, below `home`, while the block lasts."""
    copying = Copying(
        stack=demo.stack, population=population, postgresql=server_of(demo.stack.home), home=home
    )
    await asyncio.to_thread(copying.copy_postgresql)
    catalogue = await asyncio.to_thread(
        patient, demo.started.settings.catalogue_dir, home / "catalogue"
    )
    personas = [code for code, persona in PERSONAS.items() if persona.roles]
    tokens = {code: await asyncio.to_thread(demo.token, code, APPS.get(code)) for code in personas}
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    people = people_of(population, Random(population.seed))  # noqa: S311 - reproducible
    async with (
        otherwise(copying, "everything", (), frozenset()) as made,
        gateway_over(demo, home / "everything", made[0], catalogue=catalogue, now=now) as whole,
    ):
        yield Session(
            demo=demo,
            population=population,
            copying=copying,
            catalogue=catalogue,
            now=now,
            whole=whole,
            tokens=tokens,
            people=people,
            kept=kept_of(people),
        )
