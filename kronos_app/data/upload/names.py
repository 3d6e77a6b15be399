"""Names of the price, volume, amount and symbol columns in exports of exchanges, vendors, terminals and libraries.

Every name is in the form that `columns.plain` returns. Earlier names win where a file has several columns for one role.
"""

from __future__ import annotations

NAMES: dict[str, tuple[str, ...]] = {
    "open": (
        "open", "openprice", "openingprice", "priceopen", "o", "op", "opn", "opnpric", "opnprc", "openprc", "pxopen",
        "tddopnprc", "rateopen", "firstprice", "1open",
        "开盘", "开盘价", "今开", "今开盘", "今日开盘价", "日开盘价", "開盤", "開盤價", "開市", "開市價", "开市",
        "开市价",
        "시가", "始値", "eröffnung", "eröffn", "eröffnungskurs", "erster", "ouverture", "ouv", "apertura", "abertura",
        "otwarcie", "kursotwarcia", "stckoprc", "открытие", "откр", "açılış", "mở", "mởcửa", "pembukaan", "öppen",
        "mido", "midopen", "openmid", "bido", "bidopen", "openbid", "asko", "askopen", "openask",
        "adjopen", "adjustedopen", "adjustmentopen",
    ),
    "high": (
        "high", "highprice", "highestprice", "pricehigh", "dayhigh", "h", "hi", "hghpric", "hiprc", "askhi", "pxhigh",
        "tddhgprc", "ratehigh", "max", "maxprice",
        "最高", "最高价", "最高價", "高", "今日最高价", "日最高价", "고가", "高値", "hoch", "tageshoch", "haut",
        "plushaut", "máximo",
        "máxima", "máx", "maximo", "maxima", "massimo", "najwyzszy", "najwyższy", "максимум", "макс",
        "kursmax", "stckhgpr", "yüksek", "cao", "caonhất", "tertinggi", "hoog", "högst",
        "midh", "midhigh", "highmid", "bidh", "bidhigh", "highbid", "askh", "askhigh", "highask",
        "adjhigh", "adjustedhigh", "adjustmenthigh",
    ),
    "low": (
        "low", "lowprice", "lowestprice", "pricelow", "daylow", "l", "lo", "lwpric", "loprc", "bidlo", "pxlow",
        "tddlwprc", "ratelow", "min", "minprice",
        "最低", "最低价", "最低價", "低", "今日最低价", "日最低价", "저가", "安値", "tief", "tagestief", "bas",
        "plusbas", "mínimo",
        "mínima", "mín", "minimo", "minima", "najnizszy", "najniższy", "минимум", "мин",
        "kursmin", "stcklwpr", "düşük", "thấp", "thấpnhất", "terendah", "laag", "lägst",
        "midl", "midlow", "lowmid", "bidl", "bidlow", "lowbid", "askl", "asklow", "lowask",
        "adjlow", "adjustedlow", "adjustmentlow",
    ),
    "close": (
        "close", "closeprice", "closingprice", "priceclose", "c", "cl", "closelast", "clspric", "clsprc", "closeprc",
        "prc", "tddclsprc", "rateclose", "收盘", "收盘价", "日收盘价", "收市", "收市价",
        "收盤", "收盤價", "收市價",
        "종가", "終値", "schluss", "schlusskurs", "schlußkurs", "clôture", "cloture", "clot", "cierre", "chiusura",
        "fechamento", "zamkniecie", "zamknięcie", "закрытие", "закр",
        "last", "lastprice", "pricelast", "lastpric", "latest", "latestprice", "pxlast", "ltp", "lasttradedprice",
        "tradeprice", "lasttradeprice", "最新", "最新价", "最新價", "现价", "現價", "zuletzt", "letzter", "dernier",
        "último", "ultimo", "şimdi", "ostatnio", "lầncuối", "đóngcửa", "terakhir", "laatst", "senaste", "settle",
        "settlement", "settleprice", "settlementprice", "结算价", "結算價", "정산가",
        "현재가", "lastclose", "stckclpr", "clos", "kurszamknięcia", "price", "цена", "preis", "kurs", "가격",
        "现在价",
        "midc", "midclose", "closemid", "bidc", "bidclose", "closebid", "askc", "askclose", "closeask",
        "adjclose", "adjustedclose", "closeadj", "adjustmentclose", "修正後終値", "调整后收盘价",
    ),
    "volume": (
        "volume", "vol", "v", "tradingvolume", "tradevolume", "tradedvolume", "volumetraded", "totalvolume",
        "sharevolume", "sharestraded", "noofshares", "numberofshares", "quantity", "qty", "tradedquantity",
        "totaltradedquantity", "totaltradedqty", "tottrdqty", "ttltradgvol", "ttltrdqnty", "tradedqty",
        "totalquantity", "basevolume", "volumebase", "volumefrom", "baseassetvolume", "volbase", "volccy", "pxvolume",
        "acctrdvol", "accvolume", "dnshrtrd", "candleacctradevolume", "contracts", "成交量", "总手", "成交数量",
        "成交股数", "成交數量", "成交股數", "成交張數", "成交仟股",
        "成交千股", "日个股交易股数", "交易量", "总量", "總量", "거래량", "出来高", "売買高",
        "stücke", "stuecke", "volumen", "wolumen", "umsatzinstück", "volumi", "acmlvol", "tvol", "basetokenvolume",
        "quantità", "quantidade", "títulos",
        "wol", "hac", "khốilượng", "kl", "объем", "объём", "realvolume",
        "tickvol", "tickvolume", "tickqty", "ticks", "totalticks",
    ),
    "amount": (
        "amount", "amt", "成交额", "成交金额", "成交仟元", "成交千元", "日个股交易金额", "成交總額", "成交总额",
        "金额", "成交額", "成交金額", "金額", "거래대금",
        "売買代金", "money", "quotevolume", "volumequote", "quoteassetvolume", "volumeto", "volquote", "volccyquote",
        "dollarvolume", "notional", "totaltradedvalue", "tradedvalue", "valuetraded", "turnovervalue", "tradingvalue",
        "tottrdval", "ttltrfval", "acctrdval", "acctrdvalue", "dnvaltrd", "totalturnover", "candleacctradeprice",
        "umsatzineuro", "volumefinanceiro", "acmltrpbmn", "tamt", "usdvolume", "obrót", "controvalore", "efectivo",
        "turnover", "turover", "value", "volumen",
    ),
    # Codes come before names for people.
    "symbol": (
        "symbol", "symbols", "ticker", "tickers", "tckrsymb", "tscode", "code", "股票代码", "证券代码", "基金代码",
        "合约代码", "标的代码", "代码", "證券代號", "股票代號", "代號", "종목코드", "단축코드", "銘柄コード",
        "コード", "instrument", "orderbookid", "secid", "sid", "ric", "isin", "stockcode", "stkcd", "isusrtcd",
        "isucd",
        "symbolid", "permno", "instrumentcode", "productid", "asset", "contract", "pair", "product", "market",
        "security", "交易对", "合约", "标的", "品种", "name", "stockname", "股票名称", "股票简称", "证券简称", "名称",
        "简称", "證券名稱", "股票名稱", "名稱", "종목명", "銘柄名", "銘柄", "isunm", "isuabbrv",
    ),
}  # fmt: skip

