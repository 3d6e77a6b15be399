import pytest

from kronos_app.errors import TooManyRequests
from kronos_app.web.attempts import MAX_KNOWN, Attempts
from kronos_app.web.client import client_address


def guess(attempts, client, times):
    for _ in range(times):
        attempts.check(client)
        attempts.count_failure(client)


def test_ten_wrong_guesses_of_one_client_are_the_last_for_a_minute():
    attempts = Attempts("password")
    guess(attempts, "10.0.0.1", 10)
    with pytest.raises(TooManyRequests) as caught:
        attempts.check("10.0.0.1")
    assert 1 <= caught.value.retry_after <= 60
    attempts.check("10.0.0.2")


def test_strangers_at_many_addresses_are_stopped_and_lock_nobody_out_who_was_right_before():
    attempts = Attempts("password")
    attempts.remember("10.0.0.1")
    for number in range(10):
        guess(attempts, f"10.9.0.{number}", 10)
    with pytest.raises(TooManyRequests):
        attempts.check("10.9.9.9")
    attempts.check("10.0.0.1")


def test_who_was_right_may_still_not_guess_without_end():
    attempts = Attempts("password")
    attempts.remember("10.0.0.1")
    guess(attempts, "10.0.0.1", 10)
    with pytest.raises(TooManyRequests):
        attempts.check("10.0.0.1")


def test_only_so_many_clients_are_remembered():
    attempts = Attempts("password")
    for number in range(MAX_KNOWN + 5):
        attempts.remember(str(number))
    assert len(attempts._known) == MAX_KNOWN


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.168.1.5", "192.168.1.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("not an address\n", "unknown"),
    ],
)
def test_a_client_is_its_address_of_ipv6_its_network(host, address):
    assert client_address({"client": (host, 1)}) == address
    assert client_address({}) == "unknown"
