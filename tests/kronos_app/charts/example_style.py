"""The style of figures in tests: Chinese texts, because they are not those of the code."""

from kronos_app.charts.style import MARKET_COLOURS, ChartStyle

STYLE = ChartStyle(
    history="历史",
    forecast="代表路径",
    median="中位数",
    actual="实际",
    band="{level} % 区间",
    price="价格",
    volume="成交量",
    cutoff="截止",
    open="开",
    high="高",
    low="低",
    close="收",
    tools={"in": "放大"},
    language="zh-CN",
    compact=lambda value: f"{value / 1e8:g} 亿",
    market=MARKET_COLOURS["red_up"],
)
