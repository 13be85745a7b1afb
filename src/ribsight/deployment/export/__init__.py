"""A trained detector leaves the lab: as a file for another runtime, checked against the original.

`exporting.export` does all of it; what the file must load as is in `detector.runtimes`.
"""
