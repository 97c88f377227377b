"""How much may be asked of an endpoint: never more than the limits in any stretch of a minute."""

import threading
import time
from collections import deque
from dataclasses import dataclass

WINDOW_SECONDS = 60.0


@dataclass
class _Spent:
    at: float
    amount: int


class RateLimit:
    """At most `limit` (requests, tokens) in any `window` seconds, over all threads; None is no limit.

    An amount larger than the whole limit goes through alone, when nothing else was spent: it would wait for ever.
    """

    def __init__(self, limit: int | None, window: float = WINDOW_SECONDS) -> None:
        self._limit = limit
        self._window = window
        self._lock = threading.Lock()
        self._spent: deque[_Spent] = deque()
        self._sum = 0

    def take(self, amount: int, closed: threading.Event) -> _Spent | None:
        """Wait until `amount` may be spent and spend it; None without a limit, or when `closed` ends the wait."""
        if self._limit is None:
            return None
        while not closed.is_set():
            with self._lock:
                wait = self._wait(amount, self._limit, time.monotonic())
                if wait <= 0:
                    spent = _Spent(time.monotonic(), amount)
                    self._spent.append(spent)
                    self._sum += amount
                    return spent
            closed.wait(wait)
        return None

    def _wait(self, amount: int, limit: int, now: float) -> float:
        while self._spent and self._spent[0].at <= now - self._window:
            self._sum -= self._spent.popleft().amount
        over = self._sum + amount - limit
        if over <= 0 or not self._spent:
            return 0.0
        for one in self._spent:
            over -= one.amount
            if over <= 0:
                break
        return max(one.at + self._window - now, 0.001)

    def settle(self, spent: _Spent | None, amount: int) -> None:
        """Say what was really spent, once it is known."""
        if spent is None:
            return
        with self._lock:
            if self._spent and spent.at >= self._spent[0].at:  # else it has left the window
                self._sum += amount - spent.amount
                spent.amount = amount
