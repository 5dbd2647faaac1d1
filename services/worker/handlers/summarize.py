"""The stages of the task `summarize`: read a text and cut it, summarize each window, combine the summaries.

A text of one window never leaves the first stage. Of a longer one the text is kept once and a manifest says where it is
cut: whoever reads it a second time takes the first's cuts. A window without a summary becomes a warning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from claimcheck.errors import (
    AnswerInvalid,
    AttemptsExhausted,
    BlobMissing,
    ContextTooLong,
    PermanentFailure,
    UploadMissing,
)
from claimcheck.job import PartItem
from claimcheck.language import ResultWarning, Summary, usage_of
from claimcheck.pipeline import MoveOn
from services.worker.engines.language import Reply
from services.worker.media.documents import ReadText, check_document_bytes, read_text
from services.worker.stage import StageRun
from services.worker.texts import answers, budget, cutting
from services.worker.texts.manifest import Manifest, Piece, pieces
from services.worker.texts.summarizing import COMBINE, WHOLE, Summarizing

MANIFEST = "manifest"
QUESTION = "text"  # The name of the one about a text that fits one question.
READ = 0.2  # share of the progress: a PDF of 500 pages is read in seconds, as long as a model takes for its answer
SEVERAL = 2  # fewest windows of a text that is cut; their summaries are the longest, so they leave least room


async def read(run: StageRun) -> dict[str, Any] | MoveOn:
    """Read the upload. The result of a short text is a Summary; a longer one is cut into as many parts as it takes.

    Raises NoEndpoint and what tells of its size before anything is fetched, then the errors of `run.fetch_upload`,
    `read_text`, `run.kept` and `LanguageEngine.ask`.
    """
    summarizing = Summarizing.of(run)
    whole, window = summarizing.whole(), summarizing.window(SEVERAL)
    await summarizing.check_ready(QUESTION)
    source = await _read(run)
    run.progress(READ)
    text = await asyncio.to_thread(source.path.read_bytes)
    size_bytes = window.room_bytes
    if len(text) <= whole.room_bytes:
        try:
            reply = await summarizing.ask(whole, QUESTION, text.decode())
        except ContextTooLong:
            size_bytes = _half(text)  # It has more tokens than were estimated.
        else:
            return _at_once(run, source, reply).model_dump(mode="json")
    return MoveOn(parts=len((await _cut(run, source, text, size_bytes)).pieces))


async def language(run: StageRun) -> dict[str, Any]:
    """Summarize one window; the part's result is the summary, and what of it the whole one has to say.

    Raises UploadMissing, the errors of `run.kept` and of `LanguageEngine.ask`.
    """
    assert run.part is not None
    summarizing, manifest = Summarizing.of(run), await _manifest(run)
    piece = manifest.pieces[run.part]
    text = (await run.kept.read(manifest.text, piece.start, piece.end - piece.start)).decode()
    asking = summarizing.window(len(manifest.pieces), word_bytes=budget.bytes_per_word(text))
    replies = await summarizing.digest(asking, "window", text)
    texts = [reply.call.text for reply in replies if answers.has_text(reply.call.text)]
    return {
        "text": "\n\n".join(texts),
        "demonstration": any(reply.call.demonstration for reply in replies),
        "warnings": [warning.model_dump(mode="json") for warning in _of_window(replies, len(texts), piece, run.part)],
    }


async def combine(run: StageRun) -> dict[str, Any]:
    """One summary of those of the windows; the result is a Summary. Windows without one become warnings.

    Raises what the first window failed of if all did, AnswerInvalid if no summary has text, UploadMissing, the errors
    of `run.kept` and `LanguageEngine.ask`.
    """
    parts, manifest = await run.finished_parts("language"), await _manifest(run)
    summaries = [part.result for part in parts if part.result is not None]
    if not summaries:
        raise _failure_of(parts)
    texts = [text for summary in summaries if answers.has_text(text := str(summary["text"]))]
    if not texts:
        raise AnswerInvalid(f"of {len(parts):,} parts {len(summaries):,} were summarized, and no answer has any text")
    reply, warnings = await Summarizing.of(run).combined(texts)
    return Summary(
        text=reply.call.text,
        model=reply.call.model,
        demonstration=reply.call.demonstration or any(summary["demonstration"] for summary in summaries),
        prompt=COMBINE.label,
        # Everything that was asked for the job: also for windows that were skipped after answers were paid for.
        usage=usage_of(await run.ledger.all(), currency=run.engines.language.settings.currency),
        warnings=(*manifest.warnings, *_warnings(parts, manifest.pieces), *warnings),
        chars=manifest.chars,
        pages=manifest.pages,
        windows=len(manifest.pieces),
    ).model_dump(mode="json")


async def _read(run: StageRun) -> ReadText:
    """The text of the upload, in scratch."""
    limits, max_chars = run.engines.documents, run.engines.language.settings.max_text_chars
    media_type = run.upload.media_type
    check_document_bytes(run.upload.size_bytes, media_type=media_type, limits=limits, max_chars=max_chars)
    upload = run.folder / "upload"
    await run.fetch_upload(upload)
    async with run.engines.readers:
        source = await read_text(upload, run.folder, media_type=media_type, limits=limits, max_chars=max_chars)
    upload.unlink()  # scratch is shared
    return source


async def _cut(run: StageRun, source: ReadText, text: bytes, size_bytes: int) -> Manifest:
    """Keep the text and where it is cut, unless an earlier run of this stage has: then what that one kept."""
    # 4,000,000 characters take 0.2 s to cut, and Chinese ones 1 s.
    found = await asyncio.to_thread(_pieces, text, size_bytes, source.pages)
    name = await run.kept.put(text)
    ours = Manifest(text=name, chars=source.chars, pages=source.pages, pieces=found, warnings=_about_reading(source))
    kept = Manifest.model_validate_json(await run.kept.put_once(MANIFEST, ours.model_dump_json().encode()))
    if kept.text != name:
        await run.kept.delete(name)
    return kept


def _pieces(text: bytes, size_bytes: int, pages: int | None) -> tuple[Piece, ...]:
    return pieces(text, cutting.windows(text, size_bytes=size_bytes), pages=pages)


def _half(text: bytes) -> int:
    return max(cutting.LONGEST_CHARACTER, -(-len(text) // 2))


async def _manifest(run: StageRun) -> Manifest:
    try:
        return Manifest.model_validate_json(await run.kept.get(MANIFEST))
    except BlobMissing as cause:
        raise UploadMissing("the text that was read is no longer stored") from cause


def _at_once(run: StageRun, source: ReadText, reply: Reply) -> Summary:
    return Summary(
        **answers.said(reply, currency=run.engines.language.settings.currency),
        prompt=WHOLE.label,
        warnings=(*_about_reading(source), *answers.remarks(reply, reply.call.text)),
        chars=source.chars,
        pages=source.pages,
        windows=1,
    )


def _about_reading(source: ReadText) -> tuple[ResultWarning, ...]:
    return tuple(ResultWarning(slug=warning.slug, detail=warning.detail) for warning in source.warnings)


def _of_window(replies: list[Reply], texts: int, piece: Piece, part: int) -> Iterator[ResultWarning]:
    """What there is to say of the summary of one window, of whose answers so many have text."""
    what = f"the summary of {piece.where}"
    yield from [warning for reply in replies for warning in answers.cut_off(reply, what=what, part=part)][:1]
    if 0 < texts < len(replies):  # Without any, the whole window is missing, which is for `combine` to say.
        detail = f"some of {piece.where} is missing from the summary: {answers.NO_TEXT}"
        yield ResultWarning(slug="part-unread", detail=detail, part=part)


def _warnings(parts: list[PartItem], cut: tuple[Piece, ...]) -> Iterator[ResultWarning]:
    """What there is to say of each window: that it is missing and why, or that its summary is."""
    for part in parts:
        if why := _why_missing(part):
            detail = f"{cut[part.part].where} are missing from the summary: {why}"
            yield ResultWarning(slug="part-unread", detail=detail, part=part.part)
        if part.result is not None:
            yield from map(ResultWarning.model_validate, part.result["warnings"])


def _why_missing(part: PartItem) -> str:
    """Empty if it has a summary."""
    if part.result is None:
        return str((part.warning or {}).get("detail") or "its problem is not known")
    return "" if answers.has_text(str(part.result["text"])) else answers.NO_TEXT


def _failure_of(parts: list[PartItem]) -> PermanentFailure:
    """What the first window failed of, as the job's own failure."""
    problem: Mapping[str, Any] = next(part.warning for part in parts if part.warning is not None)
    kinds = {kind.slug: kind for kind in PermanentFailure.__subclasses__()}
    kind = kinds.get(str(problem["type"]).rpartition(":")[2], AttemptsExhausted)
    more = {name: value for name, value in problem.items() if name not in ("type", "title", "status", "detail", "part")}
    return kind(f"none of {len(parts):,} parts could be read; the first: {problem['detail']}", **more)
