"""The reference system's own flow, as its page and its load script follow it: an image to /api/process."""

from __future__ import annotations

import httpx

from tests.services.language.conftest import ENDED_S, Workplace
from tests.stack.waiting import until


def test_an_image_is_described_as_the_reference_system_does(workplace: Workplace, picture: bytes) -> None:
    busy, _ = workplace.endpoint.script(
        {"action": "fail", "status": 429, "retry_after_s": 0.2, "retry_after_as": "ms"},
        {"answer": {"description": "A teal rectangle.", "tags": ["teal"]}},
    )
    with httpx.Client(timeout=20) as browser:
        address = f"{workplace.system.process_url}/api/process"
        accepted = browser.post(address, files={"file": ("photo.jpg", picture, "image/jpeg")})
        assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text
        assert set(accepted.json()) == {"id", "results_url"}
        url = accepted.json()["results_url"]
        waiting = browser.get(url)
        assert waiting.status_code == httpx.codes.ACCEPTED
        assert "message" in waiting.json()
        assert int(waiting.headers["Retry-After"]) >= 1
        workplace.endpoint.remove(busy)
        answers: list[httpx.Response] = []

        def done() -> bool:
            answers.append(browser.get(url))
            return answers[-1].status_code == httpx.codes.OK

        until(done, "the result is there", deadline_s=ENDED_S)
    assert answers[-1].json() == {
        "id": accepted.json()["id"],
        "status": "completed",
        "data": {"result": "A teal rectangle."},
    }
