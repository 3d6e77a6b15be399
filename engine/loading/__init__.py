"""Where networks come from: checkpoints, the Hub, the registry of models."""
