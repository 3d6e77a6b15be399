"""`from_pretrained` and `save_pretrained` of both networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, cast

import torch
from torch import nn

from engine.checkpoint import check_config, load_strict, read_checkpoint, save_checkpoint
from engine.errors import CheckpointError
from engine.hub import fetch

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class _Configured(Protocol):
    @property
    def config(self) -> DataclassInstance: ...


class CheckpointMixin:
    """Gives a network `from_pretrained` and `save_pretrained`, as `PyTorchModelHubMixin` has them but strict and safe.

    The network's constructor takes the keys of `config.json`, and its attribute `config` holds them.
    """

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        map_location: str | torch.device = "cpu",
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
    ) -> Self:
        """Load a network, ready to forecast (`eval()`), from a local folder or a Hub id.

        Parameters
        ----------
        map_location
            Device the weights go to.

        Others are those of `fetch`, and so are the errors; a file that does not fit raises `CheckpointError` as well.
        """
        files = fetch(
            pretrained_model_name_or_path,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
        )
        config, tensors = read_checkpoint(files)
        values = check_config(cls.__init__, config, origin=str(files.config))
        try:
            # On the meta device fresh weights cost no time, no memory and no random numbers.
            with torch.device("meta"):
                network = cls(**values)
        except CheckpointError as error:
            raise CheckpointError(f"{files.config}: {error}") from error
        module = cast("nn.Module", network)
        load_strict(module, tensors, origin=str(files.weights))
        module.to(map_location).eval()
        return network

    def save_pretrained(self: _Configured, save_directory: str | Path) -> None:
        """Write `config.json` and `model.safetensors` to a folder that `from_pretrained` reads."""
        save_checkpoint(save_directory, self.config, cast("nn.Module", self))
