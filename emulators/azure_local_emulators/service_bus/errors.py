"""Why the emulator refuses a request, in the service's own conditions.

Refused                         what the client asked is not done; `condition` goes over the wire, `status` too
|-- LockLost                    410  com.microsoft:message-lock-lost
|-- MessageNotFound             404  com.microsoft:message-not-found
|-- EntityNotFound              404  amqp:not-found
|-- MessageTooLarge             403  amqp:link:message-size-exceeded
|-- BadArgument                 400  com.microsoft:argument-error
|-- Malformed                   400  amqp:decode-error
|-- NotAllowed                  403  amqp:not-allowed
|-- NotSupported                501  amqp:not-implemented
`-- Injected                    what a fault says

ProtocolError                   the peer does not speak AMQP; the connection is closed
"""

from __future__ import annotations


class Refused(Exception):
    """The request is answered with `condition` (and `status` on $management) and changes nothing."""

    condition = "amqp:internal-error"
    status = 500


class LockLost(Refused):
    """The lock token is unknown: expired, settled, or from before a restart."""

    condition, status = "com.microsoft:message-lock-lost", 410

    def __init__(self) -> None:
        super().__init__(
            "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the "
            "queue, or was received by a different receiver instance."
        )


class MessageNotFound(Refused):
    """No such deferred or scheduled message."""

    condition, status = "com.microsoft:message-not-found", 404


class EntityNotFound(Refused):
    """No such queue; topics and subscriptions do not exist here at all."""

    condition, status = "amqp:not-found", 404


class MessageTooLarge(Refused):
    """More bytes than the link allows."""

    condition, status = "amqp:link:message-size-exceeded", 403


class BadArgument(Refused):
    """A field of the request is out of its range."""

    condition, status = "com.microsoft:argument-error", 400


class Malformed(Refused):
    """What should be a message is none."""

    condition, status = "amqp:decode-error", 400


class NotAllowed(Refused):
    """The service has this, but not for this entity."""

    condition, status = "amqp:not-allowed", 403


class NotSupported(Refused):
    """The service has this; the emulator does not."""

    condition, status = "amqp:not-implemented", 501


class Injected(Refused):
    """A fault that somebody armed; the condition is theirs."""

    def __init__(self, condition: str) -> None:
        super().__init__(f"injected fault: {condition}")
        self.condition, self.status = condition, _STATUS_OF_INJECTED.get(condition, 500)


_STATUS_OF_INJECTED = {
    "com.microsoft:server-busy": 503,
    "com.microsoft:timeout": 408,
    "amqp:unauthorized-access": 401,
    **{kind.condition: kind.status for kind in (LockLost, MessageNotFound, EntityNotFound, NotAllowed)},
}


class ProtocolError(Exception):
    """The bytes or the order of frames break AMQP 1.0; `condition` goes into the close frame."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition
