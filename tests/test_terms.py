"""The interface says what its users say: no message, in either language, has a term that the style rules out."""

import re

import pytest

from kronos_app.locales.update import read, source_strings
from kronos_app.services.core.glossary import read_glossary

# A term of the trade, and the ways of saying it that are ruled out, as regular expressions.
RULED_OUT = {
    "actual candles": [r"what came", r"candles that came", r"that have come\b", r"have come\b(?! from)"],
    "held-out test set, validation set": [r"latest candles, which", r"candles that chose", r"nothing was chosen by"],
    "excess return": [r"beyond the benchmark"],
    "annualized return, annualized volatility": [r"return a year", r"deviation a year", r"a year\b.*deviat"],
    "max drawdown": [r"largest drawdown"],
    "win rate": [r"days that gained", r"holdings that gained", r"trades that gained"],
    "cumulative return": [r"\bearned\b"],
    "equal-weight portfolio": [r"equal parts"],
    "random-signal distribution": [r"\bluck\b"],
    "best checkpoint": [r"best state"],
    "overfitting": [r"by heart"],
    "look-ahead, data leakage": [r"learned what came"],
    "coverage: nominal and observed": [r"bands promise", r"promise and hold", r"bands held"],
    "realized volatility": [r"how far prices"],
    "zero-drift forecast": [r"without drift", r"no opinion of where"],
    "calibrated bands": [r"recalibrat"],
    "provenance": [r"where this comes from"],
    "data source": [r"where the candles come from"],
    "saved, stored": [r"laid down", r"\blies\b"],
    "no significant difference": [r"beyond chance", r"told from chance", r"told apart"],
    "queue, worker": [r"in turn\b", r"\btheir turn\b", r"\bits turn\b"],
    "negative control": [r"\bdoubles\b(?! or halves)"],
    "batch size, gradient accumulation": [r"windows a step", r"parts of a batch"],
    "gradient clipping": [r"largest gradient"],
    "weight averaging": [r"averaging of weights", r"average of weights"],
    "summary": [r"what it comes to", r"what .* come[s]? to\b"],
    "train/validation/test split": [r"serves for what"],
    "initial capital": [r"money to begin"],
    "minimum commission": [r"least cost"],
    "execution price": [r"dealt at", r"\bdealt\b"],
    "PIT histogram": [r"what came lay"],
    "calibration of P(up)": [r"stated and come true", r"came true"],
    "ideal": [r"as it should be"],
    "poll interval": [r"look at the source", r"failed looks", r"looks in a row"],
    "running": [r"in the making"],
    "auto": [r"fastest there is"],
    "completed by": [r"over by\b", r"be over at"],
    "plain verbs": [r"\btold\b", r"\bstands\b", r"goes by\b", r"\basked for\b", r"laid out"],
}
RULED_OUT_CHINESE = {
    "K 线": r"K线",
    "基准模型": r"基线",
    "基座模型": r"起始模型",
    "截止时间": r"截止点",
    "采样": r"抽样",
    "注册": r"登记",
    "过拟合": r"死记硬背|背下来",
    "测试集": r"没有参与任何选择",
    "验证集、最佳检查点": r"最好状态|最佳状态",
    "与……无显著差异": r"分不出|无法区分",
    "上涨概率校准": r"所述与实现",
    "随机信号": r"运气",
    "本机微调的模型": r"在此训练",
    "中西文之间留空格": r"[一-鿿][A-Z][a-z]{2,}|[a-z]{3,}[一-鿿]",
}

FIELD = re.compile(r"\{[^}]*\}|`[^`]*`|https?://\S+|[\w.]+@[\w.]+")


@pytest.fixture(scope="module")
def messages():
    return sorted(str(message.id) for message in source_strings() if message.id)


@pytest.fixture(scope="module")
def translations():
    return sorted(str(message.string) for message in read("zh_CN") if message.id)


@pytest.mark.parametrize("term", RULED_OUT)
def test_english_messages_use_the_standard_term(term, messages):
    pattern = re.compile("|".join(RULED_OUT[term]), re.IGNORECASE)
    assert [message for message in messages if pattern.search(FIELD.sub("", message))] == []


@pytest.mark.parametrize("term", RULED_OUT_CHINESE)
def test_chinese_messages_use_the_standard_term(term, translations):
    pattern = re.compile(RULED_OUT_CHINESE[term])
    assert [text for text in translations if pattern.search(FIELD.sub("", text))] == []


def test_every_term_of_the_glossary_stands_once_in_each_language():
    terms = read_glossary()
    assert len({english for english, *_ in terms}) == len(terms) > 50
    assert all(all(cells) for cells in terms)
