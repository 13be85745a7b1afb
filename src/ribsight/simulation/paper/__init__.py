"""What a hospital would have on file: DICOM headers, reports and codes, written from the truth.

Nothing here reads a record: the reading side must not know how these were written.
"""
