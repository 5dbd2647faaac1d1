"""What the services answer when they refuse: the bodies of OpenAI and of Azure OpenAI, and their Retry-After.

Owns the vocabulary of refusals; knows nothing of HTTP connections.
"""

from __future__ import annotations

import math
import time
from email.utils import formatdate
from typing import Any, Literal

RetryAfterAs = Literal["seconds", "ms", "date"]

_SEVERITIES = ("hate", "self_harm", "sexual", "violence")
_OPENAI: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "The request is wrong."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: (
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: ("server_error", None, "The engine is currently overloaded, please try again later"),
}
_AZURE: dict[int, tuple[str, str]] = {
    401: (
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource.",
    ),
    403: ("403", "Access denied due to Virtual Network/Firewall rules."),
    404: (
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again.",
    ),
    408: ("Timeout", "The operation was timeout."),
    429: (
        "429",
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded call rate limit of your "
        "current OpenAI S0 pricing tier.",
    ),
    500: ("InternalServerError", "The server had an error while processing your request. Sorry about that!"),
    503: ("ServiceUnavailable", "The service is temporarily unable to process your request. Please try again later."),
}


class Refusal(Exception):
    """The request is refused; no model was asked."""

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        code: str | None = None,
        param: str | None = None,
        inner: dict[str, Any] | None = None,
    ) -> None:
        """Without a message or a code, those that the service has for the status."""
        super().__init__(message or f"refused with {status}")
        self.status, self.message, self.code, self.param, self.inner = status, message, code, param, inner
        self.headers: dict[str, str] = {}

    def body(self, *, azure: bool) -> dict[str, Any]:
        """The body, in the form of the service that was asked."""
        return {"error": self._azure() if azure and self.param is None else self._openai(azure=azure)}

    def _azure(self) -> dict[str, Any]:
        code, message = _AZURE.get(self.status, (str(self.status), "The request was refused."))
        return {"code": self.code or code, "message": self.message or message}

    def _openai(self, *, azure: bool) -> dict[str, Any]:
        kind, code, message = _OPENAI.get(self.status, ("invalid_request_error", None, "The request was refused."))
        error = {
            "message": self.message or message,
            "type": None if self.inner else kind,
            "param": self.param,
            "code": self.code or code,
        }
        return {**error, "status": self.status, "innererror": self.inner} if azure and self.inner else error


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> Refusal:
    """The request itself is wrong."""
    return Refusal(400, message, param=param, code=code)


def unsupported(what: str, *, param: str) -> Refusal:
    """The real service has it, this one does not: say so instead of answering something else."""
    return bad_request(f"{what} is not supported by this emulator.", param=param, code="unsupported_by_emulator")


def unknown_model(model: str, *, azure: bool) -> Refusal:
    """No such model; on Azure no such deployment."""
    if azure:
        return Refusal(404)
    return Refusal(404, f"The model `{model}` does not exist or you do not have access to it.", code="model_not_found")


def too_long(prompt_tokens: int, context_tokens: int) -> Refusal:
    """Question and answer do not fit into the model's context."""
    text = (
        f"This model's maximum context length is {context_tokens} tokens. However, your messages resulted in "
        f"{prompt_tokens} tokens. Please reduce the length of the messages."
    )
    return bad_request(text, param="messages", code="context_length_exceeded")


def filtered(*, azure: bool) -> Refusal:
    """The prompt was found to be against the rules."""
    if not azure:
        text = "Invalid prompt: your prompt was flagged as potentially violating our usage policy."
        return bad_request(text, code="content_policy_violation")
    text = (
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please "
        "modify your prompt and retry. To learn more about our content filtering policies please read our "
        "documentation: https://go.microsoft.com/fwlink/?linkid=2198766"
    )
    severities = {name: {"filtered": False, "severity": "safe"} for name in _SEVERITIES}
    result = {**severities, "violence": {"filtered": True, "severity": "high"}}
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": result}
    return Refusal(400, text, code="content_filter", param="prompt", inner=inner)


def retry_after(seconds: float, form: RetryAfterAs) -> dict[str, str]:
    """The header that asks for a pause. Whole seconds and dates are rounded up; ms is what Azure sends beside them."""
    if form == "ms":
        return {"retry-after-ms": str(math.ceil(seconds * 1000))}
    if form == "date":
        return {"retry-after": formatdate(math.ceil(time.time() + seconds), usegmt=True)}
    return {"retry-after": str(math.ceil(seconds))}
