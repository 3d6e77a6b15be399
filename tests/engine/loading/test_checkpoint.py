"""Reading and writing checkpoints: what does not fit is named, what fits is exact."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import CheckpointError
from engine.loading.checkpoint import digest, load_strict, read_checkpoint, save_checkpoint
from engine.loading.files import CONFIG, WEIGHTS, find_files
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

GOLDEN = Path(__file__).parents[2] / "golden"
PUBLISHED = json.loads((GOLDEN / "published_checkpoints.json").read_text())
NETWORKS: dict[str, type[Kronos] | type[KronosTokenizer]] = {"model": Kronos, "tokenizer": KronosTokenizer}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the golden model that a test may damage."""
    return Path(shutil.copytree(GOLDEN / "model", tmp_path / "model"))


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / CONFIG).read_text())
    change(config)
    (folder / CONFIG).write_text(json.dumps(config))


def change_weights(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_checkpoint_is_loaded_exactly_and_ready_to_forecast(kind: str) -> None:
    network = NETWORKS[kind].from_pretrained(GOLDEN / kind)
    stored = load_file(GOLDEN / kind / WEIGHTS)
    assert network.state_dict().keys() == stored.keys()
    assert all(torch.equal(tensor, stored[name]) for name, tensor in network.state_dict().items())
    assert not network.training
    assert {tensor.device.type for tensor in network.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize("kind", NETWORKS)
def test_what_is_saved_loads_again_the_same(kind: str, tmp_path: Path) -> None:
    network = NETWORKS[kind].from_pretrained(GOLDEN / kind)
    network.save_pretrained(tmp_path / "new" / "folder")
    again = NETWORKS[kind].from_pretrained(tmp_path / "new" / "folder")
    assert again.config == network.config
    assert digest(again) == digest(network)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [CONFIG, WEIGHTS]
    assert (tmp_path / "new" / "folder" / CONFIG).read_bytes() == (GOLDEN / kind / CONFIG).read_bytes()


def test_what_the_published_package_does_not_know_is_written_only_where_it_is_set(tmp_path: Path) -> None:
    tokenizer = KronosTokenizer.from_pretrained(GOLDEN / "tokenizer")
    shared = KronosTokenizer.from_config(replace(tokenizer.config, shared_deviation=True))
    shared.load_state_dict(tokenizer.state_dict())
    shared.save_pretrained(tmp_path)
    written = json.loads((tmp_path / CONFIG).read_text())
    assert written["shared_deviation"] is True
    assert written["note"].startswith("The published Kronos package loads this checkpoint but")
    again = KronosTokenizer.from_pretrained(tmp_path)
    assert again.config.shared_deviation
    assert digest(again) == digest(shared) != digest(tokenizer)


def test_loading_draws_no_random_numbers_and_leaves_no_trainable_difference() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    model = Kronos.from_pretrained(GOLDEN / "model")
    assert torch.equal(torch.rand(3), expected)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_fixed_time_table_is_stored_and_loaded_like_the_rest(folder: Path, tmp_path: Path) -> None:
    config = {**json.loads((folder / CONFIG).read_text()), "learn_te": False}
    model = Kronos(**config)
    model.save_pretrained(tmp_path / "fixed")
    again = Kronos.from_pretrained(tmp_path / "fixed")
    assert torch.equal(again.state_dict()["time_emb.minute_embed.emb.weight"], model.time_emb.minute_embed.emb.weight)
    assert not again.time_emb.minute_embed.emb.weight.requires_grad


@pytest.mark.parametrize("repository", PUBLISHED)
def test_every_published_checkpoint_fits_tensor_by_tensor(repository: str) -> None:
    published = PUBLISHED[repository]
    with torch.device("meta"):
        network = NETWORKS[published["kind"]](**published["config"])
    tensors = {name: [list(t.shape), str(t.dtype).removeprefix("torch.")] for name, t in network.state_dict().items()}
    assert tensors == published["tensors"]
    assert sum(parameter.numel() for parameter in network.parameters()) == published["parameters"]


@pytest.mark.parametrize("repository", PUBLISHED)
def test_every_published_checkpoint_loads_strictly(repository: str, tmp_path: Path) -> None:
    published = PUBLISHED[repository]
    draw = torch.Generator().manual_seed(1)
    # In half precision the largest takes 200 MB.
    tensors = {
        name: torch.randn(shape, generator=draw, dtype=torch.bfloat16)
        if dtype == "float32"
        else torch.randint(0, 9, shape, generator=draw)
        for name, (shape, dtype) in published["tensors"].items()
    }
    save_file(tensors, tmp_path / WEIGHTS, metadata={"format": "pt"})
    (tmp_path / CONFIG).write_text(json.dumps(published["config"]))
    network = NETWORKS[published["kind"]].from_pretrained(tmp_path)
    assert all(
        torch.equal(network.state_dict()[name], tensor.to(network.state_dict()[name]))
        for name, tensor in tensors.items()
    )
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("head.proj_s1.bias"), r"1 tensor missing \(head\.proj_s1\.bias\)"),
        (lambda t: t.update(stray=torch.zeros(1)), r"1 tensor unexpected \(stray\)"),
        (
            lambda t: t.update({"norm.weight": torch.ones(7)}),
            r"misshapen \(norm\.weight is \(7,\) instead of \(48,\)\)",
        ),
        (
            lambda t: t.update({"norm.weight": torch.ones(48, dtype=torch.int64)}),
            r"of another kind \(norm\.weight is int64 instead of float32\)",
        ),
        (lambda t: t["norm.weight"].fill_(torch.nan), r"1 tensor holding NaN or infinity \(norm\.weight\)"),
        (
            lambda t: [t.pop(name) for name in list(t) if name.startswith("transformer.1.")],
            r"14 tensors missing .* 9 more",
        ),
    ],
    ids=["missing", "extra", "misshapen", "integers", "nan", "a whole block"],
)
def test_a_tensor_that_does_not_fit_is_named(folder: Path, change: Callable[..., object], message: str) -> None:
    change_weights(folder, change)
    with pytest.raises(CheckpointError, match=message) as error:
        Kronos.from_pretrained(folder)
    assert str(folder / WEIGHTS) in str(error.value)


