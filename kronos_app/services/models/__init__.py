"""Models: loading, sharing in memory, registered versions."""
