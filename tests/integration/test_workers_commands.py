"""The workers' commands: creating, starting, watching, topping up and judging, and one line for every error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store import command
from store.batches import claim
from store.connection import transaction
from store.runs import Run
from workers import watch
from workers.watch import current

PASSATK = Path(sys.executable).parent / "passatk"
INTERRUPTED = "Interrupted. What was done is stored; the same command goes on from there.\n"

Passatk = Callable[..., tuple[int, str, str]]


@pytest.fixture
def passatk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Passatk:
    """Runs `passatk` with these arguments in this process: exit status, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["passatk", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def _new_process(*arguments: str, **environment: str) -> tuple[int, str, str]:
    command_line = [str(PASSATK), *arguments]
    done = subprocess.run(
        command_line, env=os.environ | environment, capture_output=True, text=True, timeout=240, check=False
    )
    return done.returncode, done.stdout, done.stderr


def _is_one_line(result: tuple[int, str, str], *words: str) -> None:
    status, _, err = result
    assert status == 1, result
    assert err.startswith("Error: "), err
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


@pytest.fixture
def create(workshop: Any, passatk: Passatk) -> Passatk:
    """`passatk run create` over two sums, with what is given in place of the usual options."""
    workshop.benchmark(2)

    def call(**changed: str) -> tuple[int, str, str]:
        options = {"--benchmark": "sums", "--model": "tiny", "--samples": "8", "--name": "small"}
        options |= {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
        return passatk("run", "create", *[part for pair in options.items() for part in pair])

    return call


class TestCreate:
    def test_twice_changes_nothing(self, create: Passatk, workshop: Any) -> None:
        status, out, _ = create()
        assert (status, out) == (
            0,
            "Run small created: 8 samples for each of 2 problems. Next: `passatk run start small`.\n",
        )
        status, out, _ = create()
        assert status == 0
        assert out.startswith("Run small exists: 8 samples")
        assert workshop.rows(
            "SELECT r.name, v.name, r.samples_per_problem, r.sampling ->> 'max_tokens' FROM store.runs AS r"
            " JOIN store.run_verifiers USING (run_id) JOIN store.verifiers AS v USING (verifier_id)"
            " WHERE r.reference_verifier_id = v.verifier_id"
        ) == [("small", "answer", 8, "512")]

    def test_more_samples_are_a_topup(self, create: Passatk) -> None:
        create()
        status, out, _ = create(samples="9")
        assert status == 0
        assert "It keeps 8 samples per problem; `passatk run topup small --samples 9`." in out

    def test_its_name_follows_from_what_it_is(self, create: Passatk) -> None:
        assert create(name="", model="org/tiny", temperature="0.60")[1].startswith("Run sums-tiny-t0.6 created")

    def test_stop_texts_may_hold_line_breaks(self, create: Passatk, workshop: Any) -> None:
        create(stop="\\n\\nQ:")
        assert workshop.one("SELECT sampling -> 'stop' FROM store.runs") == ["\n\nQ:"]

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"temperature": "-1"}, "A temperature of -1.0 cannot be"),
            ({"temperature": "nan"}, "A temperature of nan cannot be"),
            ({"samples": "0"}, "0 samples per problem cannot be"),
            ({"samples": "99999999999"}, "99999999999 samples per problem cannot be"),
            ({"top_p": "0"}, "A top-p of 0.0 cannot be"),
            ({"top_k": "-1"}, "A top-k of -1"),
            ({"max_tokens": "0"}, "--max-tokens 1 or more"),
            ({"stop": ""}, "empty stop text"),
            ({"prompt_template": "no place"}, "no {prompt}"),
            ({"benchmark": "summs"}, 'No benchmark "summs"; there are: sums.'),
            ({"model": "./nowhere"}, "No model folder ./nowhere"),
            ({"model": ""}, "names no model"),
            ({"verifier": "magic"}, "'magic' is unknown: choose among"),
        ],
    )
    def test_what_cannot_be_is_one_line(
        self, create: Passatk, workshop: Any, changed: dict[str, str], words: str
    ) -> None:
        _is_one_line(create(**changed), words)
        assert workshop.one("SELECT count(*) FROM store.runs") == 0
        assert workshop.one("SELECT count(*) FROM store.models") == 0

    def test_another_run_under_the_name_is_one_line(self, create: Passatk) -> None:
        create()
        _is_one_line(create(temperature="0.5"), 'Run "small" exists')


