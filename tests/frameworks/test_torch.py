"""torch: storages are frames, shared ones once, and everything else is torch's own affair."""

from __future__ import annotations

import pickle
import pickletools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from making import whole_run

from mfv.repo.artifacts import load as load_artifact
from mfv.repo.repository import Repository
from mfv.serde.frame import Item
from mfv.serde.pickle5 import dump, load
from mfv.serde.summary import summarize

torch: Any = pytest.importorskip("torch")

ROWS = 10_000


def there_and_back(value: Any) -> Any:
    return load([memoryview(bytearray(frame.data)) for frame in dump(value, name="self.x")])


def items(value: Any) -> list[Item | None]:
    return [frame.item for frame in dump(value, name="self.x")[1:]]


DTYPES = {
    "float32": Item("f", 4),
    "float64": Item("f", 8),
    "float16": Item("f", 2),
    "bfloat16": Item("V", 2),
    "complex64": Item("f", 4),
    "complex128": Item("f", 8),
    "int64": Item("i", 8),
    "int32": Item("i", 4),
    "int16": Item("i", 2),
    "int8": Item("i", 1),
    "uint8": None,
    "uint16": Item("u", 2),
    "bool": Item("u", 1),
    "float8_e4m3fn": None,
}


@pytest.mark.parametrize("name", DTYPES)
def test_a_tensor_of_any_dtype_is_a_frame_with_its_items(name: str) -> None:
    value = torch.arange(4 * ROWS).to(getattr(torch, name))
    stream, buffer = dump(value, name="self.x")
    assert len(stream.data) < 500
    assert (len(buffer.data), buffer.item) == (value.nbytes, DTYPES[name])
    again = there_and_back(value)
    assert again.dtype == value.dtype
    assert torch.equal(again.view(torch.uint8), value.view(torch.uint8))


def test_a_storage_is_not_copied() -> None:
    value = torch.zeros(ROWS)
    _, buffer = dump(value, name="self.x")
    value[7] = 5
    assert memoryview(buffer.data).cast("B").cast("f")[7] == 5


def test_the_memory_of_a_tensor_lives_as_long_as_its_frame() -> None:
    _, buffer = dump(torch.full((1_000_000,), 3.0), name="self.x")
    torch.zeros(1_000_000)
    assert set(memoryview(buffer.data).cast("B").cast("f")) == {3.0}


BASE = torch.arange(60_000.0).reshape(200, 300)

TENSORS: dict[str, Any] = {
    "transposed": BASE.T,
    "strided": BASE[::2, 5:],
    "expanded": torch.arange(300.0).expand(100, 300),
    "wants gradients": torch.ones(ROWS, requires_grad=True),
    "parameter": torch.nn.Parameter(torch.ones(ROWS)),
    "frozen parameter": torch.nn.Parameter(torch.ones(ROWS), requires_grad=False),
    "point": torch.tensor(3.5),
    "empty": torch.empty(0, 7),
    "small": torch.arange(3),
    "conjugate": torch.ones(ROWS, dtype=torch.complex64).conj(),
    "shared memory": torch.arange(20_000.0).share_memory_(),
    "of numpy": torch.from_numpy(__import__("numpy").arange(20_000.0)),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_comes_back_as_it_was_and_can_be_written_to(name: str) -> None:
    value, again = TENSORS[name], there_and_back(TENSORS[name])
    assert (type(again), again.shape, again.stride()) == (type(value), value.shape, value.stride())
    assert again.requires_grad == value.requires_grad
    assert again.is_conj() == value.is_conj()
    assert torch.equal(again, value)
    with torch.no_grad():
        again.fill_(2)
    assert (again == 2).all()


def test_views_of_one_storage_keep_it_once_and_share_it_again() -> None:
    whole = torch.arange(float(ROWS))
    value = {"whole": whole, "rows": whole[100:].view(-1, 100), "bits": whole.view(torch.int32)}
    assert items(value) == [Item("f", 4)]
    again = there_and_back(value)
    again["rows"][0, 0] = -5.0
    assert again["whole"][100] == -5.0
    assert torch.equal(again["bits"].view(torch.float32), again["whole"])


def test_storages_of_their_own_are_not_shared_though_they_are_equal() -> None:
    again = there_and_back([torch.zeros(ROWS), torch.zeros(ROWS)])
    again[0].fill_(1)
    assert again[1].sum() == 0


def test_a_bare_storage_comes_back_and_is_shared_with_its_tensor() -> None:
    tensor = torch.arange(float(ROWS))
    storage, again = there_and_back([tensor.untyped_storage(), tensor])
    storage.fill_(0)
    assert again.sum() == 0


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(300, 40)
        self.norm = torch.nn.BatchNorm1d(40)
        self.out = torch.nn.Linear(40, 300, bias=False)
        self.out.weight = self.embed.weight  # tied

    def forward(self, words: Any) -> Any:
        return self.out(self.norm(self.embed(words)))


@pytest.fixture
def trained() -> Iterator[tuple[Any, Any]]:
    torch.manual_seed(3)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.arange(300)).square().sum().backward()
        optimizer.step()
    yield net, optimizer


