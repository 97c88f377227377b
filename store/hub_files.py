"""Data sets by name from the Hugging Face hub, where the machine can reach it; they are kept in its own cache."""

from __future__ import annotations

import logging
import socket
import urllib.parse
import urllib.request
from importlib import import_module
from pathlib import Path
from typing import Any

from store.errors import PassatkError

_ENDINGS = (".parquet", ".jsonl", ".jsonl.gz", ".json", ".lean")


class HubUnreachable(PassatkError):
    """The hub cannot be asked."""

    retryable = True


def fetch(name: str, split: str = "test", config: str | None = None) -> Path:
    """The folder with a data set's files of one split, fetched when they are not here yet.

    Raises HubUnreachable: no client, no network, no such data set, or no file of that split.
    """
    try:
        hub: Any = import_module("huggingface_hub")
    except ImportError:
        raise HubUnreachable("Fetching from the hub needs its client: pip install huggingface_hub.") from None
    # Its client tells of every retry; one line at the end is enough.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        _look_up(str(import_module("huggingface_hub.constants").ENDPOINT))
        files = chosen(hub.HfApi().list_repo_files(name, repo_type="dataset"), split, config)
        if not files:
            raise HubUnreachable(
                f"{name}: has no file of split {split}" + (f" and config {config}." if config else ".")
            )
        return Path(hub.snapshot_download(name, repo_type="dataset", allow_patterns=files))
    except PassatkError:
        raise
    except Exception as error:  # the client raises its own, requests' and the system's
        cause = " ".join(str(error).split())[:150] or type(error).__name__
        raise HubUnreachable(
            f"The hub cannot give {name}: {cause}. Fetch its file where the hub is reached and import that."
        ) from error


def _look_up(endpoint: str) -> None:
    """Ask for the hub's address first, for its client would try for half a minute. A proxy may know what we do not."""
    if not any(urllib.request.getproxies().get(scheme) for scheme in ("https", "http", "all")):
        socket.getaddrinfo(urllib.parse.urlsplit(endpoint).hostname, 443)


def chosen(files: list[str], split: str, config: str | None) -> list[str]:
    """The files of a split (and config): Parquet where there is any, else JSON."""
    fitting = [file for file in files if file.endswith(_ENDINGS) and split in Path(file).name]
    if config:
        fitting = [file for file in fitting if config in Path(file).parts or config in Path(file).name]
    parquet = [file for file in fitting if file.endswith(".parquet")]
    return parquet or fitting
