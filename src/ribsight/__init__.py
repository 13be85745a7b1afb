"""ribsight: fracture detection from medical records and a few drawn regions."""

__version__ = "0.1.0"
