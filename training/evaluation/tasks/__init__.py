"""The five tasks of the paper on Kronos, arXiv:2508.02739, as named presets; `training evaluate` needs none of them.

| module | content |
|---|---|
| `presets` | settings of each task: sampling, windows by interval, figures |
| `published` | figures of the paper |
| `outcome` | the run of a task on one market, its figures, and their text |
| `forecasting` | price, return, volatility: figures of a walk-forward evaluation |
| `synthetic`, `posthoc` | synthetic candles beside resampled ones; networks that score them |
| `investment` | TopkDropout by the mean of the forecast closes |
| `run` | any task on a folder of candles |
"""
