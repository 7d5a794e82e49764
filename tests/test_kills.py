"""Whatever moment a process is killed at, the next start finds the old or the new, and sweeps."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import curate
from curate.errors import CurateError
from curate.files import atomic_folder, atomic_path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")

AT_EVERY_CALL = """
import os, shutil, signal, sys
from pathlib import Path
from curate.files import atomic_folder, atomic_path

place = Path(sys.argv[1])

def write_file(text):
    with atomic_path(place / "file") as path:
        path.write_text(text)

def write_folder(text):
    with atomic_folder(place / "folder", lambda target: None) as path:
        for name in "ab":
            (path / name).write_text(text)

def read_file():
    return (place / "file").read_text() if (place / "file").exists() else None

def read_folder():
    if not (place / "folder").exists():
        return None
    texts = {(place / "folder" / name).read_text() for name in "ab"}
    assert len(texts) == 1 and len(os.listdir(place / "folder")) == 2
    return texts.pop()

CALLS = ["open", "replace", "fsync", "mkdir", "unlink", "rmdir", "write", "scandir", "close"]

def killed_at(number, work):
    # in a child: the call of that number is not made, or made and not returned from
    count = 0
    def counted(call):
        def wrapped(*args, **kwargs):
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            done = call(*args, **kwargs)
            if count == -number:
                os.kill(os.getpid(), signal.SIGKILL)
            return done
        return wrapped
    child = os.fork()
    if child == 0:
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        signal.alarm(100)  # a child that hangs ends, as a failure
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status != 0

kills = 0
for write, read in ((write_file, read_file), (write_folder, read_folder)):
    for before in (None, "old"):
        for sign in (1, -1):
            number = 1
            while True:
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                if before is not None:
                    write(before)
                was_killed = killed_at(sign * number, lambda: write("new"))
                # the next start: another file in the same folder
                with atomic_folder(place / "other", lambda target: None) as path:
                    pass
                found, left = read(), set(os.listdir(place)) - {"file", "folder", "other"}
                assert found in (before, "new"), (write.__name__, before, sign * number, found)
                assert not left, (write.__name__, before, sign * number, left)
                if not was_killed:
                    assert found == "new"
                    break
                kills += 1
                number += 1
print(kills)
"""


def test_a_kill_at_every_call_of_the_file_system(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", AT_EVERY_CALL, str(tmp_path / "place")],
        check=True,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert int(done.stdout) >= 60


WRITING = """
import sys, time
from pathlib import Path
from curate.files import atomic_folder, atomic_path
place = Path(sys.argv[1])
with atomic_path(place / "file") as file, atomic_folder(place / "folder", lambda _: None) as folder:
    file.write_text("half")
    (folder / "a").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()


def write_beside(place):
    with atomic_path(place / "beside") as path:
        path.write_text("beside")


def test_what_a_living_process_writes_is_left_alone(tmp_path, writer):
    during = set(os.listdir(tmp_path))
    assert len(during) == 3
    write_beside(tmp_path)
    assert set(os.listdir(tmp_path)) == during | {"beside"}
    writer.kill()
    writer.wait()
    assert set(os.listdir(tmp_path)) == during | {"beside"}
    write_beside(tmp_path)
    assert os.listdir(tmp_path) == ["beside"]


def test_files_of_others_are_never_swept(tmp_path):
    names = [".curate-notes.lock", ".mine.tmp", "x.0123.tmp", ".a.B" + "0" * 31 + ".tmp"]
    for name in names:
        (tmp_path / name).write_text("mine")
    (tmp_path / f".folder.{'0' * 32}.tmp").mkdir()
    write_beside(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "beside", f".folder.{'0' * 32}.tmp"])


def test_a_file_system_without_locks_is_written_to_all_the_same(tmp_path, monkeypatch):
    import fcntl

    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    write_beside(tmp_path)
    with atomic_folder(tmp_path / "folder", lambda target: None) as path:
        (path / "a").write_text("a")
    assert sorted(os.listdir(tmp_path)) == ["beside", "folder"]


def test_through_a_link_its_target_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    with atomic_path(tmp_path / "link") as path:
        path.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "new"


@pytest.mark.parametrize("inside", ["file/x", "file/deep/x"])
def test_a_place_that_is_no_folder_is_named(tmp_path, inside):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(OSError, match=f"could not write '.*{inside}'"),
        atomic_path(tmp_path / inside) as path,
    ):
        path.write_text("x")


@pytest.mark.parametrize("name", ["", ".", "/", "a\0b", "x" * 300, "\ud800", None, 3, b"x", []])
def test_what_is_no_name_of_a_file_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CurateError, match="path: "), atomic_path(name):
        pass
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_under_a_checkpoint_is_one_sentence(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    state = {"weights": torch.zeros(10_000)}
    (tmp_path / "state.pt").write_text("old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with (
            pytest.raises(OSError, match=r"could not write '.*state.pt' \(what was there"),
            atomic_path(tmp_path / "state.pt") as path,
        ):
            torch.save(state, path)
    finally:
        signal.signal(signal.SIGXFSZ, previous)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "state.pt").read_text() == "old"
    assert os.listdir(tmp_path) == ["state.pt"]


def test_a_run_that_is_killed_and_started_again_records_what_an_uninterrupted_one_does(tmp_path):
    script = Path(__file__).parents[1] / "benchmarks" / "kills.py"
    with open(tmp_path / "printed", "w+") as out:
        process = subprocess.Popen(
            [sys.executable, str(script), "--kills", "6"],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            assert process.wait(900) == 0, (tmp_path / "printed").read_text()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    *_, last = (tmp_path / "printed").read_text().splitlines()
    _, at_moments, at_calls, differ, left = last.split()
    assert int(at_moments) + int(at_calls) >= 6
    assert (differ, left) == ("0", "0")


@pytest.fixture
def small_disk():
    """Files may have 1,000 bytes only."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, previous)


def test_a_disk_that_fills_at_a_trainers_checkpoint_loses_nothing(tmp_path, small_disk):
    pytest.importorskip("transformers")
    from curate.record.transformers import _Follow

    recorder = curate.Recorder(300)
    recorder.update(range(300), torch.randn(300, 3), torch.zeros(300).long())
    arguments = SimpleNamespace(output_dir=str(tmp_path))
    state = SimpleNamespace(global_step=4, is_world_process_zero=True)
    for save, name in (
        (lambda: _Follow(recorder).on_save(arguments, state, None), "recorder.pt"),
        (lambda: recorder.save(tmp_path / "checkpoint-4" / "t.parquet"), "t.parquet"),
    ):
        with pytest.raises(OSError, match=f"could not write '.*{name}' .*File too large") as error:
            save()
        assert len(str(error.value).splitlines()) == 1
        assert os.listdir(tmp_path / "checkpoint-4") == []
    small_disk()
    _Follow(recorder).on_save(arguments, state, None)
    other = curate.Recorder(300)
    saved = tmp_path / "checkpoint-4" / "recorder.pt"
    other.load_state_dict(torch.load(saved, weights_only=True))
    assert other.table().equals(recorder.table())
