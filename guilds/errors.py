"""The errors a service may raise. Every face maps them; none of them is a bug."""

from collections.abc import Sequence
from typing import Any, ClassVar


class DomainError(Exception):
    """A request that the domain refuses, with a message a person can act upon.

    `code` is stable and machine-readable; `field` names the offending input, where there is one; `errors` lists
    `{"field", "message"}` for input with several faults. Nothing has been written when one is raised: services are atomic.
    """

    status: ClassVar[int] = 400
    default_code: ClassVar[str] = "refused"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        errors: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.field = field
        self.errors: list[dict[str, Any]] = list(
            errors or ([{"field": field, "message": message}] if field else [])
        )


class NotAllowed(DomainError):
    """The actor may see the object but may not do this to it."""

    status = 403
    default_code = "not_allowed"


class NotFound(DomainError):
    """The object does not exist, or not for this actor; the two are never told apart."""

    status = 404
    default_code = "not_found"


class InvalidTransition(DomainError):
    """The object's status does not allow this act; somebody else may have been faster."""

    status = 409
    default_code = "invalid_transition"


class Conflict(DomainError):
    """The act collides with something that exists, such as an appeal already open."""

    status = 409
    default_code = "conflict"


class InvalidInput(DomainError):
    """The input itself is wrong; `errors` says which field and how to cure it."""

    status = 422
    default_code = "invalid_input"
