"""Walk-forward evaluations: request, service, worker, report, views."""
