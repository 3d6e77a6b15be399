"""The REST API: FastAPI routes, mounted under /api on the dashboard's port.

Checks what arrives and renders what leaves; everything between is a service's. Never imports streamlit or pages.
"""
