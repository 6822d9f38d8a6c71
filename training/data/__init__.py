"""From public sets to a corpus: one record a post, cleaned, without duplicates, de-identified, labelled, split.

`python -m training.data VERB`; the README of this folder tells where the sets are published. They are read from where
the user put them and never stand in the repository.
"""
