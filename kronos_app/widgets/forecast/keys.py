"""Keys of the Forecast page's widgets in the session state."""

MODEL = "forecast.model"
MODE = "forecast.mode"
LOOKBACK = "forecast.lookback"
HORIZON = "forecast.horizon"
WINDOW = "forecast.window"
PRESET = "forecast.preset"
TEMPERATURE = "forecast.temperature"
TOP_P = "forecast.top_p"
TOP_K = "forecast.top_k"
SAMPLES = "forecast.samples"
DRIFTLESS = "forecast.driftless"
SEED = "forecast.seed"
SETUP = "forecast.setup"  # of one of SETUPS: slot and field follow
SETUPS = "forecast.setups"  # numbers of the setups besides that of the form
CACHED = "forecast.cached"
SHORT_HISTORY = "forecast.short_history"
LOADED = "forecast.loaded"  # id of the forecast whose settings the form was set to, or of what it submitted
FORM_OPEN = "forecast.form_open"  # on a phone, for each address
ADVISED = "forecast.advised"  # model and values that the settings were last filled in from
RECALIBRATED = "forecast.recalibrated"
CANDLE_KIND = "forecast.candle_kind"
PATH = "forecast.path"
