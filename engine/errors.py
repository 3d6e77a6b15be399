"""The exceptions of the engine.

KronosError
├── InputError         invalid candles, timestamps or settings (also a ValueError)
├── CheckpointError    an incomplete, damaged or mismatched checkpoint (also a ValueError)
└── HubError           a failed download (also an OSError)
    ├── HubUnreachable
    ├── HubNotFound
    └── HubUnauthorized
"""


class KronosError(Exception):
    """Base of the engine's own exceptions."""


class InputError(KronosError, ValueError):
    """Invalid candles, timestamps or settings."""


class CheckpointError(KronosError, ValueError):
    """An incomplete, damaged or mismatched checkpoint."""


class HubError(KronosError, OSError):
    """A checkpoint that could not be downloaded."""


class HubUnreachable(HubError):
    """The hub does not answer, and the cache does not have the checkpoint."""


class HubNotFound(HubError):
    """The hub does not know the repository, the revision or the file."""


class HubUnauthorized(HubError):
    """The hub requires a token, or refuses the given one."""
