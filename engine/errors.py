"""What the engine raises.

KronosError
├── InputError         candles, timestamps or settings that cannot be forecast (also a ValueError)
├── CheckpointError    a checkpoint that is incomplete, damaged or does not fit (also a ValueError)
└── HubError           a checkpoint that could not be fetched (also an OSError)
    ├── HubUnreachable
    ├── HubNotFound
    └── HubUnauthorized
"""


class KronosError(Exception):
    """Base of everything the engine raises on purpose."""


class InputError(KronosError, ValueError):
    """Candles, timestamps or settings that cannot be forecast."""


class CheckpointError(KronosError, ValueError):
    """A checkpoint that is incomplete, damaged or does not fit."""


class HubError(KronosError, OSError):
    """A checkpoint that could not be fetched."""


class HubUnreachable(HubError):
    """No answer from the hub and nothing in the cache."""


class HubNotFound(HubError):
    """The hub does not know the repository, the revision or the file."""


class HubUnauthorized(HubError):
    """The hub wants a token, or refuses the one it got."""
