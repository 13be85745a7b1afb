"""A TorchScript archive, run by torch after its code has been read: it may only calculate.

TorchScript is a program. What torch would compile is parsed here first, as the Python syntax that
it is; an archive whose code does anything but tensor arithmetic in one `forward` is refused.
"""

import ast
import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from ribsight.detector.maps import MapFunction
from ribsight.detector.runtimes.exported import CARRIED
from ribsight.errors import RibsightError

_ARITHMETIC = frozenset({
    "_convolution", "adaptive_avg_pool2d", "add", "add_", "avg_pool2d", "batch_norm", "cat",
    "ceil", "chunk", "clamp", "clamp_", "constant_pad_nd", "contiguous", "div", "div_", "exp",
    "expand", "flatten", "floor_divide", "gelu", "group_norm", "hardsigmoid", "hardsigmoid_",
    "hardswish", "hardswish_", "hardtanh", "hardtanh_", "layer_norm", "leaky_relu",
    "leaky_relu_", "linear", "matmul", "max_pool2d", "mean", "mul", "mul_", "neg", "pad",
    "permute", "pow", "relu", "relu6", "relu_", "reshape", "rsqrt", "select", "sigmoid",
    "sigmoid_", "silu", "silu_", "size", "slice", "softmax", "split", "sqrt", "squeeze", "sub",
    "sum", "tanh", "transpose", "unsqueeze", "upsample_bilinear2d", "upsample_nearest2d", "view",
})  # fmt: skip
_SCALARS = frozenset({"int", "float", "bool", "annotate"})
_PRIMITIVES = frozenset({"ops.prim.NumToTensor"})
_HARMLESS = (
    ast.Module, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AnnAssign,
    ast.Return, ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple, ast.Call, ast.Subscript,
    ast.UnaryOp, ast.USub, ast.Load, ast.Store,
)  # fmt: skip
_MAX_CODE = 10_000_000


def open_contents(contents: list[bytes], threads: int | None) -> tuple[MapFunction, str]:
    """Return the maps of an archive, and the text its extra file carries.

    Raises:
        RibsightError: it is no TorchScript, or its code does more than calculate.

    """
    check_code(contents[0])
    if threads is not None:
        torch.set_num_threads(threads)
    extra: dict[str, str | bytes] = {CARRIED: ""}
    with torchscript_is_deprecated():
        loaded = torch.jit.load(io.BytesIO(contents[0]), "cpu", extra)  # type: ignore[no-untyped-call]
    carried = extra[CARRIED]

    def maps_of(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            maps: NDArray[np.float32] = loaded(torch.from_numpy(batch)).numpy()
        return maps

    return maps_of, carried.decode() if isinstance(carried, bytes) else carried


@contextmanager
def torchscript_is_deprecated() -> Iterator[None]:
    """Hide that torch would rather see `torch.export`: users of this format know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_code(content: bytes) -> None:
    """Refuse an archive whose code could do anything but arithmetic; nothing of it is run.

    Raises:
        RibsightError: its sentence goes on where the file's name ends.

    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [
                one for one in archive.infolist()
                if "/code/" in one.filename and one.filename.endswith(".py")
            ]  # fmt: skip
            if sum(one.file_size for one in entries) > _MAX_CODE:
                raise RibsightError("is no exported detector: its code is far too long")
            sources = [archive.read(one).decode() for one in entries]
        trees = [ast.parse(one) for one in sources]
    except (zipfile.BadZipFile, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise RibsightError(f"is no TorchScript archive: {error}") from error
    if not trees:
        raise RibsightError(
            "is no TorchScript archive: it holds no code, so it may be weights or a whole module "
            "saved by torch.save, which ribsight does not open"
        )
    for node in (node for tree in trees for node in ast.walk(tree)):
        what = _suspicious(node)
        if what:
            raise RibsightError(
                f"is not run: its code holds {what}, which no exported detector needs"
            )


def _suspicious(node: ast.AST) -> str:
    """Return what is wrong with one part of the code; empty if nothing is."""
    if not isinstance(node, _HARMLESS):
        return f"'{type(node).__name__}'"
    if isinstance(node, ast.FunctionDef) and node.name != "forward":
        return f"a function '{node.name}'"
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        owner, _, name = called.rpartition(".")
        known = called in _SCALARS | _PRIMITIVES or (owner == "torch" and name in _ARITHMETIC)
        return "" if known else f"a call of '{called}'"
    return ""
