"""Which candles a run uses: one choice and one validation for evaluation, backtest and fine-tune."""
