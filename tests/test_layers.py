"""The layers import in one direction only, lazy imports inside functions included."""

import ast
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VENDORS = frozenset({"yfinance", "ccxt", "qlib"})
DATABASES = frozenset({"sqlalchemy", "duckdb", "duckdb_engine"})

LEAVES = frozenset(
    {"kronos_app.callers", "kronos_app.errors", "kronos_app.i18n", "kronos_app.jsonable", "kronos_app.settings"}
)
MODEL = frozenset({"engine", "training"})
KEEPING = frozenset({"kronos_app.data", "kronos_app.store", "kronos_app.jobs"})
BELOW_PAGES = MODEL | KEEPING | {"kronos_app.services"}
SESSION = frozenset({"kronos_app.state", "kronos_app.nav", "kronos_app.access", "kronos_app.runtime"})
DRAWING = frozenset({"kronos_app.widgets", "kronos_app.charts"})

# For each layer the layers it may import, besides itself and the leaves. What is missing here is forbidden.
MAY_IMPORT = {
    "engine": frozenset(),
    "training": frozenset({"engine"}),
    "kronos_app": frozenset(),
    "kronos_app.callers": frozenset(),
    "kronos_app.errors": frozenset(),
    "kronos_app.i18n": frozenset(),
    "kronos_app.jsonable": frozenset(),
    "kronos_app.settings": frozenset(),
    "kronos_app.locales": MODEL,  # a tool: it collects the messages to translate
    "kronos_app.data": MODEL,
    "kronos_app.store": MODEL | {"kronos_app.data"},
    "kronos_app.jobs": MODEL | {"kronos_app.data", "kronos_app.store"},
    "kronos_app.services": MODEL | KEEPING,
    "kronos_app.web": frozenset(),
    "kronos_app.api": MODEL | KEEPING | {"kronos_app.services", "kronos_app.web"},
    "kronos_app.charts": BELOW_PAGES - {"kronos_app.store"},
    "kronos_app.runtime": BELOW_PAGES | {"kronos_app.web"},
    "kronos_app.state": BELOW_PAGES | {"kronos_app.nav"},
    "kronos_app.nav": BELOW_PAGES | {"kronos_app.state"},
    "kronos_app.access": BELOW_PAGES | {"kronos_app.web"},
    "kronos_app.widgets": BELOW_PAGES | SESSION | {"kronos_app.charts"},
    "kronos_app.frame": BELOW_PAGES | SESSION | DRAWING,
    "pages": BELOW_PAGES | SESSION | DRAWING,
    "Home": BELOW_PAGES | SESSION | DRAWING | {"kronos_app.api", "kronos_app.web"},
}

# The packages of others that a layer must not see.
FORBIDDEN = {
    "engine": {"streamlit", "plotly", "fastapi"} | DATABASES | VENDORS,
    "training": {"streamlit", "plotly", "fastapi"},
    "kronos_app.charts": {"streamlit", "torch"} | DATABASES,
    "kronos_app.widgets": {"torch"} | DATABASES | VENDORS,
    "kronos_app.frame": {"torch"} | DATABASES | VENDORS,
    "pages": {"torch"} | DATABASES | VENDORS,
    "Home": {"torch"} | DATABASES | VENDORS,
}
DYNAMIC = frozenset({"import_module", "__import__"})
MAY_IMPORT_STREAMLIT = SESSION | {"kronos_app.frame", "kronos_app.widgets", "pages", "Home"}

# The features in the order in which they may build on one another: each imports itself and those before it.
FEATURES = {
    "kronos_app.services": (
        "core", "candles", "ledger", "models", "selection", "runs", "finetune", "evaluation", "backtest", "forecast",
        "live", "desk",
    ),
    "kronos_app.widgets": (
        "kit", "candles", "models", "selection", "runs", "finetune", "evaluation", "ledger", "backtest", "forecast",
        "live",
    ),
}  # fmt: skip

