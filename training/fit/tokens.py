"""Tokens of windows on disk: no window is encoded twice, by whichever process, in whichever run.

A file holds a record a window, at the place its number says; what was never written is a hole that takes no room. A
record begins with a checksum of its tokens, so one that was cut short by a kill or a power failure reads as missing,
and so does a hole. Records are read and written, not mapped: a full disk is then an error, not the end of the process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.checkpoint import digest
from engine.tokenizer import KronosTokenizer
from training.errors import Message, message
from training.fit.windows import Batch, WindowSampler

CHECKSUM = np.dtype("<u4")
RESERVE = 1 << 30  # bytes of the disk that are left to others
CHECK_EVERY = 256  # windows written between two looks at what is left


class TokenCache:
    """The tokens of a sampler's windows.

    Parameters
    ----------
    tokenizer
        Must not change as long as this is used.
    sampler
        Whose batches are asked for.
    folder
        Where the file is kept, named by all that its tokens depend on; None computes tokens each time.
    device
        Where tokens are computed and returned.
    """

    def __init__(
        self, tokenizer: KronosTokenizer, sampler: WindowSampler, folder: Path | None, device: torch.device | str
    ) -> None:
        self.tokenizer = tokenizer.to(device).eval().requires_grad_(False)
        self.device = torch.device(device)
        self.notes: list[Message] = []
        self.encoded = 0  # windows that were not there yet
        bits = max(tokenizer.s1_bits, tokenizer.s2_bits)
        self._kind = np.dtype("<u2") if bits <= 16 else np.dtype("<u4")
        self._shape = (2, sampler.window.size)
        self._size = CHECKSUM.itemsize + self._kind.itemsize * 2 * sampler.window.size
        self._unchecked = CHECK_EVERY
        self.path: Path | None = None
        self._file: int | None = None
        if folder is not None:
            key = hashlib.sha256(f"{digest(tokenizer)} {sampler.digest}".encode()).hexdigest()
            self.path = folder / f"tokens-{key[:32]}.bin"
            self._open()

    def tokens(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return coarse and fine tokens, int64 (B, T), of the windows of `batch`; only missing ones are computed."""
        numbers, first, places = np.unique(batch.numbers, return_index=True, return_inverse=True)
        found = np.empty((len(numbers), *self._shape), dtype=np.int64)
        missing = [row for row, number in enumerate(numbers.tolist()) if not self._read(number, found[row])]
        if missing:
            found[missing] = self._encode(batch.x[first[missing]])
            self.encoded += len(missing)
            for row in missing:
                self._write(int(numbers[row]), found[row])
        s1, s2 = torch.from_numpy(found[places]).to(self.device).unbind(1)
        return s1, s2

    def close(self) -> None:
        """Close the file; from now on tokens are computed each time."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @torch.no_grad()
    def _encode(self, x: Tensor) -> np.ndarray:
        pair = self.tokenizer.encode(x.to(self.device), half=True)
        return torch.stack([*pair], dim=1).cpu().numpy()

    def _open(self) -> None:
        assert self.path is not None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            self._give_up(error.strerror or str(error))

    def _read(self, number: int, into: np.ndarray) -> bool:
        """Fill `into` (2, T) with the tokens of a window; return whether they were there, whole."""
        if self._file is None:
            return False
        record = os.pread(self._file, self._size, number * self._size)
        if len(record) < self._size or _checksum(record[CHECKSUM.itemsize :]) != record[: CHECKSUM.itemsize]:
            return False
        into[:] = np.frombuffer(record, self._kind, offset=CHECKSUM.itemsize).reshape(self._shape)
        return True

    def _write(self, number: int, tokens: np.ndarray) -> None:
        if self._file is None or not self._has_room():
            return
        held = tokens.astype(self._kind).tobytes()
        try:
            os.pwrite(self._file, _checksum(held) + held, number * self._size)
        except OSError as error:
            self._give_up(error.strerror or str(error))

    def _has_room(self) -> bool:
        """Look now and then how much the disk has left, and stop keeping tokens before it is full."""
        assert self.path is not None
        self._unchecked += 1
        if self._unchecked < CHECK_EVERY:
            return True
        self._unchecked = 0
        room = shutil.disk_usage(self.path.parent).free >= RESERVE
        if not room:
            self._give_up(f"less than {RESERVE >> 20} MB free")
        return room

    def _give_up(self, reason: str) -> None:
        """Say once why tokens are no longer kept."""
        self.close()
        self.notes.append(
            message(
                "{folder} takes no tokens ({reason}): they are computed in every step, which makes training slower.",
                folder=str(self.path.parent if self.path else ""),
                reason=reason,
            )
        )


def _checksum(tokens: bytes) -> bytes:
    """Return the CRC-32 of a record; that of zeros is none, so a hole is told from tokens."""
    return zlib.crc32(tokens).to_bytes(CHECKSUM.itemsize, "little")
