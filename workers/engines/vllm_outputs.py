"""What vLLM's engine answers, as samples with their own times; nothing here imports it."""

from typing import Any

from workers.engines.door import EngineLoad, Generated, storable
from workers.engines.engine_thread import Part


class Times:
    """Keeps each sample's own times of vLLM's statistics, and nothing of what it adds up for every token.

    The time of a step is divided equally over the samples that got a token in it; a step in which none did (a part of
    a long prompt) counts with the next that has one. So the shares of all samples are the time of all steps.
    """

    def __init__(self, engine: Any, devices: int) -> None:
        """Take the place of vLLM's statistics; `devices` work on every step."""
        self._devices = devices
        self._left = 0.0
        self._here: list[Any] = []
        engine.logger_manager = None
        engine.output_processor._update_stats_from_output = self._note
        engine.output_processor._update_stats_from_finished = lambda *_: None

    def _note(self, state: Any, output: Any, timestamp: float, *_: Any) -> None:
        note_times(state, output, timestamp)
        self._here.append(state.stats)

    def share_out(self, seconds: float) -> None:
        """Divide the time of the step that just ended."""
        self._left += seconds
        if not self._here:
            return
        share = self._left * self._devices / len(self._here)
        for times in self._here:
            times.gpu_seconds = getattr(times, "gpu_seconds", 0.0) + share
        self._here.clear()
        self._left = 0.0


class LoadGauge:
    """Keeps what vLLM's scheduler last said of itself: it does with every step."""

    def __init__(self, engine: Any) -> None:
        self._told: Any = None
        self._pass_on = engine.output_processor.update_scheduler_stats
        engine.output_processor.update_scheduler_stats = self._take

    def _take(self, stats: Any) -> None:
        self._told = stats or self._told
        self._pass_on(stats)

    def read(self) -> EngineLoad:
        """Of the last step."""
        told = self._told
        if told is None:
            return EngineLoad(0, 0, 0.0)
        waiting = told.num_waiting_reqs + told.num_skipped_waiting_reqs
        return EngineLoad(told.num_running_reqs, waiting, told.kv_cache_usage)


class Logprobs:
    """Takes the place of vLLM's record of a child's tokens, which spells every one of them out.

    Kept is the sum (nats), and each token's own where they are asked for.
    """

    prompt_logprobs = None
    prompt_token_id_logprobs = None
    logprobs = None  # of vLLM's output: each token's stay here

    def __init__(self, each: bool) -> None:
        self.cumulative_logprob = 0.0
        self.each: list[float] | None = [] if each else None

    def update_from_output(self, output: Any) -> None:
        """Add the tokens of a step; vLLM puts the one that was drawn first."""
        if output.new_logprobs is None:
            return
        drawn = output.new_logprobs.logprobs[:, 0].tolist()
        for value in drawn:
            self.cumulative_logprob += value
        if self.each is not None:
            self.each += drawn


def note_times(state: Any, output: Any, timestamp: float, *_: Any) -> None:
    """Write the times (monotonic seconds) of one child's step into its state: of all its steps only what is kept."""
    times = state.stats
    for event in output.events or ():
        if event.type.name == "QUEUED":
            times.queued_ts = event.timestamp
        elif event.type.name == "SCHEDULED" and times.scheduled_ts == 0.0:  # later ones are after a preemption
            times.scheduled_ts = event.timestamp
    if state.is_prefilling:
        times.first_token_ts = timestamp
    times.last_token_ts = timestamp


def generated(part: Part, seed: int, completion: Any, state: Any) -> Generated:
    """One sample from vLLM's `CompletionOutput` and the `RequestState` of the child that drew it."""
    times = state.stats
    return Generated(
        text=storable(completion.text),
        prompt_tokens=len(part.tokens),
        cached_prompt_tokens=state.num_cached_tokens,
        completion_tokens=len(completion.token_ids),
        finish_reason=completion.finish_reason,
        stop_reason=None if completion.stop_reason is None else str(completion.stop_reason),
        cumulative_logprob=completion.cumulative_logprob,
        seed=seed,
        queue_seconds=times.scheduled_ts - times.queued_ts,
        prefill_seconds=times.first_token_ts - times.scheduled_ts,
        decode_seconds=times.last_token_ts - times.first_token_ts,
        seconds=times.last_token_ts - part.submitted,
        gpu_seconds=getattr(times, "gpu_seconds", None),
        **_tokens(part, completion, state),
    )


def _tokens(part: Part, completion: Any, state: Any) -> dict[str, Any]:
    """The tokens and their log-probabilities, where they were asked for."""
    if not part.sampling.token_logprobs:
        return {}
    ids = tuple(completion.token_ids)
    return {"token_ids": ids, "token_logprobs": tuple(state.logprobs_processor.each[: len(ids)])}
