"""The result of a run: a folder that the engine and the published package load, and its way to the Hugging Face Hub."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.checkpoint import digest
from engine.files import CONFIG, WEIGHTS
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import RunError, Unreadable, message
from training.fit.corpus import open_corpus
from training.run.card import CARD, FACTS, MODEL, REPORT, TOKENIZER, Facts, model_card, tokenizer_card, trained_until
from training.run.config import RunConfig
from training.run.folder import RunFolder, unwritable, write_json
from training.saved import load_saved

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from training.fit.building import Base

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
    """Write the result of a run to its folder `export/`, at once or not at all.

    It receives `model/` and `tokenizer/` (each `config.json` and `model.safetensors`), the model card `README.md`,
    `kronos.json` (`Facts`) and the scores, `report.json`. Logs, provenance, prepared candles and report are read from
    the run's folder.

    Parameters
    ----------
    tokenizer, predictor
        The best networks of the run, adapters merged; the base's where a stage was not trained.
    half
        Write weights in half precision.

    Raises
    ------
    RunError
        The folder cannot be written to.
    """
    corpus = open_corpus(run.prepared)
    draft = run.path / f".export.{os.getpid()}"
    try:
        save(tokenizer, draft / TOKENIZER, half=half)
        save(predictor, draft / MODEL, half=half)
        # As it will be loaded, so that half precision has its own digest.
        written = Kronos.from_pretrained(draft / MODEL), KronosTokenizer.from_pretrained(draft / TOKENIZER)
        facts = Facts(
            name=config.name,
            max_context=base.max_context,
            parameters=sum(parameter.numel() for parameter in predictor.parameters()),
            trained_until=trained_until(corpus, base).isoformat(),
            base=base.name,
            base_digest=base.digest,
            digest=digest(*written),
        )
        write_json(draft / FACTS, asdict(facts))
        report = _read_json(run.report)
        provenance = _read_json(run.provenance) or {}
        shared = written[1].config.shared_deviation
        card = model_card(run, config, facts, corpus, provenance, report, shared_deviation=shared)
        (draft / CARD).write_text(card, encoding="utf-8")
        if report is not None:
            write_json(draft / REPORT, report)
        shutil.rmtree(run.export, ignore_errors=True)
        draft.replace(run.export)
    except OSError as error:
        raise error if isinstance(error, RunError) else RunError(unwritable(run.path, error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return run.export


def export_checkpoint(source: Path, out: Path) -> None:
    """Copy a checkpoint, or the result of a run, in half precision.

    Parameters
    ----------
    source
        Folder with `config.json` and `model.safetensors`, or the folder of a finished run.

    Raises
    ------
    RunError
        It is neither, or `out` cannot be written to.
    """
    if (source / CONFIG).is_file():
        return save(_load(source), out, half=True)
    export = exported(source)
    for name in (MODEL, TOKENIZER):
        save(_load(export / name), out / name, half=True)
    for name in (CARD, REPORT):
        if (export / name).exists():
            shutil.copyfile(export / name, out / name)
    return _note_digest(export, out)


def exported(run: Path) -> Path:
    """Return the result of a run, given the run's folder or that of the result.

    Raises
    ------
    RunError
        There is none.
    """
    for folder in (RunFolder(run).export, run):
        if (folder / MODEL / CONFIG).is_file() and (folder / TOKENIZER / CONFIG).is_file():
            return folder
    raise RunError(
        message(
            "{folder} holds no result: give a checkpoint (config.json and model.safetensors), or the folder of a run "
            "that has finished.",
            folder=str(run),
        )
    )


def read_facts(export: Path) -> Facts:
    """Return what the result in `export` says of itself.

    Raises
    ------
    RunError
        It says nothing that can be read.
    """
    try:
        return load_saved(Facts, export / FACTS)
    except Unreadable as error:
        raise RunError(
            message("{folder} has no {file} that can be read: export the run again.", folder=str(export), file=FACTS)
        ) from error


def save(network: Kronos | KronosTokenizer, folder: Path, *, half: bool = False) -> None:
    """Write a network as `config.json` and `model.safetensors`; `half` changes it to half precision.

    Raises
    ------
    RunError
        The folder cannot be written to.
    """
    if half:
        for parameter in network.parameters():  # fixed tables stay exact
            parameter.data = parameter.data.half()
    try:
        network.save_pretrained(folder)
    except OSError as error:
        raise RunError(unwritable(folder, error)) from error


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return value


def _load(folder: Path) -> Kronos | KronosTokenizer:
    """Return the network of a checkpoint, whichever of the two it is."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError:
        config = {}
    return (Kronos if "n_layers" in config else KronosTokenizer).from_pretrained(folder)


