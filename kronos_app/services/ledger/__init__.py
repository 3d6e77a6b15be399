"""The ledger: graded forecasts, and how they compare with baselines."""
