"""Files are there whole or not at all, whatever fails, and nothing half-written stays."""

from __future__ import annotations

import contextlib
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd import whole_files

STEPS = ("open", "fchmod", "fsync", "replace")


@contextlib.contextmanager
def failing(step: str, nth: int) -> Iterator[list[str]]:
    """The nth call of that step fails as a bad disk does; what was called is listed."""
    called: list[str] = []

    def wrapped(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*given_: object, **more: object) -> object:
            called.append(name)
            if name == step and called.count(name) == nth:
                raise OSError(5, "Input/output error")
            return real(*given_, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, wrapped(name, getattr(os, name)))
        yield called


@given(
    before=st.none() | st.binary(max_size=64),
    after=st.binary(max_size=64),
    step=st.sampled_from(STEPS),
    nth=st.integers(1, 3),
    lasting=st.booleans(),
    mode=st.sampled_from([None, 0o600, 0o644]),
)
def test_after_any_failure_it_is_the_old_or_the_new_and_nothing_else_is_there(
    before: bytes | None, after: bytes, step: str, nth: int, lasting: bool, mode: int | None
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "kept"
        if before is not None:
            path.write_bytes(before)
        failed = False
        with failing(step, nth) as called:
            try:
                whole_files.replace(path, after, mode=mode, lasting=lasting)
            except OSError:
                failed = True
        assert failed == (called.count(step) >= nth)
        found = path.read_bytes() if path.exists() else None
        named = "replace" in called and not (failed and step == "replace")
        assert found == (after if named else before)
        assert os.listdir(folder) == (["kept"] if found is not None else [])
        if not failed and mode is not None:
            assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_content_is_flushed_before_the_name_and_the_name_after_it(tmp_path: Path) -> None:
    with failing("nothing", 0) as called:
        whole_files.replace(tmp_path / "a", b"x")
    assert called == ["open", "fsync", "replace", "open", "fsync"]
    (tmp_path / "fetched").write_bytes(b"y")
    with failing("nothing", 0) as called:
        whole_files.settle(tmp_path / "fetched", tmp_path / "b")
    assert called == ["open", "fsync", "replace", "open", "fsync"]
    assert (tmp_path / "b").read_bytes() == b"y" and not (tmp_path / "fetched").exists()


def test_no_room_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            whole_files.replace(path, bytes(300_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["kept"]


def test_whoever_gives_up_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole_files.fresh(path) as out:
        out.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["kept"]


def test_a_secret_is_never_readable_by_others_not_even_half_written(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with whole_files.fresh(path, mode=0o600) as out:
        assert stat.S_IMODE(os.fstat(out.fileno()).st_mode) == 0o600
    umask = os.umask(0o027)
    try:
        whole_files.replace(tmp_path / "open", b"", mode=0o644)
        whole_files.replace(tmp_path / "usual", b"")
    finally:
        os.umask(umask)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == {"key": 0o600, "open": 0o644, "usual": 0o640}


def test_a_link_planted_under_the_name_beside_is_not_followed(tmp_path: Path) -> None:
    """The firewall check writes, as root, into a folder that belongs to the service."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"root's")
    (tmp_path / f".report.{threading.get_native_id()}.part").symlink_to(victim)
    whole_files.replace(tmp_path / "report", b"findings", mode=0o644)
    assert victim.read_bytes() == b"root's"
    assert not (tmp_path / "report").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["report", "victim"]


def test_all_who_ask_at_once_get_the_same_secret(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "token"
    ready, found = threading.Barrier(8), []

    def ask() -> None:
        ready.wait(30)
        found.append(whole_files.secret(path, lambda: os.urandom(16)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert path.read_bytes() == found[0] == whole_files.secret(path, lambda: b"another")
    assert os.listdir(path.parent) == ["token"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    """What a power cut in the first start of an older release left: nobody's token is empty."""
    path = tmp_path / "token"
    path.touch()
    assert whole_files.secret(path, lambda: b"fresh") == b"fresh" == path.read_bytes()


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_secret_that_cannot_be_written_is_none(tmp_path: Path, step: str) -> None:
    with failing(step, 1), pytest.raises(OSError, match="Input/output"):
        whole_files.secret(tmp_path / "token", lambda: b"fresh")
    assert not os.listdir(tmp_path)
