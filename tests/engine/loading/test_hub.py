"""Fetching checkpoints with the real client from a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from engine.errors import CheckpointError, HubNotFound, HubUnauthorized, HubUnreachable
from engine.loading.checkpoint import CONFIG, WEIGHTS
from engine.loading.hub import fetch, is_downloaded
from engine.loading.registry import ModelSpec, Pin
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.engine.loading.hub_server import Hub, serve

GOLDEN = Path(__file__).parents[2] / "golden"
MODEL = {name: (GOLDEN / "model" / name).read_bytes() for name in (CONFIG, WEIGHTS)}
TOKENIZER = {name: (GOLDEN / "tokenizer" / name).read_bytes() for name in (CONFIG, WEIGHTS)}
SPEC = ModelSpec("tiny", "acme/tiny", "acme/tiny-tokenizer", max_context=64, parameters=79_760, licence="MIT")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hub"


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve(Hub()) as hub:
        hub.create("acme/tiny", MODEL)
        hub.create("acme/tiny-tokenizer", TOKENIZER)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def nobody(cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    return address


def test_a_first_use_downloads_config_and_weights_and_nothing_else(hub: Hub, cache: Path) -> None:
    files = fetch("acme/tiny")
    assert files.config.read_bytes() == MODEL[CONFIG]
    assert files.weights.read_bytes() == MODEL[WEIGHTS]
    assert files.weights.is_relative_to(cache)
    assert {request.path.rpartition("/")[2] for request in hub.requests} == {CONFIG, WEIGHTS}


def test_model_and_tokenizer_load_by_their_hub_ids(hub: Hub) -> None:
    assert Kronos.from_pretrained("acme/tiny").config.d_model == 48
    assert KronosTokenizer.from_pretrained("acme/tiny-tokenizer").config.d_model == 32


def test_a_second_use_downloads_nothing(hub: Hub) -> None:
    fetch("acme/tiny")
    hub.requests.clear()
    fetch("acme/tiny")
    assert [request.method for request in hub.requests] == ["HEAD"]


def test_a_model_once_downloaded_loads_without_a_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(Hub()) as hub:
        hub.create("acme/tiny", MODEL)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        online = fetch("acme/tiny")
    assert fetch("acme/tiny") == online
    assert fetch("acme/tiny", local_files_only=True) == online
    assert not Kronos.from_pretrained("acme/tiny").training


def test_a_commit_once_downloaded_is_not_asked_for_again(hub: Hub) -> None:
    commit = hub.repositories["acme/tiny"].branches["main"]
    fetch("acme/tiny", revision=commit)
    hub.requests.clear()
    fetch("acme/tiny", revision=commit)
    assert hub.requests == []


def test_a_branch_and_a_commit_choose_what_is_loaded(hub: Hub) -> None:
    repository = hub.repositories["acme/tiny"]
    first = repository.branches["main"]
    other = {**MODEL, CONFIG: json.dumps({**json.loads(MODEL[CONFIG]), "token_dropout_p": 0.5}).encode()}
    repository.push(other, branch="feature/dropout")
    assert Kronos.from_pretrained("acme/tiny", revision="feature/dropout").config.token_dropout_p == 0.5
    assert Kronos.from_pretrained("acme/tiny").config.token_dropout_p == 0
    repository.push(other)
    assert Kronos.from_pretrained("acme/tiny").config.token_dropout_p == 0.5
    assert Kronos.from_pretrained("acme/tiny", revision=first).config.token_dropout_p == 0


def test_both_files_are_of_one_commit_though_somebody_pushes_between_them(hub: Hub) -> None:
    repository = hub.repositories["acme/tiny"]
    first = repository.branches["main"]
    hub.after = lambda request: (
        repository.push({CONFIG: b"{}", WEIGHTS: b"other"})
        if request.method == "GET" and request.path.endswith(CONFIG)
        else None
    )
    files = fetch("acme/tiny")
    assert repository.branches["main"] != first
    assert files.weights.read_bytes() == MODEL[WEIGHTS]


def test_a_download_cut_midway_is_resumed_where_it_broke(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)  # the client keeps whole chunks only
    hub.cut_after[WEIGHTS] = 100_000
    assert fetch("acme/tiny").weights.read_bytes() == MODEL[WEIGHTS]
    assert [request.range for request in hub.asked("GET", WEIGHTS)] == [None, "bytes=100000-"]


def test_a_download_that_never_ends_leaves_nothing_that_looks_whole(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.cut_after[WEIGHTS] = 0
    hub.after = lambda request: hub.cut_after.update({WEIGHTS: 0})
    with pytest.raises(HubUnreachable, match="connection broke"):
        fetch("acme/tiny")
    assert not list(cache.rglob(WEIGHTS))
    assert not is_downloaded(SPEC)
    hub.after = lambda request: hub.cut_after.clear()
    assert fetch("acme/tiny").weights.read_bytes() == MODEL[WEIGHTS]


def test_an_unknown_repository_is_named(hub: Hub) -> None:
    with pytest.raises(HubNotFound, match=r"no repository acme/tny.*no local folder"):
        fetch("acme/tny", token="hf_mine")


def test_an_unknown_repository_without_a_token_may_also_be_a_private_one(hub: Hub) -> None:
    with pytest.raises(HubUnauthorized, match=r"acme/tny \(401\).*no such repository.*HF_TOKEN"):
        fetch("acme/tny")


def test_an_unknown_revision_is_named(hub: Hub) -> None:
    with pytest.raises(HubNotFound, match="no revision 'v9'"):
        fetch("acme/tiny", revision="v9")


def test_a_repository_of_pickled_weights_is_refused(hub: Hub) -> None:
    hub.create("acme/pickled", {CONFIG: MODEL[CONFIG], "pytorch_model.bin": b"\x80\x04."})
    with pytest.raises(HubNotFound, match=rf"acme/pickled .* has no {WEIGHTS} at revision main.*never read"):
        fetch("acme/pickled")
    assert not hub.asked("GET", "pytorch_model.bin")


@pytest.mark.parametrize("gated", [False, True])
def test_a_private_or_gated_repository_wants_a_token(hub: Hub, gated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.create("acme/private", MODEL, token="hf_secret", gated=gated)
    with pytest.raises(HubUnauthorized, match="acme/private"):
        fetch("acme/private")
    with pytest.raises(HubUnauthorized) as refused:
        fetch("acme/private", token="hf_wrong")
    assert "hf_wrong" not in str(refused.value)
    assert fetch("acme/private", token="hf_secret").weights.exists()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert fetch("acme/private", force_download=True).weights.exists()


def test_nobody_at_the_address_is_said_at_once_with_what_to_do(nobody: str) -> None:
    with pytest.raises(HubUnreachable) as error:
        fetch("acme/tiny")
    for part in (nobody, "acme/tiny", "HF_ENDPOINT", "local folder", "kronos-nano"):
        assert part in str(error.value)


def test_an_unknown_host_is_unreachable(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    with pytest.raises(HubUnreachable, match=r"hub\.invalid"):
        fetch("acme/tiny")


def test_a_silent_host_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.loading.hub.TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(HubUnreachable, match="could not be reached"):
            fetch("acme/tiny")


def test_a_failing_hub_is_unreachable_but_the_cache_still_answers(hub: Hub) -> None:
    files = fetch("acme/tiny")
    hub.status = 503
    assert fetch("acme/tiny") == files
    with pytest.raises(HubUnreachable, match="answered 503 for acme/tiny-tokenizer"):
        fetch("acme/tiny-tokenizer")


def test_a_host_that_is_no_hub_is_told_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.commit_header = False
    with pytest.raises(HubUnreachable, match="does not seem to be served by a Hugging Face Hub"):
        fetch("acme/tiny")


def test_an_address_without_a_scheme_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "hf-mirror.example")
    with pytest.raises(HubUnreachable, match=r"'hf-mirror.example'.*https://"):
        fetch("acme/tiny")


def test_a_mirror_named_while_the_process_runs_is_used(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(Hub()) as mirror:
        mirror.create("acme/mirrored", MODEL)
        monkeypatch.setenv("HF_ENDPOINT", f"{mirror.url}/")
        assert fetch("acme/mirrored").weights.read_bytes() == MODEL[WEIGHTS]
    assert hub.requests == []


def test_the_offline_switch_needs_the_cache(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # what HF_HUB_OFFLINE=1 sets when the client is imported
    with pytest.raises(HubUnreachable, match="HF_HUB_OFFLINE forbids"):
        fetch("acme/tiny")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    files = fetch("acme/tiny")
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch("acme/tiny") == files
    assert hub.requests == []


def test_downloaded_means_model_and_tokenizer(hub: Hub) -> None:
    assert not is_downloaded(SPEC)
    fetch(SPEC.model_id)
    assert not is_downloaded(SPEC)
    fetch(SPEC.tokenizer_id)
    hub.requests.clear()
    assert is_downloaded(SPEC)
    assert hub.requests == []


@pytest.fixture
def pin(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Pin:
    """A pin to the first commit of acme/tiny, whose main branch has gone on."""
    repository = hub.repositories["acme/tiny"]
    pin = Pin(repository.branches["main"], hashlib.sha256(MODEL[WEIGHTS]).hexdigest())
    repository.push({**MODEL, CONFIG: json.dumps({**json.loads(MODEL[CONFIG]), "token_dropout_p": 0.5}).encode()})
    monkeypatch.setattr("engine.loading.hub.PINS", {"acme/tiny": pin})
    return pin


def test_a_pinned_commit_is_loaded_unless_another_revision_is_asked_for(pin: Pin) -> None:
    assert fetch("acme/tiny").config.parent.name == pin.revision
    assert Kronos.from_pretrained("acme/tiny").config.token_dropout_p == 0
    assert Kronos.from_pretrained("acme/tiny", revision="main").config.token_dropout_p == 0.5


def test_a_pinned_model_is_downloaded_once_its_commit_is(pin: Pin) -> None:
    fetch("acme/tiny", revision="main")
    fetch("acme/tiny-tokenizer")
    assert not is_downloaded(SPEC)
    fetch("acme/tiny")
    assert is_downloaded(SPEC)


def test_other_weights_at_a_pinned_commit_are_refused(pin: Pin) -> None:
    weights = fetch("acme/tiny").weights
    weights.write_bytes(MODEL[WEIGHTS][:-1] + b"?")
    with pytest.raises(
        CheckpointError, match=f"its SHA-256 is [0-9a-f]{{64}} instead of {pin.weights}. Delete the file"
    ):
        fetch("acme/tiny")


def test_a_folder_comes_before_a_hub_id(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "tiny").symlink_to(GOLDEN / "model")
    monkeypatch.chdir(tmp_path)
    assert fetch("acme/tiny").weights == Path("acme/tiny") / WEIGHTS
    assert hub.requests == []


@pytest.mark.parametrize(
    "source",
    [
        "kronos-smal",
        "/no/such/folder",
        "../acme/tiny",
        "acme/tiny/extra",
        "a..b/c",
        "",
        "acme/",
        "a\0b/c",
        "x/" + "y" * 5000,
    ],
)
def test_a_source_that_is_neither_folder_nor_hub_id_is_told_both(hub: Hub, source: str) -> None:
    with pytest.raises(CheckpointError, match=r"neither an existing folder nor a Hub id"):
        fetch(source)
    assert hub.requests == []


def test_a_path_is_never_a_hub_id(hub: Hub) -> None:
    with pytest.raises(CheckpointError, match="neither an existing folder"):
        fetch(Path("acme/tiny"))


def test_a_revision_of_a_folder_is_refused() -> None:
    with pytest.raises(CheckpointError, match="has no revision 'main'"):
        fetch(GOLDEN / "model", revision="main")


def test_a_cache_that_cannot_be_written_is_named(hub: Hub, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a folder")
    with pytest.raises(OSError, match=r"acme/tiny could not be downloaded to the cache.*file"):
        fetch("acme/tiny", cache_dir=occupied)
