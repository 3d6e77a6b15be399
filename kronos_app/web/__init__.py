"""ASGI middleware before pages and API: hosts, origins, headers, password, uploads and bodies. Knows no Streamlit."""
