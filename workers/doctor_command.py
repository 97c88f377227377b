"""`passatk doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command()
@click.option("--quick", is_flag=True, help="Leave out what takes seconds: the mirror, the sandbox, the engine.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def doctor(ctx: click.Context, quick: bool, format_name: str) -> None:
    """Try every connection, version, model and sandbox; one line each. Ends with 1 when something fails."""
    from workers.doctor import examine

    found = []
    for finding in examine(quick):
        found.append(finding)
        if format_name == "text":
            mend = f" -> {finding.mend}" if finding.mend else ""
            click.echo(f"{finding.state:<4}  {finding.subject:<11}  {finding.text}{mend}")
    failed = sum(finding.state == "fail" for finding in found)
    if format_name == "json":
        click.echo(json.dumps({"ok": not failed, "findings": [asdict(finding) for finding in found]}, indent=1))
    else:
        warned = sum(finding.state == "warn" for finding in found)
        click.echo(f"{len(found)} checks: {failed} failed, {warned} warned.")
    ctx.exit(1 if failed else 0)
