"""What the documents say is true of the code, and what a reader needs from the code is in the documents."""

import ast
import re
from pathlib import Path

import pytest

from kronos_app.widgets.forecast import keys

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *PAGES]
READMES = DOCUMENTS[:2]
BOTH = "tokenizer and predictor"  # one heading: their settings are the same

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
VARIABLE = re.compile(r"\bKRONOS_[A-Z][A-Z_]*[A-Z]\b")


def read(path):
    return path.read_text(encoding="utf-8")


def doc(name):
    return read(ROOT / "docs" / name)


def rows(text):
    """Return the table rows of a document as lists of cells, backticks removed."""
    lines = [line.strip().strip("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines]


def blocks(text, language):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [content for name, content in fenced if name == language]


def commands(text):
    """Return the shell commands of a document, continued lines joined."""
    return [line for block in blocks(text, "") for line in block.replace("\\\n", " ").splitlines()]


def settings():
    from kronos_app.settings import Settings

    return {f"KRONOS_{name.upper()}": field for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize("variable", settings())
def test_every_setting_is_in_hosting_with_its_default(variable):
    table = {row[0]: row[1] for row in rows(doc("hosting.md")) if len(row) > 2}
    default = settings()[variable].default
    assert variable in table, f"docs/hosting.md lacks a row for {variable}"
    if isinstance(default, int | str):
        assert table[variable] == str(default)
    else:
        assert re.fullmatch(r"[A-Za-z].*", table[variable]), f"the default of {variable} is not described in words"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_setting_that_is_none(path):
    assert set(VARIABLE.findall(read(path))) <= set(settings())


def routes():
    from kronos_app.api.app import create_api

    paths = create_api(lambda: pytest.fail("no desk is needed")).openapi()["paths"]
    return {f"{method.upper()} /api{path}" for path, methods in paths.items() for method in methods}


def test_the_api_document_has_every_route_and_no_other():
    documented = re.findall(r"^## ((?:GET|POST|PUT|PATCH|DELETE) .*)$", doc("api.md"), re.MULTILINE)
    assert sorted(documented) == sorted(routes())


def test_the_api_document_has_every_field_of_a_forecast_with_its_default():
    from kronos_app.services.forecast.request import ForecastSettings

    table = {row[0]: row[1] for row in rows(doc("api.md")) if len(row) > 2}
    for name, field in ForecastSettings.model_fields.items():
        assert name in table, f"docs/api.md lacks {name}"
        if isinstance(field.default, tuple):
            assert table[name] == ", ".join(str(value) for value in field.default)
        elif field.default is not None:
            assert table[name] == str(field.default)


def test_every_error_code_of_the_api_document_is_raised_somewhere():
    table = [row for row in rows(doc("api.md")) if row[0].isdigit()]
    source = "\n".join(read(path) for path in (ROOT / "kronos_app").rglob("*.py"))
    runs = read(ROOT / "kronos_app" / "services" / "runs" / "run.py")
    for kind in ("run", "evaluation", "backtest"):
        source += runs.replace("{cls.kind}", kind).replace("{self.run.kind}", kind)
    assert table
    for row in table:
        for code in row[2].split(", "):
            assert f'"{code}"' in source, f"no error has the code {code}"


def test_the_readmes_name_every_page():
    from kronos_app.nav import ENTRIES

    for entry in ENTRIES.values():
        assert f"**{entry.title.render('en')}**" in read(READMES[0])
        assert f"**{entry.title.render('zh_CN')}**" in read(READMES[1])


def test_the_readme_shows_every_page_both_themes_and_both_languages():
    from kronos_app.nav import ENTRIES

    images = {Path(link).name for link in LINK.findall(read(READMES[0])) if link.endswith(".png")}
    assert images == {f"{name}.png" for name in (*ENTRIES, "forecast_dark", "forecast_zh")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_images_lead_somewhere(path):
    links = [link for link in LINK.findall(read(path)) if not re.match(r"https?://|#", link)]
    gone = [link for link in links if not (path.parent / link.partition("#")[0]).is_file()]
    assert not gone


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_every_document_is_linked_from_the_readmes(path):
    linked = set(LINK.findall(read(path)))
    assert {f"docs/{page.name}" for page in PAGES} <= linked


def test_make_targets_are_documented_and_documented_ones_exist():
    targets = set(re.search(r"^\.PHONY: (.*)$", read(ROOT / "Makefile"), re.MULTILINE)[1].split())
    named = {found for path in DOCUMENTS for found in re.findall(r"(?:`|^|\s)make ([a-z]+)\b", "\n".join(_code(path)))}
    assert named <= targets
    assert targets <= set(re.findall(r"`make ([a-z]+)`", read(ROOT / "CONTRIBUTING.md")))


def _code(path):
    """Return inline code and code blocks: `make` is a word of prose, too."""
    text = read(path)
    return [*re.findall(r"`make [^`\n]+`", text), *commands(text)]


def test_the_training_commands_in_the_documents_exist_with_their_options(capsys):
    from training.__main__ import main

    def help_of(*arguments):
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--help"])
        assert end.value.code == 0
        return capsys.readouterr().out

    shown = [line for line in commands(doc("training.md")) if "-m training" in line]
    exist = set(re.search(r"\{([a-z,]+)\}", help_of())[1].split(","))
    assert {re.search(r"-m training ([a-z]+)", line)[1] for line in shown} == exist
    for line in shown:
        command, rest = re.search(r"-m training ([a-z]+)(.*)", line).groups()
        assert set(re.findall(r"--[a-z-]+", rest)) <= set(re.findall(r"--[a-z-]+", help_of(command)))


def training_configs():
    """Return the config that each YAML block of the training document makes: with defaults for what it leaves out."""
    import yaml

    from training.run.config_file import parse_config

    least = {"data": {"source": "files", "paths": ["a.csv"]}}
    return [parse_config(least | yaml.safe_load(block)) for block in blocks(doc("training.md"), "yaml")]


def test_the_examples_of_training_settings_are_valid():
    assert len(training_configs()) > 3


def test_the_fields_that_training_commands_override_exist():
    from training.run.config_file import read_config

    overrides = [
        item
        for line in commands(doc("training.md"))
        for item in re.findall(r"(?<=[ '])[a-z_]+(?:\.[a-z_]+)*=[^ ']+", line.partition("--set ")[2])
    ]
    assert len(overrides) > 3
    read_config(ROOT / "training" / "recipes" / "example.yaml", overrides)


def training_sections(kind, path=""):
    """Yield the heading and the class of every section of a run's settings."""
    from typing import get_args

    from training.run.config import Section

    yield {"tokenizer": BOTH, "predictor": BOTH}.get(path, path), kind
    for name, field in kind.model_fields.items():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, Section):
                source = part.model_fields.get("source")
                kept_by = f", {get_args(source.annotation)[0]}" if source else ""
                yield from training_sections(part, f"{path}.{name}".strip(".") + kept_by)


def training_rows():
    """Return heading, name, default and meaning of every setting of a run, as the document has them."""
    from training.run.config import RunConfig, Section

    def default(field):
        if field.is_required():
            return "required"
        value = field.get_default(call_default_factory=True)
        if isinstance(value, Section):
            return "as below"
        return "none" if value is None else str(list(value) if isinstance(value, tuple) else value) or "empty"

    return [
        (section, name, default(field), field.description.replace("`", ""))
        for section, kind in training_sections(RunConfig)
        for name, field in kind.model_fields.items()
        if name != "source"
    ]


def test_every_setting_of_a_run_is_in_the_training_document_with_its_default_and_meaning():
    text = doc("training.md")
    for section, *row in training_rows():
        heading = f"\n### {section}\n" if section else "\n## Settings\n"
        part = re.split(r"\n##", text.partition(heading)[2])[0]
        assert row in rows(part), f"docs/training.md lacks in {heading.strip()} the row | {' | '.join(row)} |"


def test_the_messages_in_the_training_document_are_said_by_the_trainer():
    code = "\n".join(read(path) for path in (ROOT / "training").rglob("*.py"))
    said = re.sub(r'"\s*\n\s*"', "", code)  # a sentence may go over several lines
    part = doc("training.md").partition("\n## Messages\n")[2]
    messages = [row[0] for row in rows(part)[2:]]
    assert messages
    assert not [message for message in messages if message not in said]


def test_the_training_readme_names_every_module():
    folder = ROOT / "training"
    text = read(folder / "README.md")
    modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    packages = [f"{path.parent.name}/" for path in folder.glob("*/__init__.py")]
    assert not [name for name in (*modules, *packages) if f"`{name}`" not in text]


def test_the_recipes_in_the_documents_exist():
    recipes = re.findall(r"training/recipes/[\w./*-]+", doc("training.md"))
    assert recipes
    assert all(list(ROOT.glob(recipe)) for recipe in recipes)


def test_the_models_document_has_every_model_with_its_size_and_context():
    from engine.loading.registry import REGISTRY

    table = {row[0]: row for row in rows(doc("models.md"))}
    assert {name for name in table if name.startswith("kronos-")} == set(REGISTRY)
    for spec in REGISTRY.values():
        assert table[spec.name][1:3] == [f"{spec.parameters / 1e6:.1f} M", str(spec.max_context)]
        assert spec.bundled or table[spec.name][4] == spec.model_id


def test_the_forecasting_document_has_every_preset_with_its_values():
    from kronos_app.services.forecast.request import PRESETS

    table = {row[0]: row[1:3] for row in rows(doc("forecasting.md"))}
    for preset in PRESETS.values():
        assert table[preset.label.render("en")] == [str(preset.temperature), str(preset.top_p)]


def test_the_forecasting_document_has_the_values_the_page_starts_with():
    from kronos_app.widgets.forecast.settings import DEFAULTS

    table = {row[0]: row[1] for row in rows(doc("forecasting.md"))}
    names = {
        "Lookback": keys.LOOKBACK,
        "Horizon": keys.HORIZON,
        "Top-k": keys.TOP_K,
    }
    assert {name: table[name] for name in names} == {name: str(DEFAULTS[key]) for name, key in names.items()}


def test_the_forecasting_document_has_what_every_model_recommends():
    from engine.loading.registry import REGISTRY

    table = {tuple(row[:2]): row[2:6] for row in rows(doc("forecasting.md")) if len(row) > 5}
    uses = {"bands": "For bands", "point": "For the median"}
    for name, spec in REGISTRY.items():
        for use, label in uses.items():
            advice = spec.sampling[use]
            drift = "on" if advice.driftless else "off"
            assert table[name, label] == [str(advice.temperature), str(advice.top_p), str(advice.samples), drift]


def test_the_column_names_in_the_data_document_are_understood():
    from kronos_app.data.upload.columns import ALIASES, plain

    listed = {row[0]: row[2].split(", ") for row in rows(doc("data.md")) if row[0] in ALIASES}
    assert set(listed) == set(ALIASES)
    for column, names in listed.items():
        assert {plain(name) for name in names} <= set(ALIASES[column])
    assert {plain(name) for name in ("<Open Price>", "open_price", "开盘价(元)")} <= set(ALIASES["open"])


def test_the_repairs_in_the_documents_are_those_there_are():
    from kronos_app.data.checks.repair import REPAIRS

    listed = [row[0] for row in rows(doc("data.md")) if row[0] in {"Drop", "Forward-fill", "Keep"}]
    assert len(listed) == len(REPAIRS)
    assert all(f"`{name}`" in doc("api.md") for name in REPAIRS)


def test_the_changelog_has_the_version():
    from kronos_app.api.app import VERSION

    assert f"## [{VERSION}]" in read(ROOT / "CHANGELOG.md")
    assert f'"version": "{VERSION}"' in doc("api.md")


@pytest.mark.parametrize("path", [READMES[0], ROOT / "docs" / "engine.md"], ids=lambda path: path.name)
def test_the_python_examples_run(path, monkeypatch):
    from engine import KronosPredictor

    monkeypatch.chdir(ROOT)
    tiny = KronosPredictor.from_pretrained(GOLDEN / "model", tokenizer=GOLDEN / "tokenizer")
    monkeypatch.setattr(KronosPredictor, "from_pretrained", lambda *_, **__: tiny)
    names = {}
    for block in blocks(read(path), "python"):
        exec(compile(block, path.name, "exec"), names)
    forecast = names["forecast"]
    assert forecast.paths.shape == (50, 24, 6)
    assert forecast.seed == 7
    if "mean" in names:
        assert list(names["mean"].index) == list(names["future"])


def test_the_example_candles_have_the_id_in_the_documents(tmp_path):
    from kronos_app.data.checks import repair
    from kronos_app.data.upload import reader
    from kronos_app.settings import Settings

    content = (GOLDEN / "candles.csv").read_bytes()
    draft = reader.read(content, "candles.csv", settings=Settings(home=tmp_path))
    digest = repair.apply(draft).candles.digest[:16]
    assert digest in read(READMES[0])
    assert digest in doc("api.md")


def test_the_architecture_names_files_and_functions_that_exist():
    text = re.sub(r"\s*\n\s*", " ", doc("architecture.md"))
    files = re.findall(r"`((?:kronos_app|engine|training|pages|tests)/[\w/]+\.py|Home\.py)`", text)
    assert len(files) > 25
    assert [file for file in files if not (ROOT / file).is_file()] == []
    named = re.findall(r"`(\w+/[\w/]+\.py|Home\.py)`,? `(\w+)(?:\.(\w+))?`", text)
    assert len(named) > 20
    assert [name for name in named if not _defines(*name)] == []


def _defines(file, name, member):
    """Return whether a module defines a class or function, and its member where one is given."""
    bodies = ast.parse(read(ROOT / file)).body
    for level in (name, member):
        found = [node for node in bodies if getattr(node, "name", None) == level]
        if level and not found:
            return False
        bodies = found[0].body if found else bodies
    return True
