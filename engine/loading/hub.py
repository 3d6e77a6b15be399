"""Sources of checkpoints: a local folder, the cache, or a hub with the Hugging Face protocol.

Environment: `HF_ENDPOINT` (mirror), `HF_HOME` or `HF_HUB_CACHE` (cache), `HF_TOKEN`, `HF_HUB_OFFLINE=1` (no network).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RevisionNotFoundError,
)

from engine.arguments import check_text
from engine.errors import CheckpointError, HubError, HubNotFound, HubUnauthorized, HubUnreachable
from engine.loading.files import CONFIG, WEIGHTS, CheckpointFiles, find_files
from engine.loading.registry import PINS, ModelSpec

TIMEOUT = 10.0  # seconds until the hub answers the first request
REMEDY = (
    "Set HF_ENDPOINT to a reachable mirror, give a local folder with config.json and model.safetensors, or use the "
    "bundled model kronos-nano."
)


def fetch(
    source: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
) -> CheckpointFiles:
    """Return the files of the checkpoint `source`, downloaded if necessary.

    Parameters
    ----------
    source
        A local folder or a Hub id, "namespace/name"; an existing folder has priority.
    revision
        Branch, tag or commit on the Hub; None is the pinned commit of a published model (`PINS`), else the main
        branch. Both files have the same commit.
    token
        Access token for private or gated repositories; None takes the user's own token, if any.
    local_files_only
        Use the cache only; without a network this is the default.

    Raises
    ------
    CheckpointError
        `source` is neither a folder nor a Hub id, the folder is not a checkpoint, or the weights of a pinned commit
        have a wrong SHA-256.
    HubError
        The download failed: `HubUnreachable`, `HubNotFound` or `HubUnauthorized`.
    """
    if revision is not None:
        check_text(revision, "revision")
    if _is_folder(source):
        if revision is not None:
            raise CheckpointError(f"{source} is a local folder, which has no revision {revision!r}: omit it.")
        return find_files(Path(source))
    repo = _repo_id(source)
    revision = revision or pinned_revision(repo)
    cache, endpoint = _cache(cache_dir), _endpoint()
    download = partial(
        hf_hub_download,
        repo,
        token=token,
        cache_dir=cache,
        endpoint=endpoint,
        etag_timeout=TIMEOUT,
        force_download=force_download,
        local_files_only=local_files_only,
    )
    with _translate_errors(repo, revision or constants.DEFAULT_REVISION):
        if not local_files_only and (force_download or not _is_cached(repo, revision, cache)):
            _reach_hub(repo, revision, endpoint, token)
        config = Path(download(CONFIG, revision=revision))
        # The cache has a folder for each commit: a push in between cannot mix the files of two commits.
        files = CheckpointFiles(config, Path(download(WEIGHTS, revision=config.parent.name)))
    _check_pinned(repo, files)
    return files


def _reach_hub(repo: str, revision: str | None, endpoint: str, token: str | bool | None) -> None:
    """Request the metadata of the weights once: a download that finds no hub retries for minutes."""
    url = hf_hub_url(repo, WEIGHTS, revision=revision, endpoint=endpoint)
    get_hf_file_metadata(url, token=token, timeout=TIMEOUT, endpoint=endpoint)


def pinned_revision(repo: str) -> str | None:
    """Return the commit that is loaded of a repository on the Hub unless another is given; None if it is not pinned."""
    return PINS[repo].revision if repo in PINS else None


def _check_pinned(repo: str, files: CheckpointFiles) -> None:
    """Refuse weights of a pinned commit whose SHA-256 differs from the registry's."""
    pin = PINS.get(repo)
    commit = files.config.parent.name
    if pin is None or pin.revision != commit:
        return
    with files.weights.open("rb") as weights:
        actual = hashlib.file_digest(weights, "sha256").hexdigest()
    if actual != pin.weights:
        raise CheckpointError(
            f"{files.weights} is not the {WEIGHTS} of {repo} at revision {commit}: its SHA-256 is {actual} instead of "
            f"{pin.weights}. Delete the file and download it again, from another mirror if that does not help."
        )


