"""The judge: a table of figures of a model on candles it was not trained on, each beside its target."""
