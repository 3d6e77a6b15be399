"""Candles from outside, read and checked: uploads, samples, quality, repair, trading sessions. Never imports streamlit or pages."""