def _is_folder(source: str | Path) -> bool:
    if not isinstance(source, str | Path):
        raise CheckpointError(f"{source!r} is of type {type(source).__name__}: give a folder or a Hub id.")
    try:
        return source != "" and Path(source).is_dir()  # Path("") would be the working folder
    except OSError:  # such as a name longer than the file system allows
        return False


def _repo_id(source: str | Path) -> str:
    if isinstance(source, str) and "/" in source:
        with suppress(HFValidationError):
            hf_hub_url(source, CONFIG)  # checks the form
            return source
    raise CheckpointError(
        f"'{source}' is neither an existing folder nor a Hub id of the form namespace/name. Give the folder that holds"
        f" {CONFIG} and {WEIGHTS}, or an id such as NeoQuasar/Kronos-small."
    )


def _endpoint() -> str:
    """Return the hub's current address from the environment; huggingface_hub reads it only at import."""
    endpoint = os.environ.get("HF_ENDPOINT", constants.ENDPOINT).strip().rstrip("/")
    if not endpoint.startswith(("http://", "https://")):
        raise HubUnreachable(f"HF_ENDPOINT is {endpoint!r}, but must begin with https:// or http://.")
    return endpoint


def _cache(cache_dir: str | Path | None = None) -> Path:
    home = os.environ.get("HF_HOME")
    default = Path(home) / "hub" if home else constants.HF_HUB_CACHE
    return Path(cache_dir or os.environ.get("HF_HUB_CACHE") or default).expanduser()


def _is_cached(repo: str, revision: str | None, cache: Path) -> bool:
    return all(isinstance(try_to_load_from_cache(repo, name, cache, revision), str) for name in (CONFIG, WEIGHTS))


@contextmanager
def _translate_errors(repo: str, revision: str) -> Iterator[None]:
    """Turn the client's errors into three that say what to do."""
    try:
        yield
    except HfHubHTTPError as error:
        raise _hub_error(error, repo, revision) from error
    except OfflineModeIsEnabled as error:
        raise HubUnreachable(f"{repo} is not in the cache, and HF_HUB_OFFLINE forbids downloads. {REMEDY}") from error
    except LocalEntryNotFoundError as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        raise HubUnreachable(
            f"{repo} at revision {revision} is incomplete in the cache, and was not downloaded{cause}. {REMEDY}"
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise HubUnreachable(
            f"{_endpoint()} could not be reached for {repo}, or the connection broke: {reason}. {REMEDY}"
        ) from error
    except HubError:
        raise
    except OSError as error:
        raise HubError(f"{repo} could not be downloaded to the cache: {error}") from error


def _hub_error(error: HfHubHTTPError, repo: str, revision: str) -> HubError:
    endpoint, status = _endpoint(), error.response.status_code
    if isinstance(error, RemoteEntryNotFoundError):
        file = error.response.url.path.rpartition("/")[2]
        return HubNotFound(
            f"{repo} on {endpoint} has no {file} at revision {revision}. Pickled weights (.bin, .pt) are never read:"
            " choose a repository with safetensors."
        )
    if isinstance(error, RevisionNotFoundError):
        return HubNotFound(
            f"{repo} on {endpoint} has no revision {revision!r}. Give a branch, a tag or a full commit, such as"
            " revision='main', or the folder of a copy."
        )
    if status in {401, 403}:
        return HubUnauthorized(
            f"{endpoint} refuses access to {repo} ({status}): it is private, its terms are not accepted yet, or no such"
            " repository exists. Check the name, and log in with `hf auth login` or set HF_TOKEN."
        )
    if status == 404:
        return HubNotFound(
            f"{endpoint} has no repository {repo}, and there is no local folder of that name. Check the name."
        )
    return HubUnreachable(f"{endpoint} answered {status} for {repo}. Try again later. {REMEDY}")


def is_downloaded(spec: ModelSpec) -> bool:
    """Return whether model and tokenizer of `spec` can be loaded without a network."""
    sources = ((spec.model_id, spec.revision), (spec.tokenizer_id, spec.tokenizer_revision))
    if spec.bundled:
        return all((Path(folder) / name).is_file() for folder, _ in sources for name in (CONFIG, WEIGHTS))
    return all(_is_cached(repo, revision or pinned_revision(repo), _cache()) for repo, revision in sources)
