"""Beat sends its ticks in their intervals, whatever happens to the clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.stored import NOON, a_library

from worker.run import scheduler as scheduler_module
from worker.run.celery_settings import DELIVER, SWEEP
from worker.run.scheduler import LivingScheduler
from worker.run.tasks import create_app


class Beat(LivingScheduler):
    """The scheduler, with two clocks that the test sets; it notes its ticks."""

    def __init__(self, library, monkeypatch):
        self.wall, self.seconds, self.sent = NOON, 1000.0, []
        monkeypatch.setattr(scheduler_module, "monotonic", lambda: self.seconds)
        app = create_app(library.services.settings, lambda: library.services)
        app.now = lambda: self.wall
        super().__init__(app)

    def apply_async(self, entry, *_args, **_options):
        self.sent.append(entry.task)

    def pass_time(self, seconds):
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds

    def ticks(self):
        """Return the tasks that are due now."""
        self.sent = []
        while self.tick() == 0:
            pass
        return sorted(self.sent)


@pytest.fixture
def beat(sqlite_url, monkeypatch):
    with a_library(sqlite_url) as library:
        beat = Beat(library, monkeypatch)
        beat.deliver_seconds = library.services.settings.delivery.tick_seconds
        beat.sweep_seconds = library.services.settings.review.sweep_seconds
        assert beat.ticks() == [SWEEP]
        beat.pass_time(beat.deliver_seconds)
        assert beat.ticks() == [DELIVER]
        yield beat


@pytest.mark.parametrize("back", [timedelta(seconds=90), timedelta(hours=1), timedelta(days=400)])
def test_a_clock_that_was_set_back_delays_no_tick(beat, back):
    beat.pass_time(beat.deliver_seconds / 2)
    beat.wall -= back
    assert beat.ticks() == []
    beat.pass_time(beat.deliver_seconds / 2)
    assert beat.ticks() == [DELIVER]
    beat.pass_time(beat.sweep_seconds - 2 * beat.deliver_seconds)
    assert beat.ticks() == [DELIVER, SWEEP]


def test_a_clock_that_was_ahead_for_a_while_delays_no_tick(beat):
    beat.wall += timedelta(hours=3)
    assert beat.ticks() == [DELIVER, SWEEP]
    beat.wall -= timedelta(hours=3)
    assert beat.ticks() == []
    beat.pass_time(beat.deliver_seconds)
    assert beat.ticks() == [DELIVER]
