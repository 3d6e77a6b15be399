"""Training and judging of the two networks. Never imports streamlit, plotly or kronos_app."""
