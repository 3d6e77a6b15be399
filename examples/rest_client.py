"""A forecast over REST: upload candles, request a forecast, wait for the job, read the quantiles.

Start the desk (`make app`), then run from any folder with httpx installed:
`python rest_client.py candles.csv [--url http://localhost:8501] [--token TOKEN]`
"""

import argparse
import time
from pathlib import Path

import httpx

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("file", type=Path, help="candles as CSV, JSON, Feather or Parquet")
parser.add_argument("--url", default="http://localhost:8501")
parser.add_argument("--token", help="the value of KRONOS_API_TOKEN, if the desk has one")
options = parser.parse_args()

headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
with httpx.Client(base_url=f"{options.url}/api/v1", headers=headers, timeout=60) as api:
    file = {"file": (options.file.name, options.file.read_bytes())}
    candles = api.post("/candles", files=file).raise_for_status().json()
    print(f"{candles['rows']} candles from {candles['first']} to {candles['last']}, data set {candles['id']}")

    request = {"candles_id": candles["id"], "lookback": 150, "horizon": 12, "samples": 20, "seed": 7}
    answer = api.post("/forecasts", json=request).raise_for_status().json()
    while "job_id" in answer:  # a repeated request returns the stored forecast at once
        job = api.get(f"/jobs/{answer['job_id']}").raise_for_status().json()
        if job["status"] == "succeeded":
            answer = api.get(f"/forecasts/{job['forecast_id']}").raise_for_status().json()
        elif job["status"] in {"failed", "cancelled"}:
            raise SystemExit(f"The job is {job['status']}: {job['error']}")
        else:
            time.sleep(0.5)

print(f"{'time':20}{'5 %':>10}{'median':>10}{'95 %':>10}")
quantiles = [answer["quantiles"][level]["close"] for level in ("0.05", "0.5", "0.95")]
for moment, *closes in zip(answer["timestamps"], *quantiles, strict=True):
    print(f"{moment:20}" + "".join(f"{close:10.2f}" for close in closes))
