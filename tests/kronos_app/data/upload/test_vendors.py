"""Exports of exchanges, vendors and libraries: whatever a column is called, the same candles are read."""

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.upload import reader
from kronos_app.settings import Settings

SETTINGS = Settings(max_upload_mb=2, max_rows=20_000)
ROWS = 30


@pytest.fixture(scope="module")
def walk():
    """Return the columns of candles by one letter: t, o, h, l, c, v and the amount a."""
    rng = np.random.default_rng(1)
    close = (100 + rng.normal(size=ROWS).cumsum()).round(2)
    open_ = (close + 0.3).round(2)
    days = pd.date_range("2024-01-02", periods=ROWS, freq="B")
    volume = rng.integers(1000, 90_000, ROWS)
    return {
        "t": days.strftime("%Y-%m-%d"), "o": open_, "h": (open_ + 1).round(2), "l": (close - 1).round(2), "c": close,
        "v": volume, "a": (volume * close).round(2),
    }  # fmt: skip


def write(walk, header, cells, delimiter=","):
    """Return a file whose cells are expressions in the columns of the walk; other text stays as it is."""
    lines = [header]
    for row in range(ROWS):
        values = {letter: column[row] for letter, column in walk.items()}
        lines.append(delimiter.join(str(eval(cell, {"np": np}, values)) for cell in cells.split("|")))
    return "\n".join(lines) + "\n"


def read(content, name="file.csv"):
    return reader.read_all(content if isinstance(content, bytes) else content.encode(), name, settings=SETTINGS)


def codes(draft, severity=None):
    return {finding.code for finding in draft.findings if severity in {None, finding.severity}}


def check(draft, walk, columns="ohlcv", rtol=0.0):
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "a": "amount"}
    assert set(draft.frame) - {"timestamp"} == {names[letter] for letter in columns}
    for letter in columns:
        np.testing.assert_allclose(draft.frame[names[letter]], walk[letter].astype(float), rtol=rtol, err_msg=letter)
    assert draft.frame["timestamp"].dt.strftime("%Y-%m-%d").tolist() == list(walk["t"])
    assert draft.unreadable == 0