def test_a_module_and_its_optimizer_go_on_as_they_would_have(trained: tuple[Any, Any]) -> None:
    net, optimizer = trained
    net2, optimizer2 = there_and_back((net, optimizer))
    assert net2.out.weight is net2.embed.weight
    assert optimizer2.param_groups[0]["params"][0] is net2.embed.weight
    for one, two in ((net, optimizer), (net2, optimizer2)):
        two.zero_grad()
        one(torch.arange(300)).square().sum().backward()
        two.step()
    for name, tensor in net.state_dict().items():
        assert torch.equal(net2.state_dict()[name], tensor)


def test_state_dicts_keep_what_they_share(trained: tuple[Any, Any]) -> None:
    net, optimizer = trained
    state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
    assert items(state) == [Item("f", 4)] * 3  # weights kept once, two moments
    again = there_and_back(state)
    assert list(again["net"]) == list(state["net"])
    Net().load_state_dict(again["net"])
    torch.optim.AdamW(Net().parameters()).load_state_dict(again["optimizer"])


def test_one_changed_tensor_of_many_changes_one_frame() -> None:
    state = {f"layer{place}": torch.full((ROWS,), float(place)) for place in range(5)}
    before = [bytes(frame.data) for frame in dump(state, name="self.x")]
    state["layer3"] = state["layer3"] + 1
    after = [bytes(frame.data) for frame in dump(state, name="self.x")]
    assert [place for place in range(6) if before[place] != after[place]] == [4]


@pytest.mark.filterwarnings("ignore")
def test_sparse_quantized_and_meta_tensors_keep_torchs_own_way() -> None:
    for layout in ("to_sparse", "to_sparse_csr", "to_sparse_csc"):
        value = getattr(torch.eye(3000), layout)()
        assert torch.equal(there_and_back(value).to_dense(), value.to_dense())
        assert items(value)[0] == Item("i", 8)
    value = torch.quantize_per_tensor(torch.arange(200.0 * ROWS) / 9, 0.1, 3, torch.qint8)
    again = there_and_back(value)
    assert (again.dtype, again.q_scale(), again.q_zero_point()) == (torch.qint8, 0.1, 3)
    assert torch.equal(again.int_repr(), value.int_repr())
    assert there_and_back(torch.empty(3, 5, device="meta")).shape == (3, 5)


class Length(torch.Tensor):
    unit = "m"


def test_a_subclass_of_a_tensor_comes_back_as_one_with_its_attributes() -> None:
    value = torch.arange(float(ROWS)).as_subclass(Length)
    value.unit = "km"
    again = there_and_back(value)
    assert (type(again), again.unit) == (Length, "km")
    assert items(value) == [Item("f", 4)]
    assert again[7].item() == 7