def _note_digest(export: Path, out: Path) -> None:
    written = Kronos.from_pretrained(out / MODEL), KronosTokenizer.from_pretrained(out / TOKENIZER)
    write_json(out / FACTS, asdict(read_facts(export)) | {"digest": digest(*written)})


def push(run: Path, repo: str, *, token: str | None = None, private: bool = True) -> tuple[str, str]:
    """Put the result of a run on the Hub: the predictor as `repo`, its tokenizer as `repo` + "-tokenizer".

    Both are made where they are not there yet; `KronosPredictor.from_pretrained(repo, tokenizer=...)` loads them.

    Parameters
    ----------
    run
        Folder of the run, or of its result.
    repo
        `namespace/name`.
    token
        Access token with the right to write; None takes the user's own: `HF_TOKEN`, or `hf auth login`.
    private
        Whether only the namespace's members see the repositories that are made.

    Returns
    -------
    tuple of str
        Addresses of the two commits.

    Raises
    ------
    RunError
        There is no result, no token, no right to write or no answer from the Hub.
    """
    from huggingface_hub import HfApi, get_token

    export = exported(run)
    facts = read_facts(export)
    tokenizer = f"{repo}{TOKENIZER_SUFFIX}"
    token = token or get_token()
    if token is None:
        raise RunError(
            message("Pushing needs an access token of the Hub: log in with `hf auth login`, or set HF_TOKEN.")
        )
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)
    model_files: dict[str, Path | bytes] = {name: export / MODEL / name for name in (CONFIG, WEIGHTS)}
    model_files |= {name: export / name for name in (CARD, FACTS, REPORT) if (export / name).exists()}
    tokenizer_files: dict[str, Path | bytes] = {name: export / TOKENIZER / name for name in (CONFIG, WEIGHTS)}
    shared = bool((_read_json(export / TOKENIZER / CONFIG) or {}).get("shared_deviation"))
    tokenizer_files[CARD] = tokenizer_card(facts, repo, shared_deviation=shared).encode()
    with _explained(api.endpoint, repo):
        address = _commit(api, tokenizer, tokenizer_files, private)
        return _commit(api, repo, model_files, private), address


def _commit(api: HfApi, repo: str, files: dict[str, Path | bytes], private: bool) -> str:
    from huggingface_hub import CommitOperationAdd

    api.create_repo(repo, private=private, exist_ok=True)
    operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()]
    return str(api.create_commit(repo, operations, commit_message="Model of a Kronos Desk run").commit_url)


@contextmanager
def _explained(endpoint: str, repo: str) -> Iterator[None]:
    """Turn the client's many errors into a few that say what to do."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in {401, 403}:
            raise RunError(
                message(
                    "{endpoint} refuses to let you write to {repo} ({status}): check the namespace, and that your "
                    "token may write.",
                    endpoint=endpoint,
                    repo=repo,
                    status=status,
                )
            ) from error
        raise RunError(
            message(
                "{endpoint} answered {status} for {repo}: try again later.", endpoint=endpoint, repo=repo, status=status
            )
        ) from error
    except RuntimeError as error:  # what the client makes of any trouble while it uploads weights
        raise RunError(
            message(
                "{endpoint}: the upload of {repo} broke off ({reason}): push again.",
                endpoint=endpoint,
                repo=repo,
                reason=str(error.__cause__ or error).partition("\n")[0],
            )
        ) from error
    except HFValidationError as error:
        raise RunError(
            message("{repo} is no name of a repository: give namespace/name, such as acme/kronos-tuned.", repo=repo)
        ) from error
    except OfflineModeIsEnabled as error:
        raise RunError(message("HF_HUB_OFFLINE forbids to reach the Hub: unset it to push.")) from error
    except httpx2.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise RunError(
            message(
                "{endpoint} could not be reached ({reason}): check the network, or set HF_ENDPOINT to a mirror.",
                endpoint=endpoint,
                reason=reason,
            )
        ) from error
