"""ASGI middleware of pages and API: hosts, origins, headers, password, uploads, bodies. Never imports streamlit."""
