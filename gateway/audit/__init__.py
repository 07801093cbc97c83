"""What is remembered: an append-only log that nobody, its keeper included, can quietly change.

Read `merkle` (the tree), then `entry` (what one record is), `log` (what gateways and auditors use),
`keeper` (what it asks of the place where it is kept) with its two kinds, `embedded` (files of one
process) and `postgresql` (a database that several share), and `verify` (what an auditor runs, with
nothing else of this project). What others have seen of it: `witness` (which they run), `witnessing`
and `submission` (the gateway's side), `publishing`; what they can show of it: `proof`, `compare`,
`reading`.
"""
