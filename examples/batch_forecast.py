"""Many series in one call: the width of the 90 % band of four shares after 10 trading days.

Run from the project's folder: `.venv/bin/python -m examples.batch_forecast`
"""

import pandas as pd

from engine import KronosPredictor
from kronos_app.data import sample

SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
LOOKBACK, HORIZON = 256, 10

frames, times, futures = [], [], []
for symbol in SYMBOLS:
    candles = sample.load(symbol).frame.tail(LOOKBACK)
    times.append(candles.pop("timestamp"))
    futures.append(pd.bdate_range(times[-1].iloc[-1], periods=HORIZON + 1)[1:])
    frames.append(candles)

# Series may differ in length and horizon; each result equals the forecast of that series alone with the same seed.
predictor = KronosPredictor.from_pretrained()
forecasts = predictor.forecast_batch(frames, times, futures, samples=50, seed=7)

rows = {}
for symbol, forecast in zip(SYMBOLS, forecasts, strict=True):
    quantiles = forecast.quantiles([0.05, 0.95])
    low, high = (quantiles[level]["close"].iloc[-1] for level in (0.05, 0.95))
    rows[symbol] = {
        "last close": forecast.last_close,
        "5 %": low,
        "95 %": high,
        "width": (high - low) / forecast.last_close,
    }
print(pd.DataFrame(rows).T.sort_values("width", ascending=False).round(3))
