"""`passatk dashboard`: run it here, or start and stop it in the background."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from dashboard import access, server
from store.errors import PassatkError
from store.settings import StoreSettings

Command = Callable[..., None]


class BadAddress(PassatkError):
    """Not an address to listen on."""


def _listening(function: Command) -> Command:
    """The options that say where to listen and for whom."""
    port = click.option("--port", type=click.IntRange(1, 65535), help="Default: the first free one from 8501 up.")
    address = click.option(
        "--address", default=server.LOOPBACK, show_default=True, help="IP address to listen on; loopback: only here."
    )
    hosts = click.option(
        "--allow-host",
        "hosts",
        multiple=True,
        help="Host name readers come by, as of a proxy; may repeat.",
    )
    return port(address(hosts(function)))


@click.group(invoke_without_command=True)
@_listening
@click.pass_context
def dashboard(context: click.Context, port: int | None, address: str, hosts: tuple[str, ...]) -> None:
    """Browse runs, curves, problems and samples. Without a sub-command: run here until Ctrl-C."""
    if context.invoked_subcommand is None:
        _run(server.Listen(address, port, hosts))
    elif port is not None or hosts or address != server.LOOPBACK:
        raise click.UsageError(f"Give these options after `{context.invoked_subcommand}`.")


@dashboard.command()
@_listening
def run(port: int | None, address: str, hosts: tuple[str, ...]) -> None:
    """Run in the foreground until Ctrl-C."""
    _run(server.Listen(address, port, hosts))


@dashboard.command()
@_listening
def start(port: int | None, address: str, hosts: tuple[str, ...]) -> None:
    """Start in the background; prints the address once it answers."""
    listen = _checked(server.Listen(address, port, hosts))
    found, is_new = server.start(StoreSettings.from_environment(), listen)
    click.echo(f"The dashboard {'is' if is_new else 'was already'} up at {found.url}")


@dashboard.command()
def stop() -> None:
    """Stop the dashboard that was started in the background."""
    stopped = server.stop(StoreSettings.from_environment().home)
    click.echo("The dashboard is stopped." if stopped else "No dashboard was running in the background.")


@dashboard.command()
def status() -> None:
    """Say whether a dashboard runs in the background, and where."""
    found = server.running(StoreSettings.from_environment().home)
    if found is None:
        raise PassatkError("No dashboard runs in the background: start one with `passatk dashboard start`.")
    healthy = "answers" if server.answers(found.url) else "does not answer"
    click.echo(f"The dashboard at {found.url} {healthy} (process {found.pid}).")


def _run(listen: server.Listen) -> None:
    _checked(listen)
    settings = StoreSettings.from_environment()
    chosen = server.free_port(listen.address, listen.port)
    click.echo(f"The dashboard comes up at {server.Running(0, listen.address, chosen).url} (Ctrl-C stops it).")
    environment = os.environ | server.environment_of(settings)
    sys.stdout.flush()
    # The server takes this process over: signals reach it, and nothing is left between it and the terminal.
    line = server.command(listen, chosen, access.current().secrets)
    os.execve(line[0], line, environment)


def _checked(listen: server.Listen) -> server.Listen:
    try:
        loopback = listen.is_loopback
    except ValueError:
        raise BadAddress(
            f'"{listen.address}" is no address to listen on: give an IP address such as 127.0.0.1.'
        ) from None
    rules = access.current()
    access.check_login(rules)
    if not loopback and rules.by == "loopback":
        raise BadAddress(
            f"{listen.address} can be reached from elsewhere, and nobody is asked who they are: name an access file in "
            f"{access.FILE}, or listen on {server.LOOPBACK} behind a proxy."
        )
    if not loopback and rules.by == "proxy" and not rules.proxies:
        raise BadAddress(
            f"{listen.address} can be reached from elsewhere: the access file must name the proxies = [...] to believe."
        )
    return listen
