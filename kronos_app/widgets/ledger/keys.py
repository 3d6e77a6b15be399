"""Keys of the Ledger page's widgets in the session state."""

KIND = "live.kind"
MODEL = "live.ledger_model"
SYMBOL = "live.ledger_symbol"
LEVEL = "live.level"
