"""What trading by forecasts would have earned, and how much of that luck alone earns.

| module | purpose |
|---|---|
| `rules.py` | TopkDropout's rule and how orders are dealt: settings, checked |
| `signals.py` | forecasts to scores: a panel by day and instrument |
| `walk.py` | the signals of a universe day by day, from candles up to each day only |
| `scores.py` | the scores that can be traded, and on which days |
| `topk.py`, `qlib_child.py` | Qlib's own backtest, in a process of its own |
| `simulated.py` | the same from candles, where Qlib is not installed |
| `market.py` | the quotes that orders were dealt at, as arrays |
| `costs.py` | what the costs of orders are made of |
| `vectorised.py` | the same rule for many signals at once |
| `luck.py` | random signals through the same rule, equal weights, momentum |
| `single.py` | one instrument: long, flat or short |
| `process.py` | a process of its own for what is process-global |
| `notes.py` | what a reader must know about the data |
| `records.py` | what a backtest leaves behind, and its files |
| `report.py`, `tearsheet.py` | figures of a backtest, and a page to download |

A score of day t knows candles up to and including t, and is traded on the next day.
"""
