"""The picker of candles for evaluation and backtest."""