def test_all_faults_are_told_at_once(folder: Path) -> None:
    change_weights(folder, lambda t: (t.pop("norm.weight"), t.update(stray=torch.zeros(1))))
    with pytest.raises(CheckpointError, match=r"missing .*; 1 tensor unexpected"):
        Kronos.from_pretrained(folder)


def test_a_checkpoint_that_does_not_fit_changes_nothing() -> None:
    model = Kronos.from_pretrained(GOLDEN / "model")
    before = digest(model)
    tensors = {name: tensor + 1 for name, tensor in model.state_dict().items()}
    del tensors["norm.weight"]
    with pytest.raises(CheckpointError, match=r"norm\.weight"):
        load_strict(model, tensors, origin="elsewhere")
    assert digest(model) == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_cast(folder: Path, dtype: torch.dtype) -> None:
    change_weights(folder, lambda t: t.update({name: tensor.to(dtype) for name, tensor in t.items()}))
    model = Kronos.from_pretrained(folder)
    stored = load_file(folder / WEIGHTS)
    assert all(torch.equal(tensor, stored[name].float()) for name, tensor in model.state_dict().items())


def test_integer_buffers_stay_exact_and_take_no_floats(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(GOLDEN / "tokenizer", tmp_path / "tokenizer"))
    change_weights(folder, lambda t: t["tokenizer.bsq.basis"].fill_(2**53 + 1))
    basis = KronosTokenizer.from_pretrained(folder).state_dict()["tokenizer.bsq.basis"]
    assert basis.dtype == torch.int64
    assert set(basis.tolist()) == {2**53 + 1}
    change_weights(folder, lambda t: t.update({"tokenizer.bsq.basis": t["tokenizer.bsq.basis"].double()}))
    with pytest.raises(CheckpointError, match=r"tokenizer\.bsq\.basis is float64 instead of int64"):
        KronosTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("size", [0, 7, 500, 100_000, -1])
def test_a_truncated_file_is_named(folder: Path, size: int) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:size])
    with pytest.raises(CheckpointError, match="not a complete safetensors file") as error:
        Kronos.from_pretrained(folder)
    assert str(folder / WEIGHTS) in str(error.value)


