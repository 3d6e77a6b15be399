"""The five tasks of the paper on Kronos as named presets: arXiv:2508.02739.

| module | is for |
|---|---|
| `presets` | how each task is set: sampling, windows by interval, figures |
| `published` | the figures of the paper, to be shown beside one's own |
| `forecasting`, `figures` | price, return, volatility: a walk forward, and what the task asks of it |
| `synthetic`, `sequences`, `posthoc` | synthetic candles, beside resampled ones; networks that judge them |
| `investment` | TopkDropout by the mean of the forecast closes |
| `outcome`, `run` | what came of a task by market, as a terminal shows it; all tasks by name |

Nothing here decides whether a model is any good: `training evaluate` does, with scores that need no other paper.
"""
