"""Ids of images and categories in COCO files, which not every tool writes as whole numbers."""


def plain_id(value: object) -> object:
    """Return an id, 7.0 as 7: so are ids written that went through a table of floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
