"""Where `claimcheck submit` and its sisters find the APIs, and with which key."""

from __future__ import annotations

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClientSettings(BaseSettings):
    """The command-line client. Only the client's commands read these."""

    model_config = SettingsConfigDict(env_prefix="CLAIMCHECK_CLIENT__", frozen=True, extra="ignore")

    process_url: str = "http://localhost:8000"
    """The process API: where files go."""
    status_url: str = "http://localhost:8001"
    """The status API: where jobs are asked for."""
    key: SecretStr | None = None
    """API key, where the installation asks for one."""
    operator_key: SecretStr | None = None
    """Operator's key, for `claimcheck dead-letters` and `claimcheck jobs stuck`."""
