"""The REST API: FastAPI routes, mounted under /api on the dashboard's port.

Routes check requests and render answers; services do the work. Never imports streamlit or pages.
"""
