from kronos_app.data.about import About


def test_what_is_known_survives_json_and_what_is_not_is_left_out():
    about = About("600519.SS", "1d", "adjusted", calendar="XSHG")
    assert about.to_dict() == {
        "symbol": "600519.SS", "interval": "1d", "adjustment": "adjusted", "calendar": "XSHG",
    }  # fmt: skip
    assert About.from_dict(about.to_dict()) == about


def test_what_a_later_version_adds_is_left_out():
    assert About.from_dict({"symbol": "AAPL", "shoe_size": 44}) == About("AAPL")
