"""A request that is sent away."""

from __future__ import annotations

from fuseline.errors import FuselineError


class Rejected(FuselineError):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: says what to mend; holds nothing of the request's contents.
        retry_seconds: after which it may be sent again as it is.
    """

    def __init__(self, status: int, message: str, retry_seconds: int | None = None) -> None:
        super().__init__(status, message, retry_seconds)
        self.status, self.message, self.retry_seconds = status, message, retry_seconds

    def __str__(self) -> str:
        return self.message
