"""Nothing is lost, nothing is doubled, and the samples are those of an undisturbed run, whatever happens on the way.

20 rounds over the embedded broker, seeded; 50 with `pytest tests/acceptance/test_chaos.py --chaos-rounds 50`.
A quarter as many go over Redis and a tenth over RabbitMQ, whose restarts are slow; one has vLLM itself, the others a
stand-in for it. `--chaos-seed N` draws other faults.
"""

from __future__ import annotations

import contextlib
import math

import pytest

from tests.acceptance.broker_servers import BROKERS
from tests.acceptance.chaos import PROBLEMS, SAMPLES, Chaos, EmbeddedQueues, ServerQueues

#: Rounds over each broker, as a share of those over the embedded one.
SHARES = {"embedded": 1.0, "redis": 0.25, "rabbitmq": 0.1}


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


@pytest.mark.timeout(3 * 3600)  # 50 rounds on two busy cores
@pytest.mark.parametrize("broker", SHARES)
def test_nothing_is_lost_or_doubled(house, broker: str, request: pytest.FixtureRequest) -> None:
    rounds = math.ceil(SHARES[broker] * request.config.getoption("--chaos-rounds"))
    house.environment |= {"PASSATK_LEASE_SECONDS": "3", "PASSATK_PATIENCE_SECONDS": "3", "STANDIN_SECONDS": "0.3"}
    with contextlib.ExitStack() as stack:
        queues: EmbeddedQueues | ServerQueues = EmbeddedQueues(house)
        if broker != "embedded":
            server = stack.enter_context(BROKERS[broker]())
            house.environment["PASSATK_BROKER_URL"] = server.url
            queues = ServerQueues(server)
        _disturbed(Chaos(house, queues, seed=request.config.getoption("--chaos-seed")), rounds)


@pytest.mark.timeout(900)
def test_a_round_with_the_real_engine(house) -> None:
    house.environment |= {"PASSATK_LEASE_SECONDS": "3", "PASSATK_PATIENCE_SECONDS": "3"}
    _disturbed(Chaos(house, EmbeddedQueues(house), seed=21_787, vllm=True), 1)
