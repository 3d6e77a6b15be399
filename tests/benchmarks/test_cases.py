"""The cases are those that are promised."""

from __future__ import annotations

from benchmarks.cases import combine_cases, make_case, promised_cases, quick_cases

PROMISED = {
    "small 400→120 1 path": {"exact": 9, "fit": 22},
    "small 400→120 5 paths": {"exact": 26, "fit": 60},
    "small 400→120 30 paths": {"exact": 45, "fit": 110},
    "mini 400→120 20 paths": {"exact": 90},
    "base 400→120 1 path": {"exact": 10, "fit": 24},
    "small 400→120 8 × 1 path": {"exact": 11, "fit": 28},
    "small 90→10 20 × 5 paths": {"exact": 24},
}


def test_the_table_holds_every_promise_with_its_target() -> None:
    assert {case.name: dict(case.targets) for case in promised_cases()} == PROMISED
    assert next(case for case in promised_cases() if case.size == "mini").context == 2048


def test_what_has_a_target_is_timed() -> None:
    assert all(set(case.targets) == set(case.windows) for case in promised_cases())


def test_windows_that_never_fill_are_timed_once() -> None:
    assert make_case("small", 1, history=392).windows == ("exact",)
    assert make_case("small", 1, history=393).windows == ("exact", "fit")


def test_the_quick_plan_stays_with_the_smallest_size() -> None:
    assert {case.size for case in quick_cases()} == {"nano"}
    assert {case.samples for case in quick_cases()} == {1, 5, 30}


def test_a_grid_is_every_combination() -> None:
    cases = combine_cases(["nano", "mini"], [1, 5], [(400, 120), (90, 10)], [1, 8, 64], ["exact", "strided"], stride=32)
    assert len(cases) == 24
    assert {case.stride for case in cases} == {32}
    assert {case.windows for case in cases if case.size == "mini" or case.history == 90} == {("exact",)}