# The modules of services that other features may import. The rest is private: it is imported by its own feature, which
# has the same name in every layer, and by `desk`.
PUBLIC = {
    "core": "engine_errors glossary job_view labels redaction request training_errors validation view",
    "candles": "doubts market series series_fetching service sources views",
    "ledger": "comparison grading record service",
    "models": "limits registry service",
    "selection": "context request series setup training_data training_files",
    "runs": "job_run pace run service",
    "finetune": "",
    "evaluation": "request run series_scores service",
    "forecast": "request service worker",
    "live": "views",
    "backtest": "",
    "desk": "",
}
PAGES = {"data": "candles", "evaluate": "evaluation", "history": "ledger"}  # pages named otherwise than their feature

# Imported where they are used, so that the first page opens fast.
HEAVY = MODEL | VENDORS | {"torch", "exchange_calendars"}
LIGHT = frozenset({"training.errors", "training.saved"})  # they import nothing but pydantic


@dataclass(frozen=True)
class Import:
    """One imported module: who imports it, and whether at the head of the file."""

    module: str
    layer: str
    target: str
    line: int
    at_head: bool

    def __str__(self):
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module):
    """Return the longest entry of the table that contains the module."""
    known = [layer for layer in MAY_IMPORT if module == layer or module.startswith(layer + ".")]
    return max(known, key=len, default=None)


def statements(tree):
    """Yield each node with whether it runs when the module is imported; type checking does not run."""
    todo = [(node, True) for node in tree.body]
    while todo:
        node, at_head = todo.pop()
        yield node, at_head
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        lazy = lazy or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        todo += [(child, at_head and not lazy) for child in ast.iter_child_nodes(node)]


def targets(node, modules):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        # `from kronos_app import state` imports a module, `from kronos_app.errors import AppError` a name in one.
        full = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in modules else node.module for name in full]
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in DYNAMIC:
        return [node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else "?"]
    return []


def source_files():
    folders = [path for name in ("engine", "training", "kronos_app", "pages") for path in (ROOT / name).rglob("*.py")]
    return [ROOT / "Home.py", *folders]


def imports_in(module, source, modules):
    return [
        Import(module, layer_of(module) or module, target, node.lineno, at_head)
        for node, at_head in statements(ast.parse(source, module))
        for target in targets(node, modules)
    ]


def wrong_arrows(imports):
    for imported in imports:
        other = layer_of(imported.target)
        allowed = MAY_IMPORT.get(imported.layer, frozenset()) | {imported.layer}
        if imported.layer not in MODEL:
            allowed |= LEAVES | {"kronos_app"}
        page_to_page = imported.layer == "pages" and other == "pages" and imported.target != imported.module
        if (
            (other is not None and other not in allowed)
            or page_to_page
            or imported.target.startswith(("tests", "benchmarks"))
        ):
            yield f"{imported}, a layer it must not know"


def feature_of(module):
    """Return layer and feature of a module of services or widgets, (None, None) for others."""
    for layer in FEATURES:
        if module.startswith(layer + "."):
            return layer, module[len(layer) + 1 :].split(".")[0]
    return None, None


def wrong_features(imports):
    for imported in imports:
        (layer, feature), (other_layer, other) = feature_of(imported.module), feature_of(imported.target)
        order = FEATURES.get(layer, ())
        if layer == other_layer and layer and order.index(other) > order.index(feature):
            yield f"{imported}, a feature that comes after {feature}"


def name_of_feature(module):
    """Return the feature of a module, whose name is the same in all layers that are arranged by features."""
    for layer in (*FEATURES, "kronos_app.charts", "kronos_app.api.routes", "pages"):
        if module.startswith(layer + "."):
            feature = module[len(layer) + 1 :].split(".")[0]
            return PAGES.get(feature, feature) if layer == "pages" else feature
    return None


def private_imports(imports):
    for imported in imports:
        (layer, feature), own = feature_of(imported.target), name_of_feature(imported.module)
        if layer != "kronos_app.services" or own in {feature, "desk"} or imported.target.count(".") < 3:
            continue
        if imported.target.split(".")[3] not in PUBLIC[feature].split():
            yield f"{imported}, which is private to {feature}"