class TestStatus:
    def test_says_how_far_it_is(self, workshop: Any, passatk: Passatk) -> None:
        run = workshop.run(problems=2, samples=8, verifiers=[("answer", "1")])
        assert passatk("run", "status", "small")[1].splitlines() == [
            "small: not started",
            "samples    0 of 16, 0 cut by the token limit, 0 empty",
            "answer@1   judged 0: 0 correct, 0 undecided",
            "batches    none planned",
        ]
        problem, other = workshop.problems(run)
        workshop.draw(run, problem, range(8))
        assert passatk("run", "status", "small")[1].startswith("small: incomplete\n")
        workshop.batch(run, other, 0, 4)
        failed = workshop.batch(run, other, 4, 8, state="failed", error="out of memory")
        out = passatk("run", "status", "small")[1]
        assert out.startswith("small: running\n")
        assert "batches    1 done, 1 failed, 1 ready\n" in out
        assert "set aside: out of memory\n" in out
        values = json.loads(passatk("run", "status", "small", "--format", "json")[1])
        assert (values["state"], values["samples"], values["samples_wanted"]) == ("running", 8, 16)
        assert values["batches"] == {"done": 1, "failed": 1, "ready": 1}
        workshop.rows("DELETE FROM store.batches WHERE batch_id = :id", id=failed)
        workshop.rows("DELETE FROM store.batches WHERE state = 'ready'")
        workshop.draw(run, other, range(8))
        assert passatk("run", "status", "small")[1].startswith("small: complete\n")
        assert passatk("run", "list")[1] == "small  sums@1  tiny  16/16 samples  generated  complete\n"

    def test_without_runs_the_list_says_how_to_begin(self, workshop: Any, passatk: Passatk) -> None:
        assert passatk("run", "list") == (
            0,
            "No runs yet: `passatk run create` or `passatk samples import`.\n",
            "",
        )

    @pytest.mark.parametrize(
        "arguments",
        [
            ("run", "status", "big"),
            ("run", "start", "big"),
            ("run", "topup", "big", "--samples", "9"),
            ("verify", "--run", "big"),
        ],
    )
    def test_an_unknown_run_is_one_line(self, workshop: Any, passatk: Passatk, arguments: tuple[str, ...]) -> None:
        workshop.run()
        _is_one_line(passatk(*arguments), 'No run "big"; there are: small.')


