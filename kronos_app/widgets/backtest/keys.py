"""Keys of the Backtest page's widgets in the session state."""

FIELD = "backtest.field"  # and the name of the field
DAY = "backtest.day"  # and the backtest
COMPARED = "backtest.compared"
BEHIND = "backtest.behind"  # and the backtest and the day
