"""Files that are written as a whole."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zeus_bso.files import written_whole


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, content: bytes = b"new") -> None:
    with written_whole(path) as file:
        file.write(content)


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    write(tmp_path / "file")

    assert ((tmp_path / "file").read_bytes(), mode(tmp_path / "file")) == (b"new", 0o666 & ~umask)


def test_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o604)
    write(tmp_path / "file")

    assert mode(tmp_path / "file") == 0o604


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_file_is_written(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    link.symlink_to("elsewhere/file")
    if exists:
        file.write_bytes(b"old")
    write(link)

    assert link.is_symlink()
    assert file.read_bytes() == b"new"


def test_after_an_error_all_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def fail() -> None:
        with written_whole(tmp_path / "file") as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_pipe_stays_a_pipe_and_takes_the_bytes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe, b"x" * 200_000)
    reader.join(240)

    assert read == [b"x" * 200_000]
    assert pipe.is_fifo()


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), written_whole(tmp_path):
        pass
