"""What every model card says of patents and of what a model is not; the words of `NOTICE`."""

PATENTED_METHODS = frozenset({"aals", "asymmetric", "adaptive", "ribsight"})
"""Names of `--method` that carry out the patented method or contain parts of it."""

PATENT = (
    "The method of adaptive asymmetric label sharpening (AALS), which `--method aals` carries out, "
    "is the subject of United States patent 11,823,381 B2 (family: WO2022135031A1, CN116762105A). "
    "The licence of this software grants no right under that patent; whoever uses the method has "
    "to find out whether they need one. The methods `asymmetric`, `adaptive` and `ribsight` "
    "contain parts of it. Every other method in ribsight works without it."
)
NO_DEVICE = (
    "Not a medical device. ribsight is software for research and development. It has not been "
    "cleared or approved by any authority, and its output must not be used for diagnosis or "
    "treatment."
)


def patent_sentence(method: str) -> str:
    """Return what the patent has to do with a model that was trained by `method`."""
    if method in PATENTED_METHODS:
        return f"This model was trained with `{method}`: **the patent concerns it.**"
    return f"This model was trained with `{method}`, which is none of them."
