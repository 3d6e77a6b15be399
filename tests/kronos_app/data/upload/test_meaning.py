"""What numbers, lines and columns mean where names alone do not say it: amounts, notes and dates tell."""

import json

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.upload import reader
from kronos_app.settings import Settings

SETTINGS = Settings(max_upload_mb=2, max_rows=20_000)
CLOSES = (1685.0, 1690.5, 1671.2, 1680.9, 1702.3, 1695.0)
VOLUMES = (9257, 8120, 13054, 7711, 10290, 6433)
DAYS = pd.bdate_range("2024-01-02", periods=len(CLOSES)).strftime("%Y-%m-%d").tolist()


def read(content, name="file.csv"):
    (draft,) = reader.read_all(content if isinstance(content, bytes) else content.encode(), name, settings=SETTINGS)
    return draft


def table(header, row):
    """Return a file with a line for each candle; `row` takes day, close and volume."""
    return header + "\n" + "".join(row(*cells) + "\n" for cells in zip(DAYS, CLOSES, VOLUMES, strict=True))


def prices(close):
    return f"{close},{close + 5},{close - 5},{close}"


def warnings(draft):
    return {finding.code for finding in draft.findings if finding.severity == "warning"}


@pytest.mark.parametrize(
    ("header", "unit", "volume", "amount"),
    [
        ("日期,开盘,最高,最低,收盘,成交量,成交额,x", 100, 100, 1),  # East Money counts lots and does not say so
        ("时间,开盘,最高,最低,收盘,总手,金额,x", 1, 1, 1),
        ("trade_date,open,high,low,close,vol,amount,ts_code", 0.1, 100, 1000),  # Tushare
        ("日期,開盤,最高,最低,收盤,成交張數,成交仟元,x", 1, 1000, 1000),  # TPEx
        ("日期,開盤,最高,最低,收盤,成交股數,成交金額,x", 1, 1, 1),
    ],
)
def test_the_amount_tells_the_unit_of_a_volume(header, unit, volume, amount):
    draft = read(table(header, lambda day, c, v: f"{day},{prices(c)},{v},{v * c * unit:.3f},600519.SH"))
    assert draft.frame["volume"].tolist() == [v * volume for v in VOLUMES]
    assert np.allclose(
        draft.frame["amount"], [v * c * unit * amount for v, c in zip(VOLUMES, CLOSES, strict=True)], rtol=1e-3
    )
    assert warnings(draft) == set()


@pytest.mark.parametrize(
    "header", ["time,open,high,low,close,No. of Shares,amount", "日期,開盤,最高,最低,收盤,成交股數,金額"]
)
def test_shares_are_no_lots_whatever_the_amount_and_that_is_doubted(header):
    draft = read(table(header, lambda day, close, v: f"{day},{prices(close)},{v},{v * close * 100}"))
    assert draft.frame["volume"].tolist() == list(VOLUMES)
    assert warnings(draft) == {"doubtful_amount"}


def test_an_amount_a_thousand_times_off_is_doubted():
    draft = read(table("date,open,high,low,close,volume,amount", lambda d, c, v: f"{d},{prices(c)},{v},{v * c / 1000}"))
    assert warnings(draft) == {"doubtful_amount"}


def test_amounts_beside_adjusted_prices_are_not_doubted():
    factor = dict(zip(CLOSES, (1, 2, 5, 9, 20, 50), strict=True))
    draft = read(
        table("date,open,high,low,close,volume,amount", lambda d, c, v: f"{d},{prices(c)},{v},{v * c / factor[c]}")
    )
    assert warnings(draft) == set()


@pytest.mark.parametrize(
    "header",
    ["Data;Abertura;Máximo;Mínimo;Fechamento;Volume;Quantidade", "Date;Open;High;Low;Close;Volume;Number of Shares"],
)
@pytest.mark.parametrize("worth", [1, 0.2])
def test_a_volume_in_money_beside_pieces_is_the_amount(header, worth):
    draft = read(
        table(header, lambda day, close, v: f"{day};{prices(close).replace(',', ';')};{v * close * worth};{v}")
    )
    assert draft.frame["volume"].tolist() == list(VOLUMES)
    assert draft.columns["amount"] == "Volume"


def test_two_volumes_of_a_price_about_one_stay_volumes():
    lines = [f"{day},1.09,1.1,1.08,1.09,{v},{v}" for day, v in zip(DAYS, VOLUMES, strict=True)]
    draft = read("date,open,high,low,close,volume,quantity\n" + "\n".join(lines))
    assert "amount" not in draft.frame
    assert draft.frame["volume"].tolist() == list(VOLUMES)


