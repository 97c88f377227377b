"""`--preset` and `--few-shot` of `passatk run create`: settings of a study, and examples from a training file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from store.benchmarks import Benchmark
from store.errors import PassatkError
from store.few_shot_files import few_shot_from_file
from store.presets import PRESETS, find_preset

_USUAL = {"choice": "fixed", "seed": 0, "template": "{prompt}\n{answer}", "separator": "\n\n", "as": "text"}


def _apply(context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    if name is not None:
        # Defaults of the other options: what the user says himself still counts more.
        context.default_map = {**(context.default_map or {}), **find_preset(name).run_options()}
    return name


def preset_options(command: Any) -> Any:
    """The options; the preset is read before all others, so that they find its values."""
    named = f"Settings of a study: {', '.join(PRESETS)}. What is given beside it counts more."
    options = [
        click.option("--preset", is_eager=True, callback=_apply, metavar="NAME", help=named),
        click.option(
            "--few-shot", type=click.Path(path_type=Path), help="File of solved problems to show before each."
        ),
        click.option("--shots", type=click.IntRange(0), help="How many of them; default: the preset's, or 4."),
        click.option(
            "--shot-choice", type=click.Choice(["fixed", "random"]), help="The first, or drawn for each problem."
        ),
        click.option("--shot-seed", type=int, help="Decides which are drawn; default: the preset's, or 0."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True)
class PromptSettings:
    """What the options said."""

    preset: str | None
    few_shot: Path | None
    shots: int | None
    shot_choice: str | None
    shot_seed: int | None = None

    @classmethod
    def taken_from(cls, values: dict[str, Any]) -> PromptSettings:
        """The settings among a command's values, which lose them."""
        return cls(**{name: values.pop(name) for name in cls.__dataclass_fields__})

    def prompting(self, connection: sa.Connection, benchmark: Benchmark) -> dict[str, Any]:
        """How the run makes its prompts, as `runs.prompting` stores it. Raises PassatkError, BadFile."""
        named = {"preset": self.preset} if self.preset else {}
        usual = dict(find_preset(self.preset).few_shot) if self.preset else {}
        shots = self.shots if self.shots is not None else usual.get("shots")
        if self.few_shot is None:
            if self.shots:
                raise PassatkError("--shots says how many examples of a file are shown: give --few-shot FILE as well.")
            if shots:
                click.echo(
                    f"Preset {self.preset} shows {shots} examples before each problem; without --few-shot FILE (a "
                    "training split in the benchmark's format) none is shown.",
                    err=True,
                )
            return named
        if shots == 0:
            return named
        settings = {**_USUAL, **usual, "shots": 4 if shots is None else shots}
        settings |= {"choice": self.shot_choice} if self.shot_choice else {}
        settings |= {"seed": self.shot_seed} if self.shot_seed is not None else {}
        return {**named, "few_shot": few_shot_from_file(connection, benchmark, self.few_shot, settings)}
