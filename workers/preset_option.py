"""`--preset NAME` of `passatk run create`: other options take the preset's values where they are not given."""

from __future__ import annotations

from typing import Any

import click

from store.presets import PRESETS, find_preset


def _apply(context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    if name is not None:
        # Defaults of the other options: what the user says himself still counts more.
        preset = find_preset(name)
        few = {"shots": preset.few_shot.get("shots"), "shot_choice": preset.few_shot.get("choice")}
        given = {option: value for option, value in few.items() if value is not None}
        context.default_map = {**(context.default_map or {}), **preset.run_options(), **given}
    return name


def preset_option(command: Any) -> Any:
    """The option, read before the others so that they find its values."""
    option = click.option(
        "--preset",
        is_eager=True,
        callback=_apply,
        metavar="NAME",
        help=f"Settings of a study: {', '.join(PRESETS)}. What is given beside it counts more.",
    )
    return option(command)
