"""The result of a run: a folder for the engine and the published package, and its upload to the Hugging Face Hub."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.loading.checkpoint import digest
from engine.loading.files import CONFIG, WEIGHTS
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import RunError, Unreadable
from training.fit.building import FACTS
from training.fit.corpus import open_corpus
from training.run.card import CARD, Facts, model_card, tokenizer_card
from training.run.card_data import last_training_day
from training.run.config import RunConfig
from training.run.folder import RunFolder, write_error, write_json
from training.saved import load_saved

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from training.fit.building import Base

MODEL, TOKENIZER, REPORT = "model", "tokenizer", "report.json"
TOKENIZER_SUFFIX = "-tokenizer"


def export_run(
    run: RunFolder,
    config: RunConfig,
    tokenizer: KronosTokenizer,
    predictor: Kronos,
    base: Base,
    *,
    half: bool = False,
) -> Path:
    """Write the result of a run to its folder `export/` atomically, and return that folder.

    It gets `model/` and `tokenizer/` (each `config.json` and `model.safetensors`), the model card `README.md`,
    `kronos.json` (`Facts`) and the scores, `report.json`.

    Parameters
    ----------
    tokenizer, predictor
        The run's best networks, adapters merged; the base's if a stage was not trained.
    half
        Write weights in half precision.

    Raises RunError if the folder cannot be written to.
    """
    corpus = open_corpus(run.prepared)
    draft = run.path / f".export.{os.getpid()}"
    try:
        save(tokenizer, draft / TOKENIZER, half=half)
        save(predictor, draft / MODEL, half=half)
        # Loaded again, because half precision has another digest.
        written = Kronos.from_pretrained(draft / MODEL), KronosTokenizer.from_pretrained(draft / TOKENIZER)
        facts = Facts(
            name=config.name,
            max_context=base.max_context,
            parameters=sum(parameter.numel() for parameter in predictor.parameters()),
            trained_until=last_training_day(corpus, base).isoformat(),
            base=base.name,
            base_digest=base.digest,
            digest=digest(*written),
        )
        write_json(draft / FACTS, asdict(facts))
        report = _read_json(run.report)
        shared = written[1].config.shared_deviation
        provenance = _read_json(run.provenance) or {}
        card = model_card(run, config, facts, corpus, provenance, report, shared_deviation=shared)
        (draft / CARD).write_text(card, encoding="utf-8")
        if report is not None:
            write_json(draft / REPORT, report)
        shutil.rmtree(run.export, ignore_errors=True)
        draft.replace(run.export)
    except OSError as error:
        raise error if isinstance(error, RunError) else RunError(write_error(run.path, error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return run.export


def export_checkpoint(source: Path, out: Path) -> None:
    """Copy a checkpoint, or the result of a finished run, to `out` in half precision.

    Raises RunError if `source` is neither, or `out` cannot be written to.
    """
    if (source / CONFIG).is_file():
        return save(_load(source), out, half=True)
    export = find_export(source)
    for name in (MODEL, TOKENIZER):
        save(_load(export / name), out / name, half=True)
    for name in (CARD, REPORT):
        if (export / name).exists():
            shutil.copyfile(export / name, out / name)
    written = Kronos.from_pretrained(out / MODEL), KronosTokenizer.from_pretrained(out / TOKENIZER)
    return write_json(out / FACTS, asdict(read_facts(export)) | {"digest": digest(*written)})


def find_export(run: Path) -> Path:
    """Return the result of a run, by the run's folder or its own; a RunError says that there is none."""
    for folder in (RunFolder(run).export, run):
        if (folder / MODEL / CONFIG).is_file() and (folder / TOKENIZER / CONFIG).is_file():
            return folder
    raise RunError(
        "{folder} holds no result: give a checkpoint (config.json and model.safetensors), or the folder of a finished "
        "run.",
        folder=str(run),
    )


def read_facts(export: Path) -> Facts:
    """Return the facts of a result; a RunError says that they are missing or damaged."""
    try:
        return load_saved(Facts, export / FACTS)
    except Unreadable as error:
        raise RunError(
            "{file} in {folder} is missing or damaged: export the run again.", folder=str(export), file=FACTS
        ) from error


