"""Fine-tunes: request, plan, trainer process, run folders, views."""