class TestStart:
    @pytest.fixture(autouse=True)
    def sent(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The queue's place is taken by this list: what is sent is seen here, on the broker in another file."""
        sent: list[int] = []
        monkeypatch.setattr("workers.enqueue.enqueue", sent.extend)
        monkeypatch.setattr("workers.sweeper.sweep", lambda _: 0)
        return sent

    def test_plans_sends_and_leaves(self, workshop: Any, passatk: Passatk, sent: list[int]) -> None:
        workshop.run(problems=2, samples=40)
        arguments = ("run", "start", "small", "--no-wait", "--batch", "32")
        assert passatk(*arguments)[:2] == (0, "4 batches sent to the workers.\n")
        planned = workshop.rows("SELECT batch_id FROM store.batches ORDER BY 1")
        assert [(id_,) for id_ in sent] == planned
        assert passatk(*arguments)[1] == "0 batches sent to the workers.\n"

    def test_batches_may_be_smaller(self, workshop: Any, passatk: Passatk) -> None:
        workshop.run(problems=1, samples=10)
        assert passatk("run", "start", "small", "--no-wait", "--batch", "4")[1].startswith("3 batches")
        assert passatk("run", "start", "small", "--batch", "0")[0] == 2

    def test_a_whole_run_lacks_nothing(self, workshop: Any, passatk: Passatk) -> None:
        run = workshop.run(problems=1, samples=4)
        workshop.draw(run, workshop.problems(run)[0], range(4))
        assert passatk("run", "start", "small")[:2] == (
            0,
            "Run small lacks nothing: every sample is drawn and judged.\n",
        )

    def test_topping_up_plans_the_difference(self, workshop: Any, passatk: Passatk) -> None:
        run = workshop.run(problems=1, samples=4)
        workshop.draw(run, workshop.problems(run)[0], range(4))
        assert passatk("run", "topup", "small", "--samples", "10", "--no-wait")[0] == 0
        assert workshop.rows("SELECT first_index, end_index FROM store.batches WHERE state = 'ready'") == [(4, 10)]
        _is_one_line(passatk("run", "topup", "small", "--samples", "4"), "4 would be fewer")

    def test_an_imported_run_is_not_topped_up(self, workshop: Any, passatk: Passatk) -> None:
        workshop.run(samples=None)
        _is_one_line(passatk("run", "topup", "small", "--samples", "10"), "was imported")

    @pytest.mark.parametrize("state", ["paused", "cancelled"])
    def test_a_stopped_run_is_not_started(self, workshop: Any, passatk: Passatk, state: str) -> None:
        workshop.run()
        workshop.rows("UPDATE store.runs SET state = :state", state=state)
        for arguments in (
            ("run", "start", "small"),
            ("run", "topup", "small", "--samples", "9"),
            ("verify", "--run", "small"),
        ):
            _is_one_line(passatk(*arguments), f'Run "small" is {state}')
        assert workshop.rows("SELECT samples_per_problem FROM store.runs") == [(8,)]

    def test_waiting_ends_with_what_was_set_aside(
        self, workshop: Any, passatk: Passatk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        workshop.run(problems=1, samples=4)
        query = "UPDATE store.batches SET state = 'failed', error = 'no model in ./tiny'"
        monkeypatch.setattr("workers.sweeper.sweep", lambda _: workshop.rows(query))
        result = passatk("run", "start", "small")
        assert result[0] == 1
        last = result[2].splitlines()[-1]
        assert last.startswith("Error: Run small: 1 batches were set aside: no model in ./tiny.")

    def test_waiting_goes_on_over_passing_trouble_and_says_who_is_missing(
        self, workshop: Any, passatk: Passatk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from workers.errors import BrokerUnreachable

        run: Run = workshop.run(problems=1, samples=4)
        passes = []

        def work(_: object) -> None:
            passes.append(1)
            if len(passes) in (1, 2):
                raise BrokerUnreachable("the broker is restarting")
            if len(passes) == 5:
                workshop.draw(run, workshop.problems(run)[0], range(4))
                workshop.rows("UPDATE store.batches SET state = 'done'")

        monkeypatch.setattr("workers.sweeper.sweep", work)
        monkeypatch.setattr(watch, "_NO_WORKER_SECONDS", 0.1)
        status, out, err = passatk("run", "start", "small")
        assert status == 0, err
        assert out == "Run small: 4 samples. Not judged yet.\n"
        assert err.count("the broker is restarting") == 1
        assert err.count("No worker takes the batches: start one with `passatk worker generate --model tiny`") == 1
        assert "4/4 samples" in err


class TestVerify:
    @pytest.fixture
    def run(self, workshop: Any) -> Run:
        """Four problems with five samples each; sample n answers n."""
        run: Run = workshop.run(problems=4, samples=5)
        for problem in workshop.problems(run):
            workshop.draw(run, problem, range(5), "#### {}".format)
        return run

    def test_judges_what_is_stored_and_then_nothing(self, run: Run, passatk: Passatk) -> None:
        status, out, err = passatk("verify", "--run", "small", "--jobs", "2")
        assert (status, out) == (0, "Run small: 20 samples. answer@1: 4 of 20 correct.\n"), err
        assert passatk("verify", "--run", "small", "--jobs", "1")[1] == out
        status, out, _ = passatk("verify", "--run", "small", "--verifier", "chain", "--jobs", "1")
        assert (status, out) == (0, "Run small: 20 samples. answer@1: 4 of 20 correct; chain@1: 0 of 20 correct.\n")
        progress = current(run)
        assert [one.judged for one in progress.verifiers] == [20, 20]

    def test_does_not_wait_for_batches_that_draw(self, run: Run, workshop: Any, passatk: Passatk) -> None:
        workshop.batch(run, workshop.problems(run)[0], 5, 9)
        status, out, _ = passatk("verify", "--run", "small", "--jobs", "1")
        assert (status, out) == (0, "Run small: 20 samples. answer@1: 4 of 20 correct.\n")

    def test_can_leave_it_to_the_workers(
        self, run: Run, workshop: Any, passatk: Passatk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr("workers.enqueue.enqueue", sent.extend)
        assert passatk("verify", "--run", "small", "--enqueue")[1] == "4 batches sent to the verifying workers.\n"
        assert len(sent) == 4
        assert workshop.one("SELECT count(*) FROM store.verdicts") == 0

    def test_without_samples_there_is_nothing_to_judge(self, workshop: Any, passatk: Passatk) -> None:
        workshop.run()
        _is_one_line(passatk("verify", "--run", "small"), 'Run "small" has no samples yet')

    def test_an_unknown_verifier_is_one_line(self, run: Run, passatk: Passatk) -> None:
        _is_one_line(passatk("verify", "--run", "small", "--verifier", "magic"), "'magic' is unknown")


class TestInterrupt:
    """Ctrl-C: one line, status 130, and the same command goes on."""

    @pytest.fixture
    def run(self, workshop: Any) -> Run:
        run: Run = workshop.run(problems=2, samples=5)
        for problem in workshop.problems(run):
            workshop.draw(run, problem, range(5), "#### {}".format)
        return run

    @staticmethod
    def _interrupted(*arguments: str) -> tuple[int, str]:
        process = subprocess.Popen(
            # A shell in the background ignores Ctrl-C for all it starts; this must heed it, however tests were started.
            ["env", "--default-signal=INT", str(PASSATK), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stderr is not None
        first = process.stderr.readline()  # it watches by now
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everything it started
        _, err = process.communicate(timeout=120)
        return process.returncode, first + err

    def test_of_judging(self, run: Run, workshop: Any, passatk: Passatk) -> None:
        passatk("verify", "--run", "small", "--jobs", "1")
        verifier = workshop.verifier("chain")
        held = workshop.batch(run, workshop.problems(run)[0], 0, 5, verifier_id=verifier)
        with transaction() as connection:
            assert claim(connection, held, "a worker elsewhere", 600) is not None
        status, err = self._interrupted("verify", "--run", "small", "--verifier", "chain", "--jobs", "1")
        assert status == 130, err
        assert err.endswith(INTERRUPTED)
        assert "Traceback" not in err
        workshop.rows("UPDATE store.batches SET lease_until = now() WHERE state = 'leased'")
        assert passatk("verify", "--run", "small", "--verifier", "chain", "--jobs", "1")[0] == 0
        assert [one.judged for one in current(run).verifiers] == [10, 10]

    def test_of_waiting_for_workers(self, workshop: Any) -> None:
        workshop.run(problems=1, samples=4)
        status, err = self._interrupted("run", "start", "small")
        assert status == 130, err
        assert err.endswith(INTERRUPTED)
        assert "Traceback" not in err
        assert workshop.rows("SELECT state, tries FROM store.batches") == [("ready", 0)]


@pytest.fixture
def _small(workshop: Any) -> None:
    workshop.run()


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PASSATK_BROKER_URL": "sqs://queue"}, 'PASSATK_BROKER_URL starts with "sqs"'),
        ({"PASSATK_BROKER_URL": "redis://127.0.0.1:1/0"}, "The broker does not answer"),
        ({"PASSATK_BROKER_URL": "amqp://127.0.0.1:1//"}, "The broker does not answer"),
        ({"PASSATK_LEASE_SECONDS": "soon", "PASSATK_BROKER_URL": "memory://"}, "PASSATK_LEASE_SECONDS is 'soon'"),
    ],
)
def test_settings_that_do_not_work_are_one_line(environment: dict[str, str], words: str) -> None:
    _is_one_line(_new_process("run", "start", "small", **environment), words)


def test_an_engine_option_without_a_value_is_one_line(workshop: Any, passatk: Passatk) -> None:
    _is_one_line(passatk("worker", "generate", "--model", "tiny", "--engine-option", "fast"), "must be NAME=VALUE")


def test_a_worker_without_its_model_is_one_line(workshop: Any, passatk: Passatk) -> None:
    _is_one_line(passatk("worker", "generate", "--model", "./nowhere"), "No model folder ./nowhere")
