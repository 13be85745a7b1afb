"""A trauma registry made from nothing: anatomy, fractures, projection, the paper trail, and truth.

Lengths are millimetres. Patient coordinates follow DICOM (PS3.3 C.7.6.2): x toward the patient's
left, y toward the back, z toward the head.
"""
