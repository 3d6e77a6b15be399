"""What a model is worth on candles it has never seen: one table of figures, each beside what it has to reach."""
