"""The model cards: what a run and its evaluation say, for people and for the desk's catalogue."""
