"""The soak makes the same requests for the same seed, and finds what it looks for."""

from datetime import timedelta

import httpx

from tests.soak.mutations import mutated
from tests.soak.report import Answers


def test_the_same_seed_mutates_the_same_files_and_another_does_not():
    files = list(mutated(60, seed=1))
    assert files == list(mutated(60, seed=1))
    assert files != list(mutated(60, seed=2))
    assert {name.rpartition(".")[2] for name, _ in files} >= {"csv", "parquet", "feather"}


def test_an_answer_of_500_is_a_failure_and_one_of_422_is_not():
    answers = Answers()
    for status in (201, 422, 503, 500):
        response = httpx.Response(status, text="why")
        response.elapsed = timedelta(seconds=status / 1000)
        answers.add("upload", response)
    assert answers.failures == ["upload: 500 why"]
    assert answers.row("run").startswith("| run | 1 × 201, 1 × 422, 1 × 500, 1 × 503; slowest 0.50 s |")
