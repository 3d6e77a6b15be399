"""What every test needs: a home folder of its own, and no setting of the machine it runs on."""

import os
import sys

import pytest
from hypothesis import settings as hypothesis_settings

from training.adapters.qlib_support import has_qlib

# A machine under load is slow, not wrong.
hypothesis_settings.register_profile("kronos", deadline=None)
hypothesis_settings.load_profile("kronos")


# Where `make test` found or installed what tests start.
PROGRAMS = {"KRONOS_CHROMIUM", "KRONOS_POSTGRES", "KRONOS_MARIADB"}


@pytest.fixture(scope="session")
def qlib():
    """Skip a test that runs Qlib itself where that cannot be installed."""
    if sys.version_info >= (3, 13) and not has_qlib():
        pytest.skip("pyqlib runs on Python 3.12 or older")


@pytest.fixture
def one_thread():
    """Let PyTorch compute on one thread: sums in another order differ in the last digits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _own_settings(tmp_path, monkeypatch):
    """Keep tests away from the user's data, and from one another's settings."""
    from kronos_app.settings import get_settings

    for name in os.environ:
        if name.startswith("KRONOS_") and name not in PROGRAMS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("KRONOS_HOME", str(tmp_path / "kronos-home"))
    monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(tmp_path / "secrets.toml"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
