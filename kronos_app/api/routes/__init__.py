"""The addresses below /api/v1, a module a resource."""