def test_a_minus_that_marks_the_average_of_bid_and_ask_is_no_price_below_zero():
    draft = read(
        table(
            "date,OPENPRC,ASKHI,BIDLO,PRC,VOL",
            lambda d, c, v: f"{d},{c},{c + 5},{c - 5},{'-' if c < 1680 else ''}{c},{v}",
        )
    )
    assert draft.frame["close"].tolist() == list(CLOSES)
    assert warnings(draft) == {"bid_ask_average"}


def test_negative_prices_of_a_future_stay():
    lines = [f"{day},{-c},{5 - c},{-5 - c},{-c}" for day, c in zip(DAYS, CLOSES, strict=True)]
    draft = read("date,open,high,low,close\n" + "\n".join(lines))
    assert draft.frame["close"].tolist() == [-close for close in CLOSES]


@pytest.mark.parametrize("remark", ["{day}\t0.24 Dividend", "{day}\t4:1 Stock Splits", "{day}\t0.24 Dividend\t\t\t\t"])
def test_a_dividend_between_candles_is_a_note(remark):
    lines = [
        f"{day}\t{prices(close)}\t{v}".replace(",", "\t") for day, close, v in zip(DAYS, CLOSES, VOLUMES, strict=True)
    ]
    lines.insert(3, remark.format(day=DAYS[3]))
    draft = read("Date\tOpen\tHigh\tLow\tClose\tVolume\n" + "\n".join(lines))
    assert draft.frame["close"].tolist() == list(CLOSES)
    assert draft.unreadable == 0
    assert "notes" in {finding.code for finding in draft.findings}


def test_labels_and_units_below_the_header_are_notes_and_no_tickers():
    header = "Stkcd,Trddt,Opnprc,Hiprc,Loprc,Clsprc,Dnshrtrd\n证券代码,日期,今日开价,今日高价,今日低价,今日收价,股数\n"
    header += "没有单位,没有单位,元/股,元/股,元/股,元/股,股"
    draft = read(table(header, lambda day, close, v: f"600519,{day},{prices(close)},{v}"))
    assert draft.frame["close"].tolist() == list(CLOSES)
    assert draft.about.symbol == "600519"


@pytest.mark.parametrize("header", ["Handelstag (lokal)", "データ日付", "Data/Hora", "mein Tag"])
def test_dates_are_the_time_whatever_their_column_is_called(header):
    draft = read(
        table(f"listed,{header},open,high,low,close,volume", lambda d, c, v: f"2001-08-27,{d},{prices(c)},{v}")
    )
    assert draft.frame["timestamp"].dt.strftime("%Y-%m-%d").tolist() == DAYS


def test_a_parquet_file_without_a_named_time_is_read_by_its_timestamps(tmp_path):
    frame = pd.DataFrame({"when": pd.to_datetime(DAYS), "note": "x", "open": CLOSES, "high": CLOSES, "low": CLOSES})
    frame["close"] = CLOSES
    frame.to_parquet(tmp_path / "a.parquet")
    assert read((tmp_path / "a.parquet").read_bytes()).frame["timestamp"].tolist() == pd.to_datetime(DAYS).tolist()


def test_rows_take_the_names_that_stand_beside_them_in_json():
    rows = [[day, f"{v:,}", c, c + 5, c - 5, c] for day, c, v in zip(DAYS, CLOSES, VOLUMES, strict=True)]
    document = {"stat": "OK", "fields": ["日期", "成交股數", "開盤價", "最高價", "最低價", "收盤價"], "data": rows}
    draft = read(json.dumps(document), "a.json")
    assert draft.frame["high"].tolist() == [close + 5 for close in CLOSES]
    assert draft.frame["volume"].tolist() == list(VOLUMES)


def test_an_average_price_behind_the_close_is_no_volume():
    rows = [
        [1_704_067_200 + 86_400 * n, str(c), str(c + 5), str(c - 5), str(c), str(c + 1), str(v), 12]
        for n, (c, v) in enumerate(zip(CLOSES, VOLUMES, strict=True))
    ]
    draft = read(json.dumps({"result": {"XXBTZUSD": rows}}), "a.json")
    assert draft.frame["volume"].tolist() == list(VOLUMES)


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["2024-01-02 12-AM", "2024-01-02 01-AM", "2024-01-02 12-PM"], "2024-01-02 00:00"),
        (["1/2/2024 9 AM", "1/2/2024 10 AM", "1/2/2024 1 PM"], "2024-01-02 09:00"),
        (["2024- 01- 02", "2024- 01- 03", "2024- 01- 04"], "2024-01-02"),
    ],
)
def test_hours_alone_and_dates_with_spaces_are_times(cells, first):
    draft = read("date,open,high,low,close\n" + "\n".join(f"{cell},2,3,1,2" for cell in cells))
    assert draft.frame["timestamp"].iloc[0] == pd.Timestamp(first)
    assert draft.unreadable == 0


