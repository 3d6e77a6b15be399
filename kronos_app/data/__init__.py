"""Candles from outside, read and checked: uploads, samples, repair, sessions. Never imports streamlit or pages."""
