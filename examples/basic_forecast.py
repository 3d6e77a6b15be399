"""A first forecast: 100 possible paths of the S&P 500 over the next 20 trading days.

Run from the project's folder: `.venv/bin/python -m examples.basic_forecast`
"""

import pandas as pd

from engine import KronosPredictor
from kronos_app.data import sample

LOOKBACK, HORIZON = 400, 20

# Any data frame with open, high, low, close and optionally volume and amount will do; this sample is bundled.
candles = sample.load("sp500").frame.tail(LOOKBACK)
times = candles.pop("timestamp")
# Weekdays; examples/a_share.py takes the times from an exchange's calendar.
future = pd.bdate_range(times.iloc[-1], periods=HORIZON + 1)[1:]

predictor = KronosPredictor.from_pretrained()  # the bundled kronos-nano; or "kronos-small", a Hub id, a folder
forecast = predictor.forecast(candles, times, future, samples=100, seed=7)

# kronos-nano predicts volatility, not direction: set the drift of its paths to zero, as its model card recommends.
forecast = forecast.driftless()

print(f"Last close {forecast.last_close:,.2f}, forecast by {forecast.model}, {len(forecast.paths)} paths, seed 7")
print(forecast.to_frame(levels=[0.05, 0.5, 0.95])[["close_q0.05", "close_q0.5", "close_q0.95"]].round(2))
