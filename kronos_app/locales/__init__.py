"""Catalogs of translations, one folder a language, and what keeps them complete."""
