"""Nothing is lost, nothing is doubled, and the samples are those of an undisturbed run, whatever happens on the way.

5 rounds in all by default, seeded; `pytest tests/acceptance/test_chaos.py --chaos-rounds 20` (or 50) on demand.
"""

from __future__ import annotations

import contextlib

import pytest

from tests.acceptance.broker_servers import BROKERS
from tests.acceptance.chaos import PROBLEMS, SAMPLES, Chaos, EmbeddedQueues, ServerQueues

#: Of the rounds, how many each broker gets; one more is vLLM's.
SHARES = {"embedded": 0.5, "redis": 0.35, "rabbitmq": 0.15}


def _disturbed(chaos: Chaos, rounds: int) -> None:
    wanted = chaos.undisturbed()
    assert len(wanted) == PROBLEMS * SAMPLES
    for number in range(rounds):
        name = chaos.round(number)
        chaos.house.assert_whole(name, PROBLEMS, SAMPLES)
        assert chaos.house.texts(name) == wanted, chaos.told
        counted = chaos.house.rows(
            "SELECT sum(b.row_count) FROM store.batches AS b JOIN store.runs AS r USING (run_id) "
            "WHERE r.name = %s AND b.verifier_id IS NULL",
            name,
        )
        assert counted == [(PROBLEMS * SAMPLES,)], chaos.told  # no batch claims rows that another wrote


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("broker", SHARES)
def test_nothing_is_lost_or_doubled(house, broker: str, request: pytest.FixtureRequest) -> None:
    rounds = max(1, round(SHARES[broker] * (request.config.getoption("--chaos-rounds") - 1)))
    house.environment |= {"PASSATK_LEASE_SECONDS": "3", "PASSATK_PATIENCE_SECONDS": "3", "STANDIN_SECONDS": "0.3"}
    with contextlib.ExitStack() as stack:
        queues: EmbeddedQueues | ServerQueues = EmbeddedQueues(house)
        if broker != "embedded":
            server = stack.enter_context(BROKERS[broker]())
            house.environment["PASSATK_BROKER_URL"] = server.url
            queues = ServerQueues(server)
        _disturbed(Chaos(house, queues, seed=20_240_721), rounds)


@pytest.mark.timeout(900)
def test_a_round_with_the_real_engine(house) -> None:
    house.environment |= {"PASSATK_LEASE_SECONDS": "3", "PASSATK_PATIENCE_SECONDS": "3"}
    _disturbed(Chaos(house, EmbeddedQueues(house), seed=21_787, vllm=True), 1)
