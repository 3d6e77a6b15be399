"""The token cache: each window is encoded once, by whichever process of whichever run.

A file holds one record per window, at the position of its number; a missing record is a hole that takes no space. A
record starts with a checksum, so that a hole or a record cut off by a power failure reads as missing. Records are read
and written, not mapped: a full disk is then an error, not a crash.
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

from engine.loading.checkpoint import digest
from engine.tokenizer import KronosTokenizer
from training.errors import Message, message
from training.fit.windows import Batch, WindowSampler

CHECKSUM = np.dtype("<u4")
RESERVE = 1 << 30  # bytes of the disk that stay free
CHECK_EVERY = 256  # windows written between two checks of the free space


class TokenCache:
    """The tokens of a sampler's windows.

    Parameters
    ----------
    tokenizer
        Must not change while this is in use.
    folder
        Of the file, which is named by all that its tokens depend on; None computes tokens each time.
    device
        Where tokens are computed and returned.
    """

    def __init__(
        self, tokenizer: KronosTokenizer, sampler: WindowSampler, folder: Path | None, device: torch.device | str
    ) -> None:
        self.tokenizer = tokenizer.to(device).eval().requires_grad_(False)
        self.device = torch.device(device)
        self.notes: list[Message] = []
        self.encoded = 0  # windows that were missing
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
            self._open(self.path)

    def tokens(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return coarse and fine tokens, int64 (B, T), of a batch; only missing ones are computed."""
        numbers, first, places = np.unique(batch.numbers, return_index=True, return_inverse=True)
        tokens = np.empty((len(numbers), *self._shape), dtype=np.int64)
        missing = [row for row, number in enumerate(numbers.tolist()) if not self._read(number, tokens[row])]
        if missing:
            tokens[missing] = self._encode(batch.x[first[missing]])
            self.encoded += len(missing)
            for row in missing:
                self._write(int(numbers[row]), tokens[row])
        s1, s2 = torch.from_numpy(tokens[places]).to(self.device).unbind(1)
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

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            self._stop_storing(path, error)

    def _read(self, number: int, into: np.ndarray) -> bool:
        """Fill `into` (2, T) with the tokens of a window; return False if they are missing."""
        if self._file is None:
            return False
        record = os.pread(self._file, self._size, number * self._size)
        if len(record) < self._size or _checksum(record[CHECKSUM.itemsize :]) != record[: CHECKSUM.itemsize]:
            return False
        into[:] = np.frombuffer(record, self._kind, offset=CHECKSUM.itemsize).reshape(self._shape)
        return True

    def _write(self, number: int, tokens: np.ndarray) -> None:
        if self._file is None or self.path is None:
            return
        data = tokens.astype(self._kind).tobytes()
        try:
            self._check_space(self.path)
            os.pwrite(self._file, _checksum(data) + data, number * self._size)
        except OSError as error:
            self._stop_storing(self.path, error)

    def _check_space(self, path: Path) -> None:
        self._unchecked += 1
        if self._unchecked >= CHECK_EVERY:
            self._unchecked = 0
            if shutil.disk_usage(path.parent).free < RESERVE:
                raise OSError(f"less than {RESERVE >> 20} MB free")

    def _stop_storing(self, path: Path, error: OSError) -> None:
        self.close()
        self.notes.append(
            message(
                "{folder} cannot store tokens ({reason}): they are computed in every step, which is slower.",
                folder=str(path.parent),
                reason=error.strerror or str(error),
            )
        )


def _checksum(tokens: bytes) -> bytes:
    """Return the CRC-32 of a record; that of zeros is not zero, so a hole never passes for tokens."""
    return zlib.crc32(tokens).to_bytes(CHECKSUM.itemsize, "little")
