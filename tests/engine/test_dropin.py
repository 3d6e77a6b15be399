"""A script written for the published package runs when its import is changed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.engine.conftest import GOLDEN

SCRIPT = """
import pandas as pd
from engine import Kronos, KronosTokenizer, KronosPredictor  # was: from model import ...

tokenizer = KronosTokenizer.from_pretrained(TOKENIZER)
model = Kronos.from_pretrained(MODEL)
predictor = KronosPredictor(model, tokenizer, device="cpu", max_context=512)

df = pd.read_csv(DATA)
df["timestamps"] = pd.to_datetime(df["timestamps"])
lookback, pred_len = 64, 16
x_df = df.loc[: lookback - 1, ["open", "high", "low", "close", "volume", "amount"]]
x_timestamp = df.loc[: lookback - 1, "timestamps"]
y_timestamp = df.loc[lookback : lookback + pred_len - 1, "timestamps"]

pred_df = predictor.predict(
    df=x_df, x_timestamp=x_timestamp, y_timestamp=y_timestamp,
    pred_len=pred_len, T=1.0, top_k=1, top_p=0.9, sample_count=1, verbose=True,
)
pred_df_list = predictor.predict_batch(
    df_list=[x_df, x_df], x_timestamp_list=[x_timestamp] * 2, y_timestamp_list=[y_timestamp] * 2,
    pred_len=pred_len, T=1.0, top_k=0, top_p=0.9, sample_count=2, verbose=False,
)

x = torch.randn(2, 20, 6)
s1_ids, s2_ids = tokenizer.encode(x, half=True)
ids = tokenizer.encode(x)
decoded = tokenizer.decode([s1_ids, s2_ids], half=True)
(z_pre, z), bsq_loss, quantized, z_indices = tokenizer(x)
stamp = torch.zeros(2, 20, 5)
s1_logits, s2_logits = model(s1_ids, s2_ids, stamp, use_teacher_forcing=True, s1_targets=s1_ids)
loss, s1_loss, s2_loss = model.head.compute_loss(s1_logits, s2_logits, s1_ids, s2_ids)
s1_logits, context = model.decode_s1(s1_ids, s2_ids, stamp)
s2_logits = model.decode_s2(context, s1_ids[:, -1:])
tokenizer.save_pretrained(OUT + "/tokenizer")
model.save_pretrained(OUT + "/model")
"""


def test_a_script_for_the_published_package_runs_with_its_import_changed(tmp_path: Path) -> None:
    import torch

    names = {
        "torch": torch,
        "TOKENIZER": str(GOLDEN / "tokenizer"),
        "MODEL": str(GOLDEN / "model"),
        "DATA": str(GOLDEN / "candles.csv"),
        "OUT": str(tmp_path),
    }
    exec(compile(SCRIPT, "script.py", "exec"), names)
    frame = names["pred_df"]
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["open", "high", "low", "close", "volume", "amount"]
    assert list(frame.index) == list(names["y_timestamp"])
    assert [len(one) for one in names["pred_df_list"]] == [16, 16]
    assert names["decoded"].shape == names["z"].shape == (2, 20, 6)
    assert torch.equal(names["ids"], names["s1_ids"] + 64 * names["s2_ids"])
    assert names["loss"].item() == (names["s1_loss"] + names["s2_loss"]).item() / 2
    assert names["s2_logits"].shape == (2, 20, 64)
    for kind in ("model", "tokenizer"):
        assert (tmp_path / kind / "model.safetensors").is_file()
