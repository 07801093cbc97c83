"""A log in PostgreSQL, for several gateways.

Read `schema.sql` (what is there, and who may do what), `pending` (how a record comes to last),
`leader` (how it comes by its number) and `keeper` (both, and reading).
"""
