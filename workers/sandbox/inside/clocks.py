"""The clocks that end a candidate: CPU time decides, wall time catches what waits."""

from __future__ import annotations

import time

from workers.sandbox.inside import kernel

#: A program that still computes at its wall limit may go on to this many times the limit: CPU time decides.
_PATIENCE = 4
_STARVED_SHARE = 0.03
#: How far apart, as a share of the wall limit, its CPU time is noted for that.
_WINDOW = 0.2


class Clocks:
    """Of one candidate, from its start. Seconds."""

    def __init__(self, pid: int, cpu_seconds: float, wall_seconds: float) -> None:
        self.cpu_seconds = cpu_seconds
        self.wall_seconds = wall_seconds
        #: How long it may be left alone before it is looked at again.
        self.wake_in = cpu_seconds
        self._clock = kernel.process_clock(pid)
        self._begun = self._since = time.monotonic()
        self._spent = 0.0
        self._before = self._seen = 0.0, 0.0

    def wall(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun

    def allow(self, cpu_seconds: float, wall_seconds: float) -> None:
        """Begin a stretch with limits of its own: what was spent before no longer counts."""
        self.cpu_seconds, self.wall_seconds = cpu_seconds, wall_seconds
        try:
            self._spent = time.clock_gettime(self._clock)
        except OSError:
            return
        self._since = time.monotonic()
        self._before = self._seen = 0.0, 0.0
        self.wake_in = cpu_seconds

    def exceeded(self, precisely: bool = True) -> str | None:
        """The limit that was passed, or None; `wake_in` is then set anew.

        CPU time cannot outrun the wall by much (one interpreter lock), so a rough look costs no system call.
        """
        wall = time.monotonic() - self._since
        if not precisely and wall < self.cpu_seconds:
            return None
        try:
            used = time.clock_gettime(self._clock) - self._spent
        except OSError:
            return None
        if used >= self.cpu_seconds:
            return "cpu_time"
        left = self.wall_seconds - wall
        if left <= 0:
            if wall > _PATIENCE * self.wall_seconds or not self._is_starved(used, wall):
                return "wall_time"
            left = self.wall_seconds
        if wall - self._seen[1] > _WINDOW * self.wall_seconds:
            self._before, self._seen = self._seen, (used, wall)
        self.wake_in = min(left, self.cpu_seconds - used)
        return None

    def _is_starved(self, used: float, wall: float) -> bool:
        """Whether it computed in the last stretch of time: then it waits for a core of a busy machine, not for ever."""
        before, then = self._before
        return used - before > _STARVED_SHARE * (wall - then)
