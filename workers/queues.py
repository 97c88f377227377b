"""Queues: one for each model that draws, one for everything that judges."""

from __future__ import annotations

import hashlib
import re

VERIFY_QUEUE = "verify"
#: The embedded broker allows 47 characters in a queue's name.
_LONGEST = 38


def draw_queue(model_name: str) -> str:
    """The queue whose workers draw with a model: `generate.` and the model's name as a slug."""
    slug = re.sub(r"[^a-z0-9]+", "-", model_name.lower()).strip("-")
    if slug != model_name or not slug or len(slug) > _LONGEST:
        # Different names must never share a queue: what the slug lost, capitals too, is kept as a hash.
        digest = hashlib.sha256(model_name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        slug = f"{slug[: _LONGEST - 9]}-{digest}".strip("-")
    return f"generate.{slug}"
