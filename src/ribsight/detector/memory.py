"""Keep memory that was freed, instead of handing it back and asking for it again."""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Tell the C library to reuse large blocks; a no-op where it is not glibc.

    glibc maps every large tensor afresh, so that each step pays for zeroing hundreds of megabytes
    of new pages; `benchmarks/training.py` measures what that costs.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
