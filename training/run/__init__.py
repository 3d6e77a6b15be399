"""One training run: config, folder, launch, execution, export, tracking."""
