"""Penalties starting and ending while worker, beat, PostgreSQL and Valkey are killed again and again.

    make chaos MINUTES=5 PENALTIES=10000

`servers` starts, kills and restarts; `world` makes the penalties; `model` says in plain Python what must have become of
them; `compare` looks at the database and prints every difference.
"""
