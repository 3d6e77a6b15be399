import re

import pytest

LANG = re.compile(r'<html lang="([^"]*)">')


@pytest.mark.parametrize(
    ("address", "language"), [("/", "en"), ("/forecast?lang=zh_CN", "zh-CN"), ("/forecast?lang=%22evil", "en")]
)
def test_the_document_has_the_language_of_its_address(client, address, language):
    assert LANG.search(client.get(address).text).group(1) == language


def test_the_document_has_the_language_of_the_deployment_otherwise(serve):
    answer = serve(language="zh_CN").get("/").text
    assert LANG.search(answer).group(1) == "zh-CN"
    assert 'data-lang="zh-CN"' in answer


def test_every_page_loads_scripts_that_this_server_serves(client):
    scripts = re.findall(r'src="\.(/[^"]*)"', client.get("/forecast").text)
    answers = [client.get(script) for script in scripts]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all("javascript" in answer.headers["content-type"] for answer in answers)
    assert "documentElement.lang" in answers[0].text
    assert "plotly_afterplot" in answers[1].text


@pytest.mark.parametrize(("address", "loaded"), [("/forecast?forecast=1", True), ("/forecast", False)])
def test_the_module_for_charts_is_loaded_at_once_where_the_address_names_a_chart(client, address, loaded):
    assert ('rel="modulepreload" crossorigin href="./chart.js"' in client.get(address).text) is loaded


def test_other_addresses_and_methods_go_to_the_app(client):
    assert "kronos.js" not in client.get("/elsewhere").text
    assert client.post("/forecast").status_code == 200
