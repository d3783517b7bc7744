"""torch's tensors among inert nodes. torch itself is not asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mfv.outline.nodes import Block
from mfv.serde.inert import Away, Made, Named, Pairs, Raw

_CODES = {
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "complex64": "<c8",
    "complex128": "<c16",
    "int8": "<i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "<u1",
    "bool": "|b1",
}
_WIDTHS = {"bfloat16": 2}
_MOST = 200  # nodes looked at for one storage


def tensor_of(node: Any) -> Block | None:
    """The dense tensor on a processor that `node` would make; None for any other."""
    if not isinstance(node, Made) or not isinstance(node.call, Named):
        return None
    arguments = node.arguments
    if not isinstance(arguments, tuple):
        return None
    if node.call.name == "torch._utils._rebuild_parameter" and arguments:
        return tensor_of(arguments[0])
    rebuilds = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3")
    if node.call.name not in rebuilds or len(arguments) < 4:
        return None
    storage, offset, shape, strides = arguments[:4]
    dtype, data = _named_dtype(storage), _bytes_of(storage)
    for one in arguments[6:]:  # newer dtypes are named beside the storage
        if isinstance(one, Named) and one.name.startswith("torch."):
            dtype = one.name.removeprefix("torch.")
    if dtype is None or data is None or not _is_dense(offset, shape, strides):
        return None
    code = _CODES.get(dtype)
    width = int(code[2:]) if code else _WIDTHS.get(dtype, 0)
    block = Block("tensor", dtype, code, tuple(shape), data, offset * width)
    size = data.size if isinstance(data, Away) else memoryview(data.data).nbytes
    return block if width and block.offset + block.numbers * width <= size else None


def _is_dense(offset: Any, shape: Any, strides: Any) -> bool:
    if not isinstance(shape, tuple) or not isinstance(strides, tuple):
        return False
    if not all(type(one) is int and one >= 0 for one in (offset, *shape, *strides)):
        return False
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=False):
        if size > 1 and stride != expected:
            return False
        expected *= max(size, 1)
    return len(shape) == len(strides)


def _named_dtype(storage: Any) -> str | None:
    """What the storage says that its numbers are."""
    for node in _below(storage):
        if isinstance(node, Pairs):
            keys = {key: value for key, value in node.items if isinstance(key, str)}
            kind = keys.get("dtype")
            if "wrap_storage" in keys and isinstance(kind, Named):
                return kind.name.removeprefix("torch.")
    return None


def _bytes_of(storage: Any) -> Raw | Away | None:
    found = [node for node in _below(storage) if isinstance(node, (Raw, Away))]
    return found[0] if len({id(one) for one in found}) == 1 else None


def _below(node: Any) -> Iterator[Any]:
    """All nodes below, a bounded number of them."""
    waiting, seen = [node], set[int]()
    while waiting and len(seen) < _MOST:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, Made):
            waiting += [one.call, one.arguments, one.keywords, *one.state, *one.extended]
        elif isinstance(one, Pairs):
            waiting += [part for pair in one.items for part in pair]
        elif isinstance(one, (list, tuple)):
            waiting += one
