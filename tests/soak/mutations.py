"""Files of candles with something wrong: the cases of the suite and some tables of odd types, changed at random."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet

CASES = Path(__file__).parents[1] / "cases" / "files"
GOLDEN = Path(__file__).parents[1] / "golden" / "candles.csv"
ODD_CELLS = (
    "", "e1", "1e999", "-1", "NaN", "inf", "١٢٣", "0x1F", "1,2,3", "''", '"', "99999999999999999999", "1970-01-01",
    "2024-13-45", "24:00", "9999-12-31T23:59:59Z", "-0", "1.2.3", "二〇二四", "\x00", "=1+1", "1e-320",
    "18446744073709551615",
)  # fmt: skip


def mutated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of `count` mutated files; the same seed yields the same ones."""
    rng = random.Random(seed)
    texts = [GOLDEN, *sorted(CASES.iterdir())]
    for number in range(count):
        if rng.random() < 0.2:
            content = _table(rng)
            name = f"odd-{number}.{rng.choice(('parquet', 'feather'))}"
            yield name, _bytes(content, rng) if rng.random() < 0.5 else content
            continue
        path = rng.choice(texts)
        content = path.read_bytes()
        for _ in range(rng.randint(1, 4)):
            content = rng.choice((_cells, _bytes, _cut, _lines, _repeated))(content, rng)
        name = path.name
        if rng.random() < 0.1:
            content, name = gzip.compress(content), f"{name}.gz"
        if rng.random() < 0.1:
            name = f"x{rng.choice(('.csv', '.parquet', '.feather', '.xlsx', '.json', '', '.csv.gz'))}"
        yield name, content


def _cells(content: bytes, rng: random.Random) -> bytes:
    """Put odd cells in the place of some."""
    mark = rng.choice((b",", b";", b"\t"))
    cells = content.split(mark)
    for _ in range(rng.randint(1, 5)):
        cells[rng.randrange(len(cells))] = rng.choice(ODD_CELLS).encode()
    return mark.join(cells)


def _bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 20)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(content: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(content) + 1)
    return content[:begin] if rng.random() < 0.7 else content[begin:]


def _lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines)


def _repeated(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    return content + rng.choice(lines) * rng.randint(1, 50)


def _table(rng: random.Random) -> bytes:
    """Return a Parquet or Feather file whose columns have types of all kinds."""
    rows = rng.randint(0, 60)
    random_state = np.random.default_rng(rng.randrange(2**32))
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    kinds = (
        lambda: pa.array(random_state.normal(100, 5, rows)),
        lambda: pa.array(random_state.integers(0, 2**63, rows, dtype=np.uint64) * 2),
        lambda: pa.array(times),
        lambda: pa.array(times.date),
        lambda: pa.array([str(one) for one in random_state.normal(100, 5, rows)]),
        lambda: pa.array([None] * rows),
        lambda: pa.array([[1.0]] * rows),
        lambda: pa.array([b"\xff"] * rows),
        lambda: pa.array(random_state.random(rows) > 0.5),
        lambda: pa.array(times.time),
        lambda: pa.array(times).dictionary_encode(),
        lambda: pa.array(random_state.normal(100, 5, rows)).cast(pa.decimal128(38, 10), safe=False),
        lambda: pa.array(random_state.integers(-(2**40), 2**40, rows)).cast(pa.duration("ns")),
        lambda: pa.array(random_state.integers(-(2**40), 2**40, rows)).cast(pa.timestamp("s")),
    )
    names = ["timestamp", "open", "high", "low", "close", "volume", "amount", "symbol", "time"]
    rng.shuffle(names)
    columns = {name: rng.choice(kinds)() for name in names[: rng.randint(3, len(names))]}
    if rng.random() < 0.5:
        columns |= {name: kinds[0]() for name in ("open", "high", "low", "close")}
        columns.setdefault("timestamp", kinds[2]())
    out = io.BytesIO()
    table = pa.table(columns)
    if rng.random() < 0.5:
        parquet.write_table(table, out)
    else:
        feather.write_feather(table, out)
    return out.getvalue()
