"""Short scripts to copy; see README.md."""
