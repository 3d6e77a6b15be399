"""Training itself: data windows, loop, stages, optimizer, checkpoints, processes."""
