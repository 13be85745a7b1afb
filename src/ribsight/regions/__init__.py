"""Annotation formats <-> regions: what an expert drew around one lesion."""

from ribsight.regions.region import Box, Polygon, Region

__all__ = ["Box", "Polygon", "Region"]
