"""How good a model is: measures as pure functions, intervals, and what is written of them."""