def wrong_services(imports):
    order = FEATURES["kronos_app.services"]
    for imported in imports:
        (layer, feature), (other_layer, other) = feature_of(imported.module), feature_of(imported.target)
        if layer != "kronos_app.widgets" or other_layer != "kronos_app.services":
            continue
        if other != "core" and (feature == "kit" or order.index(other) > order.index(feature)):
            yield f"{imported}, a service of a feature that is not below {feature}"


def wrong_packages(imports):
    for imported in imports:
        package = imported.target.split(".")[0]
        if package in FORBIDDEN.get(imported.layer, ()):
            yield f"{imported}, which {imported.layer} must not"
        if package == "streamlit" and imported.layer not in MAY_IMPORT_STREAMLIT:
            yield f"{imported}, which only {', '.join(sorted(MAY_IMPORT_STREAMLIT))} may"


def heavy_heads(imports):
    for imported in imports:
        if (
            imported.at_head
            and imported.layer not in MODEL
            and imported.target not in LIGHT
            and imported.target.split(".")[0] in HEAVY
        ):
            yield f"{imported} at its head: import it inside the function that needs it"


def cycles(imports):
    """Yield the cycle among the modules, and among the layers, as far as there is one."""
    modules = {imported.module for imported in imports}
    between = {}
    for imported in imports:
        if imported.at_head and imported.target in modules and imported.target != imported.module:
            between.setdefault(imported.module, set()).add(imported.target)
    layers = {}
    for imported in imports:
        if (other := layer_of(imported.target)) not in {None, imported.layer}:
            layers.setdefault(imported.layer, set()).add(other)
    for graph in (between, layers):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            yield " -> ".join(error.args[1])


CHECKS = [wrong_arrows, wrong_features, private_imports, wrong_services, wrong_packages, heavy_heads, cycles]


@pytest.fixture(scope="module")
def sources():
    return {module_name(path): path.read_text("utf-8") for path in source_files()}


@pytest.fixture(scope="module")
def imports(sources):
    return [imported for module, source in sources.items() for imported in imports_in(module, source, sources)]


@pytest.mark.parametrize("check", CHECKS)
def test_the_layers_hold(imports, check):
    assert list(check(imports)) == []


def test_every_module_belongs_to_a_layer(sources):
    assert len(sources) > 50
    assert [module for module in sources if layer_of(module) is None] == []
    assert {layer_of(module) for module in sources} == set(MAY_IMPORT), "the table names layers that are not there"
    # A module directly in kronos_app is a layer of its own: a new one must be given its place in the table.
    assert [module for module in sources if layer_of(module) == "kronos_app"] == ["kronos_app"]


def test_every_public_module_of_a_feature_is_imported_by_another_feature(imports):
    assert set(PUBLIC) == set(FEATURES["kronos_app.services"])
    listed = {f"kronos_app.services.{feature}.{name}" for feature in PUBLIC for name in PUBLIC[feature].split()}
    elsewhere = {i.target for i in imports if name_of_feature(i.module) not in {name_of_feature(i.target), "desk"}}
    assert listed - elsewhere == set()


def test_the_frame_keeps_to_its_one_file():
    """Its folder is the first on the path of every page: a file beside it would hide a module of that name."""
    assert [path.name for path in (ROOT / "kronos_app/frame").iterdir() if path.name != "__pycache__"] == ["main.py"]


