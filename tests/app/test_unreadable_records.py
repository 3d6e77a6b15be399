"""Folders that this version cannot read, as pages list them."""

from __future__ import annotations

import pytest

from kronos_app.i18n import translate


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize(
    ("page", "folder"),
    [("evaluate", "evaluations/0123456789ab"), ("backtest", "backtests/0123456789ab"), ("finetune", "runs/a-run")],
)
def test_a_folder_that_cannot_be_read_is_listed_with_its_reason_and_can_be_deleted(
    desk, open_page, page, folder, language
):
    path = desk.settings.home / folder
    path.mkdir(parents=True)
    (path / "desk.json").write_text('{"created": "20', encoding="utf-8")
    app = open_page(page, lang=language)
    words = [markdown.value for markdown in app.markdown]
    reason = translate("{file} is damaged or cut off.", language).format(file="desk.json")
    shown = "\n".join(words).replace("\\", "")
    assert f"{path.name}** :red-badge[{translate('unreadable', language)}]" in shown
    assert reason in shown
    app.button(key=f"{page}.delete.{path.name}").click().run()
    app.button(key="app.confirm").click().run()
    assert not app.exception
    assert not path.exists()
