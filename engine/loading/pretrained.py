"""Configuration, loading and saving of both networks."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import Generic, Self, TypeVar

import torch
from torch import nn

from engine.config import ModelConfig, TokenizerConfig
from engine.errors import CheckpointError
from engine.loading.checkpoint import check_config, load_strict, read_checkpoint, save_checkpoint
from engine.loading.hub import fetch

Config = TypeVar("Config", ModelConfig, TokenizerConfig)


class PretrainedModule(nn.Module, Generic[Config]):
    """A network built from a config, with the methods of `PyTorchModelHubMixin`, but strict and safe.

    A subclass sets `config_class`, whose fields are the arguments of its constructor.
    """

    config_class: type[Config]
    config: Config

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__signature__ = inspect.signature(cls.config_class)  # type: ignore[attr-defined]  # read by `inspect`

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Return a network with new random weights."""
        return cls(**asdict(config))

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
        """Return a network in eval mode, loaded from a local folder or a Hub id.

        Parameters
        ----------
        map_location
            Device of the weights.

        The other parameters and the errors are those of `fetch`; a file that does not fit raises `CheckpointError`.
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
        values = check_config(cls.config_class, config, origin=str(files.config))
        try:
            # On the meta device new weights take no time, no memory and no random numbers.
            with torch.device("meta"):
                network = cls(**values)
        except CheckpointError as error:
            raise CheckpointError(f"{files.config}: {error}") from error
        load_strict(network, tensors, origin=str(files.weights))
        return network.to(map_location).eval()

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write `config.json` and `model.safetensors` to a folder that `from_pretrained` reads."""
        save_checkpoint(save_directory, self.config, self)
