"""Five-minute candles of an A share, as AKShare exports them: Chinese headers, volume in lots, a lunch break.

Run from the project's folder: `.venv/bin/python -m examples.a_share`
The candles of `examples/data/a_share_5min.csv` are invented.
"""

from pathlib import Path

import exchange_calendars
import pandas as pd

from engine import KronosPredictor

FILE = Path(__file__).parent / "data" / "a_share_5min.csv"
HEADERS = {
    "时间": "time",
    "开盘": "open",
    "最高": "high",
    "最低": "low",
    "收盘": "close",
    "成交量": "volume",
    "成交额": "amount",
}
HORIZON = 48  # one trading day of four hours

candles = pd.read_csv(FILE, parse_dates=["时间"]).rename(columns=HEADERS)
candles["volume"] *= 100  # from lots to shares
times = candles.pop("time")

# The times of the next candles come from the exchange's calendar: no holiday, no candle between 11:30 and 13:00.
calendar = exchange_calendars.get_calendar("XSHG")
today = times.iloc[-1].normalize()
next_day = calendar.next_session(today)
future = pd.DatetimeIndex(calendar.trading_index(next_day, next_day, "5min", intervals=False, closed="right"))
future = future.tz_convert("Asia/Shanghai").tz_localize(None)[:HORIZON]

forecast = KronosPredictor.from_pretrained().forecast(candles, times, future, samples=50, seed=7).driftless()

closes = forecast.to_frame(levels=[0.1, 0.5, 0.9])[["close_q0.1", "close_q0.5", "close_q0.9"]]
print(f"{next_day:%Y-%m-%d}, last close {forecast.last_close:.2f}")
print(closes.iloc[11::12].round(3))  # every hour
