"""numpy's arrays that its own pickling copies, and memory that is no longer there."""

from __future__ import annotations

import array
import mmap
import os
import pickle
from pathlib import Path
from typing import Any

import numpy
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_dtypes, array_shapes, arrays, scalar_dtypes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mfv.errors import UnpicklableError
from mfv.serde.frame import Item
from mfv.serde.pickle5 import dump, load


def there_and_back(value: Any) -> Any:
    frames = dump(value, name="self.x")
    assert b"mfv" not in bytes(frames[0].data)
    return load([memoryview(bytearray(frame.data)) for frame in frames])


CUBE = numpy.arange(60_000.0).reshape(20, 30, 100)

UNCOPIED: dict[str, Any] = {
    "in the order of Fortran": numpy.asfortranarray(CUBE),
    "transposed": CUBE.transpose(1, 2, 0),
    "with two axes changed": CUBE.transpose(1, 0, 2),
    "dates transposed": CUBE.astype("M8[s]").transpose(1, 0, 2),
    "complex transposed": CUBE.astype("c16").transpose(1, 0, 2),
    "rows of the middle": CUBE[5:15],
    "records": numpy.rec.fromarrays([numpy.arange(5000), numpy.ones(5000)], names="a,b"),
    "a matrix": numpy.matrix(CUBE.reshape(200, 300)),
    "masked": numpy.ma.array(CUBE, mask=CUBE > 7, fill_value=3.0),
    "masked nowhere": numpy.ma.array(CUBE),
    "masked for good": numpy.ma.array(CUBE, mask=CUBE > 7, hard_mask=True),
}


@pytest.mark.parametrize("name", UNCOPIED)
def test_an_array_that_is_dense_in_any_order_is_lent_out(name: str) -> None:
    value = UNCOPIED[name]
    stream, buffer, *_ = dump(value, name="self.x")
    assert len(stream.data) < 400
    assert len(buffer.data) == value.nbytes
    plain = value.data if isinstance(value, numpy.ma.MaskedArray) else value
    assert numpy.may_share_memory(numpy.frombuffer(buffer.data, "u1"), plain)
    again = there_and_back(value)
    assert (type(again), again.dtype, again.shape) == (type(value), value.dtype, value.shape)
    assert again.strides == value.strides
    assert numpy.array_equal(again, value)
    assert again.flags.writeable


@pytest.mark.parametrize("name", [name for name in UNCOPIED if "masked" in name])
def test_a_masked_array_keeps_its_mask_and_what_lies_below_it(name: str) -> None:
    value, again = UNCOPIED[name], there_and_back(UNCOPIED[name])
    assert numpy.array_equal(again.data, value.data)
    assert numpy.array_equal(numpy.ma.getmaskarray(again), numpy.ma.getmaskarray(value))
    assert (again.mask is numpy.ma.nomask) == (value.mask is numpy.ma.nomask)
    assert again.fill_value == value.fill_value
    assert again.hardmask == value.hardmask


SCATTERED: dict[str, Any] = {
    "every third": numpy.arange(40_000.0)[::3],
    "backwards": numpy.arange(10_000)[::-1],
    "columns": CUBE[:, :, 10:90],
    "a column repeated": numpy.broadcast_to(numpy.arange(300.0), (100, 300)),
    "dates": numpy.arange(40_000).astype("M8[s]")[::3],
    "big endian": numpy.arange(40_000, dtype=">i4")[::3],
}


@pytest.mark.parametrize("name", SCATTERED)
def test_an_array_with_gaps_is_a_frame_of_what_is_in_it(name: str) -> None:
    value = SCATTERED[name]
    stream, buffer = dump(value, name="self.x")
    assert len(stream.data) < 400
    assert len(buffer.data) == value.nbytes
    assert buffer.item is not None
    again = there_and_back(value)
    assert again.dtype == value.dtype
    assert numpy.array_equal(again, value)


