"""Pieces that the services of every feature build on."""
