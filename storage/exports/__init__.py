"""Curated texts as data sets: files are the interface between the desk and training.

`write.export` is the way in: it asks `storage.curation` what may leave, lets `forms` make records of it, writes them
through `files`, and describes them in a manifest (`manifest`).
"""