def save(network: Kronos | KronosTokenizer, folder: Path, *, half: bool = False) -> None:
    """Write a network as `config.json` and `model.safetensors`; `half` changes it to half precision.

    Raises RunError if the folder cannot be written to.
    """
    if half:
        for parameter in network.parameters():  # fixed tables stay exact
            parameter.data = parameter.data.half()
    try:
        network.save_pretrained(folder)
    except OSError as error:
        raise RunError(write_error(folder, error)) from error


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return value


def _load(folder: Path) -> Kronos | KronosTokenizer:
    """Return the network of a checkpoint, whichever of the two it is."""
    config = _read_json(folder / CONFIG) or {}
    return (Kronos if "n_layers" in config else KronosTokenizer).from_pretrained(folder)


def push(run: Path, repo: str, *, token: str | None = None, private: bool = True) -> tuple[str, str]:
    """Upload the result of a run to the Hub: the predictor as `repo`, its tokenizer as `repo` + "-tokenizer".

    Parameters
    ----------
    run
        Folder of the run, or of its result.
    repo
        `namespace/name`.
    token
        Access token that may write; None uses the user's own: `HF_TOKEN`, or `hf auth login`.
    private
        Whether new repositories are visible only to members of the namespace.

    Returns
    -------
    tuple of str
        Addresses of the two commits.

    Raises RunError if there is no result, no token, no permission to write or no answer from the Hub.
    """
    from huggingface_hub import HfApi, get_token

    export = find_export(run)
    token = token or get_token()
    if token is None:
        raise RunError("Pushing needs an access token of the Hub: log in with `hf auth login`, or set HF_TOKEN.")
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)
    model_files: dict[str, Path | bytes] = {name: export / MODEL / name for name in (CONFIG, WEIGHTS)}
    model_files |= {name: export / name for name in (CARD, FACTS, REPORT) if (export / name).exists()}
    tokenizer_files: dict[str, Path | bytes] = {name: export / TOKENIZER / name for name in (CONFIG, WEIGHTS)}
    shared = bool((_read_json(export / TOKENIZER / CONFIG) or {}).get("shared_deviation"))
    tokenizer_files[CARD] = tokenizer_card(read_facts(export), repo, shared_deviation=shared).encode()
    with _explain_errors(api.endpoint, repo):
        address = _commit(api, f"{repo}{TOKENIZER_SUFFIX}", tokenizer_files, private)
        return _commit(api, repo, model_files, private), address


def _commit(api: HfApi, repo: str, files: dict[str, Path | bytes], private: bool) -> str:
    from huggingface_hub import CommitOperationAdd

    api.create_repo(repo, private=private, exist_ok=True)
    operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()]
    return str(api.create_commit(repo, operations, commit_message="Model of a Kronos Desk run").commit_url)


@contextmanager
def _explain_errors(endpoint: str, repo: str) -> Iterator[None]:
    """Turn the client's many errors into a few that say what to do."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    where = {"endpoint": endpoint, "repo": repo}
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in {401, 403}:
            raise RunError(
                "{endpoint} refuses to let you write to {repo} ({status}): check the namespace, and that your token "
                "may write.",
                **where,
                status=status,
            ) from error
        raise RunError("{endpoint} answered {status} for {repo}: try again later.", **where, status=status) from error
    except RuntimeError as error:  # the client's error for any failed upload
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise RunError(
            "{endpoint}: the upload of {repo} failed ({reason}): push again.", **where, reason=reason
        ) from error
    except HFValidationError as error:
        raise RunError(
            "{repo} is not a repository: give namespace/name, such as acme/kronos-tuned.", repo=repo
        ) from error
    except OfflineModeIsEnabled as error:
        raise RunError("HF_HUB_OFFLINE forbids access to the Hub: unset it to push.") from error
    except httpx2.HTTPError as error:
        raise RunError(
            "{endpoint} could not be reached ({reason}): check the network, or set HF_ENDPOINT to a mirror.",
            endpoint=endpoint,
            reason=str(error) or type(error).__name__,
        ) from error