VENDORS = [
    ("Nasdaq Data Link", "Date,Open,High,Low,Settle,Volume,Prev. Day Open Interest", "t|o|h|l|c|v|5", "ohlcv"),
    ("Bloomberg", "Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME", "t|o|h|l|c|v", "ohlcv"),
    ("Yahoo, the page", "Date,Open,High,Low,Close*,Adj Close**,Volume", "t|o|h|l|c|c-1|v", "ohlcv"),
    ("EODHD", "Date,Open,High,Low,Close,Adjusted_close,Volume", "t|o|h|l|c|c/2|v", "ohlcv"),
    ("Investing.com", "Date,Price,Open,High,Low,Vol.,Change %", "t|c|o|h|l|v|'0.5%'", "ohlcv"),
    ("CSMAR", "Stkcd,Trddt,Opnprc,Hiprc,Loprc,Clsprc,Dnshrtrd,Dnvaltrd", "'000001'|t|o|h|l|c|v|a", "ohlcva"),
    ("CRSP", "PERMNO,date,PRC,VOL,OPENPRC,ASKHI,BIDLO", "14593|t|c|v|o|h|l", "ohlcv"),
    ("FXCM", "date,bidopen,bidclose,bidhigh,bidlow,askopen,askclose,askhigh,asklow,tickqty",
     "t|o|c|h|l|o+.1|c+.1|h+.1|l+.1|v", "ohlcv"),
    ("OANDA", "time,complete,volume,bid.o,bid.h,bid.l,bid.c,mid.o,mid.h,mid.l,mid.c",
     "t|True|v|1|1|1|1|o|h|l|c", "ohlcv"),
    ("CoinAPI", "time_period_start,time_open,price_open,price_high,price_low,price_close,volume_traded,trades_count",
     "t|1|o|h|l|c|v|5", "ohlcv"),
    ("CryptoCompare", "time,high,low,open,volumefrom,volumeto,close,conversionType",
     "t|h|l|o|v|a|c|'direct'", "ohlcva"),
    ("Gate.io", "timestamp,open,high,low,close,base_volume,quote_volume", "t|o|h|l|c|v|a", "ohlcva"),
    ("Upbit", "market,candle_date_time_utc,opening_price,high_price,low_price,trade_price,candle_acc_trade_price,"
     "candle_acc_trade_volume", "'KRW-BTC'|t|o|h|l|c|a|v", "ohlcva"),
    ("Binance", "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades",
     "t|o|h|l|c|v|t|a|5", "ohlcva"),
    ("CryptoDataDownload, a pair without dollars", "Date,Symbol,Open,High,Low,Close,Volume ETH,Volume BTC",
     "t|'ETHBTC'|o|h|l|c|v|a", "ohlcva"),
    ("Kaggle", "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price",
     "t|o|h|l|c|v|a|c", "ohlcva"),
    ("RiceQuant", "order_book_id,date,open,high,low,close,volume,total_turnover",
     "'600519.XSHG'|t|o|h|l|c|v|a", "ohlcva"),
    ("futu", "code,time_key,open,close,high,low,turnover_rate,volume,turnover", "'HK.1'|t|o|c|h|l|.1|v|a", "ohlcva"),
    ("vn.py", "symbol,datetime,volume,turnover,open_price,high_price,low_price,close_price",
     "'rb'|t|v|a|o|h|l|c", "ohlcva"),
    ("TqSdk", "datetime,SHFE.cu2401.open,SHFE.cu2401.high,SHFE.cu2401.low,SHFE.cu2401.close,SHFE.cu2401.volume",
     "t|o|h|l|c|v", "ohlcv"),
    ("NSE UDiFF", "TradDt,TckrSymb,SctySrs,OpnPric,HghPric,LwPric,ClsPric,LastPric,TtlTradgVol,TtlTrfVal",
     "t|'SBIN'|'EQ'|o|h|l|c|c+1|v|a", "ohlcva"),
    ("BSE", "Date,Open Price,High Price,Low Price,Close Price,WAP,No.of Shares,No. of Trades,Total Turnover (Rs.)",
     "t|o|h|l|c|c|v|5|a", "ohlcva"),
    ("J-Quants", "Date,Code,Open,High,Low,Close,Volume,TurnoverValue,AdjustmentOpen,AdjustmentHigh,AdjustmentLow,"
     "AdjustmentClose", "t|'86970'|o|h|l|c|v|a|o/2|h/2|l/2|c/2", "ohlcva"),
    ("Stooq", "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen", "t|o|h|l|c|v", "ohlcv"),
    ("MOEX", "BOARDID,TRADEDATE,SECID,VALUE,OPEN,LOW,HIGH,LEGALCLOSEPRICE,WAPRICE,CLOSE,VOLUME",
     "'TQBR'|t|'SBER'|a|o|l|h|1|1|c|v", "ohlcva"),
    ("a rate beside volume", "date,open,high,low,close,volume,turnover", "t|o|h|l|c|v|v/1e6", "ohlcv"),
    ("a rate in percent", "date,open,high,low,close,volume,Turnover %", "t|o|h|l|c|v|1.3", "ohlcv"),
    ("a rate without volume", "date,open,high,low,close,turnover", "t|o|h|l|c|1.3", "ohlc"),
    ("a rate and an amount", "date,open,high,low,close,volume,turnover,amount", "t|o|h|l|c|v|.01|a", "ohlcva"),
    ("volume of zeros", "date,open,high,low,close,volume,tick_volume", "t|o|h|l|c|0|v", "ohlcv"),
    ("volume of -1", "date,open,high,low,close,volume", "t|o|h|l|c|-1", "ohlc"),
    ("equal columns", "datetime,open,close,high,low,vol,amount,datetime,volume", "t|o|c|h|l|v|a|t|v", "ohlcva"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "cells", "columns"), [case[1:] for case in VENDORS], ids=[case[0] for case in VENDORS]
)
def test_names_of_vendors_are_known(walk, header, cells, columns):
    (draft,) = read(write(walk, header, cells))
    check(draft, walk, columns)
    assert not codes(draft, "warning")


ENCODED_HEADERS = {
    "cp949": "일자,시가,고가,저가,종가,거래량,거래대금",
    "cp932": "日付,始値,高値,安値,終値,出来高,売買代金",
    "cp950": "日期,開盤價,最高價,最低價,收盤價,成交股數,成交金額",
    "gbk": "日期,开盘价,最高价,最低价,收盘价,成交量,成交额",
    "cp1252": "Datum,Eröffnung,Hoch,Tief,Schluß,Stücke,Volumen",
    "utf-16": "Дата,Открытие,Макс.,Мин.,Закрытие,Объём,amount",
}


@pytest.mark.parametrize("encoding", ENCODED_HEADERS)
def test_headers_of_other_languages_are_known_in_their_encodings(walk, encoding):
    (draft,) = read(write(walk, ENCODED_HEADERS[encoding], "t|o|h|l|c|v|a").encode(encoding))
    check(draft, walk, "ohlcva")


