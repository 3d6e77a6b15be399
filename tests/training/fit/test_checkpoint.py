"""Checkpoints are whole or not there, and a damaged one costs no more than the steps since the one before."""

from __future__ import annotations

import errno
import resource
import sys
from pathlib import Path

import pytest
import torch

from training.errors import RunError
from training.fit.checkpoint import HEADER, TENSORS, State, load_state, save_state


def state(step: int, size: int = 8) -> State:
    tensors = {"model.a": torch.full((size, 2), float(step)), "step.a": torch.tensor(float(step))}
    return State(step, tensors, {"step": step, "best_loss": 0.1 + step, "best_step": 2})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def loaded(folder: Path) -> State:
    found, _ = load_state(folder)
    assert found is not None
    return found


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    saved = state(7)
    path = save_state(tmp_path / "checkpoints", saved)
    assert path == tmp_path / "checkpoints" / "step-00000007"
    found, notes = load_state(tmp_path / "checkpoints")
    assert found is not None
    assert (found.step, found.progress, notes) == (7, saved.progress, [])
    assert found.tensors.keys() == saved.tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in saved.tensors.items())


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (90, 100, 110):
        save_state(tmp_path, state(step))
    assert names(tmp_path) == ["step-00000100", "step-00000110"]


def test_there_may_be_none_yet(tmp_path: Path) -> None:
    assert load_state(tmp_path / "checkpoints") == (None, [])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("file", [TENSORS, HEADER])
@pytest.mark.parametrize("damage", [cut, flip, Path.unlink], ids=["cut off", "a flipped bit", "missing"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(file: str, damage: object, tmp_path: Path) -> None:
    for step in (1, 2):
        save_state(tmp_path, state(step))
    damage(tmp_path / "step-00000002" / file)  # type: ignore[operator]
    found, notes = load_state(tmp_path)
    assert found is not None
    assert found.step == 1
    assert [str(note) for note in notes] == [
        "Checkpoint step-00000002 is damaged: training resumes from the one before."
    ]
    save_state(tmp_path, state(2))  # the step is reached again
    assert loaded(tmp_path).step == 2
    assert load_state(tmp_path)[1] == []


def test_a_damaged_checkpoint_of_a_later_step_is_removed_by_the_next_one(tmp_path: Path) -> None:
    for step in (1, 5):
        save_state(tmp_path, state(step))
    cut(tmp_path / "step-00000005" / TENSORS)
    save_state(tmp_path, state(2))
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


def test_a_change_of_the_progress_alone_is_noticed(tmp_path: Path) -> None:
    for step in (1, 2):
        save_state(tmp_path, state(step))
    header = tmp_path / "step-00000002" / HEADER
    header.write_text(header.read_text().replace("2.1", "1.1"))
    assert loaded(tmp_path).step == 1


def test_without_a_whole_checkpoint_nothing_is_begun_anew(tmp_path: Path) -> None:
    save_state(tmp_path, state(1))
    cut(tmp_path / "step-00000001" / TENSORS)
    with pytest.raises(RunError, match=r"All checkpoints in .* are damaged"):
        load_state(tmp_path)


def test_what_a_killed_process_left_is_ignored_and_swept_away(tmp_path: Path) -> None:
    save_state(tmp_path, state(1))
    draft = tmp_path / ".step-00000002.1234"
    draft.mkdir()
    (draft / TENSORS).write_bytes(b"half of it")
    assert loaded(tmp_path).step == 1
    save_state(tmp_path, state(2))
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no limit of a file's size")
def test_a_full_disk_leaves_the_earlier_ones_whole(tmp_path: Path) -> None:
    for step in (1, 2):
        save_state(tmp_path, state(step))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # the kernel then refuses to write on, as on a full disk
    try:
        with pytest.raises(RunError, match=r"cannot be written to \(.*File too large.*saved files stay"):
            save_state(tmp_path, state(3, size=10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["step-00000001", "step-00000002"]
    assert loaded(tmp_path).step == 2


def test_no_space_for_the_header_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, state(1))

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunError, match=r"\(No space left on device\): free disk space"):
        save_state(tmp_path, state(2))
    assert names(tmp_path) == ["step-00000001"]