def test_a_pickle_of_tensors_names_torch_and_the_standard_library_alone() -> None:
    value = {"net": torch.nn.Linear(200, 300), "bits": torch.ones(ROWS, dtype=torch.bfloat16)}
    frames = [bytes(frame.data) for frame in dump(value, name="self.x")]
    words = [word for _, word, _ in pickletools.genops(frames[0]) if isinstance(word, str)]
    assert not [word for word in words if "mfv" in word or "numpy" in word]
    code = """
import pickle, sys
frames = pickle.load(sys.stdin.buffer)
value = pickle.loads(frames[0], buffers=map(bytearray, frames[1:]))
value["bits"][0] = 9
print(value["bits"][:2].tolist(), value["net"].weight.shape[0])
print("mfv" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=pickle.dumps(frames),
        capture_output=True,
        check=True,
        cwd=Path(sys.prefix),
    )
    assert done.stdout.decode().split("\n")[:2] == ["[9.0, 1.0] 300", "False"]


MAKE = """
import hashlib, torch
from mfv.serde.pickle5 import dump
torch.manual_seed(1)
net = torch.nn.Sequential(torch.nn.Linear(200, 300), torch.nn.ReLU(), torch.nn.Linear(300, 100))
optimizer = torch.optim.Adam(net.parameters())
net(torch.randn(10, 200)).sum().backward()
optimizer.step()
value = {"net": net, "state": net.state_dict(), "optimizer": optimizer.state_dict()}
for frame in [*dump(value, name="x"), *dump(value, name="x")]:
    print(hashlib.sha256(frame.data).hexdigest())
"""


def test_equal_models_of_two_processes_are_equal_frames() -> None:
    seen = [
        subprocess.run(
            [sys.executable, "-c", MAKE],
            capture_output=True,
            check=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert seen[0] == seen[1]
    half = len(seen[0]) // 2
    assert seen[0][:half] == seen[0][half:]


def test_a_stored_model_is_read_back_from_its_packs(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    half = torch.randn(200_000).to(torch.bfloat16)
    whole_run(repository, {"half": half, "net": torch.nn.Linear(300, 400)})
    repository = Repository.open(tmp_path / ".mfv")
    (run,) = repository.state
    (ref,) = repository.tasks(run)
    recorded = {one.name: one for one in repository.task(ref).artifacts}
    again: Any = load_artifact(repository.database, recorded["half"])
    assert torch.equal(again, half)
    again[0] = 1
    net: Any = load_artifact(repository.database, recorded["net"])
    assert net(torch.zeros(300)).shape == (400,)


def test_bfloat16_of_weights_is_kept_in_planes_and_takes_a_third_less(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    weights = (torch.randn(2_000_000) * 0.02).to(torch.bfloat16)
    whole_run(repository, {"weights": weights})
    stored = sum(path.stat().st_size for path in (tmp_path / ".mfv" / "packs").rglob("*"))
    assert 0.5 * weights.nbytes < stored < 0.72 * weights.nbytes


def test_a_tensor_is_told_by_shape_dtype_and_statistics() -> None:
    facts = summarize(torch.tensor([[1.0, 3.0], [5.0, float("nan")]]))
    assert (facts.shape, facts.dtype, facts.text) == ((2, 2), "float32", "tensor on cpu")
    assert (facts.low, facts.high, facts.mean, facts.nulls) == (1.0, 5.0, 3.0, 1)
    assert summarize(torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16))).mean == 1.0
    half = summarize(torch.tensor([1.0, float("nan")], dtype=torch.bfloat16))
    assert (half.low, half.mean, half.nulls, half.dtype) == (1.0, 1.0, 1, "bfloat16")
    assert summarize(torch.tensor([float("nan")], dtype=torch.bfloat16)).nulls == 1
    assert summarize(torch.ones(2, requires_grad=True)).mean == 1.0
    assert summarize(torch.arange(5)).high == 4.0
    assert summarize(torch.tensor([True, False])).mean == 0.5
    for value in (
        torch.ones(3, dtype=torch.complex64),
        torch.ones(3, dtype=torch.complex64).conj(),
    ):
        assert summarize(value).low is None
    assert summarize(torch.empty(2, 0)).shape == (2, 0)
    assert summarize(torch.empty(3, device="meta")).text == "tensor on meta"


def test_a_state_dict_and_a_module_tell_their_tensors() -> None:
    net = torch.nn.Linear(2, 3)
    facts = summarize(net.state_dict())
    assert facts.columns == (("weight", "float32[3, 2]"), ("bias", "float32[3]"))
    assert summarize(net).text == "Linear(in_features=2, out_features=3, bias=True)"