NOTHING: dict[str, Any] = {
    "bytes of no size": numpy.zeros((30_000, 2), "V0"),
    "records of no fields": numpy.zeros(30_000, []),
    "no rows": numpy.empty((0, 30_000)),
    "no rows, transposed": numpy.empty((30_000, 0, 3)).transpose(2, 1, 0),
    "no texts": numpy.empty((0,), "U7"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_an_array_without_a_byte_keeps_its_shape_and_dtype(name: str) -> None:
    value, again = NOTHING[name], there_and_back(NOTHING[name])
    assert (again.dtype, again.shape) == (value.dtype, value.shape)


def test_an_array_of_objects_lends_out_what_is_large_in_it() -> None:
    value = numpy.empty(3, object)
    value[:] = [numpy.arange(5000.0), "text", {"w": numpy.ones(5000)}]
    assert [len(frame.data) for frame in dump(value, name="self.x")[1:]] == [40_000, 40_000]
    again = there_and_back(value)
    assert again[1] == "text"
    assert numpy.array_equal(again[2]["w"], value[2]["w"])


class Tagged(numpy.ndarray):
    """A subclass that must not be made by a view of any array."""

    def __array_finalize__(self, other: Any) -> None:
        if isinstance(other, numpy.ndarray) and not isinstance(other, Tagged):
            self.unit = "m"


def test_a_subclass_of_the_user_keeps_its_own_way() -> None:
    again = there_and_back(numpy.arange(20_000.0).view(Tagged))
    assert type(again) is Tagged
    assert again[-1] == 19_999.0
    assert again.flags.writeable


@settings(deadline=None, max_examples=150)
@given(
    st.data(),
    arrays(
        scalar_dtypes() | array_dtypes(max_size=3),
        array_shapes(max_dims=4, max_side=20).map(lambda shape: (40, *shape)),
    ),
)
def test_any_view_of_any_array_comes_back(data: st.DataObject, value: Any) -> None:
    axes = data.draw(st.permutations(range(value.ndim)))
    steps = data.draw(st.tuples(*[st.sampled_from([1, 1, 2, -1])] * value.ndim))
    view = value.transpose(axes)[tuple(slice(None, None, step) for step in steps)]
    frames = dump(view, name="self.x")
    again: Any = load([memoryview(bytearray(frame.data)) for frame in frames])
    assert again.shape == view.shape
    assert again.dtype.newbyteorder("=") == view.dtype.newbyteorder("=")
    assert again.tobytes() == view.astype(again.dtype).tobytes()


def mapped(folder: Path, rows: int = 20_000) -> Any:
    value = numpy.memmap(folder / "file", dtype="f4", mode="w+", shape=(rows,), offset=8)
    value[:] = numpy.arange(rows)
    return value


def test_an_array_mapped_from_a_file_is_lent_out_and_needs_no_file_later(tmp_path: Path) -> None:
    value = mapped(tmp_path)
    stream, buffer = dump(value, name="self.x")
    assert (len(buffer.data), buffer.item) == (80_000, Item("f", 4))
    assert len(stream.data) < 400
    del value
    again: Any = load([bytes(stream.data), bytearray(buffer.data)])
    assert type(again) is numpy.memmap
    assert again[-1] == 19_999
    again[0] = 5


VIEWS: dict[str, Any] = {
    "itself": lambda value: value,
    "a part": lambda value: value[5:100],
    "a plain view": lambda value: numpy.asarray(value)[10:],
    "with gaps": lambda value: value[::2],
    "masked": lambda value: numpy.ma.array(value, mask=False),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("left", [0, 1000, 80_007])
def test_an_array_whose_file_shrank_is_named_before_it_is_touched(
    name: str, left: int, tmp_path: Path
) -> None:
    view = VIEWS[name](mapped(tmp_path))
    os.truncate(tmp_path / "file", left)
    with pytest.raises(UnpicklableError) as caught:
        dump({"ok": 1, "rows": [view]}, name="self.x")
    assert caught.value.path.startswith("self.x['rows'][0]")
    assert f"only {left} left" in caught.value.message


def test_a_mapping_that_no_memmap_made_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100_000))
    with (tmp_path / "file").open("r+b") as file:
        value = numpy.frombuffer(mmap.mmap(file.fileno(), 0), "u1")
        assert numpy.array_equal(there_and_back(value), value)
        os.truncate(file.name, 5)
        with pytest.raises(UnpicklableError, match="only 5 left"):
            dump(value, name="self.x")


def test_a_file_that_was_replaced_or_removed_is_not_one_that_shrank(tmp_path: Path) -> None:
    value = mapped(tmp_path)
    (tmp_path / "file").unlink()
    assert there_and_back(value)[7] == 7
    (tmp_path / "file").write_bytes(b"short")
    assert there_and_back(value)[7] == 7


def test_anonymous_memory_cannot_shrink() -> None:
    value = numpy.frombuffer(mmap.mmap(-1, 100_000), "u1")
    assert len(there_and_back(value)) == 100_000


@pytest.mark.parametrize(
    "value",
    [memoryview(b"some bytes"), mmap.mmap(-1, 100), memoryview(numpy.zeros(20_000))],
    ids=["view", "mapping", "view of an array"],
)
def test_bare_memory_is_unpicklable_and_named(value: Any) -> None:
    with pytest.raises(UnpicklableError) as caught:
        dump({"ok": 1, "raw": value}, name="self.x")
    assert caught.value.path == "self.x['raw']"


def test_an_unpicklable_object_in_an_array_is_named() -> None:
    with pytest.raises(UnpicklableError) as caught:
        dump(numpy.array([1, lambda: 0], object), name="self.x")
    assert caught.value.path == "self.x.flat[1]"


def test_a_long_array_of_the_standard_library_is_a_frame() -> None:
    value = array.array("d", range(20_000))
    assert len(dump(value, name="self.x")[1].data) == 160_000
    assert there_and_back(value) == value


FORMATS = ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("make", [scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_a_sparse_matrix_comes_back_in_its_format(kind: str, make: Any) -> None:
    dense = numpy.eye(300) + numpy.eye(300, k=3)
    value = make(dense).asformat(kind)
    again = there_and_back(value)
    assert (type(again), again.format, again.shape) == (type(value), kind, value.shape)
    assert numpy.array_equal(again.toarray(), dense)


def test_the_numbers_of_a_sparse_matrix_are_frames() -> None:
    value = scipy.sparse.random(1000, 1000, 0.1, format="csr", rng=1)
    items = [frame.item for frame in dump(value, name="self.x")[1:]]
    assert sorted(item for item in items if item) == [Item("f", 8), Item("i", 4)]


@pytest.mark.parametrize(
    "model", [LogisticRegression(), RandomForestClassifier(20, random_state=1)]
)
def test_a_fitted_model_predicts_the_same(model: Any) -> None:
    generator = numpy.random.default_rng(3)
    rows = generator.normal(size=(400, 50))
    model.fit(rows, rows[:, 0] > 0)
    again = there_and_back(model)
    assert numpy.array_equal(again.predict_proba(rows), model.predict_proba(rows))


def test_a_model_with_large_weights_keeps_them_in_frames() -> None:
    model = LogisticRegression()
    model.coef_ = numpy.ones((100, 500))
    stream, buffer = dump({"model": model, "again": model.coef_}, name="self.x")
    assert (len(buffer.data), buffer.item) == (400_000, Item("f", 8))
    assert len(stream.data) < 2000
    again = pickle.loads(stream.data, buffers=[bytearray(buffer.data)])
    assert again["model"].coef_ is again["again"]