@pytest.mark.parametrize(
    ("header", "cells", "columns", "severity"),
    [
        ("日期,开盘,最高,最低,收盘,成交量(手),成交额(万元)", "t|o|h|l|c|v/100|a/1e4", "ohlcva", "info"),
        ("日期,开盘,最高,最低,收盘,成交量(万股),成交额(百万)", "t|o|h|l|c|v/1e4|a/1e6", "ohlcva", "info"),
        ("日期,开盘,最高,最低,收盘,成交量（千股）,成交额（亿元）", "t|o|h|l|c|v/1e3|a/1e8", "ohlcva", "info"),
        ("日付,始値,高値,安値,終値,出来高(千株),売買代金(百万円)", "t|o|h|l|c|v/1e3|a/1e6", "ohlcva", "info"),
        ("Date,Open,High,Low,Close,Volume (K),Turnover (Rs. Lakhs)", "t|o|h|l|c|v/1e3|a/1e5", "ohlcva", "info"),
        ("Date,Open,High,Low,Close,Volume in thousands,Turnover (Cr)", "t|o|h|l|c|v/1e3|a/1e7", "ohlcva", "info"),
        ("Date,Open,High,Low,Close,Volume (M),Amount (bn)", "t|o|h|l|c|v/1e6|a/1e9", "ohlcva", "info"),
        ("Date,Open,High,Low,Close,TTL_TRD_QNTY,TURNOVER_LACS", "t|o|h|l|c|v|a/1e5", "ohlcva", "info"),
        ("日期,开盘,最高,最低,收盘,成交量(万手),成交额(元)", "t|o|h|l|c|v/1e6|a", "ohlcva", "info"),
        ("日期,开盘,最高,最低,收盘,成交量(手)", "t|o|h|l|c|v/100", "ohlcv", "warning"),
        ("日期,开盘,最高,最低,收盘,成交量(万手),持仓量", "t|o|h|l|c|v/1e4|5", "ohlcv", "warning"),
        ("Date,Open (B),High (B),Low (B),Close (B),Volume (1000s)", "t|o|h|l|c|v/1e3", "ohlcv", "info"),
        ("日期,开盘,最高,最低,收盘,成交量(手),持仓量", "t|o|h|l|c|v|5", "ohlcv", "warning"),
    ],
)
def test_units_of_headers_are_applied_and_said(walk, header, cells, columns, severity):
    (draft,) = read(write(walk, header, cells))
    check(draft, walk, columns, rtol=1e-12)
    assert "unit" in codes(draft, severity)


def test_databento_prices_in_billionths_are_scaled_aloud(walk):
    header = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume"
    cells = "t|34|1|5|round(o*1e9)|round(h*1e9)|round(l*1e9)|round(c*1e9)|v"
    (draft,) = read(write(walk, header, cells))
    check(draft, walk)
    assert codes(draft, "warning") == {"fixed_point"}
    (draft,) = read(write(walk, "date,open,high,low,close", "t|round(o*1e7)|round(h*1e7)|round(l*1e7)|round(c*1e7)"))
    assert not codes(draft)


def test_an_adjusted_close_alone_is_read_and_doubted(walk):
    (draft,) = read(write(walk, "Date,Open,High,Low,Adj Close", "t|o|h|l|c"))
    check(draft, walk, "ohlc")
    assert codes(draft, "warning") == {"mixed_adjustment"}


def test_prices_of_one_quotation_are_not_mixed(walk):
    header = "date,askopen,askhigh,asklow,askclose,bidopen,bidhigh,bidlow,bidclose"
    (draft,) = read(write(walk, header, "t|o+9|h+9|l+9|c+9|o|h|l|c"))
    check(draft, walk, "ohlc")
    assert draft.columns["close"] == "bidclose"


def test_several_series_of_a_symbol_are_told_apart_by_a_column_that_names_them(walk):
    both = write(walk, "SYMBOL,SERIES,DATE,OPEN,HIGH,LOW,CLOSE,LAST", "'SBIN'|'EQ'|t|o|h|l|c|1")
    both += write(walk, "", "'SBIN'|'N5'|t|o+900|h+900|l+900|c+900|1").lstrip()
    both += write(walk, "", "'INFY'|'EQ'|t|o|h|l|c|1").lstrip()
    drafts = {draft.name: draft for draft in read(both)}
    assert set(drafts) == {"SBIN EQ", "SBIN N5", "INFY"}
    check(drafts["SBIN EQ"], walk, "ohlc")
    assert all("several_series" in codes(draft) for draft in drafts.values())
    assert "“SERIES”" in next(f for f in drafts["INFY"].findings if f.code == "several_series").message.render()
    alone = write(walk, "SYMBOL,SERIES,DATE,OPEN,HIGH,LOW,CLOSE", "'SBIN'|'EQ'|t|o|h|l|c")
    assert [draft.about.symbol for draft in read(alone)] == ["SBIN"]
