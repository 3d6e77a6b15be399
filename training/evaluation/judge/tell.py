"""A judgement as people read it: plain text for a terminal, Markdown for a model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill

from training.evaluation.inference import Estimate
from training.evaluation.judge.figures import Line
from training.evaluation.judge.judgement import OVER_ALL, TOGETHER, Judgement
from training.evaluation.judge.places import TITLES
from training.evaluation.judge.targets import TARGETS, Mark
from training.run.markdown import Markup, escape
from training.run.markdown import table as tabulate
from training.run.report import interval
from training.run.terminal import table

SIGNS: Mapping[Mark, str] = {"reached": "✓", "close": "~", "missed": "✗", "unknown": ""}
LEGEND = (
    "✓ reached; ~ not reached, but by no more than chance may do; ✗ missed. [95 % interval]; (for a single market)."
)
HEADS: Mapping[str, str] = {
    "crps_ratio": "CRPS",
    "coverage_90": "90 %",
    "coverage_80": "80 %",
    "ks": "KS",
    "volatility_ratio": "vol.",
    "pull": "pull",
    "first_gap": "gap",
    "impossible": "impossible",
}
BESIDE: Mapping[str, Mapping[str, str]] = {  # what else of a line to tell, over all, below a figure
    "crps_ratio": {"without its drift": "centred", "volatility foreseen": "foreseen"},
    "pull": {"slope of forecast": "pull_forecast", "slope of what came": "pull_actual"},
}
Row = Sequence[object]
WIDTH = 120  # columns of a terminal


def text(judgement: Judgement) -> str:
    """Return what a terminal of `WIDTH` columns shows."""
    parts = [fill(headline(judgement), WIDTH), table(list(_summary(judgement)))]
    for block, lines in judgement.blocks.items():
        if block != TOGETHER:
            parts.append(f"{_title(block)}, by market\n\n{table(list(_markets(judgement, block, lines)))}")
    notes = [fill(f"- {note}", WIDTH, subsequent_indent="  ") for note in judgement.notes]
    return "\n\n".join([*parts, "\n".join([LEGEND, _count(judgement), *notes])])


def markdown(judgement: Judgement) -> str:
    """Return the same with every interval and the baselines' CRPS, as a section of a model card."""
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
    """Return who was judged, and how."""
    asked, size = judgement.settings, judgement.depends_on
    said = [f"{size['cutoffs']:,} cutoffs", f"{size['lookback']} → {size['horizon']} candles"]
    said += [f"{name} {value}" for name, value in asked.items()]
    return f"{judgement.model}: {', '.join(said)}"


def _title(block: str) -> str:
    return TITLES.get(block, block)


def _count(judgement: Judgement) -> str:
    block = list(judgement.blocks)[-1]
    marks = [judgement.mark(block, OVER_ALL, name) for name in TARGETS]
    return f"Over all, {marks.count('reached')} of {len(marks)} figures are reached."


def _summary(judgement: Judgement) -> Iterable[Row]:
    """Yield a row a figure, a column a block, over all markets."""
    yield "over all", "to reach", *map(_title, judgement.blocks)
    yield "cutoffs", "", *(f"{lines[OVER_ALL].cutoffs:,}" for lines in judgement.blocks.values())
    yield "best baseline", "", *(lines[OVER_ALL].best for lines in judgement.blocks.values())
    for name, target in TARGETS.items():
        yield target.label, target.text, *(_marked(judgement, block, OVER_ALL, name) for block in judgement.blocks)
        for label, beside in _beside(judgement, name).items():
            found = (getattr(lines[OVER_ALL], beside) for lines in judgement.blocks.values())
            yield f"  {label}", "", *(interval(one.to_dict()) for one in found)


def _markets(judgement: Judgement, block: str, lines: Mapping[str, Line], *, intervals: bool = False) -> Iterable[Row]:
    """Yield a row a market; without `intervals`, CRPS alone has one, and the best baseline is left out."""
    yield "market", "cutoffs", *HEADS.values(), *(["best baseline"] if intervals else [])
    for part, found in lines.items():
        cells = [_marked(judgement, block, part, name, bare=not intervals and name != "crps_ratio") for name in HEADS]
        yield part, found.cutoffs, *cells, *([found.best] if intervals else [])


def _beside(judgement: Judgement, figure: str) -> Mapping[str, str]:
    """Return what to tell of a line beside a figure; the CRPS of a driftless forecast is already that without drift."""
    beside = BESIDE.get(figure, {})
    driftless = judgement.settings.get("drift") == "removed"
    return {label: name for label, name in beside.items() if not (driftless and name == "centred")}


def _crps(judgement: Judgement, lines: Mapping[str, Line]) -> Iterable[Row]:
    names, told = list(next(iter(lines.values())).crps), _beside(judgement, "crps_ratio")
    yield "market", *names, *told
    for part, found in lines.items():
        beside = (getattr(found, name).value * found.crps[found.best] for name in told.values())
        yield part, *(f"{crps:.4f}" for crps in (*(found.crps[name] for name in names), *beside))


def _marked(judgement: Judgement, block: str, part: str, name: str, *, bare: bool = False) -> str:
    found = judgement.blocks[block][part].figures[name]
    if name == "impossible":  # one in ten thousand must not look like none
        shown = f"{found.value:.4f}"
    else:
        shown = interval((Estimate(found.value) if bare else found).to_dict())
    return f"{shown} {SIGNS[judgement.mark(block, part, name)]}".rstrip()


def _markdown(rows: Iterable[Row]) -> str:
    head, *body = rows
    return tabulate([str(cell) for cell in head], [(name, *(Markup(cell) for cell in cells)) for name, *cells in body])
