"""Blind ranking: a centre's own people rank the answers of several systems without knowing whose they are."""
