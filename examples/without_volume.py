"""Prices only: a forecast of candles without volume and amount, as of an index or a currency pair.

Run from the project's folder: `.venv/bin/python -m examples.without_volume`
"""

import pandas as pd

from engine import KronosPredictor
from kronos_app.data import sample

candles = sample.load("nasdaq").frame.tail(300)
times = candles["timestamp"]
prices = candles[["open", "high", "low", "close"]]  # simply leave volume and amount out
future = pd.bdate_range(times.iloc[-1], periods=11)[1:]

forecast = KronosPredictor.from_pretrained().forecast(prices, times, future, samples=50, seed=7)

print(forecast.median().round(2))  # volume and amount are zero, as in the history
