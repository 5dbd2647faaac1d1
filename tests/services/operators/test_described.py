"""The operators' routes are as the OpenAPI document says: what it allows is sent with an operator's key."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok

from tests.services.operators.conftest import OPERATOR_KEY, Office, letter_id
from tests.stack.system import System

SENT = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
CHECKS = SchemathesisConfig.from_dict(
    {
        "checks": {
            # A letter that is not there, and an order that says twice which letters, are refused.
            "positive_data_acceptance": {"expected-statuses": ["2xx", "4xx", 503]},
            "negative_data_rejection": {"expected-statuses": ["4xx", 503]},
            "not_a_server_error": {"expected-statuses": ["2xx", "4xx", 503]},
            # The key comes from the test, and the document has none.
            "ignored_auth": {"enabled": False},
        },
    }
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_every_answer_to_an_operator_is_one_that_the_document_names(running: System, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_url(f"{running.process_url}/openapi.json", config=CHECKS)
    for found in document.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if not operation.path.startswith("/v1/operator/"):
            continue
        if mode is GenerationMode.NEGATIVE and not operation.body and not any(operation.iter_parameters()):
            continue

        @SENT
        @given(operation.as_strategy(generation_mode=mode))
        def check(case: Case[Any]) -> None:
            if mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
                case.body["per_s"] = 100  # Any pace is allowed, and a slow one takes 15 s.
            case.call_and_validate(headers={"X-API-Key": OPERATOR_KEY})

        check()


async def test_letters_and_their_outcomes_are_shown_as_the_document_says(running: System, office: Office) -> None:
    document = schemathesis.openapi.from_url(f"{running.process_url}/openapi.json", config=CHECKS)
    letters = [await office.letter(await office.job()), await office.letter(None)]
    listing, shown = "/v1/operator/dead-letters", "/v1/operator/dead-letters/{letter_id}"
    document[listing]["GET"].validate_response(office.api.get(listing, params={"limit": 1}))
    for letter in letters:
        answer = office.api.get(shown.format(letter_id=letter_id(letter)))
        document[shown]["GET"].validate_response(answer)
    for verb in ("replay", "discard"):
        answer = office.act(verb, *letters)
        assert len(answer.json()["letters"]) == 2
        document[f"{listing}/{verb}"]["POST"].validate_response(answer)
