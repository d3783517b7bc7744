"""torch's storages, which it would write into the stream as files of its own.

Tensors, parameters, modules and optimizers keep torch's own way: they lead to storages, and only
those are reduced differently. A storage that several tensors are views of is kept once, and is
shared again after loading.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Any

from mfv.serde.frame import Item
from mfv.serde.lending import Call, Lender

Reducer = Callable[[Any], Any]

# Words in the names of dtypes that are numbers to others too. bfloat16 is none: it gets byte
# planes of two bytes, which is what pays for it.
_KINDS = {
    **dict.fromkeys(("float16", "float32", "float64"), "f"),
    **dict.fromkeys(("int8", "int16", "int32", "int64", "qint8", "qint32"), "i"),
    **dict.fromkeys(("bool", "uint16", "uint32", "uint64"), "u"),
    **dict.fromkeys(("complex32", "complex64", "complex128"), "f"),
}
_untyped = methodcaller("untyped_storage")


def reducer_for(kind: type, lender: Lender, shared: dict[Any, Any]) -> Reducer | None:
    """How values of `kind` are reduced; None for their own way."""
    torch = sys.modules["torch"]
    if kind is torch.Tensor:
        return partial(_reduce_tensor, shared)
    if kind is torch.storage.TypedStorage:
        return partial(_reduce_typed, lender, shared)
    if kind is torch.storage.UntypedStorage:
        return partial(_reduce_untyped, lender, shared)
    return None


def _reduce_tensor(shared: dict[Any, Any], tensor: Any) -> Any:
    """torch's own way, which gives tensors of its newer dtypes a storage that says no dtype.

    What it calls to make those again wants one that does, and fails without.
    """
    torch = sys.modules["torch"]
    reduced = tensor.__reduce_ex__(5)
    make, arguments = reduced[:2]
    if not arguments or type(arguments[0]) is not torch.UntypedStorage:
        return reduced
    storage = arguments[0]
    shared.setdefault(storage._cdata, (storage, _item(tensor.dtype)))
    wrapped = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.uint8, _internal=True)
    return make, (wrapped, *arguments[1:])


def _reduce_typed(lender: Lender, shared: dict[Any, Any], storage: Any) -> Any:
    """A storage as a tensor presents it, made anew each time around the one that it wraps."""
    torch = sys.modules["torch"]
    untyped = storage._untyped_storage
    if untyped.device.type != "cpu":
        return storage.__reduce_ex__(5)
    # The first of several equal ones, for pickle knows them by identity. The item is the first's.
    untyped, _ = shared.setdefault(untyped._cdata, (untyped, _item(storage.dtype)))
    keywords = {"wrap_storage": untyped, "dtype": storage.dtype, "_internal": True}
    return partial(torch.storage.TypedStorage, **keywords), ()


def _reduce_untyped(lender: Lender, shared: dict[Any, Any], storage: Any) -> Any:
    torch = sys.modules["torch"]
    if storage.device.type != "cpu":
        return storage.__reduce_ex__(5)
    size = storage.nbytes()
    if size == 0:
        return torch.UntypedStorage, (0,)
    _, item = shared.setdefault(storage._cdata, (storage, None))
    memory = (ctypes.c_ubyte * size).from_address(storage.data_ptr())
    memory.owner = storage  # its memory lives as long as the buffer
    if "make" not in shared:
        shared["make"] = partial(torch.frombuffer, dtype=torch.uint8)
    # frombuffer shares the memory of the buffer that is there when it is loaded.
    bare = Call(shared["make"], lender.lend(memoryview(memory), item))
    return _untyped, (bare,)


def _item(dtype: Any) -> Item | None:
    """What the numbers of `dtype` are; a complex one is the two floats that it is."""
    name = str(dtype).removeprefix("torch.")
    size = dtype.itemsize // 2 if name.startswith("complex") else dtype.itemsize
    if size == 1 and name not in _KINDS:
        return None
    return Item(_KINDS.get(name, "V"), size)
