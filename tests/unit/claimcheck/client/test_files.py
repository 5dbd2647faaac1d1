"""Files on their way up and down."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from claimcheck.client.errors import FileChanged
from claimcheck.client.files import CHUNK_BYTES, Upload, UploadProgress, opened, saved


class Pipe(io.BytesIO):
    """A stream that cannot be rewound."""

    def seekable(self) -> bool:
        return False


def test_file_can_be_sent_again_from_where_it_stood() -> None:
    file = io.BytesIO(b"header" + b"x" * (CHUNK_BYTES + 1))
    file.seek(6)
    upload = Upload(file)
    assert upload.size_bytes == CHUNK_BYTES + 1
    for _ in range(2):
        assert b"".join(upload.chunks()) == b"x" * (CHUNK_BYTES + 1)
        assert upload.can_be_sent


def test_pipe_can_be_sent_again_only_while_nothing_was_read() -> None:
    upload = Upload(Pipe(b"content"))
    assert upload.size_bytes is None
    assert upload.can_be_sent
    assert b"".join(upload.chunks()) == b"content"
    assert not upload.can_be_sent


def test_progress_begins_at_nothing_and_ends_at_all() -> None:
    seen: list[UploadProgress] = []
    upload = Upload(io.BytesIO(b"x" * (CHUNK_BYTES + 1)), on_progress=seen.append)
    for _ in upload.chunks():
        pass
    assert [progress.sent_bytes for progress in seen] == [0, CHUNK_BYTES, CHUNK_BYTES + 1]
    assert {progress.total_bytes for progress in seen} == {CHUNK_BYTES + 1}


def test_what_is_added_while_a_file_is_sent_does_not_follow(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"four")
    with opened(path, name=None, on_progress=None) as upload:
        path.write_bytes(b"four and more")
        assert b"".join(upload.chunks()) == b"four"


def test_file_that_shrinks_while_it_is_sent_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "shrinking"
    path.write_bytes(b"x" * 10)
    with opened(path, name=None, on_progress=None) as upload:
        path.write_bytes(b"x" * 4)
        with pytest.raises(FileChanged, match="shrinking ended after 4 of 10 bytes"):
            list(upload.chunks())


def test_text_file_is_refused() -> None:
    upload = Upload(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the file gave str instead of bytes; open it in binary mode"):
        list(upload.chunks())


def test_name_is_the_files_own_unless_given(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(b"x")
    reading, writing = os.pipe()
    with path.open("rb") as file, os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb"):
        sources = (path, file, pipe, b"x")
        names = []
        for source in sources:
            with opened(source, name=None, on_progress=None) as upload:
                names.append(upload.name)
    assert names == ["talk.mp3", "talk.mp3", "", ""]
    with opened(path, name="other.mp3", on_progress=None) as upload:
        assert upload.name == "other.mp3"


@pytest.mark.parametrize("missing", ["", "nowhere"], ids=["directory", "missing"])
def test_file_that_cannot_be_opened_is_an_os_error(tmp_path: Path, missing: str) -> None:
    with pytest.raises(OSError, match=r"directory"), opened(tmp_path / missing, name=None, on_progress=None):
        pass


def test_result_appears_once_it_is_whole(tmp_path: Path) -> None:
    to = tmp_path / "talk.srt"
    to.write_bytes(b"old")
    with saved(to) as file:
        file.write(b"new")
        assert to.read_bytes() == b"old"
    assert to.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [to]


def test_result_that_broke_off_leaves_what_was_there(tmp_path: Path) -> None:
    to = tmp_path / "talk.srt"
    to.write_bytes(b"old")
    with pytest.raises(ConnectionError), saved(to) as file:
        _break_off(file)
    assert to.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [to]


def _break_off(file: BinaryIO) -> None:
    file.write(b"half of the n")
    raise ConnectionError


def test_file_of_somebody_elses_beside_the_result_stays(tmp_path: Path) -> None:
    to, other = tmp_path / "talk.srt", tmp_path / "talk.srt.part"
    other.write_bytes(b"precious")
    with saved(to) as file:
        file.write(b"new")
    assert (to.read_bytes(), other.read_bytes()) == (b"new", b"precious")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_file_that_is_replaced_stays_as_private_as_it_was(tmp_path: Path, mode: int) -> None:
    to = tmp_path / "talk.srt"
    to.write_bytes(b"old")
    to.chmod(mode)
    with saved(to) as file:
        (part,) = set(tmp_path.iterdir()) - {to}
        assert stat.S_IMODE(part.stat().st_mode) == mode
        file.write(b"new")
    assert stat.S_IMODE(to.stat().st_mode) == mode


def test_new_file_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    to = tmp_path / "talk.srt"
    usual = os.umask(0o027)
    try:
        with saved(to) as file:
            file.write(b"new")
    finally:
        os.umask(usual)
    assert stat.S_IMODE(to.stat().st_mode) == 0o640


def test_two_downloads_to_one_path_do_not_meet(tmp_path: Path) -> None:
    to = tmp_path / "talk.srt"
    with saved(to) as first:
        first.write(b"the fi")
        with saved(to) as second:
            second.write(b"the second")
        assert to.read_bytes() == b"the second"
        first.write(b"rst")
    assert to.read_bytes() == b"the first"
    assert list(tmp_path.iterdir()) == [to]


@pytest.mark.parametrize("length", [253, 255])
def test_longest_name_of_a_file_can_be_saved_to(tmp_path: Path, length: int) -> None:
    to = tmp_path / ("n" * length)
    with saved(to) as file:
        file.write(b"new")
    assert to.read_bytes() == b"new"


def test_pipe_under_the_name_of_a_device_is_written_to() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        with os.fdopen(writing, "wb"), saved(Path(f"/dev/fd/{writing}")) as file:
            file.write(b"through the pipe")
        assert pipe.read() == b"through the pipe"


def test_link_that_leads_to_itself_is_replaced(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with saved(loop) as file:
        file.write(b"new")
    assert loop.read_bytes() == b"new"


def test_device_is_written_to_and_not_replaced() -> None:
    with saved(Path("/dev/null")) as file:
        file.write(b"gone")
    assert Path("/dev/null").is_char_device()


def test_link_is_kept_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with saved(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
