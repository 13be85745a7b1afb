"""What a file is that should be a model and is not, told by its first bytes: nothing is opened."""

_PICKLE = "a Python pickle, which can run any program when it is opened, so ribsight opens none"
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x80\x02", _PICKLE),
    (b"\x80\x03", _PICKLE),
    (b"\x80\x04", _PICKLE),
    (b"\x80\x05", _PICKLE),
    (b"PK\x03\x04", "a zip archive, as torch.save writes them"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them"),
    (b"GGUF", "a GGUF file"),
    (b"\x7fELF", "a program"),
    (b"<?xml", "an XML document"),
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself"),
)
_LENGTH = 8


def what_it_is(content: bytes) -> str:
    """Return what a file seems to be, as the end of a sentence; empty if that cannot be told.

    >>> what_it_is(b"GGUF...")
    'a GGUF file'
    """
    if not content:
        return "an empty file"
    for start, words in _STARTS:
        if content.startswith(start):
            return words
    if content[_LENGTH : _LENGTH + 2] == b'{"':
        return "a safetensors file"
    # Field 1 of an ONNX model is its version, a small number.
    if len(content) > 1 and content[0] == 0x08 and content[1] < 0x20:
        return "an ONNX model"
    return ""


def and_is(content: bytes) -> str:
    """Return ` (it is a zip archive ...)`, or an empty string."""
    words = what_it_is(content)
    return f" (it is {words})" if words else ""
