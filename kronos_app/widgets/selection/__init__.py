"""The picker of candles for evaluation, backtest and fine-tune."""
