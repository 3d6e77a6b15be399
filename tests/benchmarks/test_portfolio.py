from __future__ import annotations

import json

import pytest

from benchmarks import portfolio


@pytest.mark.usefixtures("qlib")
def test_a_small_run_times_the_same_work_on_both_sides(tmp_path, capsys):
    file = tmp_path / "found.json"
    small = ["--symbols", "8", "--days", "30", "--topk", "3", "--drop", "1", "--rounds", "1", "--random", "5"]
    portfolio.main([*small, "--json", str(file)])
    found = json.loads(file.read_text())
    assert found["disagreement"] < 1e-9
    assert found["ratio"] == found["adapter"] / found["qlib"]
    assert min(found[name] for name in ("qlib", "adapter", "simulator", "loop")) > 0
    printed = capsys.readouterr().out
    assert "8 symbols, 30 days" in printed
    assert "× Qlib's, target 2 ×" in printed
    assert "for 5 random signals" in printed


def test_the_walks_are_candles_of_as_many_days_and_symbols():
    series = portfolio.make_universe(3, 10)
    assert list(series) == ["S0000", "S0001", "S0002"]
    frame = series["S0001"].frame
    assert len(frame) == 10 + portfolio.WARM_UP + 1
    assert (frame["high"] >= frame[["open", "close", "low"]].max(axis=1)).all()
