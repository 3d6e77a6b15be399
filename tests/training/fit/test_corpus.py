"""A corpus tells its parts apart and is known by its digest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.errors import RunError
from training.fit.corpus import ARRAYS, Corpus, Segment, digest_of, open_corpus


def save(corpus: Corpus, folder: Path) -> Path:
    folder.mkdir()
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(corpus, name))
    segments = [vars(segment) for segment in corpus.segments]
    header = {"rows": len(corpus.times), "digest": corpus.digest, "left_out": 3, "jumps": 2}
    header = {**header, "segments": segments}
    (folder / "corpus.json").write_text(json.dumps(header))
    return folder


def test_the_part_of_a_split_has_its_segments_and_shares_the_arrays(corpus: Corpus) -> None:
    part = corpus.of("validation")
    assert {segment.split for segment in part.segments} == {"validation"}
    assert len(part.segments) == 4
    assert part.values is corpus.values
    assert part.groups == ["crypto/1h", "stocks/1h"]


@pytest.mark.parametrize(("size", "stride", "windows"), [(32, 1, 69), (32, 8, 9), (100, 1, 1), (101, 1, 0)])
def test_a_segment_counts_its_windows(size: int, stride: int, windows: int) -> None:
    assert Segment("g", "A", "train", 50, 150).windows(size, stride) == windows


def test_the_digest_follows_every_array_and_the_segments(corpus: Corpus) -> None:
    arrays = [np.array(getattr(corpus, name)) for name in ARRAYS]
    seen = {digest_of(arrays, corpus.segments), digest_of(arrays, corpus.segments[1:])}
    for array in arrays:
        array[-1] += 1
        seen.add(digest_of(arrays, corpus.segments))
    assert len(seen) == 5


def test_an_opened_corpus_is_mapped_and_equal(corpus: Corpus, tmp_path: Path) -> None:
    opened = open_corpus(save(corpus, tmp_path / "prepared"))
    assert isinstance(opened.values, np.memmap)
    assert opened.segments == corpus.segments
    assert (opened.left_out, opened.jumps) == (3, 2)
    assert opened.digest == corpus.digest == digest_of((opened.values, opened.marks, opened.times), opened.segments)


@pytest.mark.parametrize("damage", ["no folder", "no header", "header", "array", "empty", "short"])
def test_what_cannot_be_opened_is_to_be_prepared_again(corpus: Corpus, damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    if damage != "no folder":
        save(corpus, folder)
    if damage == "no header":
        (folder / "corpus.json").unlink()
    if damage == "header":
        (folder / "corpus.json").write_text('{"segments": [{"group": 1}]')
    if damage == "array":
        (folder / "times.npy").write_bytes(b"\x93NUMPY")
    if damage == "empty":
        (folder / "times.npy").write_bytes(b"")
    if damage == "short":
        np.save(folder / "times.npy", corpus.times[:-1])
    with pytest.raises(RunError, match="are missing or damaged: prepare them again"):
        open_corpus(folder)
