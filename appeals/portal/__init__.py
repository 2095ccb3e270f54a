"""The guild portal: every page a guild sees.

Plain forms, no script; GET never writes; what belongs to another guild is not there.
"""
