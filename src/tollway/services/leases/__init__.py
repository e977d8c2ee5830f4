"""Budgets and limits in a worker's memory: what it has leased of them, and what it asks the database for."""