@pytest.mark.parametrize(
    "header",
    [
        "日期,开盘,高,低,收盘,交易量",
        "日期,開市,高,低,收市,成交量",
        "Tarih,Açılış,Yüksek,Düşük,Şimdi,Hac.",
        "Data,Otwarcie,Max.,Min.,Ostatnio,Wol.",
        "Ngày,Mở,Cao,Thấp,Lần cuối,KL",
        "Datum,Open,Hoog,Laag,Laatst,Vol.",
        "start_at,open,high,low,close,volume",
    ],
)
def test_names_in_more_languages_are_known(header):
    draft = read(table(header, lambda day, close, v: f"{day},{prices(close)},{v}"))
    assert draft.frame["high"].tolist() == [close + 5 for close in CLOSES]
    assert draft.frame["volume"].tolist() == list(VOLUMES)


def test_prices_that_are_signed_by_their_change_lose_the_sign():
    lines = [f"{day},-{c},+{c},+{c + 5},-{c - 5},{v}" for day, c, v in zip(DAYS, CLOSES, VOLUMES, strict=True)]
    draft = read("체결시간,현재가,시가,고가,저가,거래량\n" + "\n".join(lines))
    assert draft.frame[["open", "high", "low", "close"]].iloc[0].tolist() == [1685, 1690, 1680, 1685]
    assert warnings(draft) == {"bid_ask_average"}


def test_lists_with_the_quote_volume_before_the_prices_are_read():
    rows = [
        [1_704_067_200 + 86_400 * n, str(v * c), str(c + 1), str(c + 5), str(c - 5), str(c), str(v), "true"]
        for n, (c, v) in enumerate(zip(CLOSES, VOLUMES, strict=True))
    ]
    draft = read(json.dumps(rows), "a.json")
    assert draft.frame[["open", "high", "low", "close"]].iloc[0].tolist() == [1685, 1690, 1680, 1686]
    assert draft.frame["volume"].tolist() == list(VOLUMES)


def test_an_amount_of_pieces_beside_a_volume_of_money_are_exchanged_and_an_epoch_is_the_time():
    rows = [
        {
            "id": 1_704_067_200 + 86_400 * n,
            "open": c,
            "close": c,
            "low": c - 5,
            "high": c + 5,
            "amount": v,
            "vol": v * c,
        }
        for n, (c, v) in enumerate(zip(CLOSES, VOLUMES, strict=True))
    ]
    draft = read(json.dumps({"ch": "market.btcusdt.kline.1day", "data": rows}), "a.json")
    assert draft.frame["volume"].tolist() == list(VOLUMES)
    assert draft.frame["timestamp"].iloc[0] == pd.Timestamp("2024-01-01")


def test_numbers_that_only_count_are_no_time():
    rows = [
        {"id": 1_704_067_211 + 7 * n * n, "open": c, "close": c, "low": c - 5, "high": c} for n, c in enumerate(CLOSES)
    ]
    assert read(json.dumps(rows), "a.json").needs_timestamps


@pytest.mark.parametrize(
    ("page", "header"),
    [
        ("cp1250", "Data;Kurs otwarcia;Kurs max;Kurs min;Kurs zamknięcia;Wolumen"),
        ("cp1251", "Дата;Открытие;Максимум;Минимум;Закрытие;Объём"),
        ("cp1254", "Tarih;Açılış;Yüksek;Düşük;Şimdi;Hac."),
        ("cp1252", "Data;Abertura;Máxima;Mínima;Último;Vol."),
    ],
)
def test_a_page_of_letters_is_known_by_the_headers_it_makes(page, header):
    lines = [f"{day};{c};{c + 5};{c - 5};{c};{v}" for day, c, v in zip(DAYS, CLOSES, VOLUMES, strict=True)]
    draft = read((header + "\n" + "\n".join(lines)).encode(page))
    assert draft.frame["close"].tolist() == list(CLOSES)
