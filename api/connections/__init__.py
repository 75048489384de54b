"""Shares one process of the API between its clients: whose request is next, and what each may hold."""
