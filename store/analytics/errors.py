"""Errors of the mirror and of the questions asked of it."""

from __future__ import annotations

from store.errors import PassatkError


class NoSnapshot(PassatkError):
    """The mirror holds no snapshot."""


class MirrorBusy(PassatkError):
    """Another process works on the mirror."""

    retryable = True


class MirrorDamaged(PassatkError):
    """The mirror's files are not those its catalogue lists."""


class ForeignMirror(PassatkError):
    """The mirror was taken from another store."""


class SourceUnreachable(PassatkError):
    """The store to mirror cannot be read."""

    retryable = True


class UnknownQuery(PassatkError):
    """No query of that name is catalogued."""


class UnknownParameter(PassatkError):
    """The query has no such parameter."""


class BadParameter(PassatkError):
    """A parameter's value does not fit its type."""


class UnknownName(PassatkError):
    """Nothing of that name is in the snapshot."""


class NothingJudged(PassatkError):
    """The run has no verdicts to answer from."""


class NoPrice(PassatkError):
    """The model has no price."""


class BudgetTooLarge(PassatkError):
    """Every k asked for is above the samples there are."""


class QueryRefused(PassatkError):
    """The SQL text is not one that may run here."""


class QueryFailed(PassatkError):
    """The SQL text did not run to its end."""
