"""Every error of Claimcheck. Parents say what the caller can do about it, leaves say what failed.

    ClaimcheckError
    ├── RequestRefused              change the request
    │   ├── MalformedRequest            400
    │   │   ├── MalformedUpload             no boundary, no file part, no end, an unknown part
    │   │   ├── InvalidOptions              options are no JSON object, or break the task's schema
    │   │   ├── InputNotTaken               an input that the task has no use for
    │   │   ├── UnknownTask
    │   │   └── EmptyUpload
    │   ├── Unauthenticated             401   no key, or one that nobody has
    │   ├── OperatorsOnly               403
    │   ├── JobNotFound                 404
    │   ├── LetterNotFound              404   unknown, discarded or expired
    │   ├── FormatNotAvailable          406
    │   ├── UploadTooSlow               408
    │   ├── HeadersTooSlow              408
    │   ├── JobHasNoResult              409   it failed or was cancelled
    │   ├── JobHasNotEnded              409   its result was to be the input of another
    │   ├── JobHasEnded                 409   too late to cancel
    │   ├── LetterNotReplayable         409
    │   ├── LetterUnreadable            409   the letter, or what belongs to its job
    │   ├── IdempotencyKeyErased        409
    │   ├── UploadTooLarge              413
    │   ├── TargetTooLong               414
    │   ├── UnsupportedMedia            415
    │   ├── IdempotencyKeyReused        422   the same key with another request
    │   ├── TooManyUploads              429   the same request may work later
    │   └── HeadersTooLarge             431   chunk extensions and trailers too
    ├── DependencyUnavailable       503, the same request may work later
    │   ├── BlobsUnavailable
    │   ├── QueueUnavailable
    │   └── RecordsUnavailable
    ├── ServerUnavailable           503, the same request may work at another server, or later
    │   ├── ServerStopping
    │   └── ServerFull                  too many uploads of all tenants together
    ├── WriteRefused                read again and decide anew; never leaves the services
    │   ├── RecordExists
    │   ├── RecordMissing
    │   └── ConditionFailed
    ├── BlobMissing                 the caller knows what its absence means
    ├── ItemRefused                 too large, or no JSON: it can never be written as it is
    ├── MessageRejected             settle the delivery without running it
    │   ├── UndecodableMessage
    │   ├── NewerMessage
    │   └── TaskNotInstalled
    ├── LeaseLost                   stop, write nothing
    ├── EndpointsNotReady           put the job back until one is ready; it costs no attempt
    └── JobFailure                  what a handler says of its job
        ├── PermanentFailure            the job fails, no retry
        │   ├── MediaUnreadable
        │   ├── MediaWithoutAudio
        │   ├── AudioTooLong
        │   ├── LanguageNotSupported
        │   ├── ModelNotOffered
        │   ├── ImageUnreadable
        │   ├── ImageTooLarge
        │   ├── DocumentUnreadable
        │   ├── DocumentTooLarge
        │   ├── TextUnreadable
        │   ├── TextTooLong
        │   ├── NoEndpoint
        │   ├── ContentRefused              by the content filter of a model's service
        │   ├── ContextTooLong
        │   ├── AnswerInvalid               no endpoint gave JSON of the caller's schema
        │   ├── ModelRequestRefused
        │   ├── UploadMissing
        │   ├── WorkerDied
        │   ├── AttemptsExhausted
        │   ├── DeadLettered
        │   └── DeadlineExceeded
        └── RetryableFailure            the job is put back with a due time
            ├── MediaDecoderCrashed
            ├── ScratchFull
            ├── ModelUnavailable
            ├── DocumentReaderCrashed
            ├── ModelFailed
            ├── DependencyFailure
            └── UnexpectedError

A leaf that can be shown has a `slug` (the end of its problem type, `urn:claimcheck:problem:<slug>`), a `title` that
never changes, and a message made of what, the value and the limit. `status` is the HTTP status where the error is an
answer.
"""

from __future__ import annotations

from typing import Any, ClassVar

PROBLEM_TYPE = "urn:claimcheck:problem:"


