"""Figures: data in, plotly `Figure` out.

Never imports streamlit, torch or the store, never reads a clock or a setting, and holds no sentence of its own: every
word in a figure is handed in, so that the caller decides the language.
"""
