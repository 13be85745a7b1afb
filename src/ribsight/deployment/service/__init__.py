"""A detector as a service: DICOM and HTTP in, results to archives and pages out.

One process owns one data folder (`folder.py`) and one database (`store.py`). An image is accepted
once its file and its job are durable; from then on it has exactly one current result as soon as
the worker has come to it, whatever dies in between.
"""
