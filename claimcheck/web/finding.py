"""Find a caller's job. Unknown, foreign, erased and malformed ids are told apart nowhere: one error, one text.

An id is looked up in the caller's own partition, so a foreign job's takes the very path of one that nobody has.
"""

from __future__ import annotations

from claimcheck.errors import JobNotFound
from claimcheck.job import Job, is_job_id
from claimcheck.records import Records


def no_such_job() -> JobNotFound:
    """What is raised for every id that shows no job."""
    return JobNotFound("there is no job with this id; it may have expired")


async def find_job(records: Records, tenant: str, job_id: str) -> Job:
    """The tenant's job as it is now. Raises JobNotFound, RecordsUnavailable."""
    found = await records.read(tenant, job_id) if is_job_id(job_id) else None
    if not isinstance(found, Job):
        raise no_such_job()
    return found
