"""Keys of the Models page's widgets in the session state."""

FIRST = "models.first"
SECOND = "models.second"
