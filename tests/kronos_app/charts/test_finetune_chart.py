from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kronos_app.charts.finetune import (
    MOST_ROWS,
    ExampleWords,
    Stretch,
    TimelineWords,
    examples_chart,
    timeline_chart,
)
from kronos_app.charts.finetune_curves import MOST_POINTS, CurveWords, curves_chart, overlay_losses
from kronos_app.charts.style import PAPER

TIMELINE = TimelineWords({"train": "学习", "validation": "验证", "test": "测试"}, "间隔", "{count} 个窗口")
EXAMPLE = ExampleWords("历史", "实际", "本次", "基础", "90 % 区间")
CURVES = CurveWords("步", "训练损失", "验证损失", "学习率", "梯度范数")


def stretch(symbol: str, split: str, first: str, last: str, windows: int = 10, group: str = "1d") -> Stretch:
    return Stretch(group, symbol, split, pd.Timestamp(first), pd.Timestamp(last), windows)


def splits(symbol: str, group: str = "1d") -> list[Stretch]:
    return [
        stretch(symbol, "validation", "2021-06-01", "2022-01-01", 20, group),
        stretch(symbol, "train", "2020-01-01", "2021-01-01", 1200, group),
        stretch(symbol, "test", "2022-06-01", "2023-01-01", 30, group),
    ]


