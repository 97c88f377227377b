"""Hashes that name content: equal content, equal name, on every machine."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: Seeds kept free for each problem of a run, and so the most samples it can have.
SEED_ROOM = 2**20
_EMPTY = hashlib.blake2b(digest_size=8)
_SIGNED = struct.Struct(">q")


def fingerprint(*parts: Any) -> str:
    """sha256 over the parts as canonical JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def combined(hashes: Iterable[str]) -> str:
    """sha256 over a sequence of hashes, order included."""
    digest = hashlib.sha256()
    for one in hashes:
        digest.update(one.encode())
    return digest.hexdigest()


def text_hash(text: str) -> int:
    """Signed 64-bit hash of a text: equal completions are found by it."""
    digest = _EMPTY.copy()  # a seventh less time than one made anew; what follows, a fifth less than the plain way
    try:
        digest.update(text.encode())
    except UnicodeEncodeError:
        digest.update(text.encode("utf-8", "surrogatepass"))
    return int(_SIGNED.unpack(digest.digest())[0])


def file_hash(path: Path) -> str:
    """sha256 over a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def base_seed(run_fingerprint: str, problem_key: str, seed: int) -> int:
    """The seed of a problem's sample 0; sample i has this plus i.

    43 hashed bits above 20 free ones: a million samples of one problem never reach the next problem's seeds, and
    the sum stays within a signed 64-bit integer.
    """
    digest = hashlib.sha256(f"{run_fingerprint}\0{problem_key}\0{seed}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 21) * SEED_ROOM
