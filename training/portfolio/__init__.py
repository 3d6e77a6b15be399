"""Backtests of portfolios that trade by forecasts, and the distribution of random signals.

| module | content |
|---|---|
| `days.py`, `walk.py` | signals of a universe day by day, from candles up to each day only |
| `signals.py` | scores from forecasts |
| `rules.py` | settings of TopkDropout, of order execution and of one instrument |
| `tradable.py` | the scores that can be traded, and on which days |
| `topk.py`, `qlib_child.py` | TopkDropout by Qlib, in a separate process, or simulated from candles |
| `market.py` | quotes as arrays; parts of the costs |
| `vectorised.py` | TopkDropout for many signals at once |
| `luck.py` | random signals, equal weights and other signals by the same rule |
| `single.py` | one instrument: long, flat or short |
| `process.py` | runs a module in a separate process |
| `records.py` | tables of a backtest, and their files |
| `report.py`, `tearsheet.py` | figures of a backtest, and a page to download |

A score of day t uses candles up to and including t, and is traded on the next day.
"""
