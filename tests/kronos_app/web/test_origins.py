import pytest

CROSS = [
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost:8501", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://evil.example", "Authorization": "Basic eDp5"},
]
OWN = [
    {},
    {"Origin": "http://localhost:8501"},
    {"Origin": "http://localhost:8501", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://evil.example", "Authorization": "Bearer token"},
]


@pytest.mark.parametrize("headers", CROSS)
def test_a_page_of_another_site_changes_nothing(client, refused, headers):
    response = client.post("/api/v1/echo", content=b"x", headers=headers)
    assert refused(response, 403) == "cross_site_request"


@pytest.mark.parametrize("headers", OWN)
def test_own_pages_programs_and_who_has_a_token_may(client, headers):
    assert client.post("/api/v1/echo", content=b"x", headers=headers).json()["bytes"] == 1


def test_links_from_other_sites_open_pages(client):
    assert client.get("/data", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
