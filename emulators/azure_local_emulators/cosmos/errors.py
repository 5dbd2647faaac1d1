"""What the service answers when it refuses a request: HTTP status, sub-status and message.

Owns the vocabulary of refusals; knows nothing of HTTP connections or of how items are stored.
"""

from __future__ import annotations

_CODES = {
    304: "NotModified",
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    424: "FailedDependency",
    429: "TooManyRequests",
    449: "RetryWith",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}

PARTITION_KEY_MISMATCH = 1001
READ_SESSION_NOT_AVAILABLE = 1002
PARTITION_KEY_RANGE_GONE = 1002
OWNER_NOT_FOUND = 1003
QUERY_NEEDS_MERGING = 1004
CONTAINER_RID_MISMATCH = 1024
CONDITION_NOT_MET = 1110
THROTTLED = 3200


class ServiceError(Exception):
    """The request is refused; nothing it asked for has been done."""

    def __init__(self, status: int, message: str, *, substatus: int = 0, extra: dict[str, str] | None = None) -> None:
        """`extra` are further fields of the answer's JSON body."""
        super().__init__(message)
        self.status = status
        self.substatus = substatus
        self.message = message
        self.extra = extra or {}

    @property
    def code(self) -> str:
        """The name that the service gives to the status."""
        return _CODES.get(self.status, "Error")


class SqlError(ServiceError):
    """The query or the condition cannot be compiled."""

    def __init__(self, message: str, *, code: str = "SC1001") -> None:
        super().__init__(400, f'{{"errors":[{{"severity":"Error","code":"{code}","message":{_quoted(message)}}}]}}')


def bad_request(message: str, *, substatus: int = 0) -> ServiceError:
    """The request itself is wrong."""
    return ServiceError(400, message, substatus=substatus)


def unsupported(what: str) -> ServiceError:
    """The real service has it, this emulator does not: say so instead of answering something else."""
    return ServiceError(400, f"{what} is not supported by this emulator.")


def item_not_found() -> ServiceError:
    """No such item in that logical partition, or it has expired."""
    return ServiceError(404, "Resource Not Found. Entity with the specified id does not exist in the system.")


def owner_not_found(what: str) -> ServiceError:
    """The database or container that the address names does not exist."""
    return ServiceError(404, f"Owner resource does not exist: {what}", substatus=OWNER_NOT_FOUND)


def already_exists() -> ServiceError:
    """The id is taken in its scope."""
    return ServiceError(409, "Entity with the specified id already exists in the system.")


def precondition_failed() -> ServiceError:
    """If-Match or If-None-Match does not hold."""
    return ServiceError(412, "Operation cannot be performed because one of the specified precondition is not met.")


def too_large(size_bytes: int, limit_bytes: int) -> ServiceError:
    """The item, or the request, is over its limit."""
    return ServiceError(413, f"Request size is too large: {size_bytes} bytes; the limit is {limit_bytes} bytes.")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
