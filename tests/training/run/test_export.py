"""The result of a run is a checkpoint that the engine and the published package load, here and from the Hub."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file

from engine.loading.files import CONFIG, WEIGHTS
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.engine.loading.hub_server import Hub, serve
from training.errors import RunError
from training.fit.building import Base, build_base
from training.fit.preparing import prepare
from training.run.config import RunConfig
from training.run.export import export_checkpoint, export_run, push
from training.run.folder import RunFolder, write_json
from training.run.provenance import provenance

# The Hub's client uploads in a way that its HTTP library will give up.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def base(config: RunConfig) -> Base:
    return build_base(config)


@pytest.fixture
def run(tmp_path: Path, config: RunConfig, base: Base) -> RunFolder:
    """A run whose networks were trained, as far as its folder tells."""
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    corpus = prepare(config, run.prepared)
    write_json(run.provenance, provenance(config, corpus, base))
    for stage in config.stages:
        run.stage(stage).mkdir()
        row = {"step": 6, "seconds": 30.0, "loss": 2.0, "learning_rate": 1e-3}
        (run.stage(stage) / "log.jsonl").write_text(json.dumps(row) + "\n")
    return run


@pytest.fixture
def export(run: RunFolder, config: RunConfig, base: Base) -> Path:
    return export_run(run, config, base.tokenizer, base.predictor, base)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items())


def layout(folder: Path) -> tuple[set[str], dict[str, tuple[torch.Size, torch.dtype]]]:
    tensors = load_file(folder / WEIGHTS)
    keys = set(json.loads((folder / CONFIG).read_text()))
    return keys, {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def test_the_engine_loads_what_was_exported(export: Path, base: Base) -> None:
    loaded = KronosPredictor.from_pretrained(export / "model", tokenizer=export / "tokenizer", device="cpu")
    assert same(loaded.model, base.predictor)
    assert same(loaded.tokenizer, base.tokenizer)


def test_folders_are_laid_out_as_the_published_package_writes_them(run: RunFolder, config: RunConfig) -> None:
    model, tokenizer = (GOLDEN / name for name in ("model", "tokenizer"))
    published = build_base(
        config.model_copy(
            update={
                "base": config.base.model_copy(update={"model": str(GOLDEN), "shape": None, "tokenizer_shape": None})
            }
        )
    )
    export = export_run(run, config, published.tokenizer, published.predictor, published)
    assert layout(export / "model") == layout(model)
    assert layout(export / "tokenizer") == layout(tokenizer)


def test_an_export_tells_a_registry_what_it_needs(export: Path, base: Base) -> None:
    facts = json.loads((export / "kronos.json").read_text())
    loaded = KronosPredictor.from_pretrained(export / "model", tokenizer=export / "tokenizer", device="cpu")
    assert facts["digest"] == loaded.digest
    assert (facts["name"], facts["base"], facts["base_digest"]) == ("run", base.name, base.digest)
    assert facts["max_context"] == base.max_context
    assert facts["parameters"] == sum(parameter.numel() for parameter in base.predictor.parameters())
    assert facts["trained_until"] == "2024-01-23"  # six tenths of 900 hours from the first of January


def test_a_run_may_begin_with_an_export(export: Path, config: RunConfig) -> None:
    values = config.model_dump() | {"base": {"model": str(export)}}
    again = build_base(RunConfig.model_validate(values))
    assert again.trained_until is not None
    assert again.trained_until.isoformat() == "2024-01-23"


def test_a_later_end_of_the_bases_training_counts(run: RunFolder, config: RunConfig, base: Base) -> None:
    from dataclasses import replace
    from datetime import date

    export = export_run(run, config, base.tokenizer, base.predictor, replace(base, trained_until=date(2025, 5, 1)))
    assert json.loads((export / "kronos.json").read_text())["trained_until"] == "2025-05-01"


def test_exporting_again_replaces_the_whole_result(run: RunFolder, config: RunConfig, base: Base, export: Path) -> None:
    (export / "stale").touch()
    with torch.no_grad():
        base.predictor.norm.weight.fill_(0.5)
    export_run(run, config, base.tokenizer, base.predictor, base)
    assert same(Kronos.from_pretrained(export / "model"), base.predictor)
    assert not (export / "stale").exists()
    assert not list(run.path.glob(".export*"))


def test_scores_go_along_where_the_run_was_judged(run: RunFolder, config: RunConfig, base: Base) -> None:
    assert not (export_run(run, config, base.tokenizer, base.predictor, base) / "report.json").exists()
    write_json(run.report, {"validation": None, "test": None})
    export = export_run(run, config, base.tokenizer, base.predictor, base)
    assert json.loads((export / "report.json").read_text()) == {"validation": None, "test": None}


def test_a_run_without_candles_is_an_error(tmp_path: Path, config: RunConfig, base: Base) -> None:
    with pytest.raises(RunError, match=r"prepared candles in .* are missing or damaged"):
        export_run(RunFolder(tmp_path), config, base.tokenizer, base.predictor, base)


def test_half_precision_halves_the_weights_and_keeps_the_fixed_tables(tmp_path: Path, export: Path) -> None:
    out = tmp_path / "half"
    export_checkpoint(export.parent, out)
    tables = {name for name, _ in Kronos.from_pretrained(export / "model").named_buffers()}
    dtypes = {name: tensor.dtype for name, tensor in load_file(out / "model" / WEIGHTS).items()}
    assert {dtype for name, dtype in dtypes.items() if name not in tables} == {torch.float16}
    assert {dtypes[name] for name in tables} == {torch.float32}
    loaded = KronosPredictor.from_pretrained(out / "model", tokenizer=out / "tokenizer", device="cpu")
    assert json.loads((out / "kronos.json").read_text())["digest"] == loaded.digest
    assert (out / "README.md").read_text() == (export / "README.md").read_text()


def test_one_checkpoint_alone_is_exported_too(tmp_path: Path) -> None:
    export_checkpoint(GOLDEN / "tokenizer", tmp_path / "half")
    assert KronosTokenizer.from_pretrained(tmp_path / "half").embed.weight.dtype == torch.float32
    assert load_file(tmp_path / "half" / WEIGHTS)["embed.weight"].dtype == torch.float16


def test_a_folder_that_is_neither_a_run_nor_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=f"{tmp_path} holds no result"):
        export_checkpoint(tmp_path, tmp_path / "out")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the server speaks Git LFS only
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "home" / "token"))
    with serve(Hub()) as hub:
        hub.accounts = {"hf_writer": "acme", "hf_reader": "somebody"}
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def test_what_was_pushed_is_loaded_from_the_hub(hub: Hub, export: Path, base: Base) -> None:
    addresses = push(export.parent, "acme/tuned")
    assert all(address.startswith(f"{hub.url}/acme/tuned") for address in addresses)
    loaded = KronosPredictor.from_pretrained("acme/tuned", tokenizer="acme/tuned-tokenizer", device="cpu")
    assert same(loaded.model, base.predictor)
    assert same(loaded.tokenizer, base.tokenizer)
    files = hub.repositories["acme/tuned"].commits[hub.repositories["acme/tuned"].branches["main"]]
    assert set(files) == {CONFIG, WEIGHTS, "README.md", "kronos.json"}
    assert files["README.md"] == (export / "README.md").read_bytes()


def test_repositories_are_private_unless_asked_otherwise(hub: Hub, export: Path) -> None:
    push(export, "acme/secret")
    push(export, "acme/open", private=False)
    private = {name: repository.token is not None for name, repository in hub.repositories.items()}
    names = ("acme/secret", "acme/open")
    assert private == {f"{name}{end}": name == "acme/secret" for name in names for end in ("", "-tokenizer")}


def test_pushing_again_updates_the_same_repositories(hub: Hub, run: RunFolder, config: RunConfig, base: Base) -> None:
    for weight in (0.5, 2.0):
        with torch.no_grad():
            base.predictor.norm.weight.fill_(weight)
        export_run(run, config, base.tokenizer, base.predictor, base)
        push(run.path, "acme/tuned")
    assert len(hub.repositories["acme/tuned"].commits) == 2
    loaded = Kronos.from_pretrained("acme/tuned")
    assert loaded.norm.weight[0] == 2.0


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(RunError) as caught:
        push(*arguments, **options)
    return str(caught.value)


def test_pushing_without_a_token_says_where_to_get_one(hub: Hub, export: Path, monkeypatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "hf auth login" in refusal(export, "acme/tuned")
    assert not hub.requests


@pytest.mark.parametrize("token", ["hf_reader", "hf_unknown"])
def test_a_token_that_may_not_write_there_is_told_so(hub: Hub, export: Path, token: str) -> None:
    assert "refuses to let you write to acme/tuned" in refusal(export, "acme/tuned", token=token)


def test_a_name_that_is_none_is_told_so(hub: Hub, export: Path) -> None:
    assert "give namespace/name" in refusal(export, "acme/../tuned")


def test_a_hub_in_trouble_is_told_so(hub: Hub, export: Path) -> None:
    hub.status = 500
    assert "answered 500" in refusal(export, "acme/tuned")


def test_an_upload_that_breaks_off_is_told_so(hub: Hub, export: Path) -> None:
    hub.broken_uploads = True
    assert "the upload of acme/tuned failed" in refusal(export, "acme/tuned")


def test_a_hub_that_is_not_there_is_told_so(hub: Hub, export: Path, monkeypatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    assert "could not be reached" in refusal(export, "acme/tuned")


def test_a_run_without_a_result_is_not_pushed(hub: Hub, run: RunFolder) -> None:
    assert "holds no result" in refusal(run.path, "acme/tuned")
