"""Run tests/domain against mutants, each in a process forked from this one. Called by `__main__`.

Nothing is written: a mutant is compiled where its module is imported. The tests that reach it run
first, the quick ones before the others, with few and always the same Hypothesis examples.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from multiprocessing.connection import wait
from pathlib import Path

import hypothesis
import pytest

from tests.mutation.mutants import DOMAIN, Mutant

TESTS = Path(__file__).resolve().parents[1] / "domain"
EXAMPLES = 15
LIMIT_SECONDS = 60
LIMIT_BYTES = 4 << 30
#: What the tests import and no mutant changes: loaded once, before the forks.
LIBRARIES = (
    "aiosmtpd.controller", "dateutil.relativedelta", "frontmatter", "jsonschema_rs", "markdown_it",
    "pathspec", "psycopg", "pygit2", "redis", "trustme", "yaml",
)  # fmt: skip
_FORK = multiprocessing.get_context("fork")


class _Loader(SourceFileLoader):
    """Loads a module of the domain with one change; finds no other module."""

    def __init__(self, mutant: Mutant) -> None:
        module = mutant.module.replace("/", ".")
        super().__init__(f"worker.domain.{module}", str(DOMAIN / f"{mutant.module}.py"))
        self.mutant = mutant

    def find_spec(self, name, _path=None, _target=None):
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, _name):
        return self.mutant.compile()


@dataclass
class _Reached:
    """A plugin that notes which lines of the domain each test runs; "" stands for the imports."""

    test: str = ""
    lines: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.test, begin = item.nodeid, time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid], self.test = time.perf_counter() - begin, ""

    def trace(self, frame, _event, _argument):
        path = frame.f_code.co_filename
        if not path.startswith(f"{DOMAIN}{os.sep}"):
            return None
        module = Path(path).relative_to(DOMAIN).with_suffix("").as_posix()

        def local(frame, event, _argument):
            if event == "line":
                self.lines[module, frame.f_lineno].add(self.test)
            return local

        return local

    def tests_of(self, mutant: Mutant) -> set[str] | None:
        """Return the tests that reach a mutant, those of its module for imports, None for none."""
        found = set().union(*(self.lines.get((mutant.module, n), ()) for n in mutant.lines))
        if found == {""}:
            found |= set().union(*(t for (m, _), t in self.lines.items() if m == mutant.module))
        return found or None


@dataclass
class _InOrder:
    """A plugin that runs the tests that reach the mutant first, the quick ones before the others."""

    seconds: dict[str, float]

    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: self.seconds.get(item.nodeid, sys.maxsize))


def _run_tests(folder: Path, plugin: object) -> int:
    hypothesis.settings.register_profile(
        "mutation",
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutation")
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={folder}"]
    # Hypothesis is loaded before pytest could rewrite its assertions.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return pytest.main([*options, str(TESTS)], plugins=[plugin])


def _measure(folder: Path, answer) -> None:
    """Run the tests without a mutant, and send what they reach."""
    reached = _Reached()
    sys.settrace(reached.trace)
    code = _run_tests(folder, reached)
    sys.settrace(None)
    answer.send((code, dict(reached.lines), reached.seconds))


def _measure_all(folder: Path) -> _Reached:
    """Return what each test reaches; end the command where a test fails without any mutant."""
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_measure, args=(folder / "measure", theirs))
    process.start()
    theirs.close()  # so that `recv` sees the end of the process
    code, lines, seconds = ours.recv()
    process.join()
    if code:
        sys.exit("tests/domain fails as it is")
    return _Reached(lines=lines, seconds=seconds)


def _try(mutant: Mutant, folder: Path, seconds: dict[str, float]) -> None:
    """Run the tests against a mutant, and end this process with the exit code of pytest."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    sys.meta_path.insert(0, _Loader(mutant))
    os._exit(_run_tests(folder, _InOrder(seconds)))


def try_all(mutants: list[Mutant], folder: Path, jobs: int) -> Iterator[Mutant]:
    """Run the tests against each mutant, in `jobs` processes at once; yield those with an outcome."""
    for library in LIBRARIES:
        import_module(library)
    reached = _measure_all(folder)
    running: dict[int, tuple] = {}
    waiting = deque(mutants)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.popleft()
                tests = reached.tests_of(mutant)
                if tests is None:
                    mutant.outcome = "not covered"
                    yield mutant
                    continue
                place = folder / f"{mutant.module.replace('/', '-')}-{mutant.number}"
                seconds = {test: reached.seconds.get(test, 0) for test in tests}
                process = _FORK.Process(target=_try, args=(mutant, place, seconds))
                process.start()
                running[process.sentinel] = process, mutant, place, time.monotonic()
            wait(running, timeout=1)
            for sentinel, (process, mutant, place, begin) in list(running.items()):
                late = time.monotonic() - begin > LIMIT_SECONDS
                if process.is_alive() and not late:
                    continue
                if process.is_alive():
                    process.kill()
                    mutant.outcome = "timeout"
                process.join()
                if mutant.outcome == "waits":
                    mutant.outcome = "killed" if process.exitcode else "survived"
                shutil.rmtree(place, ignore_errors=True)
                del running[sentinel]
                yield mutant
    finally:
        for process, *_ in running.values():
            process.kill()
            process.join()