class ClaimcheckError(Exception):
    """Anything that Claimcheck itself raises. `extra` becomes members of the problem document (JSON values)."""

    slug: ClassVar[str] = ""
    title: ClassVar[str] = ""
    status: ClassVar[int] = 500
    example: ClassVar[str] = ""
    """A detail as the API's description shows it; every error that is an answer has one."""

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    def problem(self) -> dict[str, Any]:
        """The error as an RFC 9457 problem object."""
        return {
            "type": PROBLEM_TYPE + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


class RequestRefused(ClaimcheckError):
    """The request cannot be carried out as it is; sending it again changes nothing."""


class MalformedRequest(RequestRefused):
    """The request breaks the contract."""

    slug, title, status = "malformed-request", "The request is malformed", 400
    example = "limit is '0'; 1 to 100 is expected"


class MalformedUpload(MalformedRequest):
    """The multipart body is not one, has no file, or ends too early."""

    slug, title = "malformed-upload", "The upload is malformed"
    example = "the form has no part named 'file' with a file in it"


class InvalidOptions(MalformedRequest):
    """The options are not what the task declares."""

    slug, title = "invalid-options", "The options are invalid"
    example = "language: 'english' is no language code; for example 'en' is"


class InputNotTaken(MalformedRequest):
    """The task takes no input of this kind."""

    slug, title = "input-not-taken", "The task does not take this input"
    example = "the input is of the kind 'text'; transcribe takes file"


class UnknownTask(MalformedRequest):
    """No task of that name is installed."""

    slug, title = "unknown-task", "The task is unknown"
    example = "task is 'transcript'; known: complete, describe, summarize, transcribe"


class EmptyUpload(MalformedRequest):
    """The file has no bytes."""

    slug, title = "empty-upload", "The file is empty"
    example = "the file has 0 bytes; at least 1 is expected"


class Unauthenticated(RequestRefused):
    """No API key came along, or one that opens nothing here. `fault`: RFC 6750's code for it; empty if none came."""

    slug, title, status = "unauthenticated", "An API key is needed", 401
    example = "the API key is unknown"

    def __init__(self, detail: str, *, fault: str = "") -> None:
        super().__init__(detail)
        self.fault = fault


class OperatorsOnly(RequestRefused):
    """The route needs an operator's key."""

    slug, title, status = "operators-only", "An operator key is needed", 403
    example = "the API key is not an operator's"


class JobNotFound(RequestRefused):
    """Unknown, foreign, erased or malformed id: the four look the same."""

    slug, title, status = "job-not-found", "There is no such job", 404
    example = "there is no job with this id; it may have expired"


class LetterNotFound(RequestRefused):
    """No dead letter of this id is kept (any more)."""

    slug, title, status = "letter-not-found", "There is no such dead letter", 404
    example = "there is no dead letter with this id; it may have been discarded, or its job erased"


class FormatNotAvailable(RequestRefused):
    """The task does not offer its result in that format."""

    slug, title, status = "format-not-available", "The result has no such format", 406
    example = "format is 'docx'; transcribe has json, txt, srt, vtt"


class UploadTooSlow(RequestRefused):
    """The body stopped arriving, or trickles."""

    slug, title, status = "upload-too-slow", "The upload is too slow", 408
    example = "3 bytes came in 30 s; at least 4,096 are expected"


class HeadersTooSlow(RequestRefused):
    """The request line and headers do not end."""

    slug, title, status = "headers-too-slow", "The headers are too slow", 408
    example = "the headers took longer than the limit of 20 s"


class JobHasNoResult(RequestRefused):
    """The job ended without a result."""

    slug, title, status = "job-has-no-result", "The job ended without a result", 409
    example = "the job is failed"


class JobHasNotEnded(RequestRefused):
    """The job whose result was to be an input is still queued or running."""

    slug, title, status = "job-has-not-ended", "The job has not ended yet", 409
    example = "job 8a0c... is running; its result can be an input once it has succeeded"


class JobHasEnded(RequestRefused):
    """The job succeeded or failed before it could be cancelled."""

    slug, title, status = "job-has-ended", "The job has ended already", 409
    example = "the job is succeeded; only a queued or running one can be cancelled"


class LetterNotReplayable(RequestRefused):
    """No job can or should be made of this dead letter."""

    slug, title, status = "letter-not-replayable", "The dead letter cannot be replayed", 409
    example = "its job is succeeded; force replays it all the same"


class LetterUnreadable(RequestRefused):
    """This release cannot read the dead letter, or what belongs to its job."""

    slug, title, status = "letter-unreadable", "The dead letter cannot be read", 409
    example = "the letter, or what belongs to its job, was written by a newer release"


class IdempotencyKeyErased(RequestRefused):
    """The job that this key made was erased; its key stays taken until a day after the deadline."""

    slug, title, status = "idempotency-key-erased", "The job of this idempotency key was erased", 409
    example = "the job that this key made was erased"


class UploadTooLarge(RequestRefused):
    """The file is larger than this installation takes."""

    slug, title, status = "upload-too-large", "The file is too large", 413
    example = "the file is 2,310 MB; the limit is 2,048 MB"


class TargetTooLong(RequestRefused):
    """The request line alone is longer than all headers together may be."""

    slug, title, status = "target-too-long", "The request target is too long", 414
    example = "the request line is over the limit of 32,768 bytes"


class UnsupportedMedia(RequestRefused):
    """The task does not take this kind of content."""

    slug, title, status = "unsupported-media", "The media type is not supported", 415
    example = "the file is image/png; transcribe takes audio/*, video/*"


class IdempotencyKeyReused(RequestRefused):
    """The key came before with another file, task or options."""

    slug, title, status = "idempotency-key-reused", "The idempotency key was used for another request", 422
    example = "this key came with another file; a key stands for one request"


class TooManyUploads(RequestRefused):
    """The tenant has as many uploads under way as it may; the same request may work later."""

    slug, title, status = "too-many-uploads", "Too many uploads at once", 429
    example = "100 uploads are under way; the limit is 100"


class HeadersTooLarge(RequestRefused):
    """Headers, or what a chunked body brings besides its chunks, are too long."""

    slug, title, status = "headers-too-large", "The headers are too large", 431
    example = "request line and headers are over the limit of 32,768 bytes"


class DependencyUnavailable(ClaimcheckError):
    """Blob Storage, Service Bus or Cosmos DB did not answer in time, or answered that it cannot."""

    status = 503


class BlobsUnavailable(DependencyUnavailable):
    """Blob Storage cannot be reached or is busy."""

    slug, title = "storage-unavailable", "The storage is unavailable"
    example = "Blob Storage did not answer within 30 s"


class QueueUnavailable(DependencyUnavailable):
    """Service Bus cannot be reached or is busy. `refused` is true if the message is certainly not on the queue."""

    slug, title = "queue-unavailable", "The queue is unavailable"
    example = "Service Bus did not answer within 3 s"

    def __init__(self, detail: str, *, refused: bool = False) -> None:
        super().__init__(detail)
        self.refused = refused


class RecordsUnavailable(DependencyUnavailable):
    """Cosmos DB cannot be reached or is busy. The write may or may not have happened."""

    slug, title = "records-unavailable", "The job records are unavailable"
    example = "Cosmos DB did not answer within 3 s"


class ServerUnavailable(ClaimcheckError):
    """This server does not take the request now; nothing was promised."""

    status = 503


class ServerStopping(ServerUnavailable):
    """The server is about to end, and the upload would not be complete by then."""

    slug, title = "server-stopping", "The server stops"
    example = "the upload did not end within 14 s of the server's stop; send it again"


class ServerFull(ServerUnavailable):
    """All tenants together have as many uploads under way as this server takes."""

    slug, title = "server-full", "The server takes no more uploads now"
    example = "200 uploads of all clients are under way here; the limit is 200"


class WriteRefused(ClaimcheckError):
    """The record is not what the writer took it for. Nothing was written."""


class RecordExists(WriteRefused):
    """An item with this id is there already."""


class RecordMissing(WriteRefused):
    """There is no item with this id."""


class ConditionFailed(WriteRefused):
    """The condition of a conditional write does not hold."""


class BlobMissing(ClaimcheckError):
    """There is no blob of this name."""


class ItemRefused(ClaimcheckError):
    """Cosmos DB can never take this item: it is larger than 2 MB, or holds what JSON cannot say."""


class MessageRejected(ClaimcheckError):
    """The delivery cannot be understood here."""


class UndecodableMessage(MessageRejected):
    """The body is not a message of ours; it goes to the dead-letter queue."""

    slug, title = "undecodable-message", "The message cannot be decoded"


class NewerMessage(MessageRejected):
    """The message was written by a newer release; a copy comes back later, for a worker that knows it."""

    slug, title = "newer-message", "The message is newer than this worker"


class TaskNotInstalled(MessageRejected):
    """This worker does not know the job's task or stage; it is put back for one that does (a rolling deploy)."""

    slug, title = "task-not-installed", "The worker does not know the task"


class LeaseLost(ClaimcheckError):
    """The broker may have given this delivery to someone else: stop and write nothing."""

    slug, title = "lease-lost", "The lease is lost"


class EndpointsNotReady(ClaimcheckError):
    """Every endpoint that could answer rests or has failed. `delay_s`: seconds until it is worth a look again."""

    def __init__(self, detail: str, *, delay_s: float) -> None:
        super().__init__(detail)
        self.delay_s = delay_s


class JobFailure(ClaimcheckError):
    """A stage cannot deliver its result. The problem document is what the client reads."""


class PermanentFailure(JobFailure):
    """Running the stage again would end the same way."""

    status = 422


class MediaUnreadable(PermanentFailure):
    """No decoder reads the file."""

    slug, title = "media-unreadable", "The recording cannot be decoded"


class MediaWithoutAudio(PermanentFailure):
    """The file is media, but has no audio track."""

    slug, title = "media-without-audio", "The file has no audio"


class AudioTooLong(PermanentFailure):
    """The recording is longer than this installation transcribes."""

    slug, title = "audio-too-long", "The recording is too long"


class LanguageNotSupported(PermanentFailure):
    """The model does not know the language the options ask for."""

    slug, title = "language-not-supported", "The model does not know the language"


class ModelNotOffered(PermanentFailure):
    """The options ask for a model that this installation does not offer."""

    slug, title = "model-not-offered", "The model is not offered"


class ImageUnreadable(PermanentFailure):
    """No decoder reads the image."""

    slug, title = "image-unreadable", "The image cannot be read"


class ImageTooLarge(PermanentFailure):
    """The image has more bytes or pixels than this installation opens."""

    slug, title = "image-too-large", "The image is too large"


class DocumentUnreadable(PermanentFailure):
    """The document is damaged, encrypted or not of its type, or holds no text."""

    slug, title = "document-unreadable", "The document cannot be read"


class DocumentTooLarge(PermanentFailure):
    """The document has more bytes, pages or unpacked bytes than this installation opens."""

    slug, title = "document-too-large", "The document is too large"


class TextUnreadable(PermanentFailure):
    """The upload is no text, or no chat, as the task takes them."""

    slug, title = "text-unreadable", "The text cannot be read"


class TextTooLong(PermanentFailure):
    """The text is longer than the task takes."""

    slug, title = "text-too-long", "The text is too long"


class NoEndpoint(PermanentFailure):
    """No endpoint is configured that can do what the job needs."""

    slug, title = "no-endpoint", "No endpoint can do this"


class ContentRefused(PermanentFailure):
    """The content filter of the model's service refused the input or its own answer."""

    slug, title = "content-refused", "The content was refused"


class ContextTooLong(PermanentFailure):
    """The input is longer than the model's context."""

    slug, title = "context-too-long", "The input is too long for the model"


class AnswerInvalid(PermanentFailure):
    """No endpoint gave JSON of the caller's schema, a summary with any text, or an answer that can be kept."""

    slug, title = "answer-invalid", "No model gave a valid answer"


class ModelRequestRefused(PermanentFailure):
    """The model's service takes the request for malformed; the options may ask for what the model has not."""

    slug, title = "model-request-refused", "The model refused the request"


class UploadMissing(PermanentFailure):
    """The upload that the record names is gone."""

    slug, title = "upload-missing", "The upload is gone"


class WorkerDied(PermanentFailure):
    """Deliveries of this job ended without an answer too often; its file may be what kills the workers."""

    slug, title = "worker-died", "The worker died too often"


class AttemptsExhausted(PermanentFailure):
    """The last of the attempts failed as well; `last` in the problem document says why."""

    slug, title = "attempts-exhausted", "Every attempt failed"


class DeadLettered(PermanentFailure):
    """The broker parked the job's message, so nobody will be given it again."""

    slug, title = "dead-lettered", "The job's message was given up"


class DeadlineExceeded(PermanentFailure):
    """The job did not end in the time that every job has."""

    slug, title = "deadline-exceeded", "The job took too long"


class RetryableFailure(JobFailure):
    """It may work later. `retry_after_s`: what the service that failed asked for, in seconds."""

    status = 503
    shared: ClassVar[bool] = True
    """Whether other jobs may meet the same cause; its retries then cost the worker's budget."""

    def __init__(self, detail: str, *, retry_after_s: float | None = None, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after_s = retry_after_s


class MediaDecoderCrashed(RetryableFailure):
    """The child process that opens the file died or exceeded its limits."""

    slug, title = "media-decoder-crashed", "The media decoder crashed"
    shared = False  # It is this file that does it.


class ScratchFull(RetryableFailure):
    """The worker's scratch folder has no room for this job now."""

    slug, title = "scratch-full", "The worker's scratch space is full"


class ModelUnavailable(RetryableFailure):
    """The model cannot be found or loaded on this worker."""

    slug, title = "model-unavailable", "The model is unavailable"


class DocumentReaderCrashed(RetryableFailure):
    """The child process that opens the image or document died or exceeded its limits."""

    slug, title = "document-reader-crashed", "The document reader crashed"
    shared = False  # It is this file that does it.


class ModelFailed(RetryableFailure):
    """Every endpoint failed at this job, though they answer others."""

    slug, title = "model-failed", "The model failed"
    shared = False  # It is this input that does it.


class DependencyFailure(RetryableFailure):
    """Blob Storage, Service Bus or Cosmos DB failed while the stage ran."""

    slug, title = "dependency-failure", "A service that the worker needs failed"


class UnexpectedError(RetryableFailure):
    """A bug or an unforeseen condition; the traceback is in the worker's log."""

    slug, title = "unexpected-error", "An unexpected error"
