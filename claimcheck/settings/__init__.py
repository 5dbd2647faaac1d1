"""The settings of every program; the only reader of the environment.

A setting is `CLAIMCHECK_<GROUP>__<FIELD>`, for example `CLAIMCHECK_SPEECH__MODEL=small`. They are read once, at start;
a bad value ends the program with the field's name and what is allowed. The value is not shown: with it goes its whole
group, and that may hold a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from claimcheck.settings.client import ClientSettings
from claimcheck.settings.groups import (
    BlobSettings,
    JobSettings,
    KeeperSettings,
    LogSettings,
    MediaSettings,
    QueueSettings,
    RecordSettings,
    SpeechSettings,
    WebSettings,
    WorkerSettings,
)
from claimcheck.settings.local import LocalSettings

__all__ = [
    "BlobSettings",
    "ClientSettings",
    "JobSettings",
    "KeeperSettings",
    "LocalSettings",
    "LogSettings",
    "MediaSettings",
    "QueueSettings",
    "RecordSettings",
    "Settings",
    "SpeechSettings",
    "WebSettings",
    "WorkerSettings",
    "environment_for_child",
    "settings",
]


class Settings(BaseSettings):
    """Everything a program of Claimcheck can be told."""

    model_config = SettingsConfigDict(
        env_prefix="CLAIMCHECK_",
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    log: LogSettings = LogSettings()
    web: WebSettings = WebSettings()
    blobs: BlobSettings = Field(default_factory=BlobSettings)
    queue: QueueSettings = Field(default_factory=QueueSettings)
    records: RecordSettings = RecordSettings()
    job: JobSettings = JobSettings()
    worker: WorkerSettings = WorkerSettings()
    keeper: KeeperSettings = KeeperSettings()
    speech: SpeechSettings = SpeechSettings()
    media: MediaSettings = MediaSettings()


@cache
def settings() -> Settings:
    """This process's settings, read from the environment at the first call. Raises pydantic.ValidationError."""
    return Settings()


def environment_for_child(additions: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `additions`, for a program started by this one."""
    return {**os.environ, **additions}
