"""A client of the running system: submits and polls over HTTP, as the documentation tells clients to."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

import httpx

from tests.stack.waiting import until

ANSWER_S = 40.0  # Beyond every time limit of the APIs, so that a test sees their answer and not its own impatience.

Body = dict[str, Any]


class Client:
    """One client of both APIs."""

    def __init__(self, process_url: str, status_url: str) -> None:
        self.process = httpx.Client(base_url=process_url, timeout=ANSWER_S)
        self.status = httpx.Client(base_url=status_url, timeout=ANSWER_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.close()
        self.status.close()

    def post(
        self,
        content: bytes = b"the upload",
        *,
        task: str = "probe",
        options: Body | None = None,
        name: str = "upload.txt",
        media_type: str = "text/plain",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Whatever `POST /v1/jobs` answers."""
        fields = {"task": task, "options": json.dumps(options or {})}
        return self.process.post("/v1/jobs", data=fields, files={"file": (name, content, media_type)}, headers=headers)

    def submit(self, content: bytes = b"the upload", **how: Any) -> str:
        """Submit a file; the job's id. Fails unless it is accepted."""
        answer = self.post(content, **how)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def get(self, job_id: str) -> httpx.Response:
        """Whatever `GET /v1/jobs/{id}` answers."""
        return self.status.get(f"/v1/jobs/{job_id}")

    def cancel(self, job_id: str) -> httpx.Response:
        """Whatever `POST /v1/jobs/{id}/cancel` answers."""
        return self.process.post(f"/v1/jobs/{job_id}/cancel")

    def erase(self, job_id: str) -> httpx.Response:
        """Whatever `DELETE /v1/jobs/{id}` answers."""
        return self.process.delete(f"/v1/jobs/{job_id}")

    def job(self, job_id: str) -> Body:
        """The job as it is now."""
        body: Body = self.get(job_id).json()
        return body

    def until_running(self, job_id: str, *, deadline_s: float = 40.0) -> Body:
        """Wait until a worker runs the job."""
        return self.until_status(job_id, "running", deadline_s=deadline_s)

    def until_status(self, job_id: str, status: str, *, deadline_s: float = 40.0) -> Body:
        """Wait for a status; a 503 or no answer meanwhile is asked again."""
        seen: list[Body] = [{}]

        def reached() -> bool:
            seen[0] = self._answered(job_id)
            return seen[0].get("status") == status

        until(reached, f"job {job_id} is {status}", deadline_s=deadline_s)
        return seen[0]

    def until_ended(self, job_id: str, *, deadline_s: float = 40.0) -> Body:
        """Wait for the end; a 503 or no answer meanwhile is asked again."""
        seen: list[Body] = [{}]

        def reached() -> bool:
            seen[0] = self._answered(job_id)
            return "ended_at" in seen[0]

        until(reached, f"job {job_id} ends", deadline_s=deadline_s)
        return seen[0]

    def _answered(self, job_id: str) -> Body:
        try:
            answer = self.get(job_id)
        except httpx.TransportError:
            return {}
        body: Body = answer.json() if answer.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED) else {}
        return body
