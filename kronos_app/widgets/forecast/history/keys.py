"""Keys of the History page's widgets in the session state."""

TEXT = "history.text"
MODEL = "history.model"
CANDLES = "history.candles"
MODE = "history.mode"
TAG = "history.tag"
SORT = "history.sort"
ASCENDING = "history.ascending"
PAGE = "history.page"
PICKED = "history.picked"  # ids of forecasts, in the order they were picked, on this page or another
DRAWN = "history.drawn"  # key of the table as it was last drawn, and the ids of its rows
ROUND = "history.round"  # part of the key of the table, to draw it anew
TABLE = "history.table"
TAGS = "history.tags"
ADDED = "history.added_tags"
REMOVED = "history.removed_tags"
NOTE = "history.note"
