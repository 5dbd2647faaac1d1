"""Claimcheck from Python: hand in a file, wait, pick the result up. `pip install 'claimcheck[client]'`.

    from pathlib import Path
    from claimcheck.client import Client

    with Client() as client:
        job = client.submit(Path("talk.mp3"), options={"language": "en"})
        client.wait(job.id)
        print(client.result(job.id, "txt"))
        summary = client.wait(client.submit_text_of(job.id, task="summarize").id)

`AsyncClient` is the same for asyncio. Calls repeat by themselves what fails for a moment; an upload carries an
idempotency key, so that however often it is repeated it makes one job. Loads no service, no Azure SDK and no model.
"""

from __future__ import annotations

from claimcheck.client.answers import JobView, ModelList, ModelView, TaskView
from claimcheck.client.asynchronous import AsyncClient
from claimcheck.client.blocking import Client
from claimcheck.client.errors import (
    ClientError,
    Conflict,
    FileChanged,
    FileRefused,
    JobFailed,
    JobHasNoResult,
    JobNotEnded,
    KeyRefused,
    NoResult,
    NotFound,
    Problem,
    ProblemError,
    Refused,
    ServerUnreachable,
    Unavailable,
    UnexpectedAnswer,
    UploadNotRepeatable,
    WaitTimedOut,
)
from claimcheck.client.files import UploadProgress
from claimcheck.client.operating import AsyncOperator, Operator
from claimcheck.client.operator_flows import LetterFilter
from claimcheck.client.retrying import OnRetry, Retry, Retrying
from claimcheck.job import Status

__all__ = [
    "AsyncClient",
    "AsyncOperator",
    "Client",
    "ClientError",
    "Conflict",
    "FileChanged",
    "FileRefused",
    "JobFailed",
    "JobHasNoResult",
    "JobNotEnded",
    "JobView",
    "KeyRefused",
    "LetterFilter",
    "ModelList",
    "ModelView",
    "NoResult",
    "NotFound",
    "OnRetry",
    "Operator",
    "Problem",
    "ProblemError",
    "Refused",
    "Retry",
    "Retrying",
    "ServerUnreachable",
    "Status",
    "TaskView",
    "Unavailable",
    "UnexpectedAnswer",
    "UploadNotRepeatable",
    "UploadProgress",
    "WaitTimedOut",
]
