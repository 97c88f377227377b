"""Commands of the workers: `passatk run`, `worker`, `verify`."""

from __future__ import annotations

from typing import Any

import click

from store.benchmarks import find_benchmark
from store.cli import ready
from store.connection import transaction
from store.errors import PassatkError
from store.model_registry import ensure_model
from store.progress import RunProgress
from store.run_control import set_priority
from store.run_tags import change_tags
from store.runs import NewRun, Run, Sampling, create_run, find_run, raise_target, sampling_values
from store.verifier_registry import attach_verifier
from store.work import benchmark_format
from workers import planning
from workers.context_check import refuse_unfit
from workers.create_options import ModelSettings, RuleSettings, model_options, rule_options
from workers.judging import LocalJudges, default_jobs
from workers.options import without_sandbox
from workers.preset_option import PromptSettings, preset_options
from workers.run_control import COMMANDS
from workers.run_status import COMMANDS as STATUS_COMMANDS
from workers.settings import WorkerSettings
from workers.verifiers import default_verifier
from workers.watch import current, watch
from workers.worker_commands import worker

__all__ = ["run", "verify", "worker"]


class RunIncomplete(PassatkError):
    """A run ended with work set aside."""


@click.group()
def run() -> None:
    """Runs: create, start, watch, top up."""


