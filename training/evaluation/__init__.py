"""Would it have worked? Forecasts at many cutoffs, beside baselines, scored, with no look ahead.

```
cutoffs (AsOf) → Request → forecasters, baselines → Members → records → Report
                                                              records → calibration
```
"""
