"""The two ways in which a delivery fails; nothing else leaves a notifier.

DeliveryError
├── RetryableError    a later try may succeed; `ambiguous` if this one perhaps did
└── PermanentError    the same request will always be refused
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta


class DeliveryError(Exception):
    """A delivery failed. The text is fit to be stored and shown: no secret, no address that carries one."""

    def __init__(self, message: str, *, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class RetryableError(DeliveryError):
    """A later try may succeed."""

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        retry_after: timedelta | None = None,
        ambiguous: bool = False,
        so_far: Mapping[str, str] | None = None,
    ) -> None:
        """`retry_after` is the vendor's own wish; `ambiguous` says that the message may have gone out.

        `so_far` is what of it is done, as `Receipt.reference` has it: the next try is told.
        """
        super().__init__(message, status_code=status_code)
        self.retry_after = retry_after
        self.ambiguous = ambiguous
        self.so_far = so_far or {}


class PermanentError(DeliveryError):
    """The same request will always be refused."""

    def __init__(self, message: str, *, status_code: int | None = None, answer: str = "", opted_out: bool = False) -> None:
        """`answer` is the vendor's refusal in full, without secrets, for its own module to read; it is not to be shown.

        `opted_out` says that whoever is there wants to hear nothing any more.
        """
        super().__init__(message, status_code=status_code)
        self.answer, self.opted_out = answer, opted_out
