"""The settings of every program; the only reader of the environment.

A setting is `CLAIMCHECK_<GROUP>__<FIELD>`, for example `CLAIMCHECK_SPEECH__MODEL=small`. They are read once, at start;
a bad value ends the program, with exit status 2 and a line on standard error that names the variable or the setting and
says what is allowed. No key is shown, and no other value that may be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cache
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

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
from claimcheck.settings.language import DocumentSettings, Endpoint, LanguageSettings
from claimcheck.settings.local import LocalSettings
from claimcheck.settings.refusing import SettingsRefused, Variables, ending_if_refused, read
from claimcheck.tasks import Capability

__all__ = [
    "BlobSettings",
    "Capability",
    "ClientSettings",
    "DocumentSettings",
    "Endpoint",
    "JobSettings",
    "KeeperSettings",
    "LanguageSettings",
    "LocalSettings",
    "LogSettings",
    "MediaSettings",
    "QueueSettings",
    "RecordSettings",
    "Settings",
    "SettingsRefused",
    "SpeechSettings",
    "WebSettings",
    "WorkerSettings",
    "ending_if_refused",
    "environment_for_child",
    "read",
    "settings",
]


# How services/process_api/accept.py gets from the commit of an upload to its record, when others have the same key.
ACCEPT_ROUNDS = 20
ACCEPT_CALLS = 3  # in each round: create, read, patch
ACCEPT_PAUSE_S = 0.1


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
    language: LanguageSettings = Field(default_factory=LanguageSettings)
    documents: DocumentSettings = DocumentSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, and then the environment."""
        return init_settings, Variables(settings_cls)

    @model_validator(mode="after")
    def _orphans_are_older_than_any_request(self) -> Self:
        block_s, call_s, age_s = self.web.block_timeout_s, self.web.dependency_timeout_s, self.keeper.orphan_age_s
        calls, pauses_s = ACCEPT_ROUNDS * ACCEPT_CALLS, ACCEPT_ROUNDS * ACCEPT_PAUSE_S
        commit_s = max(block_s, call_s)  # By Put Block List, or by Put Blob with the whole file.
        longest_s = commit_s + calls * call_s + pauses_s
        if age_s <= longest_s:
            raise ValueError(
                f"keeper.orphan_age_s is {age_s:g}; it must exceed {longest_s:g}, the longest time from an upload's"
                f" commit to its record: {commit_s:g} for the commit (web.block_timeout_s or web.dependency_timeout_s)"
                f" + {calls} x web.dependency_timeout_s = {call_s:g} + {pauses_s:g} of pauses"
            )
        return self

    @model_validator(mode="after")
    def _second_erase_comes_after_the_lease(self) -> Self:
        again_s, lease_s = self.keeper.erase_again_s, self.queue.lease_s
        if again_s <= lease_s:
            raise ValueError(f"keeper.erase_again_s is {again_s:g}; it must exceed queue.lease_s = {lease_s:g}")
        return self


@cache
def settings() -> Settings:
    """This process's settings, read from the environment at the first call. Ends a process whose settings are wrong."""
    with ending_if_refused():
        return read(Settings)


def environment_for_child(additions: Mapping[str, str], *, without: Collection[str] = ()) -> dict[str, str]:
    """This process's environment with `additions`, for a program started by this one.

    `without`: variables of this process that it is not told, whatever their case, as settings are read.
    """
    unwanted = {name.upper() for name in without}
    return {**{name: value for name, value in os.environ.items() if name.upper() not in unwanted}, **additions}
