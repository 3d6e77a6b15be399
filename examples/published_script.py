"""A script written for the published Kronos package: only the import has changed.

Run from the project's folder: `.venv/bin/python -m examples.published_script`
"""

import pandas as pd
import torch

from engine import Kronos, KronosPredictor, KronosTokenizer  # was: from model import ...

# "NeoQuasar/Kronos-Tokenizer-base" and "NeoQuasar/Kronos-small" work as well and are downloaded; these come along.
tokenizer = KronosTokenizer.from_pretrained("engine/bundled/kronos-nano/tokenizer")
model = Kronos.from_pretrained("engine/bundled/kronos-nano/model")
predictor = KronosPredictor(model, tokenizer, device="cpu", max_context=512)

df = pd.read_csv("tests/golden/candles.csv")
df["timestamps"] = pd.to_datetime(df["timestamps"])
lookback, pred_len = 160, 24
x_df = df.loc[: lookback - 1, ["open", "high", "low", "close", "volume", "amount"]]
x_timestamp = df.loc[: lookback - 1, "timestamps"]
y_timestamp = df.loc[lookback : lookback + pred_len - 1, "timestamps"]

torch.manual_seed(0)  # `predict` draws from PyTorch's global generator, as the published one does
pred_df = predictor.predict(
    df=x_df,
    x_timestamp=x_timestamp,
    y_timestamp=y_timestamp,
    pred_len=pred_len,
    T=1.0,
    top_p=0.9,
    sample_count=5,
    verbose=False,
)
print(pred_df.head())
