"""Long runs that look for what short tests miss: mutated uploads, kills, load. `make soak` runs them, bounded."""
