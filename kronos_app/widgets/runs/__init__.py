"""Lists, words and score columns of runs."""
