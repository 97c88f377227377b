"""Every error a person may meet: the class says what went wrong, the message says where and how to mend it."""


class PassatkError(Exception):
    """passatk could not do what was asked."""

    #: Whether the same call may succeed later without anybody mending anything.
    retryable = False

    def __str__(self) -> str:
        detail = super().__str__()
        return detail or (type(self).__doc__ or "").strip()


class InvalidStatisticArgument(PassatkError):
    """The numbers given to a statistic do not fit together."""
