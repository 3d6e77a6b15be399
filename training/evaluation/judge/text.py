"""The text of a judgement: plain for a terminal, Markdown for a model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill

from training.evaluation.inference import Estimate
from training.evaluation.judge.blocks import TITLES
from training.evaluation.judge.figures import TARGETS, Line, Mark
from training.evaluation.judge.judgement import OVER_ALL, TOGETHER, Judgement
from training.run.markdown import Markup, escape
from training.run.markdown import table as tabulate
from training.run.report import interval
from training.run.terminal import table

SIGNS: Mapping[Mark, str] = {"reached": "✓", "close": "~", "missed": "✗", "unknown": ""}
LEGEND = "✓ reached; ~ not reached, but the difference is not significant; ✗ missed. [95 % CI]; (for a single market)."
DETAILS: Mapping[str, Mapping[str, str]] = {  # fields of a line that are shown below a figure, over all markets
    "crps_ratio": {"without its drift": "crps_ratio_centred", "volatility foreseen": "volatility_foreseen"},
    "pull": {"slope of forecast": "pull_forecast", "slope of actual": "pull_actual"},
}
Row = Sequence[object]
WIDTH = 120  # columns of a terminal


def text(judgement: Judgement) -> str:
    """Return the text for a terminal of `WIDTH` columns."""
    parts = [fill(headline(judgement), WIDTH), table(list(_summary(judgement)))]
    for block, lines in judgement.blocks.items():
        if block != TOGETHER:
            parts.append(f"{_title(block)}, by market\n\n{table(list(_markets(judgement, block, lines)))}")
    notes = [fill(f"- {note}", WIDTH, subsequent_indent="  ") for note in judgement.notes]
    return "\n\n".join([*parts, "\n".join([LEGEND, _count(judgement), *notes])])


def markdown(judgement: Judgement) -> str:
    """Return a section of a model card, with every interval and the baselines' CRPS."""
    parts = [escape(headline(judgement)), _markdown(_summary(judgement))]
    for block, lines in judgement.blocks.items():
        if block != TOGETHER:
            parts.append(f"**{_title(block).capitalize()}**, by market")
            parts.append(_markdown(_markets(judgement, block, lines, intervals=True)))
            parts.append("Mean CRPS of each forecaster, in units of the history's volatility times √horizon:")
            parts.append(_markdown(_crps(judgement, lines)))
    notes = [f"- {escape(note)}" for note in judgement.notes]
    return "\n\n".join([*parts, f"{LEGEND} {_count(judgement)}", "\n".join(notes)]).strip() + "\n"


def headline(judgement: Judgement) -> str:
    """Return the model, the size of the evaluation, and the settings."""
    size = judgement.depends_on
    parts = [f"{size['cutoffs']:,} cutoffs", f"{size['lookback']} → {size['horizon']} candles"]
    parts += [f"{name} {value}" for name, value in judgement.settings.items()]
    return f"{judgement.model}: {', '.join(parts)}"


def _title(block: str) -> str:
    return TITLES.get(block, block)


def _count(judgement: Judgement) -> str:
    block = list(judgement.blocks)[-1]
    marks = [judgement.mark(block, OVER_ALL, name) for name in TARGETS]
    return f"Over all, {marks.count('reached')} of {len(marks)} targets are reached."


def _summary(judgement: Judgement) -> Iterable[Row]:
    """Yield a row a figure, a column a block, over all markets."""
    over_all = [lines[OVER_ALL] for lines in judgement.blocks.values()]
    yield "over all", "target", *map(_title, judgement.blocks)
    yield "cutoffs", "", *(f"{line.cutoffs:,}" for line in over_all)
    yield "best baseline", "", *(line.best_baseline for line in over_all)
    for name, target in TARGETS.items():
        yield target.label, target.text, *(_cell(judgement, block, OVER_ALL, name) for block in judgement.blocks)
        for label, detail in _details(judgement, name).items():
            yield f"  {label}", "", *(interval(getattr(line, detail).to_dict()) for line in over_all)


def _markets(judgement: Judgement, block: str, lines: Mapping[str, Line], *, intervals: bool = False) -> Iterable[Row]:
    """Yield a row a market; without `intervals`, only the CRPS has one, and the best baseline is left out."""
    yield "market", "cutoffs", *(target.head for target in TARGETS.values()), *(["best baseline"] if intervals else [])
    for part, line in lines.items():
        cells = [_cell(judgement, block, part, name, bare=not intervals and name != "crps_ratio") for name in TARGETS]
        yield part, line.cutoffs, *cells, *([line.best_baseline] if intervals else [])


def _details(judgement: Judgement, figure: str) -> Mapping[str, str]:
    """Return the details of a figure by label; the CRPS of a driftless forecast is already the one without drift."""
    driftless = judgement.settings.get("drift") == "removed"
    details = DETAILS.get(figure, {})
    return {label: name for label, name in details.items() if not (driftless and name == "crps_ratio_centred")}


def _crps(judgement: Judgement, lines: Mapping[str, Line]) -> Iterable[Row]:
    names, details = list(next(iter(lines.values())).crps), _details(judgement, "crps_ratio")
    yield "market", *names, *details
    for part, line in lines.items():
        of_details = (getattr(line, name).value * line.crps[line.best_baseline] for name in details.values())
        yield part, *(f"{crps:.4f}" for crps in (*(line.crps[name] for name in names), *of_details))


def _cell(judgement: Judgement, block: str, part: str, name: str, *, bare: bool = False) -> str:
    figure = judgement.blocks[block][part].figures[name]
    if name == "impossible":  # one in ten thousand must not look like none
        shown = f"{figure.value:.4f}"
    else:
        shown = interval((Estimate(figure.value) if bare else figure).to_dict())
    return f"{shown} {SIGNS[judgement.mark(block, part, name)]}".rstrip()


def _markdown(rows: Iterable[Row]) -> str:
    head, *body = rows
    return tabulate([str(cell) for cell in head], [(name, *(Markup(cell) for cell in cells)) for name, *cells in body])
