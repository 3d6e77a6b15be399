"""A page to download with all that quantstats draws of a backtest: `tearsheet`.

Drawing goes on in a process of its own, `python -m training.portfolio.tearsheet FOLDER`: pyplot keeps its figures
process-global, and quantstats takes seconds to import and warns of what newer libraries will give up.
"""

from __future__ import annotations

import html
import json
import logging
import re
import sys
import tempfile
from pathlib import Path

import pandas as pd

from training.errors import DataError, message
from training.portfolio.process import run
from training.portfolio.records import Backtest

FEWEST_DAYS = 10  # fewer cannot be drawn
ICON = re.compile(r"\s*<link [^>]*favicon[^>]*>")


def tearsheet(backtest: Backtest, title: str, periods: int = 252) -> str:
    """Return an HTML page of a backtest after costs, beside its benchmark if there is one; it loads nothing.

    Parameters
    ----------
    title
        At the head of the page; plain text.
    periods
        Candles of a year.

    Raises
    ------
    DataError
        There are too few days to draw.
    TrainingError
        quantstats could not draw them.
    """
    if len(backtest.daily) < FEWEST_DAYS:
        raise DataError(message("A page needs {least} days or more; there are {count}.",
                               least=FEWEST_DAYS, count=len(backtest.daily)))  # fmt: skip
    returns = {"strategy": backtest.daily["return"] - backtest.daily["cost"]}
    if backtest.has_benchmark:
        returns["benchmark"] = backtest.daily["bench"]
    with tempfile.TemporaryDirectory(prefix="kronos-tearsheet-") as name:
        folder = Path(name)
        pd.DataFrame(returns).to_parquet(folder / "returns.parquet")
        (folder / "request.json").write_text(json.dumps({"title": html.escape(title), "periods": periods}), "utf-8")
        run("training.portfolio.tearsheet", folder)
        return ICON.sub("", (folder / "page.html").read_text(encoding="utf-8"))


def main(folder: Path) -> None:
    """Draw what `folder` asks for."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it asks for Arial, and does without
    from quantstats import reports

    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    returns = pd.read_parquet(folder / "returns.parquet")
    reports.html(  # type: ignore[no-untyped-call]
        returns["strategy"],
        benchmark=returns.get("benchmark"),
        output=str(folder / "page.html"),
        title=request["title"],
        periods_per_year=request["periods"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
