"""Options of `passatk run create` beyond the plain ones: when a run has had enough, and how its model is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from store.model_registry import Model, ModelUnknown, give_adapter, give_options
from store.stopping import GOALS, RULES, USUAL_PILOT, BadStoppingRule, Budget, Stopping
from workers.options import named_values


class _Amount(click.ParamType[Decimal]):
    """A decimal number, exactly as written."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)


_STOP = (
    f"A rule ({', '.join(RULES)}): when a problem has had enough samples; or a text that ends a completion, \\n a line "
    "break. Repeatable."
)

_RULE_OPTIONS = (
    click.option("--stop", multiple=True, metavar="RULE|TEXT", help=_STOP),
    click.option("--stop-text", multiple=True, help="A text that ends a completion, even one called like a rule."),
    click.option("--cap", type=int, help="Most samples of a problem under a stopping rule; default: --samples."),
    click.option("--successes", type=int, default=1, show_default=True, help="first-correct: stop at this many."),
    click.option("--stop-batch", type=int, help="Samples of a problem between two looks at its verdicts."),
    click.option("--pilot", type=int, help="adaptive: samples every problem gets, for unbiased curves."),
    click.option("--goal", type=click.Choice(GOALS), default="solve", show_default=True, help="adaptive: what to buy."),
    click.option("--tail-k", type=int, default=100, show_default=True, help="adaptive, goal tail: coverage at this k."),
    click.option("--budget-samples", type=int, help="Most samples of the run in all."),
    click.option("--budget-usd", type=_Amount(), help="Most US$ the run may cost, by its model's price."),
    click.option("--budget-gpu-hours", type=_Amount(), help="Most GPU hours the run may take."),
)

_MODEL_OPTIONS = (
    click.option("--chat", is_flag=True, help="Ask through the model's chat template."),
    click.option("--system", "system_prompt", help="System message of the chat."),
    click.option("--adapter", metavar="NAME[=FOLDER]", help="LoRA adapter to draw with."),
    click.option(
        "--engine-option",
        "engine_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="Kept with the model. Repeatable.",
    ),
    click.option("--logprobs", is_flag=True, help="Keep each token with its log-probability."),
)


def rule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """When a run has had enough."""
    for option in reversed(_RULE_OPTIONS):
        command = option(command)
    return command


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How the model is asked."""
    for option in reversed(_MODEL_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class RuleSettings:
    """What the options of stopping said; `texts` are what ends a completion."""

    rule: str
    texts: tuple[str, ...]
    samples: int
    stopping: Stopping
    budget: Budget

    @classmethod
    def taken_from(cls, values: dict[str, Any]) -> RuleSettings:
        """The settings among a command's values, which lose them (and `samples`). Raises BadStoppingRule."""
        said, plain = values.pop("stop"), values.pop("stop_text")
        rules = [text for text in said if text in RULES]
        if len(rules) > 1:
            raise BadStoppingRule(f"A run has one stopping rule, not {' and '.join(rules)}: give one --stop RULE.")
        texts = [text for text in said if text not in RULES] + list(plain)
        if rules and not texts:
            # A preset's texts are the option's default: naming a rule does not take them away.
            texts = list((click.get_current_context().default_map or {}).get("stop") or ())
        rule = rules[0] if rules else "fixed"
        samples, cap = values.pop("samples"), values.pop("cap")
        if samples is None and cap is None:
            raise click.UsageError("Missing option '--samples'.")
        wanted = samples if cap is None else cap
        names = ("successes", "stop_batch", "pilot", "goal", "tail_k")
        stopping = _stopping(rule, wanted, {name: values.pop(name) for name in names})
        budget = Budget(*(values.pop(f"budget_{name}") for name in ("samples", "usd", "gpu_hours")))
        if rule == "budget-usd" and budget.usd is None:
            raise BadStoppingRule("Stopping rule budget-usd: say how much; give --budget-usd AMOUNT.")
        return cls(rule, tuple(text.replace("\\n", "\n") for text in texts), wanted, stopping, budget)


def _stopping(rule: str, cap: int, given: Mapping[str, Any]) -> Stopping:
    if rule == "fixed":
        for name in ("stop_batch", "pilot"):
            if given[name] is not None:
                raise BadStoppingRule(f"--{name.replace('_', '-')} belongs to another stopping rule: give --stop RULE.")
        return Stopping()
    batch, pilot = given["stop_batch"], given["pilot"]
    adaptive = rule in ("budget-usd", "adaptive")
    if batch is None:
        batch = {"first-correct": 1, "batch-first-correct": min(10, cap)}.get(rule, min(4, cap))
    if pilot is None:
        pilot = min(USUAL_PILOT, cap) if adaptive else 0
    return Stopping(rule, max(cap, 1), given["successes"], batch, pilot, given["goal"], given["tail_k"])


@dataclass(frozen=True)
class ModelSettings:
    """What the options of asking the model said."""

    chat: bool
    system_prompt: str | None
    adapter: str | None
    engine_options: tuple[str, ...]
    logprobs: bool

    @classmethod
    def taken_from(cls, values: dict[str, Any]) -> ModelSettings:
        """The settings among a command's values, which lose them."""
        return cls(**{name: values.pop(name) for name in cls.__dataclass_fields__})

    def prompting(self, others: Mapping[str, Any]) -> dict[str, Any]:
        """How prompts are made, as `runs.prompting` stores it."""
        return {**others, **({"chat": True} if self.chat else {})}

    def sampling(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Sampling parameters as they are stored, with what is asked beside them."""
        return {**values, **({"token_logprobs": True} if self.logprobs else {})}

    def given_to(self, connection: sa.Connection, model: Model) -> str | None:
        """Keep engine options and adapter with the model; returns the adapter's name. Raises ModelUnknown."""
        if self.engine_options:
            give_options(connection, model, named_values(self.engine_options, "Engine option"))
        if self.adapter is None:
            return None
        name, separator, folder = self.adapter.partition("=")
        if not name or (separator and not folder):
            raise ModelUnknown(f'Adapter "{self.adapter}" must be NAME=FOLDER, or NAME of one that is known.')
        # A server that is asked by HTTP knows its adapters itself.
        if model.backend == "vllm":
            give_adapter(connection, model, name, Path(folder) if folder else None)
        return name
