"""Pieces of page that several pages share: they draw what services answer and decide nothing about candles."""
