"""What can go wrong while sampling and judging."""

from store.errors import PassatkError


class VerifierBroken(PassatkError):
    """The verifier or its host broke; the completion was not judged."""

    retryable = True


class SandboxUnavailable(PassatkError):
    """No sandbox works on this machine, and programs are never run without one."""


class EngineFailed(PassatkError):
    """The engine could not generate."""

    retryable = True


class KernelMissing(EngineFailed):
    """The engine's build has no kernel for the model's weights."""

    retryable = False


class ModelNotFound(PassatkError):
    """The model cannot be loaded."""


class PromptTooLong(PassatkError):
    """A prompt does not fit the model's context."""


class EngineNotInstalled(PassatkError):
    """The engine's packages are not installed."""


class EngineMisconfigured(PassatkError):
    """The engine was given an option that it does not have."""


class GenerationRefused(PassatkError):
    """The engine will not generate what was asked."""


class BrokerUnknown(PassatkError):
    """The broker's address cannot be used."""


class BrokerUnreachable(PassatkError):
    """The broker does not answer."""

    retryable = True


class QueueOfOtherKind(PassatkError):
    """The broker has a queue of that name and of another kind."""
