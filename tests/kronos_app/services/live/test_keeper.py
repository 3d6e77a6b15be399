"""The thread that keeps time: every duty is done, whatever becomes of another."""

from threading import Event

from kronos_app.errors import Unavailable
from kronos_app.i18n import text
from kronos_app.services.live import keeper as module
from kronos_app.services.live.keeper import Keeper


def test_every_duty_is_done_and_one_that_has_more_says_so():
    done = []
    keeper = Keeper(lambda: done.append("one") or False, lambda: done.append("two") or True)
    assert keeper.round()
    assert done == ["one", "two"]
    assert not Keeper(lambda: False).round()


def test_a_failure_ends_neither_the_other_duties_nor_the_keeper(caplog):
    def unavailable():
        raise Unavailable("store_unavailable", text("The database does not answer."))

    def broken():
        raise RuntimeError("unforeseen")

    done = []
    assert not Keeper(unavailable, broken, lambda: done.append(1) or False).round()
    assert done == [1]
    assert "store_unavailable" in caplog.text
    assert "unforeseen" in caplog.text


def test_it_waits_at_the_start_and_works_when_woken(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BEFORE", 3600.0)
    called = Event()
    keeper = Keeper(lambda: called.set() or False)
    keeper.start()
    keeper.start()
    assert not called.is_set()
    keeper.wake()
    assert called.wait(20)
    keeper.stop()


def test_it_stops_while_it_waits_and_can_be_started_again(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BEFORE", 3600.0)
    keeper = Keeper(lambda: False)
    for _ in range(2):
        keeper.start()
        keeper.stop(20)
        assert keeper._thread is None
    keeper.stop()
