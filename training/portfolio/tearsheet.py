"""quantstats' report of a backtest as an HTML page: `tearsheet`.

It is drawn in a separate process, `python -m training.portfolio.tearsheet FOLDER`: pyplot's state is process-global,
and quantstats takes seconds to import and raises deprecation warnings.
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

from training.errors import DataError
from training.portfolio.process import run
from training.portfolio.records import Backtest

FEWEST_DAYS = 10  # fewer cannot be drawn
ICON = re.compile(r"\s*<link [^>]*favicon[^>]*>")


def tearsheet(backtest: Backtest, title: str, periods: int = 252) -> str:
    """Return an HTML page of a backtest after costs, with its benchmark if there is one; it loads no other files.

    `title` is plain text; `periods` is the number of candles of a year. Raises DataError if there are too few days, and
    TrainingError if quantstats fails.
    """
    if len(backtest.daily) < FEWEST_DAYS:
        raise DataError(
            "A page needs {least} days or more; there are {count}.", least=FEWEST_DAYS, count=len(backtest.daily)
        )
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
    """Draw the request in `folder`."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it warns about the missing font Arial
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
