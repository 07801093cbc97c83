"""What is remembered: an append-only log that nobody, its keeper included, can quietly change.

Read `merkle` (the tree), then `entry` (what one record is), `store` (files), `log` (who writes, and
when a query may go on) and `verify` (what an auditor runs, with nothing else of this project).
"""