def traces(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def test_each_symbol_has_a_row_coloured_by_what_its_time_serves_for():
    found = traces(timeline_chart([*splits("A"), *splits("B")], TIMELINE))
    assert set(found) == {"学习", "验证", "测试", "间隔"}
    assert list(found["学习"].y) == ["A"] * 3 + ["B"] * 3
    assert list(found["学习"].x[:2]) == [pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01")]
    assert found["学习"].customdata[0] == "1,200 个窗口"
    assert len({found[name].line.color for name in ("学习", "验证", "测试")}) == 3


def test_what_is_left_out_between_two_splits_is_dotted():
    gaps = traces(timeline_chart(splits("A"), TIMELINE))["间隔"]
    assert list(gaps.x[:2]) == [pd.Timestamp("2021-01-01"), pd.Timestamp("2021-06-01")]
    assert list(gaps.x[3:5]) == [pd.Timestamp("2022-01-01"), pd.Timestamp("2022-06-01")]
    assert gaps.line.dash == "dot"


def test_a_break_within_one_split_is_not_dotted():
    parts = [stretch("A", "train", "2020-01-01", "2020-03-01"), stretch("A", "train", "2020-05-01", "2020-07-01")]
    figure = timeline_chart(parts, TIMELINE)
    assert not traces(figure)["间隔"].x
    assert list(traces(figure)["学习"].x).count(None) == 2


def test_symbols_of_two_markets_with_one_name_have_rows_of_their_own():
    rows = timeline_chart([*splits("A"), *splits("A", "1h")], TIMELINE).layout.yaxis.categoryarray
    assert set(rows) == {"A · 1d", "A · 1h"}


def test_more_symbols_than_fit_are_joined_by_market():
    many = [one for number in range(MOST_ROWS + 1) for one in splits(f"S{number}", "crypto 1h")]
    figure = timeline_chart(many, TIMELINE)
    assert list(figure.layout.yaxis.categoryarray) == ["crypto 1h"]
    assert traces(figure)["学习"].customdata[0] == f"{1200 * (MOST_ROWS + 1):,} 个窗口"


@pytest.fixture
def log():
    steps = np.arange(1, 41)
    losses = np.where(steps % 10 == 0, 2 - steps / 100, np.nan)
    return pd.DataFrame({
        "step": steps, "loss": 3 - steps / 100, "learning_rate": 1e-5, "gradient_norm": 1.0, "validation_loss": losses,
    })  # fmt: skip


def test_curves_show_each_figure_where_the_log_has_it(log):
    found = traces(curves_chart(log, CURVES))
    assert set(found) == {"训练损失", "验证损失", "学习率", "梯度范数"}
    assert list(found["验证损失"].x) == [10, 20, 30, 40]
    assert list(found["训练损失"].y) == log["loss"].to_list()
    assert [found[name].yaxis for name in ("训练损失", "学习率", "梯度范数")] == ["y", "y2", "y3"]


def test_curves_can_be_drawn_before_the_first_validation(log):
    found = traces(curves_chart(log.drop(columns="validation_loss").head(1), CURVES))
    assert len(found["验证损失"].x) == 0
    assert "markers" in found["训练损失"].mode


def test_losses_that_measure_different_things_do_not_share_a_scale(log):
    figure = curves_chart(log, CURVES, apart=True)
    assert [traces(figure)[name].yaxis for name in ("训练损失", "验证损失")] == ["y4", "y"]
    assert (figure.layout.yaxis4.overlaying, figure.layout.yaxis4.side) == ("y", "left")
    assert set(traces(overlay_losses({"run": log}, CURVES, apart=True))) == {"run · 验证损失"}


def test_a_long_log_is_thinned_and_keeps_its_ends():
    steps = np.arange(10 * MOST_POINTS)
    line = traces(curves_chart(pd.DataFrame({"step": steps, "loss": steps * 1.0}), CURVES))["训练损失"]
    assert len(line.x) == MOST_POINTS
    assert (line.x[0], line.x[-1]) == (0, steps[-1])


def test_runs_over_each_other_differ_in_colour_and_say_whose_line_it_is(log):
    found = traces(overlay_losses({"run": log, "run 2": log + 1}, CURVES))
    assert set(found) == {"run · 训练损失", "run · 验证损失", "run 2 · 训练损失", "run 2 · 验证损失"}
    assert found["run · 验证损失"].line.color != found["run 2 · 验证损失"].line.color


def example(symbol: str, *, base: bool = True):
    times = [str(time) for time in pd.bdate_range("2024-01-01", periods=8)]
    levels = {level: [100 + shift, 100 + shift] for level, shift in (("0.05", -2), ("0.5", 0), ("0.95", 2))}
    return {
        "symbol": symbol, "group": "1d", "times": times[:6], "close": [100.0] * 6, "future_times": times[6:],
        "actual": [101.0, 103.0], "quantiles": levels, **({"base": levels} if base else {}),
    }  # fmt: skip


def test_an_example_goes_on_from_its_last_close_and_shows_what_came():
    found = traces(examples_chart([example("A")], EXAMPLE))
    assert list(found["实际"].y) == [100.0, 101.0, 103.0]
    assert list(found["本次"].y) == [100.0, 100, 100]
    assert found["本次"].x[0] == "2024-01-08"
    assert list(found["本次 · 90 % 区间"].y) == [100.0, 102, 102]
    assert set(found) == {"历史", "实际", "本次", "基础", "本次 · 90 % 区间", "基础 · 90 % 区间"}


def test_examples_stand_in_panels_of_their_own_in_the_order_of_time():
    figure = examples_chart([example("A"), example("B"), example("C", base=False)], EXAMPLE)
    assert {trace.xaxis for trace in figure.data} == {"x", "x2", "x3"}
    assert [title.text for title in figure.layout.annotations] == [f"<b>{symbol}</b> · 2024-01-08" for symbol in "ABC"]
    assert sum(bool(trace.showlegend) for trace in figure.data if trace.name == "实际") == 1
    labels = figure.layout.xaxis2.categoryarray
    assert list(labels) == sorted(labels)
    domains = [figure.layout[f"yaxis{number}"].domain for number in ("", "2", "3")]
    assert domains[0] == domains[1]
    assert domains[2][1] < domains[0][0]


def test_without_a_base_model_only_the_run_is_drawn():
    assert "基础" not in traces(examples_chart([example("A", base=False)], EXAMPLE))


def test_backgrounds_are_those_of_the_page():
    for figure in (timeline_chart(splits("A"), TIMELINE), examples_chart([example("A")], EXAMPLE)):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == PAPER
