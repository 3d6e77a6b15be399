"""Folders and rows that this version cannot read, as the API lists and deletes them."""

import pytest

from kronos_app.store.ledger import Follow


@pytest.mark.parametrize("kind", ["runs", "evaluations", "backtests"])
@pytest.mark.parametrize(
    ("language", "reason"), [("en", "desk.json lacks the field created."), ("zh-CN", "desk.json 缺少字段 created。")]
)
def test_a_folder_that_cannot_be_read_is_listed_with_its_reason_and_deleted(
    client, saved_folders, edit_json, refused, kind, language, reason
):
    record_id = saved_folders[kind].name
    edit_json(saved_folders[kind] / "desk.json", lambda saved: saved.pop("created"))
    headers = {"Accept-Language": language}
    listed = client.get(f"/api/v1/{kind}", headers=headers).json()
    assert (listed["total"], listed[kind]) == (0, [])
    assert listed["unreadable"] == [{"id": record_id, "reason": reason}]
    error = refused(client.get(f"/api/v1/{kind}/{record_id}", headers=headers), 409)
    assert error["code"] == "record_unreadable"
    assert reason in error["message"]
    assert client.delete(f"/api/v1/{kind}/{record_id}").status_code == 204
    assert client.get(f"/api/v1/{kind}").json()["unreadable"] == []


def test_a_follow_that_cannot_be_read_is_listed_with_its_reason_and_deleted(client, desk):
    desk.store.follows.put(Follow("f1", "binance", "BTC/USDT", "1h", {"horizon": "many"}, 900))
    listed = client.get("/api/v1/follows").json()
    assert listed["follows"] == []
    assert [one["id"] for one in listed["unreadable"]] == ["f1"]
    assert client.delete("/api/v1/follows/f1").status_code == 204
    assert client.get("/api/v1/follows").json()["unreadable"] == []
    assert client.get("/api/v1/registry").json()["unreadable"] == []