ADJUSTED = frozenset({
    "adjopen", "adjustedopen", "adjustmentopen", "adjhigh", "adjustedhigh", "adjustmenthigh", "adjlow", "adjustedlow",
    "adjustmentlow", "adjclose", "adjustedclose", "closeadj", "adjustmentclose", "修正後終値", "调整后收盘价",
})  # fmt: skip
"""Prices adjusted for splits or dividends: never mixed with prices that are not."""

RATES_AS_WELL = frozenset({"turnover", "turover", "value", "volumen"})
"""Names of an amount that vendors also give to a turnover rate or to another figure; the values decide."""

PIECES = frozenset({
    "quantity", "qty", "tradedquantity", "quantidade", "quantità", "títulos", "stücke", "stuecke", "umsatzinstück",
    "sharestraded", "noofshares", "numberofshares", "sharevolume", "contracts",
})  # fmt: skip
"""Names of volumes that count pieces, beside which a `volume` may be money."""

QUALIFIERS = (
    "series", "sctysrs", "boardid", "board", "expiry", "expirydt", "expirydate", "xprydt", "strike", "strikepr",
    "strikeprice", "strkpric", "optiontyp", "optiontype", "optntp", "exchange", "venue", "publisherid",
)  # fmt: skip
"""Columns that tell apart several series of one symbol, in the order in which they are tried."""

OPEN_INTEREST = frozenset({"openinterest", "openint", "oi", "持仓量", "持仓", "未平倉量", "opnintrst", "建玉"})
"""A file with such a column is of futures: its lots are contracts."""

FIXED_POINT_MARKERS = frozenset({"rtype", "publisherid", "instrumentid", "tsevent"})
"""Columns of Databento's files, whose whole prices count billionths."""

LOTS_AND_THOUSANDS_MARKERS = frozenset({"tscode"})
"""Columns of Tushare's files, whose volume counts lots and whose amount counts thousands."""

QUOTE_CURRENCIES = frozenset({
    "usd", "usdt", "usdc", "busd", "tusd", "fdusd", "dai", "eur", "gbp", "jpy", "krw", "try", "cny", "inr", "brl",
    "aud", "cad", "chf", "hkd", "twd", "currency", "quote", "dollar", "dollars",
})  # fmt: skip
