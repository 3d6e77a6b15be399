"""One desk for the tests of a module; cancelled, restarted and finished backtests and evaluations."""

import threading
import time
from contextlib import closing

import pytest

from kronos_app.settings import Settings
from tests.kronos_app.conftest import spec


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory):
    """One desk for all tests of a module: each makes records of its own."""
    from kronos_app.services.desk import Desk

    with closing(Desk(Settings(home=tmp_path_factory.mktemp("shared") / "home", threads=1), {"tiny": spec()})) as desk:
        desk.start()
        yield desk


@pytest.fixture(scope="module")
def known():
    """Hold the records that the tests of a module share, by name."""
    return {}


@pytest.fixture
def run_to_end(finished):
    """Return a function that starts a record, waits for its job and returns the finished record."""

    def run_to_end(service, request):
        started = service.start(request)
        job = finished(started.job_id)
        assert job.status == "succeeded", job.error
        return service.get(started.id)

    return run_to_end


@pytest.fixture
def cancel_midway(finished, monkeypatch):
    """Return a function that starts a record, cancels it once `module` has written a first table, and returns it."""

    def cancel_midway(service, request, module):
        written, go_on = threading.Event(), threading.Event()
        write = module.write_table

        def write_and_wait(table, path):
            write(table, path)
            written.set()
            assert go_on.wait(60)

        with monkeypatch.context() as patch:
            patch.setattr(module, "write_table", write_and_wait)
            started = service.start(request)
            assert written.wait(60)
            service.cancel(started.id)
            go_on.set()
            finished(started.job_id)
        return service.get(started.id)

    return cancel_midway


def hang(_worker, _job, on_step):
    while True:
        on_step(0, 0)
        time.sleep(0.01)


@pytest.fixture
def check_restart(settings, make_spec, monkeypatch):
    """Return a function that closes a desk while the worker of `service` hangs, and checks that the next desk goes on.

    `make_request` makes the request for a desk.
    """
    from kronos_app.services.desk import Desk

    def check_restart(worker, service, make_request):
        with monkeypatch.context() as patch, closing(Desk(settings, {"tiny": make_spec()})) as desk:
            patch.setattr(worker, "run", hang)
            desk.start()
            started = getattr(desk, service).start(make_request(desk))
            deadline = time.monotonic() + 30
            while getattr(desk, service).get(started.id).state != "running":
                assert time.monotonic() < deadline
                time.sleep(0.01)
        with closing(Desk(settings, {"tiny": make_spec()})) as desk:
            desk.start()
            assert desk.jobs.wait(started.job_id, 60).status == "succeeded"
            assert getattr(desk, service).get(started.id).state == "finished"

    return check_restart
