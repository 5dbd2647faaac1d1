"""Why `claimcheck up` does not start.

CannotStart                 the message goes to the terminal, `exit_status` to the shell
├── BadSettings             2   a variable has a value that makes no sense
├── PortsTaken              2   nothing was started
├── AlreadyRunning          1   another launcher has this folder
├── NodeMissing             1   no Node.js for Azurite
├── AzuriteNotInstalled     1   npm failed
├── ModelMissing            1   a model that was asked for cannot be had
├── NotProvisioned          1   the containers could not be made
└── NotReady                1   a program ended, or took too long; its last lines are in the message
"""

from __future__ import annotations

from typing import ClassVar


class CannotStart(Exception):
    """The system cannot be started; what was started has been ended again."""

    exit_status: ClassVar[int] = 1


class BadSettings(CannotStart):
    """A variable has a value that makes no sense."""

    exit_status = 2


class PortsTaken(CannotStart):
    """At least one port cannot be used."""

    exit_status = 2


class AlreadyRunning(CannotStart):
    """Another launcher has this folder."""


class NodeMissing(CannotStart):
    """There is no usable Node.js, and none could be installed."""


class AzuriteNotInstalled(CannotStart):
    """npm could not install Azurite; the message is npm's."""


class ModelMissing(CannotStart):
    """A model is not there and could not be fetched."""


class NotProvisioned(CannotStart):
    """Azurite or the Cosmos DB emulator runs, and yet refused to make a container."""


class NotReady(CannotStart):
    """Some programs did not become ready; the message names them with the last lines of their logs."""
