"""Hourly candles of a crypto pair, as ccxt returns them: lists of numbers, a market that never closes.

Run from the project's folder: `.venv/bin/python -m examples.crypto`
The candles of `examples/data/crypto_1h.json` are invented; `ccxt.binance().fetch_ohlcv("BTC/USDT", "1h", limit=500)`
returns the same form.
"""

import json
from pathlib import Path

import pandas as pd

from engine import KronosPredictor

FILE = Path(__file__).parent / "data" / "crypto_1h.json"
HORIZON = 24

rows = json.loads(FILE.read_text())  # [milliseconds, open, high, low, close, volume]
candles = pd.DataFrame(rows, columns=["time", "open", "high", "low", "close", "volume"])
candles = candles.iloc[:-1]  # an exchange's last candle is not complete yet
times = pd.to_datetime(candles.pop("time"), unit="ms", utc=True)
future = pd.date_range(times.iloc[-1], periods=HORIZON + 1, freq="h")[1:]  # day and night, seven days a week

forecast = KronosPredictor.from_pretrained().forecast(candles, times, future, samples=100, seed=7)

print(f"Last close {forecast.last_close:,.1f} at {times.iloc[-1]:%Y-%m-%d %H:%M %Z}")
print(forecast.to_frame(levels=[0.05, 0.5, 0.95])[["close_q0.05", "close_q0.5", "close_q0.95"]].iloc[5::6].round(1))

# Every path is there, so questions about paths have an answer: does the low touch a price within a day?
lows = forecast.paths[:, :, forecast.columns.index("low")]  # (samples, horizon)
touched = (lows.min(axis=1) < 0.98 * forecast.last_close).mean()
print(f"Probability of a low 2 % below the last close within {HORIZON} hours: {touched:.0%}")