@run.command()
@preset_options
@click.option("--name", help="Name of the run; default: benchmark, model and temperature.")
@click.option("--benchmark", "benchmark_label", required=True, help="NAME or NAME@VERSION.")
@click.option("--model", required=True, help="A folder, a hub name, NAME=FOLDER, or a name used before.")
@click.option("--backend", type=click.Choice(["vllm", "openai"]), default="vllm", show_default=True)
@click.option("--samples", type=int, help="Samples for each problem. Needed, unless --cap says it.")
@click.option("--temperature", type=float, default=1.0, show_default=True)
@click.option("--top-p", type=float, default=1.0, show_default=True)
@click.option("--top-k", type=int, default=0, show_default=True, help="0 is off.")
@click.option("--max-tokens", type=int, default=512, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--prompt-template", default="{prompt}", help="{prompt} stands for the problem's prompt.")
@click.option("--tag", "tags", multiple=True, help="A word to file the run under. Repeatable.")
@click.option("--priority", type=int, default=0, show_default=True, help="Higher goes first.")
@click.option(
    "--verifier",
    "verifiers",
    multiple=True,
    help="Judges every sample: NAME or NAME:OPTION=VALUE,...; the first is the reference. Repeatable.",
)
@click.option("--repeat", type=click.IntRange(1, 1000), help="Judge each sample so often; the majority counts.")
@rule_options
@model_options
def create(
    name: str | None,
    benchmark_label: str,
    model: str,
    backend: str,
    prompt_template: str,
    priority: int,
    tags: tuple[str, ...],
    verifiers: tuple[str, ...],
    repeat: int | None,
    **sampling: Any,
) -> None:
    """Create a run. The same run again changes nothing."""
    ready()
    prompts = PromptSettings.taken_from(sampling)
    rule, asking = RuleSettings.taken_from(sampling), ModelSettings.taken_from(sampling)
    parameters = Sampling(**sampling, stop=rule.texts)
    with transaction() as connection:
        benchmark = find_benchmark(connection, benchmark_label)
        stored_model = ensure_model(connection, model, backend)
        names = verifiers or (default_verifier(benchmark_format(connection, benchmark.benchmark_id)),)
        rows = [planning.register_verifier(connection, verifier) for verifier in names]
        created, is_new = create_run(
            connection,
            NewRun(
                name=name or f"{benchmark.name}-{stored_model.name.rsplit('/', 1)[-1]}-t{parameters.temperature:g}",
                benchmark=benchmark,
                model=stored_model,
                sampling=asking.sampling(sampling_values(parameters)),
                samples_per_problem=rule.samples,
                prompt_template=prompt_template,
                reference_verifier_id=rows[0].verifier_id,
                stopping=rule.stopping,
                budget=rule.budget,
                system_prompt=asking.system_prompt,
                adapter=asking.given_to(connection, stored_model),
                prompting=asking.prompting(prompts.prompting(connection, benchmark)),
            ),
        )
        if is_new and priority:
            set_priority(connection, created.run_id, priority)
        if tags:
            change_tags(connection, created, tags)
        for row in rows:
            attach_verifier(connection, created.run_id, row.verifier_id, repeat)
    wanted = created.samples_per_problem
    click.echo(
        f"Run {created.name} {'created' if is_new else 'exists'}: {_told(created)} samples for each of "
        f"{benchmark.problem_count} problems{_limits(created)}. Next: `passatk run start {created.name}`."
    )
    if not is_new and wanted != rule.samples:
        topup = f"passatk run topup {created.name} --samples {rule.samples}"
        click.echo(f"It keeps {wanted} samples per problem; `{topup}`.")


def _limits(created: Run) -> str:
    """Its budget, if it has one: it may end before every problem has its samples."""
    budget = created.budget
    limits = [] if budget.samples is None else [f"{budget.samples:,} samples"]
    limits += [] if budget.usd is None else [f"US$ {budget.usd:f}"]
    limits += [] if budget.gpu_hours is None else [f"{budget.gpu_hours:f} GPU-hours"]
    return f", within a budget of {', '.join(limits)}" if limits else ""


def _told(created: Run) -> str:
    """How many samples a run draws of each problem."""
    rule = created.stopping["rule"]
    return f"{created.samples_per_problem}" if rule == "fixed" else f"at most {created.samples_per_problem} ({rule})"


@run.command()
@click.argument("name", metavar="RUN")
@click.option("--wait/--no-wait", default=True, help="Stay and show progress until all is drawn and judged.")
@click.option("--batch", "draw_size", type=click.IntRange(1, 1024), default=planning.DRAW_SIZE, show_default=True)
def start(name: str, wait: bool, draw_size: int) -> None:
    """Plan what the run lacks, send it to the workers, and watch."""
    ready()
    _start(_open_run(name), wait, draw_size)


@run.command()
@click.argument("name", metavar="RUN")
@click.option("--samples", type=int, required=True, help="Samples for each problem, more than before.")
@click.option("--wait/--no-wait", default=True)
def topup(name: str, samples: int, wait: bool) -> None:
    """Want more samples for each problem and draw what is missing."""
    ready()
    found = _open_run(name)
    with transaction() as connection:
        raise_target(connection, found, samples)
    _start(_find(name), wait, planning.DRAW_SIZE)


@run.command("watch")
@click.argument("name", metavar="RUN")
def watch_command(name: str) -> None:
    """Show the progress of a run that was started, here or elsewhere; stopping this stops nothing."""
    ready()
    found = _find(name)
    if not current(found).open_batches:
        click.echo(
            f"Run {found.name} has no batches to wait for: `passatk run start {found.name}` plans what it lacks."
        )
        return
    _watch(found)


def _start(found: Run, wait: bool, draw_size: int) -> None:
    from workers.enqueue import enqueue

    with transaction() as connection:
        refuse_unfit(connection, found)
    plan = planning.plan_run(found, draw_size)
    enqueue(plan.batch_ids)
    if not plan.batch_ids and not current(found).open_batches:
        click.echo(f"Run {found.name} lacks nothing: every sample is drawn and judged.")
        return
    if not wait:
        click.echo(f"{len(plan.batch_ids):,} batches sent to the workers.")
        return
    _watch(found)


def _watch(found: Run) -> None:
    from workers.sweeper import sweep

    with transaction() as connection:
        model = find_model_name(connection, found)
    hint = (
        "No worker takes the batches: start one with "
        f"`passatk worker generate --model {model}` and one with `passatk worker verify`."
    )
    settings = WorkerSettings.from_environment()
    _conclude(found, watch(found, hint, lambda: sweep(settings)))


def find_model_name(connection: Any, found: Run) -> str:
    """The name of a run's model."""
    from store.work import model_of

    return model_of(connection, found)[0].name


def _conclude(found: Run, progress: RunProgress) -> None:
    if progress.run_state == "cancelled":
        raise RunIncomplete(f"Run {found.name} was cancelled: {progress.samples:,} samples are stored.")
    if progress.failed_batches:
        reasons = "; ".join(progress.errors)
        raise RunIncomplete(
            f"Run {found.name}: {progress.failed_batches} batches were set aside: {reasons}. Mend the cause and "
            f"start the run again; what is stored stays."
        )
    judged = "; ".join(
        f"{one.verifier}: {one.correct:,} of {one.correct + one.incorrect:,} correct"
        + (f", {one.undecided:,} undecided" if one.undecided else "")
        for one in progress.verifiers
    )
    click.echo(f"Run {found.name}: {progress.samples:,} samples. {judged or 'Not judged yet'}.")


def _find(name: str) -> Run:
    with transaction() as connection:
        return find_run(connection, name)


def _open_run(name: str) -> Run:
    found = _find(name)
    if found.state != "open":
        raise PassatkError(f'Run "{found.name}" is {found.state}: nothing of it is drawn or judged.')
    return found


for _command in (*COMMANDS, *STATUS_COMMANDS):
    run.add_command(_command)


@click.command()
@click.option("--run", "name", required=True, help="Run whose stored samples are judged.")
@click.option("--verifier", help="NAME or NAME:OPTION=VALUE,...; default: the usual one of the benchmark's format.")
@click.option("--jobs", type=click.IntRange(1, 512), default=default_jobs, help="Processes; default: one a core.")
@click.option("--enqueue", "to_workers", is_flag=True, help="Leave the work to verifying workers.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Passed to the verifier. Repeatable.")
@click.option("--repeat", type=click.IntRange(1, 1000), help="Judge each sample so often; the majority counts.")
@click.option("--limit-factor", type=float, help="CPU limits as a multiple of the reference solution's own time.")
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run programs without a sandbox; every verdict says so.")
def verify(
    name: str,
    verifier: str | None,
    jobs: int,
    to_workers: bool,
    options: tuple[str, ...],
    repeat: int | None,
    limit_factor: float | None,
    unsafe_no_sandbox: bool,
) -> None:
    """Judge a run's stored samples, again or for the first time. No engine is needed."""
    ready()
    found = _open_run(name)
    if unsafe_no_sandbox:
        without_sandbox()
    if limit_factor is not None:
        options = (*options, f"limit_factor={limit_factor}")
    row, planned = planning.plan_judging(found, planning.spelled_out(found, verifier, options), repeat)
    found = _find(name)
    before = current(found)
    if not before.samples:
        raise planning.NothingToJudge(f'Run "{name}" has no samples yet: start it, or import some.')
    if to_workers:
        from workers.enqueue import enqueue

        enqueue(planned)
        click.echo(f"{len(planned):,} batches sent to the verifying workers.")
        return
    judges = LocalJudges(found, row.verifier_id, jobs)
    try:
        hint = "Waiting for batches that other workers hold."
        _conclude(found, watch(found, hint, judges.submit_open, judges.left))
    finally:
        judges.close()
