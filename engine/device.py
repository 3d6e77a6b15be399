"""The devices of this machine, and the choice of one."""

from __future__ import annotations

import torch

from engine.errors import InputError

DEVICE_ERRORS = (RuntimeError, AssertionError, ValueError, TypeError)  # PyTorch has no error of its own


def available_devices() -> tuple[str, ...]:
    """Return the names of this machine's devices, fastest first."""
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ["cuda"] if cards == 1 else [f"cuda:{index}" for index in range(cards)]
    if torch.backends.mps.is_available():
        names.append("mps")
    return (*names, "cpu")


def best_device() -> torch.device:
    """Return CUDA if available, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def resolve_device(device: str | torch.device | int | None) -> torch.device:
    """Return a device that has computed one number; the best one for None.

    Parameters
    ----------
    device
        A name such as `cpu`, `cuda`, `cuda:1` or `mps`; a whole number is the index of a CUDA device.

    Raises
    ------
    InputError
        PyTorch does not know the device, or this machine does not have it.
    """
    if device is None:
        return best_device()
    name = str(device) if isinstance(device, torch.device) else device
    try:
        if not isinstance(device, torch.device):
            index = isinstance(device, int) and not isinstance(device, bool)
            device = torch.device(f"cuda:{device}" if index else str(device))
        torch.ones(1, device=device).item()
    except DEVICE_ERRORS as error:
        raise InputError(
            f"device={name!r} cannot be used on this machine. Pass one of {', '.join(available_devices())}, or None "
            "for the fastest."
        ) from error
    return device