PLANTED = [
    (wrong_packages, "engine.loading.hub", "import streamlit"),
    (wrong_packages, "engine.loading.hub", "def f():\n    import sqlalchemy.orm"),
    (wrong_arrows, "engine.loading.hub", "def f():\n    from kronos_app.errors import AppError"),
    (wrong_arrows, "engine.loading.hub", "from training.evaluation.one_forecast import score_forecast"),
    (wrong_arrows, "training.fit.loop", "def f():\n    from kronos_app.store import Store"),
    (wrong_packages, "training.fit.loop", "import plotly.graph_objects as go"),
    (wrong_arrows, "kronos_app.data.upload.reader", "from kronos_app.services.desk import get_desk"),
    (wrong_arrows, "kronos_app.data.upload.reader", "from kronos_app import state"),
    (
        wrong_arrows,
        "kronos_app.data.upload.reader",
        "import importlib\nimportlib.import_module('kronos_app.store.store')",
    ),
    (wrong_packages, "kronos_app.store.store", "class A:\n    def f(self):\n        import streamlit"),
    (wrong_arrows, "kronos_app.store.store", "from kronos_app.jobs import JobRunner"),
    (wrong_arrows, "kronos_app.jobs.runner", "if True:\n    from kronos_app.api.app import create_api"),
    (wrong_packages, "kronos_app.services.desk", "try:\n    import streamlit as st\nexcept ImportError:\n    pass"),
    (wrong_arrows, "kronos_app.services.desk", "from kronos_app.widgets import errors"),
    (wrong_arrows, "kronos_app.services.desk", "from tests.golden import cases"),
    (wrong_features, "kronos_app.services.candles.service", "from kronos_app.services.forecast.plan import plan"),
    (wrong_features, "kronos_app.services.runs.run", "from kronos_app.services.desk import Desk"),
    (wrong_features, "kronos_app.widgets.kit.errors", "from kronos_app.widgets.candles import drafts"),
    (private_imports, "kronos_app.services.backtest.service", "from kronos_app.services.candles import fetched"),
    (private_imports, "kronos_app.services.live.worker", "from kronos_app.services.forecast.plan import Plan"),
    (private_imports, "kronos_app.widgets.forecast.form", "from kronos_app.services.candles import inline"),
    (private_imports, "kronos_app.api.routes.jobs", "from kronos_app.services.live.worker import FollowWorker"),
    (private_imports, "pages.models", "from kronos_app.services.evaluation.worker import KIND"),
    (wrong_services, "kronos_app.widgets.evaluation.run", "from kronos_app.services.forecast.view import ForecastView"),
    (wrong_services, "kronos_app.widgets.kit.job", "from kronos_app.services.candles.views import InfoOut"),
    (heavy_heads, "kronos_app.services.desk", "import torch"),
    (heavy_heads, "kronos_app.services.desk", "from engine import KronosPredictor"),
    (wrong_arrows, "kronos_app.api.app", "from kronos_app.runtime import desk"),
    (wrong_packages, "kronos_app.api.app", "from streamlit import cache_data"),
    (wrong_arrows, "kronos_app.charts.style", "from kronos_app.store.records import Job"),
    (wrong_packages, "kronos_app.charts.style", "def f():\n    import torch"),
    (wrong_arrows, "kronos_app.web.door", "from kronos_app import access"),
    (wrong_arrows, "kronos_app.web.door", "from kronos_app.api.errors import install"),
    (wrong_packages, "kronos_app.web.uploads", "import streamlit"),
    (wrong_arrows, "kronos_app.errors", "from kronos_app.data.draft import Draft"),
    (wrong_arrows, "kronos_app.widgets.kit.job", "from kronos_app.frame import main"),
    (wrong_packages, "pages.home", "import duckdb"),
    (wrong_arrows, "pages.home", "from pages import data"),
    (wrong_arrows, "Home", "import pages.home"),
    (cycles, "kronos_app.data.candle_frame", "from kronos_app.data.upload import reader"),
    (cycles, "kronos_app.store.records", "def f():\n    from kronos_app.services.desk import Desk"),
]


@pytest.mark.parametrize(("check", "module", "source"), PLANTED)
def test_a_planted_violation_is_found(sources, imports, check, module, source):
    planted = imports_in(module, source, sources)
    assert planted
    assert len(list(check(imports + planted))) > len(list(check(imports)))


def test_imports_for_type_checking_alone_are_not_at_the_head(sources):
    source = "if TYPE_CHECKING:\n    import torch\ndef f():\n    import engine"
    assert list(heavy_heads(imports_in("kronos_app.services.desk", source, sources))) == []
