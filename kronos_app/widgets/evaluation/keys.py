"""Keys of the Evaluate page's widgets in the session state."""

LEVEL = "evaluate.level"
WORST = "evaluate.worst"  # and the evaluation