@pytest.mark.parametrize("content", [b"\x80\x04\x95pickle" * 9, b"\xff" * 64, b"<html>404</html>"])
def test_a_file_that_is_no_safetensors_is_named(folder: Path, content: bytes) -> None:
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        Kronos.from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("d_model"), "lacks d_model"),
        (lambda c: c.update(d_modle=48), "has unknown d_modle"),
        (lambda c: c.update(d_model="48"), "d_model is '48', but must be of type int"),
        (lambda c: c.update(d_model=48.0), r"d_model is 48\.0, but must be of type int"),
        (lambda c: c.update(n_layers=True), "n_layers is True, but must be of type int"),
        (lambda c: c.update(learn_te=1), "learn_te is 1, but must be of type bool"),
        (lambda c: c.update(token_dropout_p=float("nan")), "token_dropout_p is nan, but must be of type float"),
        (lambda c: c.update(token_dropout_p=None), "token_dropout_p is None"),
        (lambda c: c.update(n_heads=5), "n_heads"),
        (lambda c: c.update(d_model=96), "misshapen"),
        (lambda c: c.update(d_model=48 * 10**9), "d_model is 48000000000, but must not exceed 65,536"),
        (lambda c: c.update(token_dropout_p=10**400), "must not exceed"),
        (lambda c: c.update(n_layers=3), r"missing \(transformer\.2\."),
    ],
)
def test_a_wrong_config_is_named_with_its_key(folder: Path, change: Callable[..., object], message: str) -> None:
    change_config(folder, change)
    with pytest.raises(CheckpointError, match=message) as error:
        Kronos.from_pretrained(folder)
    assert str(folder) in str(error.value)


def test_the_order_of_keys_and_the_notes_of_other_libraries_do_not_matter(folder: Path) -> None:
    change_config(folder, lambda c: c.update(dict(reversed([(k, c.pop(k)) for k in list(c)])), model_type="kronos"))
    assert digest(Kronos.from_pretrained(folder)) == digest(Kronos.from_pretrained(GOLDEN / "model"))


def test_whole_numbers_may_stand_for_fractions(folder: Path) -> None:
    change_config(folder, lambda c: c.update(token_dropout_p=0))
    assert Kronos.from_pretrained(folder).config.token_dropout_p == 0


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b'"text"', b"[" * 100_000, b" " * 2_000_000]
)
def test_a_config_that_is_no_object_is_named(folder: Path, content: bytes) -> None:
    (folder / CONFIG).write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        Kronos.from_pretrained(folder)
    assert str(folder / CONFIG) in str(error.value)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_folder_that_lacks_a_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=rf"{folder} holds no {name}"):
        Kronos.from_pretrained(folder)


def test_pickled_weights_are_never_read(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    torch.save({"norm.weight": torch.ones(48)}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pickled weights only \(pytorch_model\.bin\).*runs any code"):
        Kronos.from_pretrained(folder)


def test_a_failed_save_leaves_the_earlier_checkpoint_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = Kronos.from_pretrained(folder)
    monkeypatch.setattr("engine.loading.checkpoint.save_file", disk_full)
    with pytest.raises(OSError, match="No space left"):
        model.save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_saved_checkpoint_can_be_read_by_the_same_people_as_other_files(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"size": 1}, torch.nn.Linear(1, 1))
    assert (tmp_path / WEIGHTS).stat().st_mode == (tmp_path / CONFIG).stat().st_mode
    config, tensors = read_checkpoint(find_files(tmp_path))
    assert config == {"size": 1}
    assert tensors.keys() == {"weight", "bias"}


def test_a_digest_tells_weights_and_configs_apart_but_not_copies(folder: Path) -> None:
    model, tokenizer = Kronos.from_pretrained(folder), KronosTokenizer.from_pretrained(GOLDEN / "tokenizer")
    first = digest(model, tokenizer)
    assert len(first) == 64
    assert digest(Kronos.from_pretrained(GOLDEN / "model"), tokenizer) == first
    assert digest(tokenizer, model) != first
    change_config(folder, lambda c: c.update(n_heads=3))
    change_weights(folder, lambda t: t.update({n: torch.ones(8) for n in t if n.endswith("self_attn.rotary.inv_freq")}))
    other_heads = digest(Kronos.from_pretrained(folder), tokenizer)
    with torch.no_grad():
        model.norm.weight[0] += 1e-6
    assert len({first, other_heads, digest(model, tokenizer)}) == 3
