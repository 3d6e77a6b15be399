"""A fine-tune from Python: a few steps on one sample, then a forecast with the result.

Run from the project's folder: `.venv/bin/python -m examples.fine_tune [FOLDER]`
Ten steps show the way and improve nothing; `python -m training` and the Fine-tune page do the same with progress.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

from engine import KronosPredictor
from kronos_app.data import sample
from training.run.config import RunConfig
from training.run.execute import execute
from training.run.launch import create_run

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="kronos-fine-tune-"))
candles = sample.load("sp500").frame.tail(1500)
folder.mkdir(parents=True, exist_ok=True)
candles.to_csv(folder / "SP500.csv", index=False)

# Every setting is described in docs/training.md; what is not given has a default.
config = RunConfig.model_validate(
    {
        "name": "example",
        "data": {"source": "files", "paths": [str(folder / "SP500.csv")], "origin": "The S&P 500 sample"},
        "split": {"fractions": [0.7, 0.15, 0.15]},
        "window": {"lookback": 60, "horizon": 5},
        "base": {"model": "kronos-nano"},
        "method": {"kind": "lora"},
        "predictor": {"steps": 10, "batch": 8, "validate_every": 5, "validation_windows": 8},
        "judge": {"cutoffs": 2, "final_cutoffs": 4, "samples": 8},
        "machine": {"device": "cpu"},
    }
)
run = create_run(config, folder / "run")
status = execute(run)
print(f"The run is {status.state}; its folder is {run.path}")
if status.state != "finished":
    raise SystemExit(str(status.error))

# The result loads like any other model, also in the published package.
export = run.path / "export"
predictor = KronosPredictor.from_pretrained(export / "model", tokenizer=export / "tokenizer", device="cpu")
times = candles.pop("timestamp")
future = pd.bdate_range(times.iloc[-1], periods=6)[1:]
print(predictor.forecast(candles.tail(60), times.tail(60), future, samples=20, seed=7).median().round(2))
