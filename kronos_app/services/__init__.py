"""What pages and API both call: candles, models, forecasts, and how a forecast compares with what came.

Never imports streamlit, pages or api. torch and the engine are imported inside functions, where a model is really used.
"""
